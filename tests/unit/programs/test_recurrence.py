"""When cohorts of a schedule start, and that a shifted definition is the same program on other days."""

from datetime import UTC, date, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from livinglab.program.v1 import definition_pb2
from livinglab.program.v1.schedule_service_pb2 import Recurrence

from programs import recurrence
from programs.files.definition import PROGRAMS, load_definition
from programs.rules import definition as definition_rules
from programs.rules import recurrence as recurrence_rules

JAKARTA = ZoneInfo("Asia/Jakarta")
COHORT = definition_pb2.CohortSpec(id="every-year")
LIVING_LAB, _ = load_definition(PROGRAMS / "living-lab-2022.yaml")
# A slow machine is no fault.
calmly = settings(deadline=None, derandomize=True, database=None)


def leap_year_program() -> definition_pb2.Definition:
    """From 28 February over 29 February 2024 to the end of the year."""
    session = definition_pb2.DefinedSession(
        id="s", title="S", start="2024-02-29T09:00", end="2024-02-29T12:00", time_zone="Asia/Jayapura"
    )
    duty = definition_pb2.Duty(id="d", kind=definition_pb2.DUTY_KIND_SELF_ASSESS, instrument="i", period="2024-1")
    phases = [
        definition_pb2.Phase(id="a", opens="2024-02-28", closes="2024-02-29", sessions=[session], duties=[duty]),
        definition_pb2.Phase(id="b", opens="2024-03-01", closes="2024-12-31"),
    ]
    return definition_pb2.Definition(
        id="leap", time_zone="Asia/Jakarta", phases=phases, targets=[definition_pb2.Target(year=2025)]
    )


def days(definition: definition_pb2.Definition) -> list[date]:
    """Every date in the order of the definition."""
    return [date.fromisoformat(text) for phase in definition.phases for text in (phase.opens, phase.closes)]


def starts(told: Recurrence, after: str, count: int, first_year: int = 2022) -> list[str]:
    at = datetime.fromisoformat(after).replace(tzinfo=JAKARTA).astimezone(UTC)
    found = islice(recurrence.start_times(told, first_year, JAKARTA, at), count)
    return [f"{time.astimezone(JAKARTA):%Y-%m-%d %H:%M}" for time in found]


START_DAYS = st.dates(date(2000, 1, 1), date(2090, 1, 1))


@calmly
@given(START_DAYS, st.sampled_from([LIVING_LAB, leap_year_program()]))
def test_lengths_gaps_and_order_stay_on_whatever_day_it_starts(
    start: date, definition: definition_pb2.Definition
) -> None:
    moved, _ = recurrence.shifted(definition, COHORT, start)
    assert days(moved)[0] == start
    before, after = days(definition), days(moved)
    assert [b - a for a, b in pairwise(before)] == [b - a for a, b in pairwise(after)]
    for phase, original in zip(moved.phases, definition.phases, strict=True):
        opens, was = date.fromisoformat(phase.opens), date.fromisoformat(original.opens)
        for session, old in zip(phase.sessions, original.sessions, strict=True):
            assert (session.start[10:], session.end[10:], session.time_zone) == (
                old.start[10:],
                old.end[10:],
                old.time_zone,
            )
            assert date.fromisoformat(session.start[:10]) - opens == date.fromisoformat(old.start[:10]) - was


@calmly
@given(START_DAYS)
def test_a_definition_without_a_fault_has_none_on_other_days(start: date) -> None:
    moved, _ = recurrence.shifted(LIVING_LAB, COHORT, start)
    assert definition_rules.faults(moved) == []


@calmly
@given(START_DAYS, START_DAYS)
def test_shifting_there_and_back_changes_nothing(start: date, other: date) -> None:
    once, _ = recurrence.shifted(LIVING_LAB, COHORT, start)
    twice, _ = recurrence.shifted(once, COHORT, other)
    assert twice == recurrence.shifted(LIVING_LAB, COHORT, other)[0]


def test_a_definition_is_itself_on_its_own_first_day() -> None:
    first = recurrence.first_day(LIVING_LAB, COHORT)
    assert recurrence.shifted(LIVING_LAB, COHORT, first) == (LIVING_LAB, COHORT)


