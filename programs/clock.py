"""Program time and wall clock: the same in a real cohort, compressed in a rehearsal. Exact, in whole microseconds.

A day of a program is a day of the calendar in the program's zone: it has 23 or 25 hours where clocks change, and what
moves by days keeps its hour. Everybody who counts days does it here."""

from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

from google.protobuf.timestamp_pb2 import Timestamp
from livinglab.program.v1 import cohort_pb2, definition_pb2, workflow_pb2

DAY = timedelta(days=1)
REAL_DAY = "86400"
_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Midnights and sessions are whole quarters of an hour, as a rule.
_ROUND = (timedelta(minutes=15), timedelta(minutes=1), timedelta(seconds=1))
_DAY_SECONDS = 86_400
# People are reminded in the morning of the day.
_MORNING = time(8)


def moment(stamp: Timestamp) -> datetime:
    """A protobuf time as an aware datetime."""
    return stamp.ToDatetime(tzinfo=UTC)


def stamp(at: datetime) -> Timestamp:
    """An aware datetime as protobuf has it."""
    made = Timestamp()
    made.FromDatetime(at)
    return made


def _pace(clock: workflow_pb2.Clock) -> Fraction:
    """Wall time that one unit of program time takes; at most 1."""
    return Fraction(clock.seconds_per_day) / _DAY_SECONDS


