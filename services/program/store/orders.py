"""Stores a manager's order: the order itself, what it changes, and its facts, in one transaction and once."""

from collections.abc import Awaitable, Callable
from typing import Any

from livinglab.program.v1 import command_pb2, events_pb2
from livinglab.program.v1 import workflow_pb2 as pb

from chassis import mongo
from chassis.errors import Kind, Refused, not_found
from programs import clock
from programs.phases import has_ended
from services.program.model import identity
from services.program.model.orders import words
from services.program.store import audit as audit_store
from services.program.store import documents
from services.program.store.audit import AuditStore
from services.program.store.documents import Row
from services.program.store.phases import PhaseStore, cohort_meta
from services.program.store.roster import RosterStore
from services.program.store.rows import CohortRows

_Effect = Callable[[mongo.Tx, Row, pb.CommandStep], Awaitable[None]]


class SteeringStore:
    """Documents in, messages out."""

    def __init__(self, db: mongo.Database, audit: AuditStore, phases: PhaseStore) -> None:
        self._db = db
        self._cohorts = db["cohorts"]
        self._rows = CohortRows(db)
        self._audit = audit
        self._phases = phases
        self._roster = RosterStore(db, audit)
        # What else an order does, besides what every order may do to the cohort and its phases.
        self._effects: dict[str, _Effect] = {
            "pause": self._paused,
            "resume": self._resumed,
            "reschedule": self._rescheduled,
            "reopen": self._reopened,
            "override": self._overridden,
            "resolve": self._resolved,
            "readmit": self._roster.readmit,
            "enrol": self._roster.enrol,
            "replace": self._roster.replace,
            "split": self._roster.split,
            "withdraw": self._roster.withdraw,
            "cancel": self._cancelled,
        }

    async def record(self, step: pb.CommandStep) -> None:
        """What an order came to. Told again, nothing changes; what other news have overtaken stays as it is.
        NOT_FOUND for the cohort; ALREADY_EXISTS where a cohort is to be split off under an id that is taken."""

        async def body(tx: mongo.Tx) -> None:
            row = await self._cohorts.find_one({"_id": step.cohort_id}, session=tx.session)
            if row is None:
                raise not_found("cohort", step.cohort_id)
            if await self._audit.find(_key(step.cohort_id, step.command), tx):
                return
            await self._audit.add(tx, _entry(step, pb.Clock.FromString(row["clock"]).time_zone or "UTC"))
            await self._change(tx, row, step)
            kind = step.command.WhichOneof("order") or ""
            await self._effects[kind](tx, row, step)
            await self._rows.change(tx, row["_id"], {"version": row["version"]})

        await self._db.transaction(body)

    async def recorded(self, cohort_id: str, command: command_pb2.Command) -> bool | None:
        """Whether an order that was accepted already waits for a second manager; None where it is new.
        ALREADY_EXISTS where its request_id stands for another order."""
        row = await self._audit.find(_key(cohort_id, command))
        if row is None:
            return None
        if _content(row["content"]) != _content(command.SerializeToString()):
            message = f"request_id {command.request_id} stands for another request"
            raise Refused(Kind.ALREADY_EXISTS, "REQUEST_ID_REUSED", message)
        return bool(row["awaiting_second"])

    async def _change(self, tx: mongo.Tx, row: Row, step: pb.CommandStep) -> None:
        """The state of the cohort and of its phases, unless what is stored is newer."""
        if step.revision > row.get("revision", 0) and not has_ended(row["state"]):
            changed = {
                "state": step.state,
                "pause_time": documents.moment_of(step, "pause_time"),
                "proposals": [proposal.SerializeToString() for proposal in step.proposals],
                "revision": step.revision,
            }
            row.update(changed)
            await self._rows.change(tx, row["_id"], changed)
        for record in step.phases:
            await self._phases.overtake(tx, row, record, step.revision)

    async def _paused(self, tx: mongo.Tx, row: Row, step: pb.CommandStep) -> None:
        _tell(tx, row, step, events_pb2.CohortPaused)

    async def _resumed(self, tx: mongo.Tx, row: Row, step: pb.CommandStep) -> None:
        _tell(tx, row, step, events_pb2.CohortResumed)

    async def _rescheduled(self, tx: mongo.Tx, row: Row, step: pb.CommandStep) -> None:
        for record in step.phases:
            times = {"open_time": record.open_time, "deadline_time": record.deadline_time}
            _tell(tx, row, step, events_pb2.PhaseRescheduled, phase=record.phase, **times)

    async def _reopened(self, tx: mongo.Tx, row: Row, step: pb.CommandStep) -> None:
        order = step.command.reopen
        [record] = [record for record in step.phases if record.phase == order.phase]
        _tell(tx, row, step, events_pb2.PhaseReopened, phase=record.phase, deadline_time=record.deadline_time)
        await self._roster.take_excuses_back(tx, row, order.phase)
        if order.readmit:
            await self._roster.take_in(tx, row, step, order.institutions)

    async def _overridden(self, tx: mongo.Tx, row: Row, step: pb.CommandStep) -> None:
        if step.awaiting_second:
            return
        order = step.command.override
        about = {"phase": order.phase, "action": order.action, "proposed_by": step.proposed_by}
        _tell(tx, row, step, events_pb2.GateOverridden, **about)

    async def _cancelled(self, tx: mongo.Tx, row: Row, step: pb.CommandStep) -> None:
        """The facts are those of its participants' ends, and its own."""

    async def _resolved(self, tx: mongo.Tx, row: Row, step: pb.CommandStep) -> None:
        """Whether they are asked again or let be, the problems of before are dealt with."""
        if institution := step.command.resolve.institution:
            await self._roster.forget_problems(tx, row, institution)
        else:
            await self._rows.change(tx, row["_id"], {"problems": []})


def _tell(tx: mongo.Tx, row: Row, step: pb.CommandStep, fact: Any, **about: Any) -> None:
    """A fact of the cohort: each makes it one version older."""
    row["version"] += 1
    meta = cohort_meta(row)
    meta.actor = step.command.actor
    tx.add(fact(meta=meta, cohort_id=row["_id"], reason=step.command.reason, **about))


def _key(cohort_id: str, command: command_pb2.Command) -> str:
    return f"{cohort_id}:{identity.key(command)}"


def _entry(step: pb.CommandStep, zone: str) -> Row:
    command = step.command
    phase, institution = words.subject(command)
    kept = audit_store.entry(
        step.cohort_id,
        command.WhichOneof("order") or "",
        command.request_id,
        command.actor,
        clock.moment(step.time),
        reason=command.reason,
        outcome=words.outcome(step, zone),
        phase=phase,
        institution=institution,
    )
    return {
        **kept,
        "_id": _key(step.cohort_id, command),
        "content": command.SerializeToString(),
        "awaiting_second": step.awaiting_second,
    }


def _content(command: bytes) -> command_pb2.Command:
    """What a caller says of an order: whom a reopening takes in again is looked up here."""
    said = command_pb2.Command.FromString(command)
    if said.HasField("reopen"):
        del said.reopen.institutions[:]
    return said
