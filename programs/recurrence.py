"""When cohorts of a schedule start, and what a definition says for one of these starts. Pure."""

from calendar import monthrange
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from livinglab.program.v1 import definition_pb2, schedule_service_pb2

from programs.overrides import effective

LAST_YEAR = 2099
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def zone(definition: definition_pb2.Definition, cohort: definition_pb2.CohortSpec) -> ZoneInfo:
    """Where the cohort's days begin and end."""
    return ZoneInfo(effective(definition, cohort).time_zone)


def first_day(definition: definition_pb2.Definition, cohort: definition_pb2.CohortSpec) -> date:
    """The day on which the first phase opens, by the definition or as the cohort overrides it."""
    return min(date.fromisoformat(phase.opens) for phase in effective(definition, cohort).phases)


def start_days(recurrence: schedule_service_pb2.Recurrence, first_year: int, year: int) -> list[date]:
    """The days of a year on which a cohort starts, in order. The 29th to 31st are the last day of a shorter month."""
    if year < first_year or (year - first_year) % (recurrence.every_years or 1):
        return []
    return [date(year, m, min(recurrence.day, monthrange(year, m)[1])) for m in sorted(recurrence.months)]


def start_times(
    recurrence: schedule_service_pb2.Recurrence, first_year: int, place: ZoneInfo, after: datetime
) -> Iterator[datetime]:
    """The times after `after` at which a cohort starts, in order: when the day begins, or each so many seconds."""
    if recurrence.every_seconds:
        every = timedelta(seconds=recurrence.every_seconds)
        at = _EPOCH + (after - _EPOCH) // every * every
        while True:
            at += every
            yield at
    for year in range(max(first_year, after.astimezone(place).year), LAST_YEAR + 1):
        for day in start_days(recurrence, first_year, year):
            begins = datetime.combine(day, time(), place).astimezone(UTC)
            if begins > after:
                yield begins


def cohort_id(
    schedule_id: str, recurrence: schedule_service_pb2.Recurrence, place: ZoneInfo, start_time: datetime
) -> str:
    """The name of the cohort that starts then: with the day, or with the second where several may start in a day."""
    local = start_time.astimezone(place)
    return f"{schedule_id}-{local:%Y%m%dt%H%M%S}" if recurrence.every_seconds else f"{schedule_id}-{local:%Y-%m-%d}"


def shifted(
    definition: definition_pb2.Definition, cohort: definition_pb2.CohortSpec, start: date
) -> tuple[definition_pb2.Definition, definition_pb2.CohortSpec]:
    """Both as they are for a cohort whose first phase opens on `start`. Every date moves by the same whole days, so
    that order and lengths stay; sessions keep their local time and zone. Periods of evaluations and years of targets
    move by as many years."""
    first = first_day(definition, cohort)
    days, years = start - first, start.year - first.year
    moved, spec = definition_pb2.Definition(), definition_pb2.CohortSpec()
    moved.CopyFrom(definition)
    spec.CopyFrom(cohort)
    for phase in moved.phases:
        _move(phase, days)
        for duty in phase.duties:
            duty.period = _period(duty.period, years)
        if phase.when.period:
            phase.when.period = _period(phase.when.period, years)
    for override in spec.overrides:
        _move(override, days)
    for target in moved.targets:
        target.year += years
    return moved, spec


def _move(phase: definition_pb2.Phase | definition_pb2.PhaseOverride, days: timedelta) -> None:
    phase.opens, phase.closes = _later(phase.opens, days), _later(phase.closes, days)
    for session in phase.sessions:
        session.start, session.end = _later(session.start, days), _later(session.end, days)


def _later(text: str, days: timedelta) -> str:
    """2022-11-01 or 2022-11-01T09:00 so many days later; nothing stays nothing."""
    return f"{date.fromisoformat(text[:10]) + days}{text[10:]}" if text else ""


def _period(text: str, years: int) -> str:
    """2022 or 2022-1 so many years later."""
    return f"{int(text[:4]) + years}{text[4:]}" if text else ""
