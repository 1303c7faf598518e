"""What a participant's state says of the phases that are open for it: their dates, what is done and what is due.
Pure."""

from collections.abc import Collection, Iterable
from datetime import datetime

from livinglab.program.v1 import definition_pb2
from livinglab.program.v1 import workflow_pb2 as pb

from programs import phases
from services.program.model import reminders, states


def take_opening(record: pb.ParticipantRecord, clock: pb.Clock, opening: pb.PhaseOpening, now: datetime) -> None:
    """A phase opened, or its dates moved. One that was opened again stands beside what it was before, whose closing
    may still have to be taken up."""
    for phase in record.open:
        known = phase.opening
        if known.phase.id == opening.phase.id and known.reopened >= opening.reopened:
            if known.reopened == opening.reopened:
                _move(record, clock, phase, opening, now)
            return
    told = opening.reported
    record.open.add(opening=opening, reported=told, quorum_reported=told)


def learn(record: pb.ParticipantRecord, duties: Iterable[str]) -> None:
    """These are done; told again, nothing changes."""
    record.duties.extend(duty for duty in duties if duty not in record.duties)


def drop_closed(record: pb.ParticipantRecord, closing: pb.PhaseClosing) -> bool:
    """The phase is open no more, unless it was opened again since; whether it was reported as done."""
    closed = [p for p in record.open if p.opening.phase.id == closing.phase and p.opening.reopened <= closing.reopened]
    reported = any(phase.reported for phase in closed)
    still_open = [phase for phase in record.open if phase not in closed]
    del record.open[:]
    record.open.extend(still_open)
    record.closed.append(states.occurrence(closing.phase, closing.reopened))
    return reported


def is_overtaken(record: pb.ParticipantRecord, closing: pb.PhaseClosing) -> bool:
    """Whether a closing comes after the phase was opened again."""
    return any(p.opening.phase.id == closing.phase and p.opening.reopened > closing.reopened for p in record.open)


def to_report(record: pb.ParticipantRecord, institution: str) -> pb.PhaseDone | None:
    """A phase whose required duties, or those of its quorum, are done and not reported. One that requires none has
    nothing to report."""
    for phase in record.open:
        name = phase.opening.phase.id
        if not phase.reported and is_done(phase.opening.phase, record.duties):
            return pb.PhaseDone(institution=institution, phase=name)
        counted = phase.opening.phase.gate.quorum_of
        if counted and not (phase.reported or phase.quorum_reported) and set(counted) <= set(record.duties):
            return pb.PhaseDone(institution=institution, phase=name, quorum_only=True)
    return None


def is_done(phase: definition_pb2.Phase, duties: Collection[str]) -> bool:
    """Whether these duties are all that a phase requires; one that requires none is never done early."""
    return bool(phases.required(phase)) and not phases.missing(phase, duties)


def mark_reported(record: pb.ParticipantRecord, done: pb.PhaseDone) -> None:
    """It is told no more."""
    for phase in record.open:
        if phase.opening.phase.id == done.phase:
            phase.quorum_reported = True
            phase.reported = phase.reported or not done.quorum_only


def to_prepare(record: pb.ParticipantRecord) -> pb.OpenPhase | None:
    """A phase that nobody was invited to yet."""
    return next((phase for phase in record.open if not phase.prepared), None)


def asks_for_more(phase: pb.OpenPhase) -> bool:
    """Whether what it needs to begin was not prepared together with others; asked once, for a repeat prepares anew."""
    prepared, phase.opening.prepared = phase.opening.prepared, False
    return not prepared


def undone(record: pb.ParticipantRecord, phase: pb.OpenPhase) -> list[str]:
    """Its duties that are still to be done, also those that are not required."""
    return [duty.id for duty in phase.opening.phase.duties if duty.id not in record.duties]


def letters(record: pb.ParticipantRecord, clock: pb.Clock) -> list[reminders.Letter]:
    """Reminders and escalations to come, where a duty is still to be done."""
    if record.paused:
        return []
    return [letter for phase in record.open if undone(record, phase) for letter in reminders.letters(clock, phase)]


def pass_over(clock: pb.Clock, phase: pb.OpenPhase, now: datetime) -> None:
    """Letters whose day had passed when people were told of the dates are not sent."""
    for letter in reminders.letters(clock, phase):
        if letter.at <= now:
            letter.mark()


def tell_of_each(record: pb.ParticipantRecord, template: str, reason: str, occasion: str) -> None:
    """People are to be told of each phase that is open."""
    for phase in record.open:
        name = phase.opening.phase.id
        told = f"{name}.{occasion or phase.opening.deadline_time.seconds}"
        record.notices.add(template=template, reason=reason, occasion=told, phase=name)


def _move(
    record: pb.ParticipantRecord, clock: pb.Clock, phase: pb.OpenPhase, opening: pb.PhaseOpening, now: datetime
) -> None:
    """What is due before the new deadline is due anew, unless all that moved is the calendar and the time that remains
    is the same."""
    before = phase.opening
    if opening.revision < before.revision or opening.deadline_time == before.deadline_time:
        return
    tells = bool(opening.reason) or (opening.extended and bool(undone(record, phase)))
    if tells:
        record.notices.add(
            template="postponed",
            reason=opening.reason,
            occasion=f"{opening.phase.id}.{opening.deadline_time.seconds}",
            phase=opening.phase.id,
        )
    phase.opening.CopyFrom(opening)
    if not opening.shifted:
        del phase.reminded[:]
        del phase.escalated[:]
    if tells:
        # The letter of the new date stands for what was due before it.
        pass_over(clock, phase, now)
