"""Translates documents into the duties that an institution still owes in a cohort."""

from collections.abc import Iterator

from livinglab.program.v1 import cohort_pb2, definition_pb2
from livinglab.program.v1 import duty_service_pb2 as pb

from programs import duties
from services.program.model import closing, states
from services.program.store import documents
from services.program.store.documents import Row, stamp

_STATES = {
    cohort_pb2.PHASE_STATE_PENDING: pb.OWED_STATE_COMING,
    cohort_pb2.PHASE_STATE_OPEN: pb.OWED_STATE_DUE,
}


def owed(row: Row, cohort_row: Row) -> Iterator[pb.OwedDuty]:
    """The duties of the phases that are open for a participant or still to come; none for one that has ended."""
    if row["state"] != states.ACTIVE or row.get("moved_to"):
        return
    definition = definition_pb2.Definition.FromString(cohort_row["definition"])
    for phase in definition.phases:
        phase_row = cohort_row["phases"][phase.id]
        is_open = phase_row["state"] == cohort_pb2.PHASE_STATE_OPEN
        if phase_row["state"] not in _STATES:
            continue
        if is_open and not closing.was_in(row, phase.id, phase_row.get("addressed", ())):
            continue
        for duty in phase.duties:
            yield pb.OwedDuty(
                cohort_id=cohort_row["_id"],
                cohort_title=cohort_row["title"],
                rehearsal=documents.realm(cohort_row),
                phase=phase.id,
                phase_title=phase.title,
                phase_title_en=duties.phase_title(phase, "en"),
                duty=duty.id,
                title=duties.in_words(duty, phase, "id"),
                title_en=duties.in_words(duty, phase, "en"),
                required=duty.required,
                state=_state(duty.id, row, phase_row["state"]),
                open_time=stamp(phase_row["open_time"]),
                deadline_time=stamp(phase_row["deadline_time"]),
                time_zone=definition.time_zone,
                problems=row["problems"],
            )


def _state(duty: str, row: Row, phase_state: cohort_pb2.PhaseState.ValueType) -> pb.OwedState.ValueType:
    if duty in row["duties"]:
        return pb.OWED_STATE_DONE
    if duty in row.get("excused", ()):
        return pb.OWED_STATE_EXCUSED
    return _STATES[phase_state]
