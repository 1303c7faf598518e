"""Consumers and relays that run beside a test, and reactions that count."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from google.protobuf.message import Message

from chassis import mongo
from chassis.events import stream


@asynccontextmanager
async def beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Runs until the block ends, then ends in order."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def counting(db: mongo.Database, event: type[Message]) -> stream.Reaction:
    """Counts in the database how often each fact had its effect."""

    async def handle(tx: mongo.Tx, fact: Any) -> None:
        key = {"_id": fact.meta.event_id}
        await db["effects"].update_one(key, {"$inc": {"times": 1}}, upsert=True, session=tx.session)

    return stream.Reaction(event, handle)


async def effects(db: mongo.Database) -> Counter[str]:
    """How often each fact had its effect."""
    return Counter({row["_id"]: row["times"] for row in await db["effects"].find({}).to_list(None)})
