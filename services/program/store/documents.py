"""Translates documents of cohorts and participants into the values that everybody else uses, and back."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from livinglab.program.v1 import cohort_pb2, definition_pb2
from livinglab.program.v1 import workflow_pb2 as pb

from chassis.forms.addresses import mailbox
from programs import clock
from services.program.model import identity, states
from services.program.model.course import Course

Row = dict[str, Any]


def participant_id(cohort_id: str, institution: str) -> str:
    """The key of a participant's document; all of a cohort's stand together."""
    return f"{cohort_id}:{institution}"


def cohort_row(
    definition: definition_pb2.Definition,
    spec: definition_pb2.CohortSpec,
    cohort_clock: pb.Clock,
    fingerprint: bytes,
    now: datetime,
) -> Row:
    """A cohort at its launch."""
    return {
        "_id": spec.id,
        "version": 1,
        "fingerprint": fingerprint,
        "title": spec.title,
        "note": spec.note,
        "rehearsal": spec.rehearsal,
        "realm": spec.id if spec.rehearsal else "",
        "seconds_per_day": cohort_clock.seconds_per_day,
        "definition": definition.SerializeToString(),
        "clock": cohort_clock.SerializeToString(),
        "participants": len(spec.roster),
        "state": cohort_pb2.COHORT_STATE_RUNNING,
        "reason": "",
        "problems": [],
        "phases": {record.phase: phase_row(record) for record in clock.timetable(definition, cohort_clock)},
        "proposals": [],
        "costs": [cost.SerializeToString() for cost in spec.costs],
        "pause_time": None,
        "split_from": "",
        "launch_time": now,
        "end_time": None,
    }


def days(definition: definition_pb2.Definition) -> dict[str, str]:
    """First and last day of a program as defined, and the zone of its days."""
    opens, closes = [phase.opens for phase in definition.phases], [phase.closes for phase in definition.phases]
    return {"start_date": min(opens), "end_date": max(closes), "time_zone": definition.time_zone}


def split_row(old: Row, step: pb.CommandStep, participants: int) -> Row:
    """A cohort that is split off another one: the same program with the same dates. What was spent for the cohort as
    a whole, or for a phase that has opened, stays with the old one."""
    order, state = step.command.split, step.split_state
    pending = {p for p, kept in old["phases"].items() if kept["state"] == cohort_pb2.PHASE_STATE_PENDING}
    costs = [definition_pb2.Cost.FromString(cost) for cost in old.get("costs", ())]
    pause_time = moment_of(state, "pause_time")
    return {
        **{name: old[name] for name in ("note", "rehearsal", "seconds_per_day", "definition", "clock")},
        "_id": order.cohort_id,
        "version": 1,
        "fingerprint": b"split " + identity.key(step.command).encode(),
        "title": order.title,
        "realm": realm(old),
        "participants": participants,
        "state": cohort_pb2.COHORT_STATE_PAUSED if pause_time else cohort_pb2.COHORT_STATE_RUNNING,
        "reason": "",
        "problems": [],
        "phases": {**old["phases"], **{r.phase: phase_row(r, state.revision) for r in state.phases}},
        "proposals": [proposal.SerializeToString() for proposal in state.proposals],
        "costs": [cost.SerializeToString() for cost in costs if cost.phase in pending],
        "pause_time": pause_time,
        "split_from": old["_id"],
        "start_state": state.SerializeToString(),
        "sessions": old.get("sessions", []),
        "launch_time": in_milliseconds(clock.moment(step.time)),
        "end_time": None,
    }


def participant_row(cohort_id: str, cohort_realm: str, rehearsal: bool, participant: definition_pb2.Participant) -> Row:
    """A participant that has done nothing yet."""
    return {
        "_id": participant_id(cohort_id, participant.institution),
        "version": 0,
        "cohort": cohort_id,
        "institution": participant.institution,
        "rehearsal": rehearsal,
        "realm": cohort_realm,
        "state": states.ACTIVE,
        "reason": "",
        "problems": [],
        "duties": [],
        "duty_times": {},
        "excused": [],
        "told": 0,
        "ledger": {},
        "people": [person_row(person) for person in participant.people],
    }


def participant_rows(spec: definition_pb2.CohortSpec) -> list[Row]:
    """The participants of a cohort at its launch."""
    mark = spec.id if spec.rehearsal else ""
    return [participant_row(spec.id, mark, spec.rehearsal, participant) for participant in spec.roster]


def moved_row(old: Row, new: Row) -> Row:
    """A participant as it goes on in another cohort, with what it has done."""
    kept: Row = {name: old[name] for name in ("institution", "rehearsal", "duties", "ledger", "people")}
    optional: Row = {name: old[name] for name in ("duty_times", "excused", "enrol_time") if name in old}
    return {
        **kept,
        **optional,
        "_id": participant_id(new["_id"], old["institution"]),
        "version": 0,
        "cohort": new["_id"],
        "realm": new["realm"],
        "state": states.ACTIVE,
        "reason": "",
        "problems": [],
        "told": 0,
    }


def known_of(kind: type[Message], row: Mapping[str, Any]) -> dict[str, Any]:
    """Of what is kept, what this release knows: a newer one may have stored more."""
    return {name: row[name] for name in row.keys() & kind.DESCRIPTOR.fields_by_name.keys()}


def person_row(person: definition_pb2.Person) -> Row:
    """One of a participant's people."""
    return {"role": person.role, "name": person.name, "email": person.email, "language": person.language}


