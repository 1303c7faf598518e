"""Stores changes of who is in a cohort while it runs: readmitted, enrolled late, replaced, split off."""

from collections.abc import Iterable
from typing import Any

from livinglab.common.v1.meta_pb2 import Meta
from livinglab.program.v1 import definition_pb2, events_pb2
from livinglab.program.v1 import workflow_pb2 as pb

from chassis import mongo
from chassis.errors import not_found
from programs import clock, phases
from services.program.model import closing, identity, states
from services.program.store import audit as audit_store
from services.program.store import documents
from services.program.store.audit import AuditStore
from services.program.store.documents import Row, participant_id
from services.program.store.names import NameStore, cohort_taken, split_owner
from services.program.store.participants import ParticipantStore
from services.program.store.phases import CLOSED, cohort_meta
from services.program.store.rows import CohortRows


class RosterStore:
    """Each method is what one order does to participants, in the order's transaction."""

    def __init__(self, db: mongo.Database, audit: AuditStore) -> None:
        self._cohorts = db["cohorts"]
        self._standing = db["participants"]
        self._rows = CohortRows(db)
        self._participants = ParticipantStore(db)
        self._audit = audit
        self._names = NameStore(db)

    async def readmit(self, tx: mongo.Tx, row: Row, step: pb.CommandStep) -> None:
        """A participant that had ended is in again."""
        await self.take_in(tx, row, step, [step.command.readmit.institution])

    async def take_in(self, tx: mongo.Tx, row: Row, step: pb.CommandStep, institutions: Iterable[str]) -> None:
        """Those of them that failed or withdrew are active again, and excused of what they missed. Who went to another
        cohort is there."""
        for institution in institutions:
            found = await self._find(tx, row, institution)
            if found["state"] not in {states.FAILED, states.WITHDRAWN} or found.get("moved_to"):
                continue
            changed = {
                "state": states.ACTIVE,
                "reason": "",
                "version": found["version"] + 1,
                "excused": [*found.get("excused", ()), *_missed(row, found)],
            }
            await self._participants.change(tx, found["_id"], changed, gone=("leaving", "failed_phase"))
            _tell(tx, row, step, {**found, **changed}, events_pb2.ParticipantReadmitted)

    async def take_excuses_back(self, tx: mongo.Tx, row: Row, phase: str) -> None:
        """Who was excused of a duty of the phase owes it again: it is open again for everybody."""
        duties = [duty.id for duty in phases.find_phase(_definition(row), phase).duties]
        await self._participants.excuse_no_more(tx, row["_id"], duties)

    async def enrol(self, tx: mongo.Tx, row: Row, step: pb.CommandStep) -> None:
        """A participant joins, excused of the phases that have closed."""
        participant = step.command.enrol.participant
        new = documents.participant_row(row["_id"], documents.realm(row), row["rehearsal"], participant)
        new["version"] = 1
        new["excused"] = _missed(row, new)
        new["enrol_time"] = documents.in_milliseconds(clock.moment(step.time))
        if await self._standing.find_one({"_id": new["_id"]}, {"_id": 1}, session=tx.session):
            return
        await self._participants.add(tx, [new])
        await self._rows.one_more(tx, row["_id"])
        _tell(tx, row, step, new, events_pb2.ParticipantEnrolled)

    async def replace(self, tx: mongo.Tx, row: Row, step: pb.CommandStep) -> None:
        """Somebody else acts for a participant."""
        order = step.command.replace
        found = await self._find(tx, row, order.institution)
        people = documents.replaced(found["people"], order.person, order.email)
        changed = {"people": people, "version": found["version"] + 1}
        await self._participants.change(tx, found["_id"], changed)
        _tell(tx, row, step, {**found, **changed}, events_pb2.PersonReplaced, role=order.person.role)

    async def withdraw(self, tx: mongo.Tx, row: Row, step: pb.CommandStep) -> None:
        """Whatever else ends the participant from here on, it has withdrawn; one that has ended already has not."""
        key = participant_id(row["_id"], step.command.withdraw.institution)
        leaving = {"reason": step.command.reason, "actor": step.command.actor, "moved_to": ""}
        await self._participants.leave(tx, [key], leaving)

    async def split(self, tx: mongo.Tx, row: Row, step: pb.CommandStep) -> None:
        """Participants go on in a new cohort: from this transaction on what they do counts there."""
        command, order = step.command, step.command.split
        if await self._cohorts.find_one({"_id": order.cohort_id}, {"_id": 1}, session=tx.session):
            raise cohort_taken(order.cohort_id)
        keys = [participant_id(row["_id"], institution) for institution in order.institutions]
        query = {"_id": {"$in": keys}, "state": states.ACTIVE}
        going = await self._standing.find(query, session=tx.session).sort("_id").to_list(None)
        new = documents.split_row(row, step, len(going))
        moved = [documents.moved_row(old, new) for old in going]
        _keep_closings(new, moved)
        await self._names.keep(tx, order.cohort_id, split_owner(row["_id"], identity.key(command)))
        await self._rows.add(tx, new)
        await self._participants.add(tx, moved)
        reason = f"moved to cohort {order.cohort_id}: {command.reason}"
        leaving = {"reason": reason, "actor": command.actor, "moved_to": order.cohort_id}
        await self._participants.leave(tx, [old["_id"] for old in going], leaving, moved_to=order.cohort_id)
        await self._say_split(tx, row, new, step, [old["institution"] for old in going])

    async def forget_problems(self, tx: mongo.Tx, row: Row, institution: str) -> None:
        """Its problems are dealt with."""
        await self._participants.change(tx, participant_id(row["_id"], institution), {"problems": []})

    async def _say_split(self, tx: mongo.Tx, row: Row, new: Row, step: pb.CommandStep, going: list[str]) -> None:
        command, definition = step.command, definition_pb2.Definition.FromString(row["definition"])
        row["version"] += 1
        meta, launched = cohort_meta(row), cohort_meta(new)
        meta.actor = launched.actor = command.actor
        about = {"cohort_id": row["_id"], "new_cohort_id": new["_id"], "reason": command.reason}
        tx.add(events_pb2.CohortSplit(meta=meta, institutions=going, **about))
        tx.add(
            events_pb2.CohortLaunched(
                meta=launched,
                cohort_id=new["_id"],
                definition_id=definition.id,
                definition_version=definition.version,
                participants=len(going),
                **documents.days(definition),
            )
        )
        begun = audit_store.entry(
            new["_id"],
            "launch",
            command.request_id,
            command.actor,
            clock.moment(step.time),
            reason=command.reason,
            outcome=f"split from {row['_id']} with {len(going)} participants",
        )
        await self._audit.add(tx, begun)

    async def _find(self, tx: mongo.Tx, row: Row, institution: str) -> Row:
        key = participant_id(row["_id"], institution)
        found: Row | None = await self._standing.find_one({"_id": key}, session=tx.session)
        if found is None:
            raise not_found("participant", f"{row['_id']}/{institution}")
        return found


