"""What program stores of cohorts. `Store` is what services and activities use; it puts the other stores together."""

import functools
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from google.protobuf.message import Message
from livinglab.program.v1 import (
    cohort_pb2,
    definition_pb2,
    duty_service_pb2,
    events_pb2,
    overview_service_pb2,
    service_pb2,
)
from livinglab.program.v1 import workflow_pb2 as pb
from pymongo import DESCENDING, IndexModel

from chassis import mongo, pages
from chassis.errors import conflict, not_found
from programs.phases import ENDED, has_ended
from services.program.model import states
from services.program.model.course import Course
from services.program.store import audit, documents, names, owed, views
from services.program.store import participants as participant_store
from services.program.store.audit import AuditStore
from services.program.store.documents import Row
from services.program.store.meetings import MeetingStore
from services.program.store.names import NameStore
from services.program.store.orders import SteeringStore
from services.program.store.participants import ParticipantStore
from services.program.store.phases import PhaseStore, cohort_meta
from services.program.store.rows import CohortRows

_INDEXES = {
    "cohorts": [IndexModel([("launch_time", DESCENDING), ("_id", 1)]), IndexModel([("state", 1)])],
    **participant_store.INDEXES,
    **audit.INDEXES,
    **names.INDEXES,
}


class Store:
    """Documents in, messages out."""

    def __init__(self, db: mongo.Database) -> None:
        self.db = db
        self._cohorts = db["cohorts"]
        self._standing = db["participants"]
        self._rows = CohortRows(db)
        self.participants = ParticipantStore(db)
        self.audit = AuditStore(db)
        self.names = NameStore(db)
        self.meetings = MeetingStore(db)
        self._phases = PhaseStore(db)
        self.steering = SteeringStore(db, self.audit, self._phases)
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
        """Stores a new cohort with its participants, and says so. ALREADY_EXISTS where its id is reserved."""
        row = documents.cohort_row(definition, spec, clock, fingerprint, now)
        participants = documents.participant_rows(spec)
        await self.names.take(tx, spec.id)
        await self._rows.add(tx, row)
        await self.participants.add(tx, participants)
        tx.add(
            events_pb2.CohortLaunched(
                meta=cohort_meta(row),
                cohort_id=spec.id,
                definition_id=definition.id,
                definition_version=definition.version,
                participants=len(participants),
                **documents.days(definition),
            )
        )
        return views.cohort(row, participants)

    async def forget_launch(self, cohort_id: str, request: Message) -> None:
        """Takes a launch back of which no workflow came to be: as if it had not been asked for."""

        async def body(tx: mongo.Tx) -> None:
            row = await self._cohorts.find_one({"_id": cohort_id}, {"version": 1}, session=tx.session)
            if row is None or row["version"] > 1:
                return
            await self._rows.remove(tx, cohort_id)
            await self.participants.remove(tx, cohort_id)
            await self.names.give_back(tx, cohort_id)
            await self.audit.forget(tx, cohort_id)
            await self.db.forget_request(tx, request)

        await self.db.transaction(body)
        self._courses.pop(cohort_id, None)

    async def cohort(self, cohort_id: str, tx: mongo.Tx | None = None) -> cohort_pb2.Cohort:
        """A cohort as it stands; NOT_FOUND."""
        session = tx.session if tx else None
        row = await self._cohorts.find_one({"_id": cohort_id}, session=session)
        if row is None:
            raise not_found("cohort", cohort_id)
        standing = await self._standing.find({"cohort": cohort_id}, views.STANDING, session=session).to_list(None)
        return views.cohort(row, standing)

    async def report_rows(self, cohort_id: str) -> tuple[Row, list[Row]]:
        """A cohort's document and those of its participants, by institution; NOT_FOUND."""
        row = await self._cohorts.find_one({"_id": cohort_id})
        if row is None:
            raise not_found("cohort", cohort_id)
        return row, await self._standing.find({"cohort": cohort_id}).sort("_id").to_list(None)

    async def cohorts(
        self,
        request: service_pb2.ListCohortsRequest | overview_service_pb2.ListOverviewsRequest,
        *,
        rehearsals: bool = True,
    ) -> tuple[list[cohort_pb2.Cohort], str]:
        """Cohorts, newest first, and the token of the next page; rehearsals among them unless told otherwise."""
        wanted = {} if rehearsals else {"rehearsal": False}
        rows, token = await pages.page(self._cohorts, wanted, request, dict, by=("launch_time", DESCENDING))
        standing: dict[str, list[Row]] = {row["_id"]: [] for row in rows}
        query = {"cohort": {"$in": list(standing)}}
        async for participant in self._standing.find(query, {**views.STANDING, "cohort": 1}):
            standing[participant["cohort"]].append(participant)
        return [views.cohort(row, standing[row["_id"]]) for row in rows], token

    async def duties(self, institution: str, cohort_id: str = "") -> list[duty_service_pb2.OwedDuty]:
        """What an institution owes in the cohorts that have not ended, in that one alone where it is named."""
        query: dict[str, Any] = {"institution": institution, "state": states.ACTIVE}
        if cohort_id:
            query["cohort"] = cohort_id
        rows = {row["cohort"]: row for row in await self._standing.find(query).to_list(None)}
        running = {"_id": {"$in": list(rows)}, "state": {"$nin": list(ENDED)}}
        found: list[duty_service_pb2.OwedDuty] = []
        async for cohort_row in self._cohorts.find(running):
            found += owed.owed(rows[cohort_row["_id"]], cohort_row)
        return found

    async def participant_page(
        self, request: service_pb2.ListParticipantsRequest
    ) -> tuple[list[cohort_pb2.ParticipantProgress], str]:
        """Participants by institution, and the token of the next page; NOT_FOUND for the cohort."""
        cohort_row = await self._cohorts.find_one({"_id": request.cohort_id})
        if cohort_row is None:
            raise not_found("cohort", request.cohort_id)
        read = functools.partial(views.participant, cohort_row=cohort_row)
        return await pages.page(self._standing, {"cohort": request.cohort_id}, request, read)

    async def note_problem(self, cohort_id: str, problem: str) -> None:
        """Something that was refused for good, for a manager to look at."""
        await self._rows.note_problem(cohort_id, problem)

    async def record_phase(self, cohort_id: str, record: pb.PhaseRecord, revision: int = 0) -> None:
        """A phase as its workflow tells it; see PhaseStore."""
        await self._phases.record_phase(cohort_id, record, revision)

    async def concern_now(self, cohort_id: str, duties: Sequence[str]) -> bool:
        """Whether one of these duties belongs to a phase that has opened."""
        course = await self.known_course(cohort_id)
        named = [p.id for p in course.definition.phases if any(duty.id in duties for duty in p.duties)]
        return await self._phases.some_begun(cohort_id, named)

    async def complete(self, step: pb.CompletionStep) -> None:
        """How a cohort ended, and the fact of it. Refused while a participant has no end."""

        async def body(tx: mongo.Tx) -> None:
            row = await self._cohorts.find_one({"_id": step.cohort_id}, session=tx.session)
            if row is None or has_ended(row["state"]):
                return
            query = {"cohort": step.cohort_id}
            standing = await self._standing.find(query, {"state": 1}, session=tx.session).to_list(None)
            counts = states.counts(participant["state"] for participant in standing)
            if counts.active:
                raise conflict("cohort", step.cohort_id)
            row["version"] += 1
            changed = {"state": step.outcome, "reason": step.reason, "end_time": datetime.now(UTC), "proposals": []}
            await self._rows.change(tx, step.cohort_id, {**changed, "version": row["version"]})
            meta = cohort_meta(row)
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
