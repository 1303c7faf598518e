"""Program time and wall clock: the same in a real cohort, compressed in a rehearsal. Exact, in whole microseconds."""

from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

from babel.dates import get_timezone_name
from google.protobuf.timestamp_pb2 import Timestamp
from livinglab.program.v1 import cohort_pb2, definition_pb2, workflow_pb2

DAY = timedelta(days=1)
REAL_DAY = "86400"
_MICROSECOND = timedelta(microseconds=1)
_DAY_SECONDS = 86_400
# People are reminded in the morning of the day.
_MORNING = timedelta(hours=8)


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


def wall_days(clock: workflow_pb2.Clock, days: int) -> timedelta:
    """How long so many program days take by the wall clock."""
    return timedelta(microseconds=int(days * _DAY_SECONDS * 10**6 * _pace(clock)))


def opening(zone: str, phase: definition_pb2.Phase) -> datetime:
    """Program time at which a phase opens: when its first day begins."""
    return datetime.combine(date.fromisoformat(phase.opens), time(), ZoneInfo(zone)).astimezone(UTC)


def closing(zone: str, phase: definition_pb2.Phase) -> datetime:
    """Program time at which a phase closes: when its last day is over."""
    return datetime.combine(date.fromisoformat(phase.closes) + DAY, time(), ZoneInfo(zone)).astimezone(UTC)


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
    return workflow_pb2.Clock(wall_start=stamp(wall_start), program_start=stamp(start), seconds_per_day=pace)


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
    late = opened - moment(record.open_time)
    days = max(0, late // wall_days(clock, 1))
    return moment(record.deadline_time) + wall_days(clock, days)


def reminder(clock: workflow_pb2.Clock, deadline_time: datetime, days_before: int) -> datetime:
    """Wall clock time of a reminder: the morning of the day that is so many days before the last one."""
    since = wall_days(clock, days_before + 1)
    return deadline_time - since + timedelta(microseconds=int(_MORNING // _MICROSECOND * _pace(clock)))


def zone_name(at: datetime) -> str:
    """WIB, WITA, WIT; elsewhere what Indonesians call it, such as GMT+9."""
    return str(get_timezone_name(at, width="short", locale="id"))
