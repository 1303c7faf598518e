"""What follows from a command: what participants are told, sessions that move. Pure; the workflow runs the errands."""

from collections.abc import Sequence

from livinglab.program.v1 import cohort_pb2, command_pb2
from livinglab.program.v1 import workflow_pb2 as pb

from chassis.errors import not_found, precondition
from services.program.model.agenda import OVER, Cohort
from services.program.model.orders import words


def opening_of(cohort: Cohort, place: int) -> pb.PhaseOpening:
    """What participants are told of a phase that is open."""
    record = cohort.state.phases[place]
    phase = cohort.definition.phases[place]
    return pb.PhaseOpening(
        phase=phase,
        deadline_time=record.deadline_time,
        reopened=record.reopened,
        revision=cohort.state.revision,
    )


def announce(cohort: Cohort, announcement: pb.Announcement) -> None:
    """Everybody, or `only` some, are told."""
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
    """A phase is open, or its dates have moved: by an order with its reason, with all days after a pause (`shifted`),
    or by its gate (`extended`)."""
    opening = opening_of(cohort, place)
    opening.reason = reason
    opening.shifted = shifted
    opening.extended = extended
    announce(cohort, pb.Announcement(opening=opening, only=only or cohort.state.phases[place].addressed))


def tell_of_session(cohort: Cohort, notice: pb.Notice) -> None:
    """Those whom the phase is for hear what became of one of its sessions; of one that stopped the cohort nobody does:
    they hear that it is over."""
    records = {record.phase: record for record in cohort.state.phases}
    if notice.phase in records and not any(record.stopped for record in cohort.state.phases):
        announce(cohort, pb.Announcement(notice=notice, only=records[notice.phase].addressed))


def reschedule_sessions(cohort: Cohort, record: pb.PhaseRecord) -> None:
    """Sessions of a phase that has not opened are put on the calendar when it opens."""
    if record.state == cohort_pb2.PHASE_STATE_OPEN:
        cohort.state.errands.add(sessions_of=record.phase)


def take_in(cohort: Cohort, command: command_pb2.Command, institutions: Sequence[str]) -> None:
    """Starts participants, who are then told what everybody knows."""
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
        notice = pb.Notice(template="readmitted", reason=command.reason, occasion=words.mark(command))
        announce(cohort, pb.Announcement(notice=notice, only=institutions))
    if cohort.paused:
        announce(cohort, pb.Announcement(pause=pb.Pause(reason=command.reason), only=institutions))


def is_told(cohort: Cohort, place: int, institution: str) -> bool:
    """Whether a phase is open that is for this participant and was announced: who is not told of it now never is."""
    record = cohort.state.phases[place]
    if record.state != cohort_pb2.PHASE_STATE_OPEN or not record.announced:
        return False
    return not cohort.definition.phases[place].HasField("when") or institution in record.addressed


def find_phase(cohort: Cohort, name: str) -> tuple[int, pb.PhaseRecord]:
    """Its place and its record; NOT_FOUND."""
    try:
        place = cohort.place(name)
    except KeyError:
        raise not_found("phase", name) from None
    return place, cohort.state.phases[place]


def require_unfinished(record: pb.PhaseRecord) -> None:
    """PHASE_CLOSED where it is over or about to be."""
    if record.state in OVER or record.HasField("close_time"):
        raise precondition("PHASE_CLOSED", f"{record.phase} has closed already")


def require_no_closing(cohort: Cohort) -> None:
    """While a phase closes each participant is told; who came in between would not be."""
    for record in cohort.state.phases:
        if record.state == cohort_pb2.PHASE_STATE_OPEN and record.HasField("close_time"):
            raise precondition("PHASE_CLOSING", f"{record.phase} is closing at this moment: try again when it has")


def require_active(cohort: Cohort, institutions: Sequence[str]) -> None:
    """PARTICIPANT_ENDED where one of them is not in the cohort any more."""
    ended = [code for code in institutions if code in cohort.state.ended]
    if ended:
        raise precondition("PARTICIPANT_ENDED", f"not in the cohort any more: {', '.join(ended[:20])}")
