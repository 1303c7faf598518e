"""The part of the store that holds participants: of each its people, its state and the ledger of what it has done."""

from collections.abc import Callable

from livinglab.common.v1.meta_pb2 import Meta
from livinglab.program.v1 import cohort_pb2, definition_pb2, events_pb2
from livinglab.program.v1 import workflow_pb2 as pb
from pymongo import IndexModel

from chassis import mongo
from chassis.errors import not_found
from services.program import documents, model
from services.program.course import Course
from services.program.documents import participant_id
from services.program.ledger import Ledger, duties_met

INDEXES = {
    "participants": [
        IndexModel([("cohort", 1), ("state", 1)]),
        IndexModel([("institution", 1), ("rehearsal", 1), ("state", 1)]),
    ]
}
_OUTCOMES = {
    model.GRADUATED: events_pb2.ParticipantGraduated,
    model.WITHDRAWN: events_pb2.ParticipantWithdrawn,
    model.FAILED: events_pb2.ParticipantFailed,
}


class ParticipantStore:
    """Documents in, messages out."""

    def __init__(self, db: mongo.Database) -> None:
        self._db = db
        self._participants = db["participants"]

    async def state(self, tx: mongo.Tx, cohort_id: str, institution: str) -> int:
        """Whether it is active still; NOT_FOUND."""
        key = {"_id": participant_id(cohort_id, institution)}
        row = await self._participants.find_one(key, {"state": 1}, session=tx.session)
        if row is None:
            raise not_found("participant", f"{cohort_id}/{institution}")
        return int(row["state"])

    async def active(self, cohort_id: str) -> list[str]:
        """Those still active, in order."""
        query = {"cohort": cohort_id, "state": model.ACTIVE}
        rows = await self._participants.find(query, {"institution": 1}).sort("_id").to_list(None)
        return [row["institution"] for row in rows]

    async def ended(self, cohort_id: str) -> dict[str, cohort_pb2.ParticipantState.ValueType]:
        """Those that have ended, and how."""
        query = {"cohort": cohort_id, "state": {"$ne": model.ACTIVE}}
        rows = await self._participants.find(query, {"institution": 1, "state": 1}).to_list(None)
        return {row["institution"]: row["state"] for row in rows}

    async def people(self, cohort_id: str, institution: str) -> list[definition_pb2.Person]:
        """The people of a participant."""
        row = await self._participants.find_one({"_id": participant_id(cohort_id, institution)}, {"people": 1})
        return documents.people(row) if row else []

    async def real_cohorts(self, institution: str) -> list[str]:
        """The real cohorts in which an institution is active."""
        query = {"institution": institution, "rehearsal": False, "state": model.ACTIVE}
        rows = await self._participants.find(query, {"cohort": 1}).to_list(None)
        return [row["cohort"] for row in rows]

    async def learn(self, tx: mongo.Tx, course: Course, institution: str, change: Callable[[Ledger], Ledger]) -> None:
        """Enters what a participant did into its ledger; nothing where the cohort has no such participant."""
        key = {"_id": participant_id(course.cohort_id, institution)}
        row = await self._participants.find_one(key, {"ledger": 1, "duties": 1, "version": 1}, session=tx.session)
        if row is None:
            return
        before = documents.ledger(row["ledger"])
        kept = change(before)
        if kept == before:
            return
        new = [duty for duty in duties_met(course.definition, kept) if duty not in row["duties"]]
        changed = {"ledger": documents.ledger_row(kept), "duties": row["duties"] + new}
        await self._participants.update_one(key, {"$set": changed}, session=tx.session)

    async def duties(self, cohort_id: str, institution: str) -> tuple[list[str], int]:
        """Duties done, and how many of them the workflow was told."""
        key = {"_id": participant_id(cohort_id, institution)}
        row = await self._participants.find_one(key, {"duties": 1, "told": 1})
        return (row["duties"], row["told"]) if row else ([], 0)

    async def told(self, cohort_id: str, institution: str, count: int) -> None:
        """The workflow was told so many duties."""
        key = {"_id": participant_id(cohort_id, institution)}
        await self._participants.update_one(key, {"$max": {"told": count}})

    async def note_problem(self, cohort_id: str, institution: str, problem: str) -> None:
        """Something that was refused for good, for a manager to look at."""
        change = {"$addToSet": {"problems": problem[:500]}}
        await self._participants.update_one({"_id": participant_id(cohort_id, institution)}, change)

    async def ask_to_leave(self, tx: mongo.Tx, cohort_id: str, withdrawal: pb.Withdrawal, institution: str) -> None:
        """Notes an acknowledged withdrawal: whatever else ends the participant from here on, it has withdrawn."""
        key = {"_id": participant_id(cohort_id, institution)}
        leaving = {"reason": withdrawal.reason, "actor": withdrawal.actor}
        await self._participants.update_one(key, {"$set": {"leaving": leaving}}, session=tx.session)

    async def record_outcome(self, course: Course, step: pb.OutcomeStep) -> pb.ParticipantResult:
        """How a participant ended, and the fact of it. The first end stands, and is answered."""
        key = {"_id": participant_id(course.cohort_id, step.institution)}
        known = {"state": 1, "reason": 1, "version": 1, "leaving": 1}

        async def body(tx: mongo.Tx) -> pb.ParticipantResult:
            row = await self._participants.find_one(key, known, session=tx.session)
            if row is None:
                raise not_found("participant", key["_id"])
            if row["state"] != model.ACTIVE:
                return pb.ParticipantResult(outcome=row["state"], reason=row["reason"])
            leaving = row.get("leaving")
            outcome = model.WITHDRAWN if leaving else step.outcome
            reason = leaving["reason"] if leaving else step.reason
            version = row["version"] + 1
            changed = {"state": outcome, "reason": reason, "version": version}
            await self._participants.update_one(key, {"$set": changed}, session=tx.session)
            fact = _OUTCOMES[outcome](meta=_meta(course, key["_id"], version), institution=step.institution)
            fact.meta.actor = leaving["actor"] if leaving else step.actor
            if not isinstance(fact, events_pb2.ParticipantGraduated):
                fact.reason = reason
            tx.add(fact)
            return pb.ParticipantResult(outcome=outcome, reason=reason)

        return await self._db.transaction(body)


def _meta(course: Course, participant: str, version: int) -> Meta:
    return Meta(aggregate_id=participant, version=version, cohort_id=course.cohort_id, rehearsal=course.mark)
