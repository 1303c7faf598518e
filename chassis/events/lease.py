"""One replica at a time does a thing: a lease by the database's clock, which all of them share."""

import asyncio
from contextlib import suppress

from pymongo import ReturnDocument
from pymongo.errors import PyMongoError

from chassis import naming
from chassis.mongo import Database

LEASE_SECONDS = 4.0
RENEW_SECONDS = 1.0


class LeaseLost(Exception):
    """Another replica holds the lease now."""


class Lease:
    """Of a thing by its name; whoever crashes lets it pass."""

    def __init__(self, db: Database, name: str) -> None:
        self._db = db
        self._name = name
        self._holder = naming.new_id()

    async def take(self) -> bool:
        """Whether it is ours, for some seconds from now."""
        free = {"$or": [{"$lt": ["$expires", "$$NOW"]}, {"$eq": ["$holder", self._holder]}]}
        expires = {"$add": ["$$NOW", int(LEASE_SECONDS * 1000)]}
        lease = await self._db["leases"].find_one_and_update(
            {"_id": self._name},
            [
                {"$set": {"free": {"$ifNull": [free, True]}}},
                {"$set": {"holder": {"$cond": ["$free", self._holder, "$holder"]}}},
                {"$set": {"expires": {"$cond": ["$free", expires, "$expires"]}}},
                {"$unset": "free"},
            ],
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        return bool(lease["holder"] == self._holder)

    async def keep(self) -> None:
        """Until cancelled, or LeaseLost; TimeoutError where the database did not answer in time."""
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            async with asyncio.timeout(LEASE_SECONDS - RENEW_SECONDS):
                if not await self.take():
                    raise LeaseLost(f"another replica has {self._name}")

    async def give_back(self) -> None:
        """So that nobody waits for its end."""
        with suppress(PyMongoError):
            await self._db["leases"].delete_one({"_id": self._name, "holder": self._holder})
