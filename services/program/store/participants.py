"""The collection `participants`: of each its people, its state, and the ledger of what it has done."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from livinglab.common.v1.meta_pb2 import Meta
from livinglab.program.v1 import cohort_pb2, definition_pb2, events_pb2
from livinglab.program.v1 import workflow_pb2 as pb
from pymongo import IndexModel, UpdateOne

from chassis import mongo
from chassis.errors import not_found, precondition
from programs.phases import ENDED
from services.program.model import conditions, states
from services.program.model.course import Course
from services.program.model.ledger import Ledger, duties_met
from services.program.store import documents
from services.program.store.documents import Row, participant_id
from services.program.store.ledgers import ledger, ledger_row
from services.program.store.rows import LONGEST_PROBLEM

INDEXES = {
    "participants": [
        IndexModel([("cohort", 1), ("state", 1)]),
        IndexModel([("institution", 1), ("rehearsal", 1), ("state", 1)]),
    ]
}
_OUTCOMES = {
    states.GRADUATED: events_pb2.ParticipantGraduated,
    states.WITHDRAWN: events_pb2.ParticipantWithdrawn,
    states.FAILED: events_pb2.ParticipantFailed,
}
# A participant that is still in this cohort, not in one that was split off it.
_HERE = {"moved_to": {"$exists": False}}


class ParticipantStore:
    """Documents in, messages out; the only class that writes the collection."""

    def __init__(self, db: mongo.Database) -> None:
        self._db = db
        self._participants = db["participants"]
        self._cohorts = db["cohorts"]

    async def add(self, tx: mongo.Tx, rows: Sequence[Row]) -> None:
        """New participants."""
        if rows:
            await self._participants.insert_many(rows, session=tx.session)

    async def remove(self, tx: mongo.Tx, cohort_id: str) -> None:
        """All of a cohort, as if they had never been there."""
        await self._participants.delete_many({"cohort": cohort_id}, session=tx.session)

    async def change(self, tx: mongo.Tx, key: str, changed: Row, gone: Sequence[str] = ()) -> None:
        """Fields of one get these values, and some are gone."""
        update = {"$set": changed} | ({"$unset": dict.fromkeys(gone, "")} if gone else {})
        await self._participants.update_one({"_id": key}, update, session=tx.session)

    async def change_each(self, tx: mongo.Tx, changes: Mapping[str, Row]) -> None:
        """Fields of several, by the ids of their documents, get the values that each has here."""
        updates = [UpdateOne({"_id": key}, {"$set": changed}) for key, changed in changes.items()]
        if updates:
            await self._participants.bulk_write(updates, ordered=False, session=tx.session)

    async def leave(self, tx: mongo.Tx, keys: Sequence[str], leaving: Row, **about: Any) -> None:
        """Those of them that are active have withdrawn, whatever else ends them from here on."""
        query = {"_id": {"$in": list(keys)}, "state": states.ACTIVE}
        await self._participants.update_many(query, {"$set": {"leaving": leaving, **about}}, session=tx.session)

    async def excuse_no_more(self, tx: mongo.Tx, cohort_id: str, duties: Sequence[str]) -> None:
        """Who was excused of one of these duties owes it again."""
        query = {"cohort": cohort_id, "excused": {"$in": duties}}
        await self._participants.update_many(query, {"$pull": {"excused": {"$in": duties}}}, session=tx.session)

    async def standing(self, cohort_id: str, institution: str, tx: mongo.Tx | None = None) -> Row:
        """Its document; NOT_FOUND."""
        key = {"_id": participant_id(cohort_id, institution)}
        row: Row | None = await self._participants.find_one(key, session=tx.session if tx else None)
        if row is None:
            raise not_found("participant", f"{cohort_id}/{institution}")
        return row

    async def known(self, cohort_id: str, institution: str) -> bool:
        """Whether the cohort has or had it."""
        key = {"_id": participant_id(cohort_id, institution)}
        return await self._participants.find_one(key, {"_id": 1}) is not None

    async def active(self, cohort_id: str, *, graduated: bool = False) -> list[str]:
        """Those still active, in order; with those that have graduated where these are asked for too."""
        among = [states.ACTIVE, states.GRADUATED] if graduated else [states.ACTIVE]
        query = {"cohort": cohort_id, "state": {"$in": among}}
        rows = await self._participants.find(query, {"institution": 1}).sort("_id").to_list(None)
        return [row["institution"] for row in rows]

    async def staying(self, cohort_id: str) -> list[str]:
        """Those still active and those who have graduated, in order."""
        query = {"cohort": cohort_id, "state": {"$in": [states.ACTIVE, states.GRADUATED]}, **_HERE}
        rows = await self._participants.find(query, {"institution": 1}).sort("_id").to_list(None)
        return [row["institution"] for row in rows]

    async def addressed(self, cohort_id: str, phase: definition_pb2.Phase) -> list[str]:
        """The active ones whom a phase is for, in order: everybody where it has no condition."""
        query = {"cohort": cohort_id, "state": states.ACTIVE, **_HERE}
        known = {"institution": 1, "duties": 1, "ledger": 1}
        rows = await self._participants.find(query, known).sort("_id").to_list(None)
        return [
            row["institution"]
            for row in rows
            if not phase.HasField("when") or conditions.holds(phase.when, row["duties"], ledger(row["ledger"]))
        ]

    async def failed_at(self, cohort_id: str, phase: str) -> list[str]:
        """Those that failed for a duty of a phase, in order."""
        query = {"cohort": cohort_id, "state": states.FAILED, "failed_phase": phase}
        rows = await self._participants.find(query, {"institution": 1}).sort("_id").to_list(None)
        return [row["institution"] for row in rows]

    async def ended(self, cohort_id: str) -> dict[str, cohort_pb2.ParticipantState.ValueType]:
        """Those that have ended, and how."""
        query = {"cohort": cohort_id, "state": {"$ne": states.ACTIVE}}
        rows = await self._participants.find(query, {"institution": 1, "state": 1}).to_list(None)
        return {row["institution"]: row["state"] for row in rows}

    async def people(self, cohort_id: str, institution: str) -> list[definition_pb2.Person]:
        """The people of a participant."""
        row = await self._participants.find_one({"_id": participant_id(cohort_id, institution)}, {"people": 1})
        return documents.people(row) if row else []

    async def people_of(self, cohort_id: str, institutions: Sequence[str]) -> dict[str, list[definition_pb2.Person]]:
        """The people of each of these participants."""
        keys = [participant_id(cohort_id, institution) for institution in institutions]
        rows = self._participants.find({"_id": {"$in": keys}}, {"institution": 1, "people": 1})
        return {row["institution"]: documents.people(row) async for row in rows}

    async def with_people(self, cohort_id: str) -> dict[str, tuple[bool, list[definition_pb2.Person], list[str]]]:
        """Of each participant whether it is active, its people, and the duties that it is excused of."""
        known = {"institution": 1, "state": 1, "people": 1, "excused": 1}
        rows = await self._participants.find({"cohort": cohort_id, **_HERE}, known).sort("_id").to_list(None)
        return {
            row["institution"]: (row["state"] == states.ACTIVE, documents.people(row), row.get("excused", []))
            for row in rows
        }

    async def real_cohorts(self, institution: str, tx: mongo.Tx | None = None) -> list[str]:
        """The real cohorts that an institution is in and that have not ended: who has failed may be readmitted. Looked
        up outside of a transaction, a split that happens meanwhile may hide one."""
        session = tx.session if tx else None
        query = {"institution": institution, "rehearsal": False, **_HERE}
        rows = await self._participants.find(query, {"cohort": 1}, session=session).to_list(None)
        running = {"_id": {"$in": [row["cohort"] for row in rows]}, "state": {"$nin": list(ENDED)}}
        return [row["_id"] for row in await self._cohorts.find(running, {"_id": 1}, session=session).to_list(None)]

    async def rehearsed_cohorts(self, institution: str, realm: str, tx: mongo.Tx | None = None) -> list[str]:
        """The cohorts of a rehearsal that an institution is in: the rehearsal's own, or one that was split off. As
        above where it is looked up outside of a transaction."""
        session = tx.session if tx else None
        known = [{"realm": realm}, {"realm": {"$exists": False}, "cohort": realm}]
        query = {"institution": institution, "rehearsal": True, "$or": known, **_HERE}
        rows = await self._participants.find(query, {"cohort": 1}, session=session).to_list(None)
        return [row["cohort"] for row in rows]

    async def current_cohort(self, cohort_id: str, institution: str, tx: mongo.Tx | None = None) -> str:
        """Where a participant of this cohort is now: here, or in the cohort that it went on in."""
        row = await self._current(cohort_id, institution, {"cohort": 1, "moved_to": 1}, tx)
        return str(row["cohort"]) if row else cohort_id

    async def _current(
        self, cohort_id: str, institution: str, known: dict[str, int], tx: mongo.Tx | None = None
    ) -> Row | None:
        """What is asked for of its document in the cohort that it is in now."""
        session = tx.session if tx else None
        while True:
            key = {"_id": participant_id(cohort_id, institution)}
            row: Row | None = await self._participants.find_one(key, known, session=session)
            if row is None or not row.get("moved_to"):
                return row
            cohort_id = row["moved_to"]

    async def learn(self, tx: mongo.Tx, course: Course, institution: str, change: Callable[[Ledger], Ledger]) -> None:
        """Enters what a participant did into its ledger, wherever it has moved to; nothing where the cohort has no
        such participant."""
        known = {"ledger": 1, "duties": 1, "duty_times": 1, "moved_to": 1}
        row = await self._current(course.cohort_id, institution, known, tx)
        if row is None:
            return
        before = ledger(row["ledger"])
        kept = change(before)
        if kept == before:
            return
        new = [duty for duty in duties_met(course.definition, kept) if duty not in row["duties"]]
        now = documents.in_milliseconds(datetime.now(UTC))
        changed: dict[str, Any] = {"ledger": {**row["ledger"], **ledger_row(kept)}, "duties": row["duties"] + new}
        if new:
            changed["duty_times"] = {**row.get("duty_times", {}), **dict.fromkeys(new, now)}
        await self._participants.update_one({"_id": row["_id"]}, {"$set": changed}, session=tx.session)

    async def duties(self, cohort_id: str, institution: str) -> tuple[list[str], int]:
        """Duties done, and how many of them the workflow was told."""
        key = {"_id": participant_id(cohort_id, institution)}
        row = await self._participants.find_one(key, {"duties": 1, "told": 1})
        return (row["duties"], row["told"]) if row else ([], 0)

    async def known_duties(self, cohort_id: str, institutions: Sequence[str]) -> dict[str, list[str]]:
        """The duties that each of these participants has done."""
        keys = [participant_id(cohort_id, institution) for institution in institutions]
        rows = self._participants.find({"_id": {"$in": keys}}, {"institution": 1, "duties": 1})
        return {row["institution"]: row["duties"] async for row in rows}

    async def told(self, cohort_id: str, institution: str, count: int) -> None:
        """The workflow was told so many duties."""
        key = {"_id": participant_id(cohort_id, institution)}
        await self._participants.update_one(key, {"$max": {"told": count}})

    async def note_problem(self, cohort_id: str, institution: str, problem: str) -> None:
        """Something that was refused for good, for a manager to look at."""
        change = {"$addToSet": {"problems": problem[:LONGEST_PROBLEM]}}
        await self._participants.update_one({"_id": participant_id(cohort_id, institution)}, change)

    async def leaving(self, cohort_id: str, institution: str) -> pb.Withdrawal | None:
        """The acknowledged withdrawal of a participant that has not ended yet."""
        key = {"_id": participant_id(cohort_id, institution), "state": states.ACTIVE}
        row = await self._participants.find_one(key, {"leaving": 1})
        kept = row.get("leaving") if row else None
        return pb.Withdrawal(**documents.known_of(pb.Withdrawal, kept)) if kept else None

    async def record_outcome(self, course: Course, step: pb.OutcomeStep) -> pb.ParticipantResult:
        """How a participant ended, and the fact of it. The first end stands, and is answered."""
        [stands] = await self.record_outcomes(course, [step])
        return stands

    async def record_outcomes(self, course: Course, steps: Sequence[pb.OutcomeStep]) -> list[pb.ParticipantResult]:
        """The same of several, in one transaction. NOT_FOUND where one is no participant; then none is recorded."""
        keys = [participant_id(course.cohort_id, step.institution) for step in steps]
        known = {"state": 1, "reason": 1, "version": 1, "leaving": 1}

        async def body(tx: mongo.Tx) -> list[pb.ParticipantResult]:
            query = {"_id": {"$in": keys}}
            rows = {row["_id"]: row async for row in self._participants.find(query, known, session=tx.session)}
            changes: dict[str, Row] = {}
            answers = []
            for key, step in zip(keys, steps, strict=True):
                if key not in rows:
                    raise not_found("participant", key)
                if rows[key]["state"] == states.ACTIVE:
                    changed = _end(tx, course, rows[key], step)
                    rows[key].update(changed)
                    changes[key] = changed
                answers.append(pb.ParticipantResult(outcome=rows[key]["state"], reason=rows[key]["reason"]))
            await self.change_each(tx, changes)
            return answers

        return await self._db.transaction(body)


def _end(tx: mongo.Tx, course: Course, row: Row, step: pb.OutcomeStep) -> Row:
    """What changes of a participant that ends, with the fact of it; an acknowledged withdrawal comes first."""
    leaving = row.get("leaving")
    outcome = states.WITHDRAWN if leaving else step.outcome
    reason = leaving["reason"] if leaving else step.reason
    changed: Row = {"state": outcome, "reason": reason, "version": row["version"] + 1}
    if outcome == states.FAILED and step.failed_phase:
        changed["failed_phase"] = step.failed_phase
    fact = _OUTCOMES[outcome](meta=_meta(course, row["_id"], changed["version"]), institution=step.institution)
    fact.meta.actor = leaving["actor"] if leaving else step.actor
    if not isinstance(fact, events_pb2.ParticipantGraduated):
        fact.reason = reason
    tx.add(fact)
    return changed


def require_active(row: Row) -> None:
    """PARTICIPANT_ENDED for one that is not in the cohort any more."""
    if row.get("moved_to"):
        raise precondition("PARTICIPANT_ENDED", f"{row['institution']} went on in cohort {row['moved_to']}")
    if row["state"] != states.ACTIVE:
        name = states.participant_state(row["state"])
        raise precondition("PARTICIPANT_ENDED", f"{row['institution']} has {name} already")


def _meta(course: Course, participant: str, version: int) -> Meta:
    return Meta(aggregate_id=participant, version=version, cohort_id=course.cohort_id, rehearsal=course.mark)
