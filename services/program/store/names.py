"""The collection `names`: which ids of cohorts are taken. An id is reserved before a split begins, so that a split
which the workflow has accepted can always be stored."""

from datetime import UTC, datetime

from pymongo import IndexModel
from pymongo.errors import DuplicateKeyError

from chassis import mongo
from chassis.errors import Kind, Refused

# Who reserved an id and never came back, by a crash or by a refusal, blocks it for this long.
_RESERVED_SECONDS = 86_400

INDEXES = {"names": [IndexModel([("reserved_time", 1)], expireAfterSeconds=_RESERVED_SECONDS)]}


class NameStore:
    """One document an id. Cohorts of the release before this one have none."""

    def __init__(self, db: mongo.Database) -> None:
        self._names = db["names"]
        self._cohorts = db["cohorts"]

    async def take(self, tx: mongo.Tx, cohort_id: str) -> None:
        """For a cohort that is launched; ALREADY_EXISTS where one is about to be split off under that id."""
        if await self._names.find_one({"_id": cohort_id}, session=tx.session):
            raise cohort_taken(cohort_id)
        await self._names.insert_one({"_id": cohort_id, "owner": "launch"}, session=tx.session)

    async def give_back(self, tx: mongo.Tx, cohort_id: str) -> None:
        """The cohort that was to be launched under it is not."""
        await self._names.delete_one({"_id": cohort_id, "owner": "launch"}, session=tx.session)

    async def reserve(self, cohort_id: str, owner: str) -> None:
        """For a cohort that is to be split off; the same owner may ask again. ALREADY_EXISTS where it is taken."""
        row = {"_id": cohort_id, "owner": owner, "reserved_time": datetime.now(UTC)}
        try:
            await self._names.insert_one(row)
        except DuplicateKeyError:
            kept = await self._names.find_one({"_id": cohort_id})
            if kept is None or kept["owner"] != owner:
                raise cohort_taken(cohort_id) from None
        if await self._cohorts.find_one({"_id": cohort_id}, {"_id": 1}):
            await self.release(cohort_id, owner)
            raise cohort_taken(cohort_id)

    async def release(self, cohort_id: str, owner: str) -> None:
        """Gives a reservation back that came to nothing."""
        await self._names.delete_one({"_id": cohort_id, "owner": owner, "reserved_time": {"$exists": True}})

    async def keep(self, tx: mongo.Tx, cohort_id: str, owner: str) -> None:
        """The cohort is there: its id is taken for good."""
        change = {"$set": {"owner": owner}, "$unset": {"reserved_time": ""}}
        await self._names.update_one({"_id": cohort_id}, change, upsert=True, session=tx.session)


def split_owner(cohort_id: str, order: str) -> str:
    """The owner of an id under which this order, by its key, splits a cohort."""
    return f"{cohort_id}:{order}"


def cohort_taken(cohort_id: str) -> Refused:
    """A cohort cannot get the id of another one."""
    message = f"cohort {cohort_id} is there already, or about to be: choose another id"
    return Refused(Kind.ALREADY_EXISTS, "COHORT_EXISTS", message, resource=("cohort", cohort_id))