def test_periods_and_targets_move_by_the_years_between() -> None:
    moved, _ = recurrence.shifted(leap_year_program(), COHORT, date(2027, 2, 28))
    assert moved.phases[0].duties[0].period == "2027-1"
    assert moved.targets[0].year == 2028
    assert moved.phases[0].closes == "2027-03-01"
    assert moved.phases[0].sessions[0].start == "2027-03-01T09:00"
    assert not moved.phases[1].HasField("when")


def test_what_a_cohort_overrides_moves_along_and_says_when_it_starts() -> None:
    override = definition_pb2.PhaseOverride(phase="a", opens="2024-02-27")
    cohort = definition_pb2.CohortSpec(id="c", overrides=[override])
    moved, spec = recurrence.shifted(leap_year_program(), cohort, date(2026, 5, 1))
    assert spec.overrides[0].opens == "2026-05-01"
    assert spec.overrides[0].closes == ""
    assert moved.phases[0].opens == "2026-05-02"


def test_a_cohort_starts_when_its_day_begins_in_its_zone() -> None:
    told = Recurrence(months=[11, 3], day=1)
    assert starts(told, "2026-11-01T00:00", 3) == ["2027-03-01 00:00", "2027-11-01 00:00", "2028-03-01 00:00"]


def test_the_last_days_of_a_month_are_the_last_one_of_a_shorter_month() -> None:
    assert starts(Recurrence(months=[1, 2, 4], day=31), "2027-12-31T12:00", 4) == [
        "2028-01-31 00:00",
        "2028-02-29 00:00",
        "2028-04-30 00:00",
        "2029-01-31 00:00",
    ]
    assert starts(Recurrence(months=[2], day=29), "2026-01-01T00:00", 3) == [
        "2026-02-28 00:00",
        "2027-02-28 00:00",
        "2028-02-29 00:00",
    ]


def test_every_so_many_years_counts_from_the_definitions_own() -> None:
    told = Recurrence(months=[11], day=1, every_years=3)
    assert starts(told, "2020-01-01T00:00", 3) == ["2022-11-01 00:00", "2025-11-01 00:00", "2028-11-01 00:00"]


@calmly
@given(st.integers(1, 10**7), st.integers(0, 4 * 10**9))
def test_every_so_many_seconds_is_always_later_and_always_as_much(seconds: int, second: int) -> None:
    after = datetime.fromtimestamp(second, UTC)
    first, next_one = islice(recurrence.start_times(Recurrence(every_seconds=seconds), 2022, JAKARTA, after), 2)
    assert after < first <= after + timedelta(seconds=seconds)
    assert next_one - first == timedelta(seconds=seconds)


def test_a_cohort_has_the_day_of_its_start_in_its_name_where_it_is() -> None:
    late = datetime(2026, 10, 31, 17, tzinfo=UTC)
    assert recurrence.cohort_id("lab", Recurrence(months=[11], day=1), JAKARTA, late) == "lab-2026-11-01"
    assert recurrence.cohort_id("lab", Recurrence(every_seconds=5), JAKARTA, late) == "lab-20261101t000000"


@pytest.mark.parametrize(
    ("told", "cohort", "fields"),
    [
        (Recurrence(months=[11], day=1), COHORT, []),
        (Recurrence(), COHORT, ["recurrence.months", "recurrence.day"]),
        (Recurrence(months=[0, 13, 5, 5], day=9), COHORT, [f"recurrence.months[{i}]" for i in (0, 1, 3)]),
        (Recurrence(every_seconds=60), COHORT, ["recurrence.every_seconds"]),
        (
            Recurrence(every_seconds=60, months=[1], day=1, every_years=2),
            definition_pb2.CohortSpec(id="r", rehearsal=True),
            ["recurrence.months", "recurrence.day", "recurrence.every_years"],
        ),
        (Recurrence(months=[1], day=1), definition_pb2.CohortSpec(id="x" * 30), ["cohort.id"]),
    ],
)
def test_a_calendar_that_says_nothing_or_too_much_is_refused(
    told: Recurrence, cohort: definition_pb2.CohortSpec, fields: list[str]
) -> None:
    assert [fault.field for fault in recurrence_rules.faults(told, cohort)] == fields
