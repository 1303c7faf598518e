"""Where the facts of a service stand, as its database says it: what waits to be published, what was set aside."""

from dataclasses import dataclass
from datetime import datetime

from chassis.mongo import Database


@dataclass(frozen=True)
class Standing:
    """Facts that are not published yet, since when the oldest of them waits, and dead letters in and out."""

    waiting: int
    oldest: datetime | None
    letters_in: int
    letters_out: int


async def standing(db: Database) -> Standing:
    """At this moment."""
    oldest = await db["outbox"].find_one({"pending": True}, {"time": 1}, sort=[("_id", 1)])
    letters = db["dead_letters"]
    return Standing(
        waiting=await db["outbox"].count_documents({"pending": True}),
        oldest=oldest["time"] if oldest else None,
        letters_in=await letters.count_documents({"outgoing": {"$ne": True}}),
        letters_out=await letters.count_documents({"outgoing": True}),
    )