def _definition(row: Row) -> definition_pb2.Definition:
    return definition_pb2.Definition.FromString(row["definition"])


def _keep_closings(new: Row, moved: list[Row]) -> None:
    """What phases that have closed came to, of those who go on here."""
    definition = definition_pb2.Definition.FromString(new["definition"])
    for phase in definition.phases:
        kept = new["phases"][phase.id]
        if kept["state"] == CLOSED:
            kept["closing"] = closing.counts(phase, moved, kept.get("addressed", ()))


def _missed(row: Row, participant: Row) -> list[str]:
    """Required duties of phases that have closed which a participant has not done."""
    definition = definition_pb2.Definition.FromString(row["definition"])
    missed: list[str] = []
    for phase in definition.phases:
        kept = row["phases"][phase.id]
        addressed = kept.get("addressed", ())
        if kept["state"] == CLOSED and (not addressed or participant["institution"] in addressed):
            missed += closing.lacking(phase, participant)
    return missed


def _tell(tx: mongo.Tx, row: Row, step: pb.CommandStep, participant: Row, fact: Any, **about: Any) -> None:
    meta = Meta(
        aggregate_id=participant["_id"],
        version=participant["version"],
        cohort_id=row["_id"],
        rehearsal=documents.realm(row),
        actor=step.command.actor,
    )
    tx.add(fact(meta=meta, institution=participant["institution"], reason=step.command.reason, **about))
