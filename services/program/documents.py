"""Documents as the store keeps them, to the messages and values that everybody else uses, and back."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from livinglab.program.v1 import cohort_pb2, definition_pb2
from livinglab.program.v1 import workflow_pb2 as pb

from services.program import clock, model
from services.program.course import Course
from services.program.ledger import Ledger

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
        "seconds_per_day": cohort_clock.seconds_per_day,
        "definition": definition.SerializeToString(),
        "clock": cohort_clock.SerializeToString(),
        "participants": len(spec.roster),
        "state": cohort_pb2.COHORT_STATE_RUNNING,
        "reason": "",
        "problems": [],
        "phases": {record.phase: phase_row(record) for record in clock.timetable(definition, cohort_clock)},
        "launch_time": now,
        "end_time": None,
    }


def participant_rows(spec: definition_pb2.CohortSpec) -> list[Row]:
    """Its participants then."""
    return [
        {
            "_id": participant_id(spec.id, participant.institution),
            "version": 0,
            "cohort": spec.id,
            "institution": participant.institution,
            "rehearsal": spec.rehearsal,
            "state": model.ACTIVE,
            "reason": "",
            "problems": [],
            "duties": [],
            "told": 0,
            "ledger": {},
            "people": [
                {"role": p.role, "name": p.name, "email": p.email, "language": p.language} for p in participant.people
            ],
        }
        for participant in spec.roster
    ]


def in_milliseconds(moment: datetime) -> datetime:
    """As precise as it is kept, so that what is told at once and what is read later are the same."""
    return moment.replace(microsecond=moment.microsecond // 1_000 * 1_000)


def phase_row(record: pb.PhaseRecord) -> Row:
    """A phase as its workflow last told."""
    return {
        "state": record.state,
        "open_time": in_milliseconds(clock.moment(record.open_time)),
        "deadline_time": in_milliseconds(clock.moment(record.deadline_time)),
        "close_time": in_milliseconds(clock.moment(record.close_time)) if record.HasField("close_time") else None,
        "invited": record.invited,
        "extended": record.extended,
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
    )


def ledger(row: Mapping[str, Any]) -> Ledger:
    """What a participant has done."""
    return Ledger(
        attended=frozenset((phase, role) for phase, role in row.get("attended", ())),
        submitted=frozenset((instrument, period) for instrument, period in row.get("submitted", ())),
        signed=frozenset(row.get("signed", ())),
        plan_approved=row.get("plan_approved", False),
        actions_done=row.get("actions_done", 0),
        actions=row.get("actions", 0),
    )


def ledger_row(kept: Ledger) -> Row:
    """The same, to be stored."""
    return {
        "attended": sorted(kept.attended),
        "submitted": sorted(kept.submitted),
        "signed": sorted(kept.signed),
        "plan_approved": kept.plan_approved,
        "actions_done": kept.actions_done,
        "actions": kept.actions,
    }


def people(row: Row) -> list[definition_pb2.Person]:
    """The people of a participant."""
    return [definition_pb2.Person(**person) for person in row["people"]]


def cohort(row: Row, participants: Iterable[Mapping[str, Any]]) -> cohort_pb2.Cohort:
    """A cohort as it stands; of its participants only state and duties are looked at."""
    definition = definition_pb2.Definition.FromString(row["definition"])
    standing = [(participant["state"], frozenset(participant["duties"])) for participant in participants]
    counts = model.counts(state for state, _ in standing)
    done = [duties for _, duties in standing]
    return cohort_pb2.Cohort(
        id=row["_id"],
        title=row["title"],
        definition_id=definition.id,
        definition_version=definition.version,
        rehearsal=row["rehearsal"],
        state=row["state"],
        phases=[_progress(phase, row["phases"][phase.id], done) for phase in definition.phases],
        participants=row["participants"],
        active=counts.active,
        graduated=counts.graduated,
        withdrawn=counts.withdrawn,
        failed=counts.failed,
        launch_time=clock.stamp(row["launch_time"]),
        end_time=_stamp(row["end_time"]),
        seconds_per_day=row["seconds_per_day"],
        targets=definition.targets,
        role_model=definition.role_model,
        note=row["note"],
        reason=row["reason"],
        problems=row["problems"],
    )


def _progress(phase: definition_pb2.Phase, row: Row, done: list[frozenset[str]]) -> cohort_pb2.PhaseProgress:
    needs = frozenset(model.required(phase))
    return cohort_pb2.PhaseProgress(
        phase=phase.id,
        title=phase.title,
        state=row["state"],
        open_time=clock.stamp(row["open_time"]),
        deadline_time=clock.stamp(row["deadline_time"]),
        close_time=_stamp(row["close_time"]),
        invited=row["invited"],
        done=sum(1 for duties in done if needs <= duties) if needs else 0,
        duties={duty.id: sum(1 for duties in done if duty.id in duties) for duty in phase.duties},
        extended=row["extended"],
    )


def participant(row: Row, cohort_row: Row) -> cohort_pb2.ParticipantProgress:
    """A participant as it stands."""
    definition = definition_pb2.Definition.FromString(cohort_row["definition"])
    is_open = {p for p, kept in cohort_row["phases"].items() if kept["state"] == cohort_pb2.PHASE_STATE_OPEN}
    active = row["state"] == model.ACTIVE
    lacking = [
        duty
        for phase in definition.phases
        if active and phase.id in is_open
        for duty in model.missing(phase, row["duties"])
    ]
    return cohort_pb2.ParticipantProgress(
        institution=row["institution"],
        state=row["state"],
        duties=row["duties"],
        reason=row["reason"],
        missing=lacking,
        problems=row["problems"],
    )


def _stamp(moment: datetime | None) -> Any:
    return clock.stamp(moment.astimezone(UTC)) if moment else None
