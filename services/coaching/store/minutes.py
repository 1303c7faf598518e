"""What is kept of sessions by institution, and which sessions were looked at for who did not come."""

import functools
from datetime import UTC, datetime
from typing import Any

from livinglab.coaching.v1 import coaching_pb2, minutes_service_pb2
from livinglab.coaching.v1 import minutes_pb2 as pb
from pymongo import IndexModel
from pymongo.errors import PyMongoError

from chassis import mongo, pages
from services.coaching.model import minutes
from services.coaching.store.documents import fields, session_of, versioned
from services.coaching.store.rows import save

DatabaseFailure = PyMongoError

_INDEXES = {
    "minutes": [IndexModel([("cohort_id", 1), ("institution", 1), ("_id", 1)])],
    # Sessions of which it was told who did not come.
    "missed_sessions": [],
}


class MinutesStore:
    """Documents in, messages out."""

    def __init__(self, db: mongo.Database) -> None:
        self.db = db

    async def prepare(self) -> None:
        """Collections and indexes; once at start-up."""
        await self.db.prepare(_INDEXES)

    async def of(self, session: coaching_pb2.Session, institution: str, tx: mongo.Tx | None = None) -> pb.Minutes:
        """The minutes; empty ones where nothing was written."""
        key = {"_id": minutes.minutes_id(session.id, institution)}
        row = await self.db["minutes"].find_one(key, session=tx.session if tx else None)
        return versioned(row, pb.Minutes) if row else minutes.empty(session, institution)

    async def save(self, tx: mongo.Tx, found: pb.Minutes) -> None:
        """Stores the next version; ABORTED where somebody else did so first."""
        await save(self.db, tx, "minutes", found, fields(found))

    async def page(self, request: minutes_service_pb2.ListMinutesRequest) -> tuple[list[pb.Minutes], str]:
        """An institution's in a cohort, ordered by id, and the token of the next page."""
        keys = {"cohort_id": request.cohort_id, "institution": request.institution}
        read = functools.partial(versioned, message_class=pb.Minutes)
        return await pages.page(self.db["minutes"], keys, request, read)

    async def open_steps(self, tx: mongo.Tx, session: coaching_pb2.Session, institution: str) -> list[pb.Minutes]:
        """An institution's minutes of other sessions of the cohort in which a step is not done."""
        keys: dict[str, Any] = {
            "cohort_id": session.cohort_id,
            "institution": institution,
            "session_id": {"$ne": session.id},
            "next_steps.done_by": "",
        }
        rows = await self.db["minutes"].find(keys, session=tx.session).sort("_id", 1).to_list(None)
        return [versioned(row, pb.Minutes) for row in rows]

    async def seated(
        self, session_id: str, institution: str = "", tx: mongo.Tx | None = None
    ) -> dict[str, list[pb.Seated]]:
        """Who came to a session, by institution; of one where it is named."""
        prefix = f"{session_id}/{institution}/" if institution else f"{session_id}/"
        # Up to what follows the last character of the prefix.
        keys = {"_id": {"$gte": prefix, "$lt": prefix[:-1] + "0"}}
        found: dict[str, list[pb.Seated]] = {}
        async for row in self.db["attendance"].find(keys, session=tx.session if tx else None).sort("_id", 1):
            seat = pb.Seated(role=row["role"], name=row["name"], delegate=row["delegate"])
            found.setdefault(row["institution"], []).append(seat)
        return found

    async def over(self, since: datetime, until: datetime, most: int) -> list[coaching_pb2.Session]:
        """Sessions that are on, ended in that time by the calendar, and were not looked at yet."""
        looked = {row["_id"] async for row in self.db["missed_sessions"].find({}, {"_id": 1})}
        keys = {
            "rehearsal": "",
            "state": {"$ne": coaching_pb2.SESSION_STATE_CANCELLED},
            "start": {"$gte": since, "$lt": until},
            "_id": {"$nin": sorted(looked)},
        }
        rows = await self.db["sessions"].find(keys).sort("start", 1).limit(most).to_list(None)
        found = [session_of(row) for row in rows]
        return [one for one in found if one.end_time.ToDatetime(UTC) < until]

    async def looked(self, tx: mongo.Tx, session_id: str) -> bool:
        """It is looked at now; False where it was before."""
        change = {"$setOnInsert": {"time": datetime.now(UTC)}}
        key = {"_id": session_id}
        result = await self.db["missed_sessions"].update_one(key, change, upsert=True, session=tx.session)
        return result.upserted_id is not None
