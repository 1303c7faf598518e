"""Days of a program are days of the calendar in its zone, also where clocks change."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livinglab.program.v1 import definition_pb2
from livinglab.program.v1 import workflow_pb2 as pb

from programs import clock

BERLIN = ZoneInfo("Europe/Berlin")
# In the night to 28 March 2027 an hour is missing in Berlin; in that to 31 October there is one twice.
SPRING, AUTUMN = date(2027, 3, 28), date(2027, 10, 31)
DAY = timedelta(days=1)


def running(zone: str = "Europe/Berlin", pace: str = clock.REAL_DAY) -> pb.Clock:
    """A cohort that begins on 22 March 2027; a rehearsal at some other time."""
    start = clock.opening(zone, definition_pb2.Phase(opens="2027-03-22"))
    wall = start if pace == clock.REAL_DAY else datetime(2026, 11, 27, 13, 5, 1, 234567, tzinfo=UTC)
    return pb.Clock(
        wall_start=clock.stamp(wall), program_start=clock.stamp(start), seconds_per_day=pace, time_zone=zone
    )


def here(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=BERLIN).astimezone(UTC)  # type: ignore[arg-type,misc]


def test_an_extension_across_a_change_of_clocks_ends_with_a_day() -> None:
    deadline = here(2027, 3, 27)
    assert clock.deadline_later(running(), deadline, 3) == here(2027, 3, 30)
    assert clock.last_day(running(), clock.deadline_later(running(), deadline, 3)) == date(2027, 3, 29)


def test_a_meeting_that_moves_across_a_change_of_clocks_keeps_its_hour() -> None:
    start, end = here(2027, 3, 24, 9), here(2027, 3, 24, 10)
    assert clock.later_session(running(), start, end, 7, "Europe/Berlin") == (
        here(2027, 3, 31, 9),
        here(2027, 3, 31, 10),
    )


def test_a_meeting_keeps_the_hour_of_its_own_place() -> None:
    jakarta = ZoneInfo("Asia/Jakarta")
    start, end = (datetime(2027, 3, 24, hour, tzinfo=jakarta).astimezone(UTC) for hour in (9, 10))
    moved, _ = clock.later_session(running(), start, end, 7, "Asia/Jakarta")
    assert moved == datetime(2027, 3, 31, 9, tzinfo=jakarta)


def test_a_meeting_in_an_hour_that_is_missing_lasts_as_long_as_before() -> None:
    start, end = here(2027, 3, 27, 2, 30), here(2027, 3, 27, 3, 15)
    moved, ends = clock.later_session(running(), start, end, 1, "Europe/Berlin")
    assert (moved, ends - moved) == (here(2027, 3, 28, 3, 30), timedelta(minutes=45))


@pytest.mark.parametrize(("last", "before"), [(date(2027, 4, 2), 7), (date(2027, 11, 5), 10), (date(2027, 4, 2), 2)])
def test_a_reminder_comes_at_eight_whatever_lies_between(last: date, before: int) -> None:
    at = clock.reminder(running(), clock.end_of(running(), last), before).astimezone(BERLIN)
    assert (at.date(), at.hour, at.minute) == (last - before * DAY, 8, 0)


def test_a_day_that_begins_at_one_is_a_day() -> None:
    # Clocks in Cairo go from 24:00 to 01:00 when summer begins, in 2027 on Friday, 30 April.
    there = running("Africa/Cairo")
    deadline = clock.end_of(there, date(2027, 4, 29))
    assert clock.last_day(there, deadline) == date(2027, 4, 29)
    assert clock.deadline_later(there, deadline, 1) == clock.end_of(there, date(2027, 4, 30))
    assert clock.local_time(there, clock.deadline_later(there, deadline, 1)).hour == 0


zones = st.sampled_from(["Asia/Jakarta", "Asia/Jayapura", "Europe/Berlin", "America/New_York", "Africa/Cairo", "UTC"])
paces = st.sampled_from([clock.REAL_DAY, "3", "1.5", "0.05", "0.001"])
days = st.dates(date(2026, 1, 1), date(2030, 12, 31))


@given(zone=zones, pace=paces, day=days, more=st.integers(-400, 400))
def test_days_are_counted_by_the_calendar_in_every_zone_and_at_every_pace(
    zone: str, pace: str, day: date, more: int
) -> None:
    cohort = running(zone, pace)
    deadline = clock.end_of(cohort, day)
    assert clock.last_day(cohort, deadline) == day
    assert clock.deadline_later(cohort, deadline, 0) == deadline
    assert clock.deadline_later(cohort, deadline, more) == clock.end_of(cohort, day + more * DAY)
    opening = clock.begin_of(cohort, day)
    assert clock.day_of(cohort, opening) == day
    assert clock.opening_later(cohort, opening, more) == clock.begin_of(cohort, day + more * DAY)
    assert clock.days_later(cohort, clock.days_later(cohort, opening, 0), 0) == opening
