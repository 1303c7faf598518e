"""Stores the phases of a cohort as its workflow tells them. The workflow's state has a revision; news with an older one
change nothing."""

from collections.abc import Sequence
from typing import Any

from livinglab.common.v1.meta_pb2 import Meta
from livinglab.program.v1 import cohort_pb2, definition_pb2, events_pb2
from livinglab.program.v1 import workflow_pb2 as pb

from chassis import mongo
from chassis.errors import not_found
from programs import phases
from services.program.model import closing
from services.program.store import documents, views
from services.program.store.documents import Row, participant_id
from services.program.store.participants import ParticipantStore
from services.program.store.rows import CohortRows

OPEN = cohort_pb2.PHASE_STATE_OPEN
CLOSED = cohort_pb2.PHASE_STATE_CLOSED
SKIPPED = cohort_pb2.PHASE_STATE_SKIPPED


def cohort_meta(row: Row) -> Meta:
    """What the next fact of a cohort says about itself; the row's version has grown for it already."""
    return Meta(aggregate_id=row["_id"], version=row["version"], cohort_id=row["_id"], rehearsal=documents.realm(row))


class PhaseStore:
    """Documents in, messages out."""

    def __init__(self, db: mongo.Database) -> None:
        self._db = db
        self._cohorts = db["cohorts"]
        self._standing = db["participants"]
        self._rows = CohortRows(db)
        self._participants = ParticipantStore(db)

    async def record_phase(self, cohort_id: str, record: pb.PhaseRecord, revision: int = 0) -> None:
        """A phase opened, moved, was held, skipped or closed. An older or equal revision changes nothing; without
        one, a phase never goes back. NOT_FOUND for the cohort."""

        async def body(tx: mongo.Tx) -> None:
            row = await self._cohorts.find_one({"_id": cohort_id}, session=tx.session)
            if row is None:
                raise not_found("cohort", cohort_id)
            before = row["phases"][record.phase]
            if not await self.write(tx, row, record, revision):
                return
            row["version"] += 1
            await self._rows.change(tx, cohort_id, {"version": row["version"]})
            if before["state"] != record.state:
                _tell(tx, row, record, record.state)

        await self._db.transaction(body)

    async def some_begun(self, cohort_id: str, names: Sequence[str]) -> bool:
        """Whether one of these phases has opened, or was skipped."""
        known = {f"phases.{name}.state": 1 for name in names}
        row = await self._cohorts.find_one({"_id": cohort_id}, known) if names else None
        told = row.get("phases", {}).values() if row else ()
        return any(phase["state"] != cohort_pb2.PHASE_STATE_PENDING for phase in told)

    async def overtake(self, tx: mongo.Tx, row: Row, record: pb.PhaseRecord, revision: int) -> None:
        """Keeps a phase as an order found or left it. What the workflow had recorded before it may only come after it,
        and is stale then: its facts are told here."""
        before = row["phases"][record.phase]
        if not await self.write(tx, row, record, revision):
            return
        for state in _passed(before, record):
            row["version"] += 1
            _tell(tx, row, record, state)

    async def write(self, tx: mongo.Tx, row: Row, record: pb.PhaseRecord, revision: int) -> bool:
        """Keeps a phase as it is now, in the row that is given and in the store; False where nothing changed."""
        before, now = row["phases"][record.phase], documents.phase_row(record, revision)
        if revision:
            stale = revision <= before.get("revision", 0)
        else:
            told = {name: value for name, value in before.items() if name in now}
            stale = told == now or before["state"] > now["state"]
        if stale:
            return False
        if record.state == CLOSED:
            now["closing"] = before.get("closing") if before["state"] == CLOSED else None
            now["closing"] = now["closing"] or await self._close(tx, row, record)
        # What a newer release keeps beside it stays.
        kept = {name: value for name, value in before.items() if name != "closing"}
        now = row["phases"][record.phase] = {**kept, **now}
        await self._rows.change(tx, row["_id"], {f"phases.{record.phase}": now})
        return True

    async def _close(self, tx: mongo.Tx, row: Row, record: pb.PhaseRecord) -> dict[str, Any]:
        """What the phase came to, once those who lack a duty are excused where a manager said so."""
        phase = phases.find_phase(definition_pb2.Definition.FromString(row["definition"]), record.phase)
        query = {"cohort": row["_id"]}
        standing = await self._standing.find(query, views.STANDING, session=tx.session).to_list(None)
        excused = {}
        for participant in standing if record.excused else ():
            lacking = closing.lacking(phase, participant)
            if lacking and closing.was_in(participant, phase.id, record.addressed):
                participant["excused"] = [*participant.get("excused", ()), *lacking]
                excused[participant_id(row["_id"], participant["institution"])] = {"excused": participant["excused"]}
        await self._participants.change_each(tx, excused)
        return closing.counts(phase, standing, record.addressed)


def _passed(before: Row, record: pb.PhaseRecord) -> list[int]:
    """The states that a phase went through, and that are still untold; that it opened again is for the order to say."""
    passed: list[int] = []
    reopened = record.state == OPEN and record.reopened > before.get("reopened", 0)
    if before["state"] == cohort_pb2.PHASE_STATE_PENDING and record.state in {OPEN, CLOSED, SKIPPED}:
        passed.append(SKIPPED if record.state == SKIPPED else OPEN)
    if before["state"] in {cohort_pb2.PHASE_STATE_PENDING, OPEN} and (record.state == CLOSED or reopened):
        passed.append(CLOSED)
    return passed


def _tell(tx: mongo.Tx, row: Row, record: pb.PhaseRecord, state: int) -> None:
    """The fact of a new state."""
    about: dict[str, Any] = {"meta": cohort_meta(row), "cohort_id": row["_id"], "phase": record.phase}
    if state == OPEN:
        tx.add(events_pb2.PhaseOpened(invited=record.invited, **about))
    elif state == CLOSED:
        tx.add(events_pb2.PhaseClosed(invited=record.invited, done=len(record.done), **about))
    elif state == SKIPPED:
        tx.add(events_pb2.PhaseSkipped(**about))
