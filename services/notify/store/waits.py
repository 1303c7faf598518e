"""What is to be told later unless something happens: one record for each rule and thing that it waits on."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pymongo import IndexModel

from chassis import mongo

INDEXES = {"waits": [IndexModel([("due_time", 1)], partialFilterExpression={"due_time": {"$exists": True}})]}


@dataclass(frozen=True)
class Wait:
    """A fact that nothing has followed for as long as its rule says."""

    id: str
    rule: str
    event: bytes
    began: datetime


class WaitStore:
    """Facts come in any order, and again: the newest beginning and the newest end stand."""

    def __init__(self, db: mongo.Database) -> None:
        self._waits = db["waits"]

    async def begin(self, tx: mongo.Tx, key: str, rule: str, event: bytes, began: datetime, due: datetime) -> None:
        """Waits from this fact on, unless a newer one has begun or ended it."""
        later = {"$and": [{"$gt": [began, _known("$began")]}, {"$gt": [began, _known("$ended")]}]}

        def newer(value: Any, field: str) -> dict[str, Any]:
            return {"$cond": [later, value, f"${field}"]}

        change = {
            "rule": rule,
            "event": newer({"$literal": event}, "event"),
            "due_time": {"$cond": [later, due, {"$ifNull": ["$due_time", "$$REMOVE"]}]},
            "began": {"$max": ["$began", began]},
        }
        await self._waits.update_one({"_id": key}, [{"$set": change}], upsert=True, session=tx.session)

    async def end(self, tx: mongo.Tx, key: str, ended: datetime) -> None:
        """What was waited for has happened."""
        over = {"$gte": [ended, _known("$began")]}
        change = {
            "ended": {"$max": ["$ended", ended]},
            "due_time": {"$cond": [over, "$$REMOVE", {"$ifNull": ["$due_time", "$$REMOVE"]}]},
        }
        await self._waits.update_one({"_id": key}, [{"$set": change}], upsert=True, session=tx.session)

    async def due(self, most: int) -> list[Wait]:
        """Those whose time has come by the database's clock, the longest first."""
        query = {"due_time": {"$exists": True}, "$expr": {"$lte": ["$due_time", "$$NOW"]}}
        rows = await self._waits.find(query).sort("due_time", 1).limit(most).to_list(None)
        return [Wait(row["_id"], row["rule"], row["event"], row["began"]) for row in rows]

    async def told(self, wait: Wait) -> None:
        """People know; once."""
        await self._waits.update_one({"_id": wait.id, "began": wait.began}, {"$unset": {"due_time": ""}})


def _known(field: str) -> dict[str, Any]:
    return {"$ifNull": [field, datetime(1970, 1, 1, tzinfo=UTC)]}
