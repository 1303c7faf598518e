"""The writes to the collection `cohorts`, all of them. Other stores decide when, and call this one."""

from collections.abc import Mapping
from typing import Any

from chassis import mongo
from services.program.store.documents import Row

# Characters that are kept of a problem.
LONGEST_PROBLEM = 500


class CohortRows:
    """The only class that writes the collection."""

    def __init__(self, db: mongo.Database) -> None:
        self._cohorts = db["cohorts"]

    async def add(self, tx: mongo.Tx, row: Row) -> None:
        """A new cohort."""
        await self._cohorts.insert_one(row, session=tx.session)

    async def remove(self, tx: mongo.Tx, cohort_id: str) -> None:
        """As if it had never been there."""
        await self._cohorts.delete_one({"_id": cohort_id}, session=tx.session)

    async def change(self, tx: mongo.Tx, cohort_id: str, changed: Mapping[str, Any]) -> None:
        """These fields get these values; a field may be a path."""
        await self._cohorts.update_one({"_id": cohort_id}, {"$set": dict(changed)}, session=tx.session)

    async def one_more(self, tx: mongo.Tx, cohort_id: str) -> None:
        """A participant has joined."""
        await self._cohorts.update_one({"_id": cohort_id}, {"$inc": {"participants": 1}}, session=tx.session)

    async def note_problem(self, cohort_id: str, problem: str) -> None:
        """Something that was refused for good, for a manager to look at."""
        change = {"$addToSet": {"problems": problem[:LONGEST_PROBLEM]}}
        await self._cohorts.update_one({"_id": cohort_id}, change)
