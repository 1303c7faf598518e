"""The collection of registered institutions, a document each."""

from collections.abc import Mapping, Sequence
from typing import Any

from livinglab.program.v1.directory_events_pb2 import InstitutionRegistered
from pymongo import IndexModel, ReplaceOne

from chassis import mongo
from chassis.large_writes import LargeWrites
from directory import Institution
from directory.projection import COLLECTION, institution_of, registered, row_of

INDEXES = [IndexModel([("kind", 1), ("_id", 1)]), IndexModel([("parent", 1), ("_id", 1)])]


class DirectoryStore:
    """Documents in, institutions out."""

    def __init__(self, db: mongo.Database) -> None:
        self.db = db
        self._rows = db[COLLECTION]
        # Imports go one after the other: two at once could make a circle that neither sees.
        self.writes = LargeWrites(db, "institutions", self._save)

    async def prepare(self) -> None:
        """Collections and indexes; once at start-up."""
        await self.db.prepare({COLLECTION: INDEXES})
        await self.writes.prepare()

    async def registered(self) -> Mapping[str, Institution]:
        """All of them by code, also those that were taken out."""
        rows = await self._rows.find({}).to_list(None)
        return {row["_id"]: institution_of(row) for row in rows}

    async def _save(self, tx: mongo.Tx, facts: Sequence[bytes], actor: str) -> None:
        """Stores the next version of each, and tells of it."""
        writes = []
        for content in facts:
            fact = InstitutionRegistered.FromString(content)
            fact.meta.actor = actor
            writes.append(ReplaceOne({"_id": fact.code}, row_of(registered(fact)), upsert=True))
            tx.add(fact)
        await self._rows.bulk_write(writes, ordered=False, session=tx.session)

    async def find(self, code: str) -> Institution | None:
        """One that is registered, or None."""
        row = await self._rows.find_one({"_id": code, "withdrawn": None})
        return institution_of(row) if row else None

    async def among(self, codes: Sequence[str]) -> list[Institution]:
        """Those of the codes that are registered."""
        rows = await self._rows.find({"_id": {"$in": codes}}).to_list(None) if codes else []
        return [institution_of(row) for row in rows]

    async def first(self, keys: dict[str, Any], after: str, count: int) -> list[Institution]:
        """The first of those that are registered, by code, after the given one."""
        found = self._rows.find({**keys, "_id": {"$gt": after}, "withdrawn": None}).sort("_id").limit(count)
        return [institution_of(row) for row in await found.to_list(None)]
