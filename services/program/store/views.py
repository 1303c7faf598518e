"""Translates documents into what people see of a cohort: its phases, who blocks their gates, its participants."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from livinglab.program.v1 import cohort_pb2, definition_pb2
from livinglab.program.v1 import workflow_pb2 as pb

from programs import duties as words
from programs import phases
from programs.phases import has_ended
from services.program.model import closing, states
from services.program.store import documents, meetings
from services.program.store.documents import Row, stamp

# What of a participant's document is looked at here.
STANDING = {
    "_id": 0,
    "institution": 1,
    "state": 1,
    "duties": 1,
    "duty_times": 1,
    "excused": 1,
    "enrol_time": 1,
    "moved_to": 1,
    "failed_phase": 1,
    "problems": 1,
}
_MOST_BLOCKERS = 20
_MOST_TROUBLED = 20

Standing = Mapping[str, Any]


def cohort(row: Row, participants: Iterable[Standing]) -> cohort_pb2.Cohort:
    """A cohort as it stands; its participants need the fields of STANDING."""
    definition = definition_pb2.Definition.FromString(row["definition"])
    standing = list(participants)
    counts = states.counts(participant["state"] for participant in standing)
    duties = [frozenset(participant["duties"]) for participant in standing]
    troubled = sorted(
        (one["institution"], one["problems"]) for one in standing if one["problems"] and not one.get("moved_to")
    )
    return cohort_pb2.Cohort(
        id=row["_id"],
        title=row["title"],
        definition_id=definition.id,
        definition_version=definition.version,
        rehearsal=row["rehearsal"],
        state=row["state"],
        phases=[_phase(row, phase, standing, duties) for phase in definition.phases],
        participants=row["participants"],
        active=counts.active,
        graduated=counts.graduated,
        withdrawn=counts.withdrawn,
        failed=counts.failed,
        launch_time=stamp(row["launch_time"]),
        end_time=stamp(row["end_time"]),
        seconds_per_day=row["seconds_per_day"],
        targets=definition.targets,
        role_model=definition.role_model,
        note=row["note"],
        reason=row["reason"],
        problems=row["problems"],
        pause_time=stamp(row.get("pause_time")),
        split_from=row.get("split_from", ""),
        troubled=[
            cohort_pb2.TroubledParticipant(institution=institution, problems=problems)
            for institution, problems in troubled[:_MOST_TROUBLED]
        ],
        troubled_count=len(troubled),
        realm=documents.realm(row),
        time_zone=definition.time_zone,
    )


def _phase(
    cohort_row: Row, phase: definition_pb2.Phase, standing: Sequence[Standing], duties: Sequence[frozenset[str]]
) -> cohort_pb2.PhaseProgress:
    row = cohort_row["phases"][phase.id]
    if kept := row.get("closing"):
        # What a phase came to stays so.
        done, each = kept["done"], {duty["duty"]: duty["done"] for duty in kept["duties"]}
    else:
        done, each = closing.done(phase, duties)
    is_open = row["state"] == cohort_pb2.PHASE_STATE_OPEN and not has_ended(cohort_row["state"])
    blockers, blocking = _blockers(phase, row, standing) if is_open else ([], 0)
    return cohort_pb2.PhaseProgress(
        phase=phase.id,
        title=phase.title,
        state=row["state"],
        open_time=stamp(row["open_time"]),
        deadline_time=stamp(row["deadline_time"]),
        close_time=stamp(row["close_time"]),
        invited=row["invited"],
        done=done,
        duties=each,
        extended=row["extended"],
        held_time=stamp(row.get("held_time")),
        blockers=blockers,
        blocking=blocking,
        excused=row.get("excused", False),
        proposals=[proposal for proposal in documents.proposals(cohort_row) if proposal.phase == phase.id],
        sessions=_sessions(cohort_row, phase),
        title_en=words.phase_title(phase, "en"),
        duty_progress=[
            cohort_pb2.DutyProgress(
                duty=duty.id,
                title=words.in_words(duty, phase, "id"),
                title_en=words.in_words(duty, phase, "en"),
                required=duty.required,
                done=each[duty.id],
            )
            for duty in phase.duties
        ],
    )


def _blockers(
    phase: definition_pb2.Phase, row: Row, standing: Sequence[Standing]
) -> tuple[list[cohort_pb2.Blocker], int]:
    """Who lacks a required duty, and since when: longest first, equals by their codes; and how many do."""
    found: list[tuple[datetime, str, list[str]]] = []
    addressed = row.get("addressed", ())
    needs = phases.required(phase)
    for participant in standing:
        if participant["state"] != states.ACTIVE or not closing.was_in(participant, phase.id, addressed):
            continue
        if not (lacking := closing.lacking(phase, participant)):
            continue
        times = participant.get("duty_times", {})
        begun = [row["open_time"], *(participant[name] for name in ("enrol_time",) if participant.get(name))]
        since = max([*begun, *(times[duty] for duty in needs if duty in times)])
        found.append((since, participant["institution"], lacking))
    found.sort(key=lambda blocker: blocker[:2])
    return [
        cohort_pb2.Blocker(institution=institution, missing=lacking, since_time=stamp(since))
        for since, institution, lacking in found[:_MOST_BLOCKERS]
    ], len(found)


def _sessions(cohort_row: Row, phase: definition_pb2.Phase) -> list[cohort_pb2.PlannedSession]:
    return [
        cohort_pb2.PlannedSession(
            session=meeting.session,
            title=meeting.title,
            place=meeting.place,
            start_time=stamp(meeting.start),
            end_time=stamp(meeting.end),
            time_zone=meeting.time_zone,
            cancelled=meeting.cancelled,
            reason=meeting.reason,
        )
        for meeting in meetings.standing(cohort_row, pb.Clock.FromString(cohort_row["clock"]), phase)
    ]


def participant(row: Row, cohort_row: Row) -> cohort_pb2.ParticipantProgress:
    """A participant as it stands."""
    definition = definition_pb2.Definition.FromString(cohort_row["definition"])
    active = row["state"] == states.ACTIVE
    lacking = [
        duty
        for phase in definition.phases
        if active and _waits_for(row, phase.id, cohort_row["phases"][phase.id])
        for duty in closing.lacking(phase, row)
    ]
    return cohort_pb2.ParticipantProgress(
        institution=row["institution"],
        state=row["state"],
        duties=row["duties"],
        reason=row["reason"],
        missing=lacking,
        problems=row["problems"],
        excused=row.get("excused", ()),
        moved_to=row.get("moved_to", ""),
        enrol_time=stamp(row.get("enrol_time")),
    )


def _waits_for(row: Row, phase: str, phase_row: Row) -> bool:
    is_open = phase_row["state"] == cohort_pb2.PHASE_STATE_OPEN
    return is_open and closing.was_in(row, phase, phase_row.get("addressed", ()))
