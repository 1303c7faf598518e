"""Errands: what is still to be done after an order, such as telling participants or moving sessions. The rules here add
them to the state of the cohort; the workflow carries them out one by one."""

from collections.abc import Sequence

from livinglab.program.v1 import cohort_pb2, command_pb2
from livinglab.program.v1 import workflow_pb2 as pb

from chassis.errors import not_found, precondition
from services.program.model import identity
from services.program.model.agenda import OVER, Cohort


def opening_of(cohort: Cohort, place: int) -> pb.PhaseOpening:
    """The message that tells participants of an open phase."""
    record = cohort.state.phases[place]
    phase = cohort.definition.phases[place]
    return pb.PhaseOpening(
        phase=phase,
        deadline_time=record.deadline_time,
        reopened=record.reopened,
        revision=cohort.state.revision,
    )


def announce(cohort: Cohort, announcement: pb.Announcement) -> None:
    """Adds an errand: an announcement to all participants, or to those in its `only`."""
    cohort.state.errands.add(announcement=announcement)


def announce_opening(
    cohort: Cohort,
    place: int,
    reason: str,
    *,
    only: Sequence[str] = (),
    shifted: bool = False,
    extended: bool = False,
) -> None:
    """Adds an errand: participants hear that a phase is open, or that its dates have moved: by an order with its
    reason, with all days after a pause (`shifted`), or by its gate (`extended`)."""
    opening = opening_of(cohort, place)
    opening.reason = reason
    opening.shifted = shifted
    opening.extended = extended
    announce(cohort, pb.Announcement(opening=opening, only=only or cohort.state.phases[place].addressed))


def tell_of_session(cohort: Cohort, notice: pb.Notice) -> None:
    """Adds an errand: those whom the phase is for hear that one of its sessions has moved or is cancelled. When a phase
    has stopped the cohort nobody is told about sessions, since everybody hears that the cohort is over."""
    records = {record.phase: record for record in cohort.state.phases}
    if notice.phase in records and not any(record.stopped for record in cohort.state.phases):
        announce(cohort, pb.Announcement(notice=notice, only=records[notice.phase].addressed))


def reschedule_sessions(cohort: Cohort, record: pb.PhaseRecord) -> None:
    """Adds an errand: the sessions of an open phase move in the calendar. Those of a phase that has not opened yet are
    put there when it opens."""
    if record.state == cohort_pb2.PHASE_STATE_OPEN:
        cohort.state.errands.add(sessions_of=record.phase)


def take_in(cohort: Cohort, command: command_pb2.Command, institutions: Sequence[str]) -> None:
    """Takes institutions in, new or again: adds errands that start their workflows and tell them of the phases that are
    open and of a pause, as everybody else was told before."""
    readmissions = cohort.state.readmissions
    for code in institutions:
        if cohort.state.ended.pop(code, None):
            readmissions[code] += 1
    for place in cohort.open_places():
        record = cohort.state.phases[place]
        record.invited = max(record.invited, cohort.standing(place).active)
    again = {code: readmissions[code] for code in institutions if code in readmissions}
    cohort.state.errands.add(starting=pb.RosterStep(only=institutions, readmissions=again))
    for place in cohort.open_places():
        if told := [code for code in institutions if is_told(cohort, place, code)]:
            announce_opening(cohort, place, "", only=told)
    if not command.HasField("enrol"):
        notice = pb.Notice(template="readmitted", reason=command.reason, occasion=identity.mark(command))
        announce(cohort, pb.Announcement(notice=notice, only=institutions))
    if cohort.paused:
        announce(cohort, pb.Announcement(pause=pb.Pause(reason=command.reason), only=institutions))


def is_told(cohort: Cohort, place: int, institution: str) -> bool:
    """Whether this participant has to be told of the phase now: it is open, was announced to the others already, and is
    meant for this one."""
    record = cohort.state.phases[place]
    if record.state != cohort_pb2.PHASE_STATE_OPEN or not record.announced:
        return False
    return not cohort.definition.phases[place].HasField("when") or institution in record.addressed


def find_phase(cohort: Cohort, name: str) -> tuple[int, pb.PhaseRecord]:
    """The position of a phase in the definition, and its record; NOT_FOUND."""
    try:
        place = cohort.place(name)
    except KeyError:
        raise not_found("phase", name) from None
    return place, cohort.state.phases[place]


def require_unfinished(record: pb.PhaseRecord) -> None:
    """PHASE_CLOSED where the phase is over or is just closing."""
    if record.state in OVER or record.HasField("close_time"):
        raise precondition("PHASE_CLOSED", f"{record.phase} has closed already")


def require_no_closing(cohort: Cohort) -> None:
    """PHASE_CLOSING while the participants are being told of a closing: who came in now would miss that message."""
    for record in cohort.state.phases:
        if record.state == cohort_pb2.PHASE_STATE_OPEN and record.HasField("close_time"):
            raise precondition("PHASE_CLOSING", f"{record.phase} is closing at this moment: try again when it has")


def require_active(cohort: Cohort, institutions: Sequence[str]) -> None:
    """PARTICIPANT_ENDED where one of the institutions has left the cohort or finished."""
    ended = [code for code in institutions if code in cohort.state.ended]
    if ended:
        raise precondition("PARTICIPANT_ENDED", f"not in the cohort any more: {', '.join(ended[:20])}")
