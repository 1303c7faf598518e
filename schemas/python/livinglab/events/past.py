"""The past alone: every fact from some place on, up to where the streams ended when asked."""

from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Any

import nats
from livinglab.events import names
from livinglab.events.facts import Fact, decoded, services
from livinglab.events.starts import start
from nats.errors import TimeoutError as NatsTimeout
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig
from nats.js.errors import NotFoundError

_BATCH = 500
_WAIT_SECONDS = 5.0
_IDLE_SECONDS = 60


async def replay(
    *subjects: str,
    since: datetime | int | None = None,
    servers: str | list[str] = "nats://127.0.0.1:4222",
    **connect: Any,
) -> AsyncGenerator[Fact, None]:
    """The facts of these subjects since a time (aware), from a place in the stream on (a number; the subjects are then
    of one service), or all: stream after stream, each in its order. Changes nothing at the broker. `connect` is what
    nats.connect takes besides."""
    asked: dict[str, list[str]] = {}
    for subject in names.filters(subjects, services()):
        asked.setdefault(names.stream_of(subject), []).append(subject)
    config = start(since, list(asked))
    async with await nats.connect(servers, **connect) as nc:
        js = nc.jetstream()
        for stream, wanted in asked.items():
            async for fact in _past(js, stream, wanted, config):
                yield fact


async def _past(
    js: JetStreamContext, stream: str, wanted: list[str], config: dict[str, Any]
) -> AsyncGenerator[Fact, None]:
    reader = ConsumerConfig(
        ack_policy=AckPolicy.NONE, filter_subjects=wanted, inactive_threshold=_IDLE_SECONDS, mem_storage=True, **config
    )
    try:
        info = await js.add_consumer(stream, reader)
    except NotFoundError:
        return
    bound = await js.pull_subscribe_bind(consumer=info.name, stream=stream)
    left = info.num_pending or 0
    try:
        while left:
            try:
                messages = await bound.fetch(min(_BATCH, left), timeout=_WAIT_SECONDS)
            except NatsTimeout:
                continue
            left -= len(messages)
            for msg in messages:
                yield decoded(msg)
    finally:
        await js.delete_consumer(stream, info.name)
