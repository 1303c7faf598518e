"""Like with like: versions of an instrument, published and computed indices, years and parts of years never meet."""

from decimal import Decimal

import pytest
from livinglab.benchmark.v1 import service_pb2 as pb

from chassis.errors import Refused
from services.benchmark.model import likeness, ranking, trends
from services.benchmark.model.race import Standing

# Six steps of half a year by 0.05 in the mean, for each of five regions.
HALVES = {
    "33.01": "3.01 3.07 3.10 3.16 3.22 3.25",
    "33.02": "2.02 2.05 2.11 2.17 2.20 2.26",
    "33.03": "2.50 2.56 2.62 2.65 2.71 2.77",
}
PERIODS = ["2023-1", "2023-2", "2024-1", "2024-2", "2025-1", "2025-2"]


def standing(institution: str, index: str, version: int = 1, published: str = "", computed: bool = True) -> Standing:
    return Standing(institution, Decimal(index), "", published, computed, version)


def halves() -> list[tuple[str, Standing]]:
    return [
        (period, standing(code, index))
        for code, indices in HALVES.items()
        for period, index in zip(PERIODS, indices.split(), strict=True)
    ]


def test_two_versions_of_an_instrument_are_never_ranked_together() -> None:
    both = [standing("a", "3.00", 1), standing("b", "1.80", 2), standing("c", "2.00", 2)]
    with pytest.raises(Refused, match="of 3 results 1 on version 1 and 2 on version 2 of the instrument"):
        likeness.like(both, pb.Race())
    found, chosen = likeness.like(both, pb.Race(version=2))
    assert ([s.institution for s in found], chosen) == (["b", "c"], likeness.Like(pb.BASIS_COMPUTED, 2))


def test_what_was_on_another_version_before_is_left_out_and_told() -> None:
    _, chosen = likeness.like([standing("a", "3.00", 2), standing("b", "2.00", 2)], pb.Race())
    before = [standing("a", "2.00", 1), standing("b", "1.50", 2)]
    assert [s.institution for s in chosen.of(before)] == ["b"]
    (told,) = chosen.left_out(before, "2021")
    assert (told.what, "version 1 of the instrument, not 2" in told.reason) == ("1 results of 2021", True)


def test_a_year_and_a_part_of_one_are_never_compared() -> None:
    assert likeness.unlike("2025-2", "2024-1", PERIODS) == ""
    assert likeness.unlike("2025", "2022", []) == ""
    assert likeness.unlike("2025", "2024-1", PERIODS) == "2025 is one of years and 2024-1 is one of halves"
    assert likeness.unlike("2025", "2025-1", []) == "2025 is one of years and 2025-1 is a part of a year"
    with pytest.raises(Refused, match="like is compared with like only"):
        likeness.require_like_periods("2025-Q1", "2025-H1", [])


def test_the_period_before_is_one_of_the_same_kind() -> None:
    assert ranking.previous([*PERIODS, "2024"], "2025-1") == "2024-2"
    assert ranking.previous([*PERIODS, "2024", "2025"], "2025") == "2024"
    assert ranking.previous(["2024-1", "2023"], "2024-2") == "2024-1"


def test_published_and_computed_indices_are_not_drawn_side_by_side() -> None:
    points = [
        ("spbe", "2022", standing("a", "3.04", published="3.10")),
        ("spbe", "2022", standing("b", "3.10", published="3.10", computed=False)),
    ]
    lines = trends.series(points, pb.BASIS_UNSPECIFIED, {}).series
    assert [(line.institution, p.index, p.basis) for line in lines for p in line.points] == [
        ("a", "3.10", pb.BASIS_PUBLISHED),
        ("b", "3.10", pb.BASIS_PUBLISHED),
    ]
    mixed = [*points, ("spbe", "2022", standing("c", "2.00"))]
    with pytest.raises(Refused, match="never ranked together"):
        trends.series(mixed, pb.BASIS_UNSPECIFIED, {})


def test_versions_and_kinds_of_period_are_lines_of_their_own() -> None:
    points = [("x", period, standing("a", "2.00")) for period in PERIODS]
    points += [("x", "2024", standing("a", "2.50")), ("x", "2026", standing("a", "1.00", 2))]
    answer = trends.series(points, pb.BASIS_UNSPECIFIED, {})
    lines = [([p.period for p in line.points], line.instrument_version) for line in answer.series]
    assert lines == [(PERIODS, 1), (["2024"], 1), (["2026"], 2)]
    assert [(b.from_period, b.to_period, b.from_version, b.to_version) for b in answer.breaks] == [
        ("2025-2", "2024", 1, 1),
        ("2024", "2026", 1, 2),
    ]


def test_halves_of_a_year_are_projected_by_the_calendar() -> None:
    known = trends.histories(halves(), pb.Race(period="2025-2"))
    assert known.parts == 2
    row = trends.projection(known, "33.01", "2027", Decimal("3.5"), (Decimal(1), Decimal(5))).linear
    assert (row.growth, row.growth_needed) == ("0.10", "0.13")
    assert Decimal("3.40") <= Decimal(row.index) <= Decimal("3.50")
    same = trends.projection(known, "33.01", "2027-2", Decimal("3.5"), (Decimal(1), Decimal(5))).linear
    assert same == row
    off = trends.back_test(known, (Decimal(1), Decimal(5)))
    assert Decimal(off.mean_absolute_error) <= Decimal("0.05")


def test_steps_of_half_a_year_and_of_a_year_give_the_same_growth() -> None:
    yearly = [(period.partition("-")[0], s) for period, s in halves() if period.endswith("-2")]
    of_years = trends.histories(yearly, pb.Race(period="2025"))
    of_halves = trends.histories(halves(), pb.Race(period="2025-2"))
    rows = [trends.projection(known, "33.02", "2026", Decimal("3.5"), None).linear for known in (of_years, of_halves)]
    assert abs(Decimal(rows[0].growth) - Decimal(rows[1].growth)) <= Decimal("0.02")


def test_parts_of_a_year_that_nothing_shows_are_not_projected() -> None:
    known = trends.histories(
        [("2025-1", standing("a", "2.00")), ("2025-2", standing("a", "2.10"))], pb.Race(period="2025-2")
    )
    assert len(known) == 0
    assert [w.reason for w in known.left_out] == [
        "2025-2 does not say what part of a year it is: write 2025-H2 or 2025-Q2 or 2025-M02"
    ]


def test_periods_of_another_kind_are_left_out_of_a_projection_and_told() -> None:
    known = trends.histories([*halves(), ("2024", standing("33.01", "1.00"))], pb.Race(period="2025-2"))
    assert [(w.what, w.reason) for w in known.left_out] == [("results of 2024", "the race is one of halves")]
