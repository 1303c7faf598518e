"""How each seat wants to be told: one record a seat."""

from collections.abc import Iterable
from typing import Any

from livinglab.notify.v1 import inbox_service_pb2 as pb

from chassis import mongo

INDEXES: dict[str, list[Any]] = {"preferences": []}


class PreferenceStore:
    """Documents in, messages out."""

    def __init__(self, db: mongo.Database) -> None:
        self._rows = db["preferences"]

    async def of(self, seats: Iterable[str], tx: mongo.Tx | None = None) -> dict[str, pb.Preferences]:
        """Those that were set, by seat."""
        rows = self._rows.find({"_id": {"$in": sorted(set(seats))}}, session=tx.session if tx else None)
        return {row["_id"]: pb.Preferences.FromString(row["preferences"]) async for row in rows}

    async def set(self, tx: mongo.Tx, seat: str, preferences: pb.Preferences) -> None:
        """From now on; what was written before goes as it was meant then."""
        row = {"preferences": preferences.SerializeToString()}
        await self._rows.replace_one({"_id": seat}, row, upsert=True, session=tx.session)
