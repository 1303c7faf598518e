"""What changes in a cohort's state when a phase opens or closes, and what participants are told of it. Pure."""

from collections.abc import Iterable, Iterator, MutableSequence, Sequence
from datetime import datetime

from livinglab.program.v1 import cohort_pb2
from livinglab.program.v1 import workflow_pb2 as pb

from programs import clock, phases
from services.program.model import errands
from services.program.model.agenda import Cohort


def begin(cohort: Cohort, place: int, now: datetime, addressed: pb.Addressed | None) -> None:
    """The phase opens, for those `addressed` where it has a condition; for nobody, it is skipped."""
    record = cohort.state.phases[place]
    if cohort.definition.phases[place].HasField("when"):
        record.addressed.extend(addressed.institutions if addressed else ())
        if not record.addressed:
            record.state = cohort_pb2.PHASE_STATE_SKIPPED
            record.close_time.CopyFrom(clock.stamp(now))
            return
    record.deadline_time.CopyFrom(clock.stamp(clock.deadline(cohort.clock, record, now)))
    record.open_time.CopyFrom(clock.stamp(now))
    record.state = cohort_pb2.PHASE_STATE_OPEN
    record.invited = cohort.standing(place).active


def begin_announced(cohort: Cohort) -> list[pb.PhaseOpening]:
    """The open phases that are for everybody: who starts now is told of them at once, and need not be told again."""
    openings = []
    for place in cohort.open_places():
        record = cohort.state.phases[place]
        if not (record.announced or record.HasField("close_time") or cohort.definition.phases[place].HasField("when")):
            record.announced = True
            openings.append(errands.opening_of(cohort, place))
    return openings


def note_done(state: pb.ProgramState, reports: Iterable[pb.PhaseDone]) -> None:
    """Participants have done the required duties of a phase, or those of its quorum."""
    for record in state.phases:
        about = [done for done in reports if done.phase == record.phase]
        _add(record.quorum, about)
        _add(record.done, [done for done in about if not done.quorum_only])


def _add(heard: MutableSequence[str], reports: Sequence[pb.PhaseDone]) -> None:
    # Of thousands, and told often: a set is only made where there is something to add.
    known = set(heard) if reports else set()
    for done in reports:
        if done.institution not in known:
            known.add(done.institution)
            heard.append(done.institution)


def extend(cohort: Cohort, place: int) -> None:
    """The gate moves its deadline, once; who still lacks something is written to."""
    record = cohort.state.phases[place]
    days = cohort.definition.phases[place].gate.extend_days
    later = clock.deadline_later(cohort.clock, clock.moment(record.deadline_time), days)
    record.deadline_time.CopyFrom(clock.stamp(later))
    record.extended = True
    errands.announce_opening(cohort, place, "", extended=True)


def begin_closing(cohort: Cohort, place: int, now: datetime, *, stopped: bool) -> None:
    """From here on the phase only waits for its participants to settle."""
    record = cohort.state.phases[place]
    record.close_time.CopyFrom(clock.stamp(now))
    record.announced = True
    if stopped:
        record.stopped = True
        why = "a manager stopped it at {}" if record.overridden else "the quorum of {} was missed"
        cohort.state.reason = why.format(record.phase)


def closing(cohort: Cohort, place: int) -> pb.Announcement:
    """What participants are told of it."""
    record, phase = cohort.state.phases[place], cohort.definition.phases[place]
    conditional = phase.HasField("when")
    news = pb.PhaseClosing(
        phase=phase.id,
        # Those whom a phase is not for would not hear that it was the last.
        last=record.stopped or (cohort.is_last(place) and not conditional),
        stopped=record.stopped,
        # When the cohort stops, those whom the phase is not for hear it too, and have missed nothing.
        required=[] if record.excused or (record.stopped and conditional) else phases.required(phase),
        reopened=record.reopened,
    )
    only = [] if record.stopped else record.addressed
    return pb.Announcement(closing=news, only=only, prepare=True, readmissions=cohort.state.readmissions)


def closes_quietly(cohort: Cohort, place: int) -> bool:
    """Whether the closing of a phase changes nothing for anybody: each of its participants has done its duties and
    goes on. They need not be woken for it."""
    record, conditional = cohort.state.phases[place], cohort.definition.phases[place].HasField("when")
    return not (record.stopped or conditional or cohort.is_last(place)) and cohort.is_settled(place)


def settle(cohort: Cohort, place: int) -> None:
    """The phase has closed; overrides that waited for a second manager have nothing to decide any more."""
    record = cohort.state.phases[place]
    record.state = cohort_pb2.PHASE_STATE_CLOSED
    drop_proposals(cohort, record.phase)


def drop_proposals(cohort: Cohort, phase: str) -> None:
    """Nothing of the phase waits for a second manager any more."""
    others = [proposal for proposal in cohort.state.proposals if proposal.phase != phase]
    del cohort.state.proposals[:]
    cohort.state.proposals.extend(others)


def last_closing(cohort: Cohort) -> pb.Announcement:
    """To everybody who is in the cohort when its last phase is over."""
    stopped = any(record.stopped for record in cohort.state.phases)
    closing = pb.PhaseClosing(last=True, stopped=stopped)
    return pb.Announcement(closing=closing, prepare=True, readmissions=cohort.state.readmissions)


def sessions(cohort_id: str, cohort: Cohort, record: pb.PhaseRecord) -> Iterator[pb.SessionStep]:
    """Each session of a phase, with the days that it moved by."""
    for session in cohort.definition.phases[cohort.place(record.phase)].sessions:
        yield pb.SessionStep(
            cohort_id=cohort_id,
            clock=cohort.clock,
            phase=record.phase,
            session=session.id,
            moved_days=session_days(record, session.id),
            revision=cohort.state.revision,
        )


def sessions_to_cancel(cohort_id: str, cohort: Cohort, now: datetime) -> Iterator[pb.SessionStep]:
    """Sessions that have not begun, of phases that have opened: they are on the calendar. A phase that closed early may
    have some, too."""
    # What was to begin since it was paused would have moved.
    since = clock.moment(cohort.state.pause_time) if cohort.paused else now
    for place, record in enumerate(cohort.state.phases):
        has_opened = record.state in {cohort_pb2.PHASE_STATE_OPEN, cohort_pb2.PHASE_STATE_CLOSED}
        to_come = sessions_to_come(cohort, place, since) if has_opened else ()
        for step in sessions(cohort_id, cohort, record):
            if step.session in to_come:
                step.cancelled_reason = cohort.state.reason
                yield step


def sessions_to_come(cohort: Cohort, place: int, since: datetime) -> set[str]:
    """Sessions of a phase that begin after that moment."""
    return {name for name, start in session_starts(cohort, place).items() if start > since}


def session_starts(cohort: Cohort, place: int, days: int = 0) -> dict[str, datetime]:
    """When the sessions of a phase begin by the wall clock, once they have moved by so many days more."""
    record, phase = cohort.state.phases[place], cohort.definition.phases[place]
    zones = {session.id: session.time_zone for session in phase.sessions}
    return {
        name: clock.days_later(
            cohort.clock, clock.moment(start), session_days(record, name) + days, zones.get(name, "")
        )
        for name, start in record.session_starts.items()
    }


def session_days(record: pb.PhaseRecord, session: str) -> int:
    """The program days that a session has moved by."""
    return record.sessions_moved + record.session_moves.get(session, 0)
