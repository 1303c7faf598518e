"""What program keeps: cohorts, and of each participant the ledger of what it has done. Only this file knows MongoDB."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from livinglab.common.v1.meta_pb2 import Meta
from livinglab.program.v1 import cohort_pb2, definition_pb2, events_pb2
from livinglab.program.v1 import workflow_pb2 as pb
from pymongo import DESCENDING, IndexModel

from chassis import mongo
from chassis.errors import conflict, not_found
from services.program import documents, model
from services.program.course import Course
from services.program.documents import Row, participant_id
from services.program.ledger import Ledger, duties_met

_INDEXES: dict[str, list[IndexModel]] = {
    "cohorts": [IndexModel([("launch_time", DESCENDING), ("_id", 1)]), IndexModel([("state", 1), ("rehearsal", 1)])],
    "participants": [
        IndexModel([("cohort", 1), ("state", 1)]),
        IndexModel([("institution", 1), ("rehearsal", 1), ("state", 1)]),
    ],
}
_STANDING = {"_id": 0, "state": 1, "duties": 1}
# A watcher is told at most this often: bursts of facts come as one change.
_WATCH_SECONDS = 0.2
_OUTCOMES = {
    model.GRADUATED: events_pb2.ParticipantGraduated,
    model.WITHDRAWN: events_pb2.ParticipantWithdrawn,
    model.FAILED: events_pb2.ParticipantFailed,
}


class Store:
    """Documents in, messages out."""

    def __init__(self, db: mongo.Database) -> None:
        self.db = db
        self._cohorts = db["cohorts"]
        self._participants = db["participants"]
        self._courses: dict[str, Course] = {}

    async def prepare(self) -> None:
        """Collections and indexes; once at start-up."""
        await self.db.prepare(_INDEXES)

    async def course(self, cohort_id: str) -> Course | None:
        """What does not change of a cohort; None where there is none."""
        if cohort_id not in self._courses:
            row = await self._cohorts.find_one({"_id": cohort_id})
            if row is None:
                return None
            self._courses[cohort_id] = documents.course(row)
        return self._courses[cohort_id]

    async def known_course(self, cohort_id: str) -> Course:
        """The same; NOT_FOUND where there is none."""
        course = await self.course(cohort_id)
        if course is None:
            raise not_found("cohort", cohort_id)
        return course

    async def fingerprint(self, cohort_id: str, tx: mongo.Tx | None = None) -> bytes | None:
        """What the cohort of that id was launched with; None where there is none."""
        session = tx.session if tx else None
        row = await self._cohorts.find_one({"_id": cohort_id}, {"fingerprint": 1}, session=session)
        return row["fingerprint"] if row else None

    async def launch(
        self,
        tx: mongo.Tx,
        definition: definition_pb2.Definition,
        spec: definition_pb2.CohortSpec,
        clock: pb.Clock,
        fingerprint: bytes,
        now: datetime,
    ) -> cohort_pb2.Cohort:
        """Stores a new cohort with its participants, and says so."""
        row = documents.cohort_row(definition, spec, clock, fingerprint, now)
        participants = documents.participant_rows(spec)
        await self._cohorts.insert_one(row, session=tx.session)
        await self._participants.insert_many(participants, session=tx.session)
        tx.add(
            events_pb2.CohortLaunched(
                meta=_cohort_meta(row),
                cohort_id=spec.id,
                definition_id=definition.id,
                definition_version=definition.version,
                participants=len(participants),
            )
        )
        return documents.cohort(row, participants)

    async def cohort(self, cohort_id: str, tx: mongo.Tx | None = None) -> cohort_pb2.Cohort:
        """A cohort as it stands; NOT_FOUND."""
        session = tx.session if tx else None
        row = await self._cohorts.find_one({"_id": cohort_id}, session=session)
        if row is None:
            raise not_found("cohort", cohort_id)
        standing = await self._participants.find({"cohort": cohort_id}, _STANDING, session=session).to_list(None)
        return documents.cohort(row, standing)

    async def cohorts(self, size: int, token: str) -> tuple[list[cohort_pb2.Cohort], str]:
        """Cohorts, newest first, and the token of the next page."""
        before = mongo.after(token)
        query: dict[str, Any] = {}
        if before:
            launched, _, last_id = before["_id"]["$gt"].partition("/")
            at = datetime.fromtimestamp(int(launched) / 1000, UTC) if launched.isdigit() else datetime.now(UTC)
            query = {"$or": [{"launch_time": {"$lt": at}}, {"launch_time": at, "_id": {"$gt": last_id}}]}
        order = [("launch_time", DESCENDING), ("_id", 1)]
        rows = await self._cohorts.find(query).sort(order).limit(size + 1).to_list(None)
        found = []
        for row in rows[:size]:
            standing = await self._participants.find({"cohort": row["_id"]}, _STANDING).to_list(None)
            found.append(documents.cohort(row, standing))
        if len(rows) <= size:
            return found, ""
        last = rows[size - 1]
        return found, mongo.page_token(f"{round(last['launch_time'].timestamp() * 1000)}/{last['_id']}")

    async def participants(
        self, cohort_id: str, size: int, token: str
    ) -> tuple[list[cohort_pb2.ParticipantProgress], str]:
        """Participants by institution, and the token of the next page; NOT_FOUND for the cohort."""
        cohort_row = await self._cohorts.find_one({"_id": cohort_id})
        if cohort_row is None:
            raise not_found("cohort", cohort_id)
        query = {"cohort": cohort_id, **mongo.after(token)}
        rows = await self._participants.find(query).sort("_id").limit(size + 1).to_list(None)
        shown = [documents.participant(row, cohort_row) for row in rows[:size]]
        return shown, mongo.page_token(rows[size - 1]["_id"]) if len(rows) > size else ""

    async def participant_state(self, tx: mongo.Tx, cohort_id: str, institution: str) -> int:
        """Whether it is active still; NOT_FOUND."""
        key = {"_id": participant_id(cohort_id, institution)}
        row = await self._participants.find_one(key, {"state": 1}, session=tx.session)
        if row is None:
            raise not_found("participant", f"{cohort_id}/{institution}")
        return int(row["state"])

    async def institutions(self, cohort_id: str) -> list[str]:
        """Those still active, in order."""
        query = {"cohort": cohort_id, "state": model.ACTIVE}
        rows = await self._participants.find(query, {"institution": 1}).sort("_id").to_list(None)
        return [row["institution"] for row in rows]

    async def ended(self, cohort_id: str) -> dict[str, int]:
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

    async def learn(
        self, tx: mongo.Tx, cohort_id: str, institution: str, rehearsal: bool, change: Callable[[Ledger], Ledger]
    ) -> None:
        """Enters what a participant did into its ledger; nobody's, where the cohort has no such participant or is
        not of the fact's realm."""
        course = await self.course(cohort_id)
        if course is None or course.rehearsal != rehearsal:
            return
        key = {"_id": participant_id(cohort_id, institution)}
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
        """Something that was refused for good, at the participant or, where none is named, at the cohort."""
        change = {"$addToSet": {"problems": problem[:500]}}
        if institution:
            await self._participants.update_one({"_id": participant_id(cohort_id, institution)}, change)
        else:
            await self._cohorts.update_one({"_id": cohort_id}, change)

    async def record_phase(self, cohort_id: str, record: pb.PhaseRecord) -> None:
        """A phase opened, moved its deadline or closed; told again, nothing changes. A phase never goes back."""

        async def body(tx: mongo.Tx) -> None:
            row = await self._cohorts.find_one({"_id": cohort_id}, session=tx.session)
            if row is None:
                raise not_found("cohort", cohort_id)
            before, now = row["phases"][record.phase], documents.phase_row(record)
            if before == now or before["state"] > now["state"]:
                return
            row["version"] += 1
            change = {"$set": {f"phases.{record.phase}": now, "version": row["version"]}}
            await self._cohorts.update_one({"_id": cohort_id}, change, session=tx.session)
            meta, moved_on = _cohort_meta(row), before["state"] != now["state"]
            names = {"cohort_id": cohort_id, "phase": record.phase, "invited": record.invited}
            if moved_on and record.state == cohort_pb2.PHASE_STATE_OPEN:
                tx.add(events_pb2.PhaseOpened(meta=meta, **names))
            elif moved_on and record.state == cohort_pb2.PHASE_STATE_CLOSED:
                tx.add(events_pb2.PhaseClosed(meta=meta, done=len(record.done), **names))

        await self.db.transaction(body)

    async def record_outcome(self, step: pb.OutcomeStep) -> None:
        """How a participant ended, and the fact of it. The first end stands."""
        course = await self.known_course(step.cohort_id)

        async def body(tx: mongo.Tx) -> None:
            key = {"_id": participant_id(step.cohort_id, step.institution)}
            row = await self._participants.find_one({**key, "state": model.ACTIVE}, {"version": 1}, session=tx.session)
            if row is None:
                return
            changed = {"state": step.outcome, "reason": step.reason, "version": row["version"] + 1}
            await self._participants.update_one(key, {"$set": changed}, session=tx.session)
            meta = Meta(
                aggregate_id=key["_id"],
                version=changed["version"],
                cohort_id=course.cohort_id,
                rehearsal=course.mark,
                actor=step.actor,
            )
            fact = _OUTCOMES[step.outcome](meta=meta, institution=step.institution)
            if not isinstance(fact, events_pb2.ParticipantGraduated):
                fact.reason = step.reason
            tx.add(fact)

        await self.db.transaction(body)

    async def complete(self, step: pb.CompletionStep) -> None:
        """How a cohort ended, and the fact of it. Refused while a participant has no end."""

        async def body(tx: mongo.Tx) -> None:
            row = await self._cohorts.find_one({"_id": step.cohort_id}, session=tx.session)
            if row is None or row["state"] != cohort_pb2.COHORT_STATE_RUNNING:
                return
            query = {"cohort": step.cohort_id}
            standing = await self._participants.find(query, {"state": 1}, session=tx.session).to_list(None)
            counts = model.counts(participant["state"] for participant in standing)
            if counts.active:
                raise conflict("cohort", step.cohort_id)
            row["version"] += 1
            changed = {"state": step.outcome, "reason": step.reason, "end_time": datetime.now(UTC)}
            update = {"$set": {**changed, "version": row["version"]}}
            await self._cohorts.update_one({"_id": step.cohort_id}, update, session=tx.session)
            meta = _cohort_meta(row)
            meta.actor = step.actor
            tx.add(
                events_pb2.CohortEnded(
                    meta=meta,
                    cohort_id=step.cohort_id,
                    outcome=step.outcome,
                    participants=counts.participants,
                    graduated=counts.graduated,
                    withdrawn=counts.withdrawn,
                    failed=counts.failed,
                )
            )

        await self.db.transaction(body)

    async def running(self) -> Sequence[str]:
        """Cohorts that have not ended."""
        rows = await self._cohorts.find({"state": cohort_pb2.COHORT_STATE_RUNNING}, {"_id": 1}).to_list(None)
        return [row["_id"] for row in rows]

    async def changes(self, cohort_id: str) -> AsyncIterator[None]:
        """Yields at once, and again after anything of the cohort changed."""
        pipeline = [
            {"$match": {"operationType": {"$in": ["insert", "update", "replace"]}}},
            {"$match": {"documentKey._id": {"$regex": f"^{cohort_id}(:|$)"}}},
            {"$project": {"_id": 1}},
        ]
        database = self._cohorts.database
        async with database.watch(pipeline, max_await_time_ms=1_000) as stream:
            await stream.try_next()
            yield
            while stream.alive:
                if await stream.try_next() is None:
                    continue
                await asyncio.sleep(_WATCH_SECONDS)
                while await _next_at_once(stream):
                    pass
                yield
