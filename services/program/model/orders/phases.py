"""Orders about phases: pause, resume, reschedule, reopen, override, and settling a problem. Pure."""

from datetime import datetime, timedelta

from livinglab.program.v1 import cohort_pb2, command_pb2
from livinglab.program.v1 import workflow_pb2 as pb

from chassis.errors import precondition
from programs import clock
from services.program.model import identity, states
from services.program.model.agenda import OVER, Cohort
from services.program.model.errands import (
    announce,
    announce_opening,
    find_phase,
    require_active,
    require_no_closing,
    require_unfinished,
    reschedule_sessions,
    take_in,
)
from services.program.model.phase_steps import drop_proposals, session_starts, sessions_to_come

_ACTIONS = {cohort_pb2.GATE_ACTION_CLOSE, cohort_pb2.GATE_ACTION_EXCUSE, cohort_pb2.GATE_ACTION_STOP}
OPEN, PENDING = cohort_pb2.PHASE_STATE_OPEN, cohort_pb2.PHASE_STATE_PENDING


def pause(cohort: Cohort, command: command_pb2.Command, step: pb.CommandStep, now: datetime) -> None:
    if cohort.paused:
        raise precondition("ALREADY_PAUSED", "the cohort is paused already")
    cohort.state.pause_time.CopyFrom(clock.stamp(now))
    announce(cohort, pb.Announcement(pause=pb.Pause(reason=command.reason, occasion=identity.mark(command))))


def resume(cohort: Cohort, command: command_pb2.Command, step: pb.CommandStep, now: datetime) -> None:
    """Everything to come is later by as many days as the pause took from the calendar: a pause within one day moves
    nothing, and days keep their ends."""
    if not cohort.paused:
        raise precondition("NOT_PAUSED", "the cohort is not paused")
    paused = clock.moment(cohort.state.pause_time)
    days = _days_lost(cohort, paused, now)
    cohort.state.ClearField("pause_time")
    for place in _unfinished(cohort):
        record = cohort.state.phases[place]
        if days:
            _move(cohort, place, days, paused)
        if record.state == OPEN:
            announce_opening(cohort, place, "", shifted=True)
    # After the new dates: by the old ones reminders would be due that are not.
    told = pb.Resumption(reason=command.reason, occasion=identity.mark(command))
    announce(cohort, pb.Announcement(resumption=told))


def _days_lost(cohort: Cohort, paused: datetime, now: datetime) -> int:
    """The midnights of a pause; more where something that was still to come has passed by now nevertheless."""
    days = (clock.day_of(cohort.clock, now) - clock.day_of(cohort.clock, paused)).days
    while not all(_is_ahead(cohort, place, days, paused, now) for place in _unfinished(cohort)):
        days += 1
    return days


def _is_ahead(cohort: Cohort, place: int, days: int, paused: datetime, now: datetime) -> bool:
    """Whether what a phase had before it when the cohort was paused is before it again, so many days later."""
    record = cohort.state.phases[place]
    to_come = sessions_to_come(cohort, place, paused)
    starts = session_starts(cohort, place, days)
    deadline = clock.moment(record.deadline_time)
    closes = clock.deadline_later(cohort.clock, deadline, days)
    kept = record.HasField("held_time") or deadline <= paused or closes > now
    return kept and all(starts[session] > now for session in to_come)


def _unfinished(cohort: Cohort) -> list[int]:
    return [i for i, r in enumerate(cohort.state.phases) if r.state not in OVER and not r.HasField("close_time")]


def _move(cohort: Cohort, place: int, days: int, paused: datetime) -> None:
    """The opening, the deadline and the sessions to come of a phase, by days; a session that was stays where it was."""
    record = cohort.state.phases[place]
    for session in sorted(sessions_to_come(cohort, place, paused)):
        record.session_moves[session] += days
    reschedule_sessions(cohort, record)
    if record.state == PENDING:
        opens = clock.opening_later(cohort.clock, clock.moment(record.open_time), days)
        record.open_time.CopyFrom(clock.stamp(opens))
    if not record.HasField("held_time"):
        closes = clock.deadline_later(cohort.clock, clock.moment(record.deadline_time), days)
        record.deadline_time.CopyFrom(clock.stamp(closes))


def reschedule(cohort: Cohort, command: command_pb2.Command, step: pb.CommandStep, now: datetime) -> None:
    order = command.reschedule
    place, record = find_phase(cohort, order.phase)
    require_unfinished(record)
    if record.state == OPEN and order.open_days:
        raise precondition("PHASE_OPEN", f"{order.phase} is open already: only its deadline can move")
    if not order.open_days and not order.deadline_days:
        raise precondition("NOTHING_MOVES", "neither the opening nor the deadline would move")
    since = clock.moment(cohort.state.pause_time) if cohort.paused else now
    opens, moved = _moved_opening(cohort, clock.moment(record.open_time), order.open_days, since)
    closes = clock.deadline_later(cohort.clock, clock.moment(record.deadline_time), order.deadline_days)
    if closes <= max(since, opens):
        raise precondition("CLOSES_TOO_EARLY", f"{order.phase} would close before it opens, or before now")
    if record.state == PENDING:
        record.open_time.CopyFrom(clock.stamp(opens))
        record.sessions_moved += moved
    record.deadline_time.CopyFrom(clock.stamp(closes))
    record.ClearField("held_time")
    if record.state == OPEN:
        announce_opening(cohort, place, command.reason)


