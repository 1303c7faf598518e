"""What is kept beside visits: programme, delegation, duties, and whether anything followed."""

from collections.abc import Mapping
from typing import Any

from livinglab.coaching.v1 import follow_up_pb2 as pb
from livinglab.coaching.v1 import visit_pb2
from pymongo import IndexModel
from pymongo.errors import PyMongoError

from chassis import mongo
from services.coaching.model import follow_ups
from services.coaching.store.documents import fields, versioned
from services.coaching.store.rows import save

DatabaseFailure = PyMongoError
_INDEXES = {
    "follow_ups": [
        IndexModel([("cohort_id", 1)]),
        # Those whose term may run out.
        IndexModel([("waiting", 1), ("term_date", 1)], partialFilterExpression={"waiting": True}),
    ],
}


class FollowUps:
    """Documents in, messages out."""

    def __init__(self, db: mongo.Database) -> None:
        self.db = db

    async def prepare(self) -> None:
        """Collections and indexes; once at start-up."""
        await self.db.prepare(_INDEXES)

    async def find(self, visit_id: str, tx: mongo.Tx | None = None) -> pb.VisitFollowUp | None:
        """What is kept beside the visit, or None."""
        row = await self.db["follow_ups"].find_one({"_id": visit_id}, session=tx.session if tx else None)
        return versioned(row, pb.VisitFollowUp) if row else None

    async def save(self, tx: mongo.Tx, found: pb.VisitFollowUp) -> None:
        """Stores the next version; ABORTED where somebody else did so first."""
        done = follow_ups.done(found)
        waits = bool(found.term_date) and not done and not found.HasField("escalate_time") and not found.rehearsal
        row = {**fields(found), "waiting": waits, "done": done}
        await save(self.db, tx, "follow_ups", found, row)

    async def held(self, tx: mongo.Tx, visit: visit_pb2.Visit) -> None:
        """From now on something is to follow the visit."""
        await self.save(tx, follow_ups.opened(visit, await self.find(visit.id, tx)))

    async def over(self, today: str, most: int) -> list[pb.VisitFollowUp]:
        """Those whose term was over before the day, the longest first."""
        keys = {"waiting": True, "term_date": {"$lt": today}}
        rows = await self.db["follow_ups"].find(keys).sort("term_date").limit(most).to_list(None)
        return [versioned(row, pb.VisitFollowUp) for row in rows]

    async def count(self, keys: Mapping[str, Any]) -> dict[str, int]:
        """Of the held visits: held, followed, escalated, duties, done."""
        grouped = {
            "_id": None,
            "held": {"$sum": 1},
            "followed": {"$sum": {"$cond": [{"$gt": ["$done", 0]}, 1, 0]}},
            "escalated": {"$sum": {"$cond": [{"$ifNull": ["$escalate_time", False]}, 1, 0]}},
            "duties": {"$sum": {"$size": "$duties"}},
            "done": {"$sum": "$done"},
        }
        stages = [{"$match": {**keys, "term_date": {"$ne": ""}}}, {"$group": grouped}]
        rows = await self.db["follow_ups"].aggregate(stages).to_list(None)
        return {name: int(value) for name, value in rows[0].items() if name != "_id"} if rows else {}
