"""What is kept of agreements between institutions."""

import functools
from collections.abc import Mapping
from typing import Any

from livinglab.coaching.v1 import memorandum_pb2 as pb
from livinglab.coaching.v1 import memorandum_service_pb2
from pymongo import IndexModel
from pymongo.errors import PyMongoError

from chassis import mongo, pages
from chassis.errors import not_found
from services.coaching.store.documents import fields, versioned
from services.coaching.store.rows import save

DatabaseFailure = PyMongoError

_INDEXES = {
    # `codes` are those of its parties that are in the directory.
    "memoranda": [
        IndexModel([("codes", 1), ("_id", 1)]),
        IndexModel([("rehearsal", 1), ("_id", 1)]),
        IndexModel([("state", 1), ("end_date", 1)]),
    ],
}


class Memoranda:
    """Documents in, messages out."""

    def __init__(self, db: mongo.Database) -> None:
        self.db = db

    async def prepare(self) -> None:
        """Collections and indexes; once at start-up."""
        await self.db.prepare(_INDEXES)

    async def get(self, memorandum_id: str, tx: mongo.Tx | None = None) -> pb.Memorandum:
        """NOT_FOUND where there is none."""
        row = await self.db["memoranda"].find_one({"_id": memorandum_id}, session=tx.session if tx else None)
        if row is None:
            raise not_found("agreement", memorandum_id)
        return versioned(row, pb.Memorandum)

    async def save(self, tx: mongo.Tx, found: pb.Memorandum) -> None:
        """Stores the next version; ABORTED where somebody else did so first."""
        codes = [party.institution for party in found.parties if party.institution]
        await save(self.db, tx, "memoranda", found, {**fields(found), "codes": codes})

    async def page(
        self, keys: Mapping[str, Any], request: memorandum_service_pb2.ListMemorandaRequest
    ) -> tuple[list[pb.Memorandum], str]:
        """Ordered by id, and the token of the next page."""
        read = functools.partial(versioned, message_class=pb.Memorandum)
        return await pages.page(self.db["memoranda"], keys, request, read)

    async def ending(self, day: str, most: int) -> list[pb.Memorandum]:
        """Those in force that end on the day or before and are to be told of or closed, the first to end first."""
        keys = {"state": pb.MEMORANDUM_STATE_IN_FORCE, "end_date": {"$lte": day}, "rehearsal": ""}
        rows = await self.db["memoranda"].find(keys).sort("end_date", 1).limit(most).to_list(None)
        return [versioned(row, pb.Memorandum) for row in rows]
