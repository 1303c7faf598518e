"""Program time and wall clock."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livinglab.program.v1 import definition_pb2
from livinglab.program.v1 import workflow_pb2 as pb

from programs import clock
from tests.harness.cohorts.cohort import living_lab

START = datetime(2022, 10, 24, 17, tzinfo=UTC)
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)

paces = st.decimals(min_value=Decimal("0.001"), max_value=Decimal(86_400), places=6).map(str)
moments = st.integers(min_value=-(10**13), max_value=10**14).map(lambda us: START + timedelta(microseconds=us))
walls = st.integers(min_value=-(10**12), max_value=10**12).map(lambda us: NOW + timedelta(microseconds=us))


def made(pace: str) -> pb.Clock:
    """A clock that starts the program now."""
    return pb.Clock(wall_start=clock.stamp(NOW), program_start=clock.stamp(START), seconds_per_day=pace)


@given(pace=paces, wall=walls)
def test_a_wall_time_taken_to_the_program_and_back_is_the_same(pace: str, wall: datetime) -> None:
    try:
        there = clock.program_time(made(pace), wall)
    except OverflowError:
        return
    assert clock.wall_time(made(pace), there) == wall


@given(pace=paces, one=moments, other=moments)
def test_what_is_later_in_the_program_is_never_earlier_by_the_wall_clock(
    pace: str, one: datetime, other: datetime
) -> None:
    early, late = sorted((one, other))
    assert clock.wall_time(made(pace), early) <= clock.wall_time(made(pace), late)


@given(moment=moments)
def test_a_real_clock_is_the_calendar(moment: datetime) -> None:
    calendar = pb.Clock(wall_start=clock.stamp(START), program_start=clock.stamp(START), seconds_per_day=clock.REAL_DAY)
    assert clock.wall_time(calendar, moment) == moment == clock.program_time(calendar, moment)


def test_a_phase_closes_when_its_last_day_is_over_in_the_zone_of_the_program() -> None:
    workshop = living_lab().phases[1]
    assert clock.opening("Asia/Jakarta", workshop) == datetime(2022, 11, 2, 17, tzinfo=UTC)
    assert clock.closing("Asia/Jakarta", workshop) == datetime(2022, 11, 13, 17, tzinfo=UTC)


def test_a_rehearsal_begins_with_its_first_phase_now() -> None:
    spec = definition_pb2.CohortSpec(rehearsal=True, seconds_per_day="1.5")
    definition = living_lab()
    table = clock.timetable(definition, clock.cohort_clock(definition, spec, NOW))
    assert clock.moment(table[0].open_time) == NOW
    assert clock.moment(table[1].open_time) == NOW + timedelta(seconds=9 * 1.5)


def test_a_real_cohort_follows_the_calendar() -> None:
    definition = living_lab()
    table = clock.timetable(definition, clock.cohort_clock(definition, definition_pb2.CohortSpec(), NOW))
    assert clock.moment(table[3].deadline_time) == datetime(2023, 1, 21, 17, tzinfo=UTC)


@pytest.mark.parametrize(("late_hours", "days"), [(0, 0), (23, 0), (24, 1), (49, 2), (-24, 0)])
def test_a_phase_that_opens_late_closes_as_many_whole_days_later(late_hours: int, days: int) -> None:
    definition = living_lab()
    calendar = clock.cohort_clock(definition, definition_pb2.CohortSpec(), NOW)
    record = clock.timetable(definition, calendar)[1]
    opened = clock.moment(record.open_time) + timedelta(hours=late_hours)
    planned = clock.moment(record.deadline_time)
    assert clock.deadline(calendar, record, opened) == planned + timedelta(days=days)


def test_a_reminder_goes_out_in_the_morning() -> None:
    definition = living_lab()
    calendar = clock.cohort_clock(definition, definition_pb2.CohortSpec(), NOW)
    deadline = clock.closing("Asia/Jakarta", definition.phases[1])
    # 13 November is the last day; four days before it, at eight in Jakarta.
    assert clock.reminder(calendar, deadline, 4) == datetime(2022, 11, 9, 1, tzinfo=UTC)
