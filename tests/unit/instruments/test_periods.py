"""Periods by the calendar: what they are, how they follow one another, and which kind a race has."""

from fractions import Fraction
from itertools import pairwise

import pytest

from chassis.forms.periods import is_period
from instruments import periods
from instruments.periods import Period

HALVES = ["2023-1", "2023-2", "2024-1", "2024-2", "2025-1"]


@pytest.mark.parametrize(
    ("text", "period"),
    [
        ("2022", Period(2022, 0, 1)),
        ("2022-H2", Period(2022, 2, 2)),
        ("2022-Q3", Period(2022, 3, 4)),
        ("2022-M05", Period(2022, 5, 12)),
        ("2022-05", Period(2022, 5, 12)),
        ("2022-7", Period(2022, 7, 12)),
        ("2022-1", Period(2022, 1, 0)),
    ],
)
def test_a_period_says_what_part_of_its_year_it_is(text: str, period: Period) -> None:
    assert periods.parse(text) == period


@pytest.mark.parametrize("text", ["", "22", "2022-", "2022-H3", "2022-Q0", "2022-M13", "2022-123", "1822", "2022-1x"])
def test_what_is_no_period_is_refused(text: str) -> None:
    assert not is_period(text)
    with pytest.raises(ValueError, match="is not a year"):
        periods.parse(text)


@pytest.mark.parametrize(
    ("text", "period"),
    [
        ("2022-s1", "2022-H1"),
        ("Semester II 2022", "2022-H2"),
        ("2022 TW 3", "2022-Q3"),
        ("Triwulan IV/2022", "2022-Q4"),
        ("2022-m5", "2022-M05"),
        ("2022-q1", "2022-Q1"),
        (" 2022 ", "2022"),
        ("Semester 5 2022", "Semester 5 2022"),
        ("soon", "soon"),
    ],
)
def test_periods_are_read_as_people_write_them(text: str, period: str) -> None:
    assert periods.as_written(text) == period


def test_periods_are_ordered_by_when_they_end() -> None:
    assert sorted(["2023", "2022", "2022-H2", "2022-H1"], key=periods.order) == ["2022-H1", "2022-H2", "2022", "2023"]
    assert sorted(["2022-10", "2022-9", "2022-2"], key=periods.order) == ["2022-2", "2022-9", "2022-10"]


@pytest.mark.parametrize(
    ("texts", "parts"),
    [
        (["2021", "2022"], 1),
        (["2021-H1", "2022-H2"], 2),
        (HALVES, 2),
        (["2023-1", "2023-2", "2023-3", "2023-4", "2024-1"], 4),
        ([*(f"2023-{month}" for month in range(1, 13)), "2024-1"], 12),
        (["2022-01", "2022-02"], 12),
        (["2022-9", "2022-10", "2022-1"], 12),
        ([*HALVES, "2025-H2"], 2),
    ],
)
def test_the_kind_of_periods_is_seen_from_all_of_them(texts: list[str], parts: int) -> None:
    assert periods.kind(texts) == (parts, "")


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        (["2022-1", "2022-2"], "2022-1 does not say what part of a year it is: write 2022-H1 or 2022-Q1 or 2022-M01"),
        (["2022-1", "2023-1"], "2022-1 does not say what part of a year it is: write 2022-H1 or 2022-Q1 or 2022-M01"),
        (["2022", "2022-H1"], "years and halves are not one kind of period"),
        ([*HALVES, "2026"], "years and halves are not one kind of period"),
        ([*HALVES, "2025-Q3"], "halves and quarters are not one kind of period"),
    ],
)
def test_where_it_cannot_be_seen_the_reason_is_told(texts: list[str], reason: str) -> None:
    assert periods.kind(texts) == (0, reason)


def test_half_years_lie_half_a_year_apart() -> None:
    places = [periods.position(text, 2) for text in HALVES]
    assert [later - before for before, later in pairwise(places)] == [Fraction(1, 2)] * 4
    assert periods.position("2025", 1) == periods.position("2025-2", 2) == periods.position("2025-Q4", 2) == 2025
    assert [periods.at(place, 2) for place in places] == HALVES
    assert periods.at(Fraction(2022), 1) == "2022"


def test_periods_of_another_kind_are_set_apart() -> None:
    assert periods.alike("2025-1", [*HALVES, "2024", "2024-Q1"]) == (2, HALVES, "")
    assert periods.alike("2024", [*HALVES, "2023", "2024"]) == (1, ["2023", "2024"], "")
    assert periods.alike("2022-1", ["2022-1"])[:2] == (0, [])


def test_periods_are_stored_in_the_order_in_which_they_end() -> None:
    """Those of one number come in its order, and the whole year after its parts."""
    written = ["2021", "2022-9", "2022-10", "2022", "2023-1"]
    assert sorted(sorted(written), key=periods.sort_key) == written
    for kind in (["2022-H1", "2022-H2"], [f"2022-Q{n}" for n in range(1, 5)], [f"2022-M{n:02}" for n in range(1, 13)]):
        places = [periods.sort_key(text) for text in ["2021", *kind, "2022", "2023-H1"]]
        assert places == sorted(set(places))
