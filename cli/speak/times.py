"""Times as people type them."""

import re
from datetime import UTC, datetime, timedelta

import typer

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def since_when(value: str) -> datetime:
    """A time with its offset, or how long ago."""
    if value == "start":
        return datetime(1970, 1, 1, tzinfo=UTC)
    if ago := re.fullmatch(r"(\d{1,9})([smhd])", value):
        return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise typer.BadParameter(f"{value} is neither 30m, 2h, 1d, 'start' nor a time such as 2022-11-07T09:00+07:00")
    return found