def _moved_opening(cohort: Cohort, planned: datetime, days: int, since: datetime) -> tuple[datetime, int]:
    """When a phase opens that moves by so many days, but not to before now; and the days that its sessions move by."""
    if not days:
        return planned, 0
    opens = clock.opening_later(cohort.clock, planned, days)
    earliest = min(since, planned)
    if opens >= earliest:
        return opens, days
    # Sessions keep their hour: by as many days as leave them after the opening.
    first = clock.day_of(cohort.clock, clock.deadline_later(cohort.clock, earliest, 0))
    return earliest, max(days, min(0, (first - clock.day_of(cohort.clock, planned)).days))


def reopen(cohort: Cohort, command: command_pb2.Command, step: pb.CommandStep, now: datetime) -> None:
    """Phases that wait for this one and have not opened wait again."""
    order = command.reopen
    place, record = find_phase(cohort, order.phase)
    require_no_closing(cohort)
    if record.state != cohort_pb2.PHASE_STATE_CLOSED:
        raise precondition("PHASE_NOT_CLOSED", f"{order.phase} is not closed")
    since = clock.moment(cohort.state.pause_time) if cohort.paused else now
    if record.stopped:
        cohort.state.ClearField("reason")
    record.state = OPEN
    closes = clock.end_of(cohort.clock, clock.last_day(cohort.clock, since) + timedelta(days=order.days))
    record.deadline_time.CopyFrom(clock.stamp(closes))
    record.reopened += 1
    for field in ("close_time", "held_time", "announced", "stopped", "excused", "overridden"):
        record.ClearField(field)
    back = [code for code in order.institutions if cohort.state.ended.get(code) == states.FAILED]
    if order.readmit and back:
        take_in(cohort, command, back)
    record.invited = cohort.standing(place).active


def override(cohort: Cohort, command: command_pb2.Command, step: pb.CommandStep, now: datetime) -> None:
    order = command.override
    place, record = find_phase(cohort, order.phase)
    if record.state != OPEN or record.HasField("close_time"):
        raise precondition("PHASE_NOT_OPEN", f"{order.phase} is not open")
    if cohort.paused:
        raise precondition("COHORT_PAUSED", "the cohort is paused: resume it first")
    if order.action not in _ACTIONS:
        # An order of a newer release: to close the phase instead would be another one.
        raise precondition("NO_ORDER", "the override asks for what the cohort's release does not know")
    if cohort.definition.phases[place].gate.two_persons and not _seconded(cohort, command, step, now):
        return
    record.overridden = True
    record.excused = order.action == cohort_pb2.GATE_ACTION_EXCUSE
    record.stopped = order.action == cohort_pb2.GATE_ACTION_STOP
    drop_proposals(cohort, order.phase)


def _seconded(cohort: Cohort, command: command_pb2.Command, step: pb.CommandStep, now: datetime) -> bool:
    """Whether another manager has proposed the same; otherwise it is kept as a proposal."""
    order = command.override
    same = [p for p in cohort.state.proposals if (p.phase, p.action) == (order.phase, order.action)]
    for proposal in same:
        if proposal.actor != command.actor:
            step.proposed_by = proposal.actor
            return True
    if same:
        raise precondition("SECOND_PERSON_NEEDED", "you have proposed this already: another manager has to ask for it")
    cohort.state.proposals.add(
        phase=order.phase,
        action=order.action,
        actor=command.actor,
        reason=command.reason,
        time=clock.stamp(now),
    )
    step.awaiting_second = True
    return False


def cancel(cohort: Cohort, command: command_pb2.Command, step: pb.CommandStep, now: datetime) -> None:
    """From here on it only waits for its participants to end."""
    cohort.state.cancelling = True
    cohort.state.reason = command.reason
    cohort.state.actor = command.actor


def resolve(cohort: Cohort, command: command_pb2.Command, step: pb.CommandStep, now: datetime) -> None:
    order = command.resolve
    if order.institution:
        if order.retry:
            require_active(cohort, [order.institution])
            announce(cohort, pb.Announcement(retry=pb.Retry(), only=[order.institution]))
        return
    del cohort.state.problems[:]
    if order.retry:
        for record in cohort.state.phases:
            if record.state == OPEN and not record.HasField("close_time"):
                reschedule_sessions(cohort, record)
