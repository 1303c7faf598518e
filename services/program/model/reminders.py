"""The letters that a phase still has to send: reminders to participants, escalations to others of the institution.
Pure."""

from collections.abc import MutableSequence, Sequence
from dataclasses import dataclass
from datetime import datetime

from livinglab.common.v1 import options_pb2
from livinglab.program.v1 import workflow_pb2 as pb

from programs import clock


@dataclass(frozen=True)
class Letter:
    """One of them, with the wall clock time at which it is due."""

    at: datetime
    # To the last day; below zero after it.
    days: int
    template: str
    phase: pb.OpenPhase
    # Who is written to; those whom the phase invites where it is empty.
    roles: Sequence[options_pb2.Role.ValueType] = ()

    def like(self, other: "Letter") -> bool:
        """Whether one of them can stand for the other."""
        return (self.template, tuple(self.roles)) == (other.template, tuple(other.roles))

    def mark(self) -> None:
        """It is not to be written any more."""
        self._marks().append(self.days)

    def _marks(self) -> MutableSequence[int]:
        return self.phase.reminded if self.template == "reminder" else self.phase.escalated


def letters(clock_: pb.Clock, phase: pb.OpenPhase) -> list[Letter]:
    """Those not written yet, in order of time."""
    definition, deadline = phase.opening.phase, clock.moment(phase.opening.deadline_time)
    found = [
        Letter(clock.reminder(clock_, deadline, days), days, "reminder", phase)
        for days in definition.remind_days_before
        if days not in phase.reminded
    ]
    found += [
        Letter(clock.reminder(clock_, deadline, e.days_before), e.days_before, "escalation", phase, tuple(e.to))
        for e in definition.escalations
        if e.days_before not in phase.escalated
    ]
    return sorted(found, key=lambda letter: (letter.at, letter.template))


def nearest(clock_: pb.Clock, due: Letter, now: datetime) -> Letter:
    """Of several that are due, after an outage, the one that is nearest to the deadline; it stands for the others,
    which are marked with it."""
    passed = [letter for letter in letters(clock_, due.phase) if letter.like(due) and letter.at <= now]
    for letter in passed:
        letter.mark()
    return passed[-1]
