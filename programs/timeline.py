"""What a cohort brings when, if nobody steers it: openings, sessions, reminders, escalations, deadlines. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import IntEnum
from zoneinfo import ZoneInfo

from livinglab.program.v1 import definition_pb2, workflow_pb2

from programs import clock
from programs.overrides import effective
from programs.phases import required


class Kind(IntEnum):
    """What happens; at the same time in this order."""

    CLOSES = 1
    EXTENDED = 2
    ENDS = 3
    OPENS = 4
    REMINDER = 5
    ESCALATION = 6
    SESSION = 7


@dataclass(frozen=True)
class Happening:
    """One thing at one time of the program. `roles` are written to, or come to a session; `participants` and `people`
    count them as the roster has them: those who have left or lack nothing by then are not taken off."""

    at: datetime
    kind: Kind
    phase: definition_pb2.Phase
    zone: str
    roles: tuple[int, ...] = ()
    participants: int = 0
    people: int = 0
    session: definition_pb2.DefinedSession | None = None
    # Of a reminder or an escalation: before the last day, or below zero after it.
    days_before: int = 0

    @property
    def writes(self) -> bool:
        """Whether people are written to."""
        return self.kind in {Kind.OPENS, Kind.REMINDER, Kind.ESCALATION, Kind.ENDS}

    @property
    def if_needed(self) -> bool:
        """Whether it happens only for those, or only where, something is missing."""
        return self.kind in {Kind.REMINDER, Kind.ESCALATION, Kind.EXTENDED}

    @property
    def is_end_of_day(self) -> bool:
        """Whether people know its time as the end of a day rather than as the beginning of the next."""
        return self.kind in {Kind.CLOSES, Kind.EXTENDED, Kind.ENDS}

    @property
    def day(self) -> date:
        """The day of it, as people there count."""
        return (self.local - timedelta(seconds=self.is_end_of_day)).date()

    @property
    def local(self) -> datetime:
        """When, as the clocks there show it."""
        return self.at.astimezone(ZoneInfo(self.zone))


def happenings(definition: definition_pb2.Definition, cohort: definition_pb2.CohortSpec) -> list[Happening]:
    """Everything in the order of time. Both must be without fault; the cohort may be empty, for a definition alone.
    Phases may close earlier, once everybody has done what is required."""
    counts = effective(definition, cohort)
    start = clock.opening(counts.time_zone, counts.phases[0])
    # Days are counted by the clock that the workflows use.
    pace = workflow_pb2.Clock(
        wall_start=clock.stamp(start),
        program_start=clock.stamp(start),
        seconds_per_day=clock.REAL_DAY,
        time_zone=counts.time_zone,
    )
    found = [item for phase in counts.phases for item in _phase(counts.time_zone, phase, pace, cohort)]
    last = max(counts.phases, key=lambda phase: phase.closes)
    everybody = tuple(sorted({person.role for participant in cohort.roster for person in participant.people}))
    ends = clock.closing(counts.time_zone, last)
    found.append(Happening(ends, Kind.ENDS, last, counts.time_zone, everybody, *_audience(cohort, everybody)))
    order = {phase.id: place for place, phase in enumerate(counts.phases)}
    return sorted(found, key=lambda item: (item.at, item.kind, order[item.phase.id]))


def wall_clock(
    definition: definition_pb2.Definition, cohort: definition_pb2.CohortSpec, now: datetime
) -> workflow_pb2.Clock:
    """How the program's time passes if the cohort is launched now."""
    return clock.cohort_clock(effective(definition, cohort), cohort, now)


def _phase(
    zone: str, phase: definition_pb2.Phase, pace: workflow_pb2.Clock, cohort: definition_pb2.CohortSpec
) -> Iterator[Happening]:
    deadline = clock.closing(zone, phase)
    invited = tuple(phase.invites)
    audience = _audience(cohort, invited)
    yield Happening(clock.opening(zone, phase), Kind.OPENS, phase, zone, invited, *audience)
    for days in phase.remind_days_before:
        at = clock.reminder(pace, deadline, days)
        yield Happening(at, Kind.REMINDER, phase, zone, invited, *audience, days_before=days)
    for escalation in phase.escalations:
        at, roles = clock.reminder(pace, deadline, escalation.days_before), tuple(escalation.to)
        told = _audience(cohort, roles)
        yield Happening(at, Kind.ESCALATION, phase, zone, roles, *told, days_before=escalation.days_before)
    for session in phase.sessions:
        at = clock.local(session.start, session.time_zone)
        yield Happening(at, Kind.SESSION, phase, session.time_zone, invited, *audience, session=session)
    yield Happening(deadline, Kind.CLOSES, phase, zone, participants=len(cohort.roster))
    if extends(phase):
        later = clock.deadline_later(pace, deadline, phase.gate.extend_days)
        yield Happening(later, Kind.EXTENDED, phase, zone, participants=len(cohort.roster))


def extends(phase: definition_pb2.Phase) -> bool:
    """Whether its deadline moves where the quorum is missed."""
    return phase.gate.on_miss == definition_pb2.ON_MISS_EXTEND and bool(counted(phase))


def waits(phase: definition_pb2.Phase) -> bool:
    """Whether it can stay open until somebody decides."""
    return phase.gate.decision or (phase.gate.on_miss == definition_pb2.ON_MISS_HOLD and bool(counted(phase)))


def counted(phase: definition_pb2.Phase) -> list[str]:
    """The duties that count for the quorum of a phase."""
    return list(phase.gate.quorum_of) or required(phase)


def _audience(cohort: definition_pb2.CohortSpec, roles: Iterable[int]) -> tuple[int, int]:
    """How many participants have somebody for one of the roles, and how many people these are."""
    wanted = set(roles)
    found = [sum(person.role in wanted for person in participant.people) for participant in cohort.roster]
    return sum(1 for people in found if people), sum(found)
