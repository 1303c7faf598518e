"""Schedules in MongoDB. Each says whether Temporal has its last change already (`behind`)."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from livinglab.program.v1 import definition_pb2
from livinglab.program.v1 import schedule_service_pb2 as pb
from pymongo import IndexModel

from chassis import mongo, pages
from chassis.errors import Kind, Refused, not_found

_INDEXES = {"schedules": [IndexModel([("behind", 1)], partialFilterExpression={"behind": True})]}
_KEPT = 20


@dataclass(frozen=True)
class Standing:
    """A schedule as the store has it, whether or not Temporal has it too. `version` grows with each change."""

    id: str
    version: int
    definition: definition_pb2.Definition
    cohort: definition_pb2.CohortSpec
    recurrence: pb.Recurrence
    paused: bool
    reason: str
    deleted: bool
    cohorts: tuple[str, ...]
    problems: tuple[str, ...]


class ScheduleStore:
    """The only class that knows the documents. A deleted schedule stays as a record until its id is used again."""

    def __init__(self, db: mongo.Database) -> None:
        self.db = db
        self._rows = db["schedules"]

    async def prepare(self) -> None:
        """Collection and index; once at start-up."""
        await self.db.prepare(_INDEXES)

    async def find(self, schedule_id: str, tx: mongo.Tx | None = None) -> Standing | None:
        """A schedule, also one that was deleted; None where there is none."""
        row = await self._rows.find_one({"_id": schedule_id}, session=tx.session if tx else None)
        return _standing(row) if row else None

    async def known(self, schedule_id: str, tx: mongo.Tx | None = None) -> Standing:
        """A schedule; NOT_FOUND where there is none or it was deleted."""
        found = await self.find(schedule_id, tx)
        if found is None or found.deleted:
            raise not_found("schedule", schedule_id)
        return found

    async def create(self, tx: mongo.Tx, request: pb.CreateScheduleRequest, actor: str) -> Standing:
        """Stores a schedule; the same one again changes nothing. ALREADY_EXISTS for another one of that id."""
        before = await self.find(request.cohort.id, tx)
        if before and not before.deleted:
            if _told(before) == (request.definition, request.cohort, request.recurrence):
                return before
            message = f"schedule {before.id} stands with another definition, roster or calendar: choose another id"
            raise Refused(Kind.ALREADY_EXISTS, "SCHEDULE_EXISTS", message, resource=("schedule", before.id))
        told = {
            "definition": request.definition.SerializeToString(deterministic=True),
            "cohort": request.cohort.SerializeToString(deterministic=True),
            "recurrence": request.recurrence.SerializeToString(deterministic=True),
            "cohorts": [],
            "problems": [],
        }
        standing = {**told, "paused": False, "reason": "", "deleted": False}
        return await self._change(tx, request.cohort.id, standing, "created", actor, upsert=True)

    async def pause(self, tx: mongo.Tx, request: pb.PauseScheduleRequest, actor: str) -> Standing:
        """Stops it or lets it go on; NOT_FOUND."""
        await self.known(request.schedule_id, tx)
        standing = {"paused": request.paused, "reason": request.reason}
        return await self._change(tx, request.schedule_id, standing, "paused" if request.paused else "resumed", actor)

    async def delete(self, tx: mongo.Tx, request: pb.DeleteScheduleRequest, actor: str) -> None:
        """Ends it; NOT_FOUND."""
        await self.known(request.schedule_id, tx)
        await self._change(tx, request.schedule_id, {"deleted": True, "reason": request.reason}, "deleted", actor)

    async def page(self, request: pb.ListSchedulesRequest) -> tuple[list[Standing], str]:
        """Schedules by id, and the token of the next page."""
        return await pages.page(self._rows, {"deleted": False}, request, _standing)

    async def behind(self) -> list[str]:
        """The ids of the schedules whose last change Temporal does not have yet."""
        return [row["_id"] for row in await self._rows.find({"behind": True}, {"_id": 1}).to_list(None)]

    async def brought(self, standing: Standing) -> bool:
        """Records that Temporal has this version; False where the schedule has changed since."""
        done = await self._rows.update_one(
            {"_id": standing.id, "version": standing.version}, {"$set": {"behind": False}}
        )
        return bool(done.matched_count)

    async def note_cohort(self, schedule_id: str, cohort_id: str) -> None:
        """A cohort was launched; told again, nothing changes."""
        await self._note(schedule_id, "cohorts", cohort_id)

    async def note_problem(self, schedule_id: str, problem: str) -> None:
        """A launch was refused; told again, nothing changes."""
        await self._note(schedule_id, "problems", problem[:500])

    async def _note(self, schedule_id: str, field: str, what: str) -> None:
        newest_first = {"$each": [what], "$position": 0, "$slice": _KEPT}
        await self._rows.update_one({"_id": schedule_id, field: {"$ne": what}}, {"$push": {field: newest_first}})

    async def _change(
        self, tx: mongo.Tx, schedule_id: str, standing: dict[str, Any], what: str, actor: str, *, upsert: bool = False
    ) -> Standing:
        entry = {"time": datetime.now(UTC), "what": what, "actor": actor, "reason": standing["reason"]}
        change = {"$set": {**standing, "behind": True}, "$inc": {"version": 1}, "$push": {"log": entry}}
        await self._rows.update_one({"_id": schedule_id}, change, upsert=upsert, session=tx.session)
        found = await self.find(schedule_id, tx)
        if found is None:
            raise not_found("schedule", schedule_id)
        return found


def _told(standing: Standing) -> tuple[definition_pb2.Definition, definition_pb2.CohortSpec, pb.Recurrence]:
    return standing.definition, standing.cohort, standing.recurrence


def _standing(row: dict[str, Any]) -> Standing:
    return Standing(
        id=row["_id"],
        version=row["version"],
        definition=definition_pb2.Definition.FromString(row["definition"]),
        cohort=definition_pb2.CohortSpec.FromString(row["cohort"]),
        recurrence=pb.Recurrence.FromString(row["recurrence"]),
        paused=row["paused"],
        reason=row["reason"],
        deleted=row["deleted"],
        cohorts=tuple(row["cohorts"]),
        problems=tuple(row["problems"]),
    )
