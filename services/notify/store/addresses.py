"""Addresses that refused letters for good: one record each, until one is taken."""

from datetime import UTC, datetime

from livinglab.notify.v1 import address_service_pb2 as pb
from pymongo import IndexModel

from chassis import mongo, pages
from chassis.errors import Kind, Refused
from services.notify.model import refusals

INDEXES = {"addresses": [IndexModel([("cohorts", 1), ("_id", 1)])]}


class AddressStore:
    """Documents in, messages out."""

    def __init__(self, db: mongo.Database) -> None:
        self.db = db
        self._rows = db["addresses"]

    async def find(self, email: str) -> pb.UndeliverableAddress | None:
        """What is known of it; None for an address that refused nothing, or has taken something since."""
        row = await self._rows.find_one({"_id": email.lower()})
        return _address(row) if row else None

    async def refused(self, email: str, letter: str, cohort_id: str, words: str) -> None:
        """One more letter, which counts once, whoever notes it again."""
        added = {"letters": letter, **({"cohorts": cohort_id} if cohort_id else {})}
        change = {"$addToSet": added, "$set": {"words": words, "time": datetime.now(UTC)}}
        await self._rows.update_one({"_id": email.lower()}, change, upsert=True)

    async def taken(self, email: str) -> None:
        """Somebody is there."""
        await self._rows.delete_one({"_id": email.lower()})

    async def restore(self, tx: mongo.Tx, email: str) -> None:
        """NOT_FOUND where nothing is known of it."""
        if not (await self._rows.delete_one({"_id": email.lower()}, session=tx.session)).deleted_count:
            raise Refused(Kind.NOT_FOUND, "ADDRESS_NOT_FOUND", "letters are not kept from this address")

    async def page(self, request: pb.ListUndeliverableRequest) -> tuple[list[pb.UndeliverableAddress], str]:
        """Those that nothing is offered to now, in their order, and the token of the next page."""
        keys = {
            # As many as are too many.
            f"letters.{refusals.ENOUGH - 1}": {"$exists": True},
            "time": {"$gt": datetime.now(UTC) - refusals.REST},
            **({"cohorts": request.cohort_id} if request.cohort_id else {}),
        }
        return await pages.page(self._rows, keys, request, _address)


def _address(row: dict[str, object]) -> pb.UndeliverableAddress:
    time, letters = row["time"], row["letters"]
    assert isinstance(time, datetime)
    assert isinstance(letters, list)
    return pb.UndeliverableAddress(
        email=str(row["_id"]),
        refusals=len(letters),
        words=str(row["words"]),
        refusal_time=mongo.timestamp(time),
        retry_time=mongo.timestamp(time + refusals.REST),
    )
