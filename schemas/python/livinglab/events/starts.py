"""Where a new reader begins."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from nats.js.api import DeliverPolicy


def start(since: datetime | int | None, streams: Sequence[str]) -> dict[str, Any]:
    """For the configuration of a consumer: a time, a place in the stream, or the beginning; ValueError for a time
    without its zone, or a place in several streams."""
    if since is None:
        return {"deliver_policy": DeliverPolicy.ALL}
    if isinstance(since, int):
        if len(set(streams)) > 1:
            raise ValueError(f"place {since} of which stream? the subjects are of {', '.join(sorted(set(streams)))}")
        return {"deliver_policy": DeliverPolicy.BY_START_SEQUENCE, "opt_start_seq": max(1, since)}
    if since.tzinfo is None:
        raise ValueError(f"{since} has no zone")
    return {"deliver_policy": DeliverPolicy.BY_START_TIME, "opt_start_time": since}
