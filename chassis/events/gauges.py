"""Metrics about the outbox, the dead letters and the consumers of a service's facts. They are read from the database
and the broker beside the work, so they are right also when the work itself is stuck."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from pymongo.errors import PyMongoError

from chassis import telemetry
from chassis.events import durables
from chassis.events.standing import standing
from chassis.mongo import Database

_LOOK_SECONDS = 5.0
# What a service is for changes by the day, and its figures are counted.
_DOMAIN_SECONDS = 30.0


async def measure(db: Database, js: JetStreamContext, service: str) -> None:
    """Until cancelled. What cannot be looked at keeps its last figure; each replica tells the same."""

    async def look() -> None:
        await _stored(db)
        await _lags(js, service)

    await keep_looking(look, _LOOK_SECONDS)


async def keep_looking(look: Callable[[], Awaitable[None]], pause: float = _DOMAIN_SECONDS) -> None:
    """Until cancelled. What cannot be looked at keeps its last figure."""
    while True:
        try:
            await look()
        except (PyMongoError, NatsError, TimeoutError) as error:
            telemetry.log.info("some figures are old", because=f"{type(error).__name__}: {error}"[:200])
        await asyncio.sleep(pause)


async def _stored(db: Database) -> None:
    now = await standing(db)
    telemetry.OUTBOX_PENDING.set(now.waiting)
    telemetry.OUTBOX_OLDEST.set(_age(now.oldest))
    telemetry.DEAD_LETTERS_WAITING.labels("out").set(now.letters_out)
    telemetry.DEAD_LETTERS_WAITING.labels("in").set(now.letters_in)


async def _lags(js: JetStreamContext, service: str) -> None:
    """Of everybody who listens to this service's facts, whether or not they are of ours."""
    found = [lag async for lag in durables.lags(js, service)]
    # One that was deleted leaves no figure behind.
    telemetry.LAG.clear()
    telemetry.LAG_SECONDS.clear()
    for lag in found:
        telemetry.LAG.labels(lag.stream, lag.durable).set(lag.waiting + lag.in_hand)
        telemetry.LAG_SECONDS.labels(lag.stream, lag.durable).set(_age(lag.since))


def _age(since: datetime | None) -> float:
    return max(0.0, (datetime.now(UTC) - since).total_seconds()) if since else 0.0