def in_milliseconds(moment: datetime) -> datetime:
    """As precise as it is kept, so that what is told at once and what is read later are the same."""
    return moment.replace(microsecond=moment.microsecond // 1_000 * 1_000)


def moment_of(message: Message, field: str) -> datetime | None:
    """A time that a message may hold, as it is kept."""
    return in_milliseconds(clock.moment(getattr(message, field))) if message.HasField(field) else None


def phase_row(record: pb.PhaseRecord, revision: int = 0) -> Row:
    """A phase as its workflow last told, at that revision of the workflow's state."""
    return {
        "state": record.state,
        "open_time": in_milliseconds(clock.moment(record.open_time)),
        "deadline_time": in_milliseconds(clock.moment(record.deadline_time)),
        "close_time": moment_of(record, "close_time"),
        "invited": record.invited,
        "extended": record.extended,
        "held_time": moment_of(record, "held_time"),
        "excused": record.excused,
        "sessions_moved": record.sessions_moved,
        "session_moves": dict(record.session_moves),
        "overridden": record.overridden,
        "reopened": record.reopened,
        "addressed": list(record.addressed),
        "revision": revision,
    }


def course(row: Row) -> Course:
    """What does not change of a cohort."""
    return Course(
        cohort_id=row["_id"],
        title=row["title"],
        rehearsal=row["rehearsal"],
        definition=definition_pb2.Definition.FromString(row["definition"]),
        clock=pb.Clock.FromString(row["clock"]),
        participants=row["participants"],
        realm=realm(row),
        start_state=row.get("start_state", b""),
    )


def realm(row: Row) -> str:
    """The mark of the rehearsal that a cohort belongs to; empty when real."""
    return str(row.get("realm") or row["_id"]) if row["rehearsal"] else ""


def costs(row: Row) -> list[definition_pb2.Cost]:
    """What a cohort costs."""
    return [definition_pb2.Cost.FromString(cost) for cost in row.get("costs", ())]


def people(row: Mapping[str, Any]) -> list[definition_pb2.Person]:
    """The people of a participant."""
    return [definition_pb2.Person(**known_of(definition_pb2.Person, person)) for person in row["people"]]


def replaced(kept: Sequence[Row], person: definition_pb2.Person, email: str) -> list[Row]:
    """The people with one of them replaced: who has the role, and that address where one is given."""
    of_role = [p for p in kept if p["role"] == person.role]
    leaving = [p for p in of_role if not email or mailbox(email) == mailbox(p["email"])]
    return [person_row(person) if p in leaving[:1] else p for p in kept]


def proposals(row: Row) -> Iterable[cohort_pb2.Proposal]:
    """Overrides that wait for a second manager."""
    return (cohort_pb2.Proposal.FromString(kept) for kept in row.get("proposals", ()))


def stamp(moment: datetime | None) -> Timestamp | None:
    """A kept time as protobuf has it."""
    return clock.stamp(moment.astimezone(UTC)) if moment else None
