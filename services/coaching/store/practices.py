"""What is kept of the catalogue: practices, and who copies them."""

import functools
from collections.abc import Mapping
from typing import Any

from livinglab.coaching.v1 import practice_pb2 as pb
from livinglab.coaching.v1 import practice_service_pb2
from pymongo import IndexModel

from chassis import mongo, pages
from chassis.errors import not_found
from services.coaching.store.documents import fields, versioned
from services.coaching.store.rows import save

_INDEXES = {
    "practices": [
        IndexModel([("rehearsal", 1), ("state", 1), ("_id", 1)]),
        IndexModel([("rehearsal", 1), ("instrument", 1), ("levels.indicator", 1)]),
        IndexModel([("institution", 1), ("_id", 1)]),
    ],
    "replications": [
        IndexModel([("practice_id", 1), ("state", 1)]),
        # `parties` are who copies and whose it is.
        IndexModel([("parties", 1), ("_id", 1)]),
    ],
}
_COUNTED = frozenset({"requested", "replicated"})


class Practices:
    """Documents in, messages out."""

    def __init__(self, db: mongo.Database) -> None:
        self.db = db

    async def prepare(self) -> None:
        """Collections and indexes; once at start-up."""
        await self.db.prepare(_INDEXES)

    async def practice(self, practice_id: str, tx: mongo.Tx | None = None) -> pb.Practice:
        """NOT_FOUND where there is none."""
        row = await self.db["practices"].find_one({"_id": practice_id}, session=tx.session if tx else None)
        if row is None:
            raise not_found("practice", practice_id)
        return (await self._counted([_practice(row)], tx))[0]

    async def save(self, tx: mongo.Tx, practice: pb.Practice) -> None:
        """Stores the next version; ABORTED where somebody else did so first."""
        row = {name: value for name, value in fields(practice).items() if name not in _COUNTED}
        await save(self.db, tx, "practices", practice, row)

    async def page(
        self, keys: Mapping[str, Any], request: practice_service_pb2.ListPracticesRequest
    ) -> tuple[list[pb.Practice], str]:
        """Practices ordered by id, as many as fit into an answer, and the token of the next page."""
        found, token = await pages.page(self.db["practices"], keys, request, _practice)
        return await self._counted(found), token

    async def published(self, tx: mongo.Tx, rehearsal: str, instrument: str, but: str) -> list[pb.Practice]:
        """All of an instrument that are in the catalogue, those of one institution aside."""
        keys = {"rehearsal": rehearsal, "instrument": instrument, "state": pb.PRACTICE_STATE_PUBLISHED}
        rows = await self.db["practices"].find({**keys, "institution": {"$ne": but}}, session=tx.session).to_list(None)
        return await self._counted([_practice(row) for row in rows], tx)

    async def find_replication(self, tx: mongo.Tx, replication_id: str) -> pb.Replication | None:
        """The request to copy as this transaction sees it, or None."""
        row = await self.db["replications"].find_one({"_id": replication_id}, session=tx.session)
        return versioned(row, pb.Replication) if row else None

    async def save_replication(self, tx: mongo.Tx, replication: pb.Replication) -> None:
        """Stores the next version; ABORTED where somebody else did so first."""
        row = {**fields(replication), "parties": [replication.institution, replication.host]}
        await save(self.db, tx, "replications", replication, row)

    async def replication_page(
        self, keys: Mapping[str, Any], request: practice_service_pb2.ListReplicationsRequest
    ) -> tuple[list[pb.Replication], str]:
        """Requests to copy ordered by id, and the token of the next page."""
        read = functools.partial(versioned, message_class=pb.Replication)
        return await pages.page(self.db["replications"], keys, request, read)

    async def _counted(self, found: list[pb.Practice], tx: mongo.Tx | None = None) -> list[pb.Practice]:
        """The practices with how many asked for them and have copied them."""
        copied = {"$cond": [{"$eq": ["$state", pb.REPLICATION_STATE_REPLICATED]}, 1, 0]}
        grouped = [
            {"$match": {"practice_id": {"$in": [one.id for one in found]}}},
            {"$group": {"_id": "$practice_id", "requested": {"$sum": 1}, "replicated": {"$sum": copied}}},
        ]
        session = tx.session if tx else None
        rows = await self.db["replications"].aggregate(grouped, session=session).to_list(None) if found else []
        counts = {row["_id"]: (row["requested"], row["replicated"]) for row in rows}
        for one in found:
            one.requested, one.replicated = counts.get(one.id, (0, 0))
        return found


def _practice(row: dict[str, Any]) -> pb.Practice:
    return versioned(row, pb.Practice)