def wall_time(clock: workflow_pb2.Clock, program: datetime) -> datetime:
    """When something of the program happens by the wall clock, rounded up to a microsecond."""
    passed = (program - moment(clock.program_start)) // _MICROSECOND * _pace(clock)
    return moment(clock.wall_start) + timedelta(microseconds=-(-passed.numerator // passed.denominator))


def program_time(clock: workflow_pb2.Clock, wall: datetime) -> datetime:
    """What time it is in the program, rounded down: `wall_time` of it is `wall` again."""
    passed = (wall - moment(clock.wall_start)) // _MICROSECOND / _pace(clock)
    return moment(clock.program_start) + timedelta(microseconds=passed.numerator // passed.denominator)


def days_later(clock: workflow_pb2.Clock, at: datetime, days: int, zone: str = "") -> datetime:
    """The same time by the clocks of `zone`, the cohort's own where none is given, so many days of the program later,
    or earlier; in and out by the wall clock. An hour that a day lacks is the one after it."""
    if not days:
        # One that a day has twice stays which of the two it is.
        return at
    local = local_time(clock, at, zone).replace(fold=0)
    # Both in one zone: what the clocks show is counted, not what passes.
    return wall_time(clock, (local + days * DAY).astimezone(UTC))


def day_of(clock: workflow_pb2.Clock, at: datetime) -> date:
    """The day of the program that a time of the wall clock lies in."""
    return local_time(clock, at).date()


def last_day(clock: workflow_pb2.Clock, deadline_time: datetime) -> date:
    """The last day on which something may be done: a deadline is a midnight, the end of that day."""
    before = _meant(clock, deadline_time) - timedelta(seconds=1)
    return before.astimezone(ZoneInfo(_zone(clock))).date()


def begin_of(clock: workflow_pb2.Clock, day: date) -> datetime:
    """When a day of the program begins by the wall clock."""
    return wall_time(clock, _midnight(_zone(clock), day))


def end_of(clock: workflow_pb2.Clock, day: date) -> datetime:
    """When a day of the program is over by the wall clock."""
    return begin_of(clock, day + DAY)


def opening_later(clock: workflow_pb2.Clock, at: datetime, days: int) -> datetime:
    """An opening so many days later, or earlier: when that day begins."""
    return begin_of(clock, day_of(clock, at) + days * DAY)


def deadline_later(clock: workflow_pb2.Clock, at: datetime, days: int) -> datetime:
    """A deadline so many days later, or earlier: when that day is over. By none: the end of its own day."""
    return end_of(clock, last_day(clock, at) + days * DAY)


def later_session(
    clock: workflow_pb2.Clock, start: datetime, end: datetime, days: int, zone: str
) -> tuple[datetime, datetime]:
    """A session so many days later, at the same hours of its own zone; in and out by the wall clock. Where these hours
    are missing that day it lasts as long as before."""
    moved, ends = (days_later(clock, at, days, zone) for at in (start, end))
    return moved, ends if ends > moved else moved + (end - start)


def local_time(clock: workflow_pb2.Clock, at: datetime, zone: str = "") -> datetime:
    """A time of the wall clock as the clocks of the zone show it in the program, the cohort's own where none is
    given."""
    return _meant(clock, at).astimezone(ZoneInfo(zone or _zone(clock)))


def _zone(clock: workflow_pb2.Clock) -> str:
    # Clocks made before they had a zone count their days in this one.
    return clock.time_zone or "UTC"


def _meant(clock: workflow_pb2.Clock, at: datetime) -> datetime:
    """A compressed clock rounds: of the times that fall on one microsecond of the wall, the one that people mean."""
    found = program_time(clock, at)
    for unit in _ROUND:
        whole = found - (found - _EPOCH) % unit
        if whole != found and wall_time(clock, whole) == at:
            return whole
    return found


def _midnight(zone: str, day: date) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)


def opening(zone: str, phase: definition_pb2.Phase) -> datetime:
    """Program time at which a phase opens: when its first day begins."""
    return _midnight(zone, date.fromisoformat(phase.opens))


def closing(zone: str, phase: definition_pb2.Phase) -> datetime:
    """Program time at which a phase closes: when its last day is over."""
    return _midnight(zone, date.fromisoformat(phase.closes) + DAY)


def local(text: str, zone: str) -> datetime:
    """2022-11-07T09:00 in a zone, as program time."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def cohort_clock(
    definition: definition_pb2.Definition, cohort: definition_pb2.CohortSpec, now: datetime
) -> workflow_pb2.Clock:
    """A rehearsal begins with its first phase now; a real cohort follows the calendar."""
    start = opening(definition.time_zone, definition.phases[0])
    wall_start = now if cohort.rehearsal else start
    pace = cohort.seconds_per_day if cohort.rehearsal else REAL_DAY
    return workflow_pb2.Clock(
        wall_start=stamp(wall_start),
        program_start=stamp(start),
        seconds_per_day=pace,
        time_zone=definition.time_zone,
    )


def timetable(definition: definition_pb2.Definition, clock: workflow_pb2.Clock) -> list[workflow_pb2.PhaseRecord]:
    """Every phase with the wall clock times at which it is planned to open and to close."""
    zone = definition.time_zone
    return [
        workflow_pb2.PhaseRecord(
            phase=phase.id,
            state=cohort_pb2.PHASE_STATE_PENDING,
            open_time=stamp(wall_time(clock, opening(zone, phase))),
            deadline_time=stamp(wall_time(clock, closing(zone, phase))),
            session_starts={s.id: stamp(wall_time(clock, local(s.start, s.time_zone))) for s in phase.sessions},
        )
        for phase in definition.phases
    ]


def deadline(clock: workflow_pb2.Clock, record: workflow_pb2.PhaseRecord, opened: datetime) -> datetime:
    """The planned deadline. A phase that opens late, because the one before was extended or something was
    down, closes as many whole days later: nobody loses days that were promised."""
    late = max(0, (day_of(clock, opened) - day_of(clock, moment(record.open_time))).days)
    return deadline_later(clock, moment(record.deadline_time), late)


def reminder(clock: workflow_pb2.Clock, deadline_time: datetime, days_before: int) -> datetime:
    """Wall clock time of a reminder: the morning of the day that is so many days before the last one."""
    day = last_day(clock, deadline_time) - days_before * DAY
    return wall_time(clock, datetime.combine(day, _MORNING, ZoneInfo(_zone(clock))).astimezone(UTC))
