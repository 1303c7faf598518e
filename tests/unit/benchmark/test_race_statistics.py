"""Ranks, gaps, plans, projections and insights against independent computations."""

import csv
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from livinglab.benchmark.v1 import analysis_service_pb2 as analysis_pb
from livinglab.benchmark.v1 import ladder_pb2
from livinglab.benchmark.v1 import service_pb2 as pb
from scipy import stats
from scipy.optimize import linear_sum_assignment

from chassis.errors import Refused
from directory import official_regions
from instruments import instrument_files
from instruments.file import load
from instruments.tree import instrument_of
from services.benchmark.model import aggregates, gaps, ladder, learning, ranking, trends
from services.benchmark.model.likeness import on_basis
from services.benchmark.model.race import Groups, Result, Standing

REGIONS = official_regions()
CODES = sorted(REGIONS)
SPBE = instrument_of(load(instrument_files()["spbe-59-2020"].read_bytes()))
PANEL = list(csv.DictReader((Path(__file__).parents[2] / "data" / "egdi" / "egdi.csv").read_text().splitlines()))
INDICES = st.integers(100, 500).map(lambda hundredths: Decimal(hundredths).scaleb(-2))


def standing(institution: str, index: Decimal | str) -> Standing:
    return Standing(institution, Decimal(index), "Cukup")


def result(institution: str, levels: Mapping[str, int] | int, index: str = "2.00") -> Result:
    values = {str(n): Decimal(levels if isinstance(levels, int) else levels.get(str(n), 2)) for n in range(1, 48)}
    return Result(
        institution, "spbe-59-2020", 1, "2022", "self-assessment", "", "", 1, Decimal(index), "Cukup", values,
        event_id=f"event-{institution}",
    )  # fmt: skip


@pytest.mark.parametrize("year", ["2010", "2012", "2014", "2016", "2018"])
def test_an_international_panel_has_the_ranks_that_were_published(year: str) -> None:
    panel = [row for row in PANEL if row["year"] == year]
    entered = [Standing(r["country"], Decimal(r["index"]), "", r["index"], computed=False) for r in panel]
    standings, basis = on_basis(entered, pb.BASIS_UNSPECIFIED)
    assert basis == pb.BASIS_PUBLISHED
    places = ranking.places(standings)
    assert {p.standing.institution: p.rank for p in places} == {r["country"]: int(r["rank"]) for r in panel}
    ties = len(panel) - len({row["index"] for row in panel})
    assert len(places) - len({place.rank for place in places}) == ties
    assert len(panel) == (192 if year == "2010" else 193)


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4_000), st.integers(1, 60))
def test_thousands_of_ties_rank_as_scipy_ranks_them(seed: int, count: int, different: int) -> None:
    hundredths = [200 + int(value) for value in np.random.default_rng(seed).integers(0, different, count + 1)]
    standings = [standing(f"{n:05d}", Decimal(value).scaleb(-2)) for n, value in enumerate(hundredths)]
    places = {p.standing.institution: p for p in ranking.places(standings)}
    expected = stats.rankdata([-value for value in hundredths], method="min")
    found = [places[f"{n:05d}"] for n in range(len(hundredths))]
    assert [place.rank for place in found] == expected.tolist()
    # Mean ranks from below, without oneself, are the percentiles.
    means = (stats.rankdata(hundredths, method="average") - 1) / (len(hundredths) - 1) * 100
    assert np.allclose([float(place.percentile or 0) for place in found], means)
    better = {value: min((v for v in hundredths if v > value), default=None) for value in set(hundredths)}
    for place, value in zip(found, hundredths, strict=True):
        above = better[value]
        assert place.to_next == (None if above is None else Decimal(above - value).scaleb(-2))


@settings(deadline=None, max_examples=20)
@given(st.lists(st.tuples(INDICES, INDICES), min_size=6, max_size=40))
def test_before_and_after_agree_with_the_paired_tests(pairs: list[tuple[Decimal, Decimal]]) -> None:
    before = [standing(str(n), old) for n, (old, _) in enumerate(pairs)]
    after = [standing(str(n), new) for n, (_, new) in enumerate(pairs)]
    answer = aggregates.before_and_after([*before, standing("gone", "2.00")], [*after, standing("new", "2.00")])
    assert answer.pairs == len(pairs)
    gains = {new - old for old, new in pairs}
    if len(gains) == 1:
        assert [w.what for w in answer.withheld] == ["tests"]
        return
    old, new = ([float(pair[at]) for pair in pairs] for at in (0, 1))
    assert float(answer.t_p_value) == pytest.approx(stats.ttest_rel(new, old).pvalue, abs=1e-4)
    assert float(answer.mean_gain) == pytest.approx(np.mean(new) - np.mean(old), abs=0.0051)


@settings(deadline=None)
@given(st.lists(INDICES, min_size=5, max_size=60), st.data())
def test_quartiles_and_weighted_means_agree_with_numpy(indices: list[Decimal], data: st.DataObject) -> None:
    standings = [standing(str(n), index) for n, index in enumerate(indices)]
    people = {str(n): data.draw(st.integers(0, 10_000_000)) for n in range(len(indices))}
    answer = pb.GetAggregateResponse()
    aggregates.complete(answer, standings, people)
    quartiles = np.percentile([float(index) for index in indices], [25, 50, 75])
    found = [float(answer.lower_quartile), float(answer.median), float(answer.upper_quartile)]
    assert found == pytest.approx(quartiles.tolist(), abs=0.0051)
    assert sum(b.count for b in answer.distribution) == len(indices)
    if any(people.values()):
        weights = [people[str(n)] for n in range(len(indices))]
        expected = np.average([float(index) for index in indices], weights=weights)
        assert float(answer.weighted_mean) == pytest.approx(expected, abs=0.0051)
        assert answer.weighted_count == sum(weight > 0 for weight in weights)


def test_node_gaps_add_up_to_the_gap_of_the_index() -> None:
    mine, best = result("a", {"1": 1, "20": 5}), result("b", {"1": 5, "30": 4}, "3.00")
    peers = [mine, best, *(result(str(n), 2) for n in range(4))]
    answer = gaps.whole_gap(mine, best, [], [gaps.Line("nation", "2025", "3.5")], SPBE, peers)
    values = SPBE.node_values(mine.values)
    assert values[0].share == 1
    leaves = [value for value in values if not value.node.children]
    assert sum(leaf.share * leaf.value for leaf in leaves) == values[0].value
    assert [node.number for node in answer.holding_back] == ["1", "30"]
    assert [(t.period, t.gap) for t in answer.targets] == [("2025", "1.50")]
    one = next(node for node in answer.nodes if node.kind == "indicator" and node.number == "1")
    assert (one.value, one.best, one.median, one.role_model) == ("1.00", "5.00", "2.00", "5.00")


def school(levels: dict[str, int], capacity: dict[str, int], indices: dict[str, str] | None = None) -> learning.School:
    results = {code: result(code, {"7": level}, (indices or {}).get(code, "2.00")) for code, level in levels.items()}
    earlier = {code: Decimal("1.50") + Decimal(at % 5) / 10 for at, code in enumerate(sorted(levels))}
    return learning.School(SPBE, results, earlier, capacity, REGIONS)


def test_a_teacher_is_ahead_receives_visitors_and_is_alike() -> None:
    codes = {"32.04": 2, "32.11": 5, "32.78": 5, "33.22": 4, "33.74": 3, "32.12": 5}
    found = learning.teachers(school(codes, {"32.11": 1, "32.78": 1, "33.22": 2, "33.74": 9}), "32.04", "7")
    assert {t.host for t in found} == {"32.11", "32.78", "33.22"}
    assert (found[0].host, found[0].same_kind, found[0].same_province) == ("32.11", True, True)
    assert [t.score for t in found] == sorted((t.score for t in found), reverse=True)
    assert "Kabupaten Sumedang is at 5 where the visitor is at 2" in found[0].reason
    with pytest.raises(Refused, match="one fault"):
        learning.teachers(school(codes, {}), "32.04", "99")


@settings(deadline=None, max_examples=25)
@given(st.data())
def test_the_plan_of_visits_is_the_best_there_is(data: st.DataObject) -> None:
    codes = data.draw(st.lists(st.sampled_from(CODES), min_size=3, max_size=14, unique=True))
    levels = {code: data.draw(st.integers(1, 5)) for code in codes}
    capacity = {code: data.draw(st.integers(0, 2)) for code in codes}
    place = school(levels, capacity)
    plan = learning.visit_plan(place, codes, "7")
    offers = {code: {t.host: t.score for t in learning.teachers(place, code, "7")} for code in codes}
    seats = [host for host in codes for _ in range(capacity[host])]
    # One row a visitor, one column a seat, and an idle column each; a visit outweighs all scores.
    weight = 1_000_000
    table = np.zeros((len(codes), len(seats) + len(codes)))
    for row, visitor in enumerate(codes):
        for column, host in enumerate(seats):
            table[row, column] = weight + offers[visitor][host] if host in offers[visitor] else 0
    rows, columns = linear_sum_assignment(table, maximize=True)
    assert len(plan.visits) * weight + plan.total_score == table[rows, columns].sum()
    assert len(plan.visits) + len(plan.unplaced) == len(codes)
    hosts = [visit.host for visit in plan.visits]
    assert all(hosts.count(host) <= capacity[host] for host in hosts)
    assert learning.visit_plan(place, codes, "7") == plan


@settings(deadline=None, max_examples=25)
@given(st.data())
def test_whose_costliest_indicator_finds_no_seat_goes_for_the_next(data: st.DataObject) -> None:
    codes = data.draw(st.lists(st.sampled_from(CODES), min_size=3, max_size=12, unique=True))
    items = ["3", "7", "20"]
    levels = {code: {item: data.draw(st.integers(1, 5)) for item in items} for code in codes}
    capacity = {code: data.draw(st.integers(0, 2)) for code in codes}
    results = {code: result(code, dict.fromkeys(map(str, range(1, 48)), 5) | levels[code]) for code in codes}
    place = learning.School(SPBE, results, {}, capacity, REGIONS)
    plan = learning.visit_plan(place, codes, "")
    shares = SPBE.shares(str(n) for n in range(1, 48))
    worth = np.zeros((len(codes), 3 * len(codes)))
    for row, visitor in enumerate(codes):
        wanted = sorted(items, key=lambda i: (-shares[i] * (5 - levels[visitor][i]), items.index(i)))
        taught = {item: {t.host: t.score for t in learning.teachers(place, visitor, item)} for item in wanted}
        wanted = [item for item in wanted if taught[item]]
        for column, host in enumerate(code for code in codes for _ in range(capacity[code])):
            item = next((item for item in wanted if host in taught[item]), None)
            if item:
                # Placed at all, then for what costs most, then alike.
                worth[row, column] = 10**9 + 10**5 * (item == wanted[0]) + taught[item][host]
    rows, columns = linear_sum_assignment(worth, maximize=True)
    indicators = {
        visit.visitor: max(
            (i for i in items if learning.teachers(place, visit.visitor, i)),
            key=lambda i: (shares[i] * (5 - levels[visit.visitor][i]), -items.index(i)),
        )
        for visit in plan.visits
    }
    first = sum(visit.indicator == indicators[visit.visitor] for visit in plan.visits)
    assert len(plan.visits) * 10**9 + first * 10**5 + plan.total_score == worth[rows, columns].sum()
    assert len({visit.visitor for visit in plan.visits}) + len(plan.unplaced) == len(codes)


def histories(count: int, years: int, step: float = 0.2) -> dict[str, list[tuple[Fraction, Decimal]]]:
    return {
        f"{n:03d}": [(Fraction(2018 + y), Decimal(f"{1.5 + n % 7 / 10 + step * y:.2f}")) for y in range(years)]
        for n in range(count)
    }


def test_steady_growth_is_projected_as_it_was() -> None:
    known = histories(6, 4)
    answer = trends.projection(known, "000", "2025", Decimal("3.5"), (Decimal(1), Decimal(5)))
    assert (answer.linear.index, answer.linear.low, answer.linear.high) == ("2.90", "2.90", "2.90")
    assert (answer.linear.growth, answer.linear.growth_needed) == ("0.20", "0.35")
    # 2.10 to 3.50 in four years.
    assert answer.compound.growth_needed == "13.62"
    assert not answer.withheld


def test_few_steps_are_not_projected() -> None:
    answer = trends.projection(histories(2, 2), "000", "2025", Decimal("3.5"), None)
    assert not answer.HasField("linear")
    assert [w.what for w in answer.withheld] == ["projection"]
    assert "2 yearly steps" in answer.withheld[0].reason
    assert trends.back_test(histories(2, 2), None).withheld[0].what == "back-test"


def test_a_history_of_one_point_has_the_widest_interval() -> None:
    known = dict(histories(8, 5))
    for at, code in enumerate(sorted(known)):
        known[code] = [(year, index + Decimal(at * int(year) % 5) / 20) for year, index in known[code]]
    known["one"] = [(Fraction(2022), Decimal("2.40"))]
    scale = (Decimal(1), Decimal(5))

    def width(code: str, period: str) -> Decimal:
        row = trends.projection(known, code, period, Decimal("3.5"), scale).linear
        return Decimal(row.high) - Decimal(row.low)

    assert width("one", "2024") > width("000", "2024") > width("000", "2023")


def test_a_back_test_knows_only_what_lay_before() -> None:
    steady = trends.back_test(histories(6, 4), None)
    assert (steady.projections, steady.mean_absolute_error, steady.largest_error) == (12, "0.00", "0.00")
    bent = histories(6, 4)
    bent = {code: [*line[:-1], (line[-1][0], line[-1][1] + 1)] for code, line in bent.items()}
    answer = trends.back_test(bent, None)
    # Half of the projections are of the year in which everybody leapt by one point.
    assert (answer.projections, answer.mean_absolute_error, answer.mean_error) == (12, "0.50", "-0.50")


def test_the_ladder_finds_what_came_first_and_names_its_events() -> None:
    good = {str(n): 4 for n in range(1, 48)}
    results = [
        result(f"{n:02d}", {**good, "21": 4 if n < 15 else 1, "8": 4 if n < 18 else 1, "30": 1 + n % 5})
        for n in range(40)
    ]
    found = ladder.ladder(results, SPBE, published=True)
    assert found == ladder.ladder(results, SPBE, published=True)
    insight = next(i for i in found.insights if i.indicator == "21")
    assert insight.text.startswith("25 of 40 are at level 1 in 21 ")
    assert "all 15 at 3 or more are there in 8 " in insight.text
    assert insight.strength.grade == ladder_pb2.GRADE_STRONG
    assert insight.options[0].first == "8"
    assert list(insight.event_ids) == [f"event-{n:02d}" for n in range(40)]
    assert {(c.indicator, c.other) for c in found.information} == {("8", "21")}
    exact = stats.spearmanr([4 if n < 15 else 1 for n in range(40)], [4 if n < 18 else 1 for n in range(40)])
    assert found.information[0].coefficient == f"{exact.statistic:.2f}"


def test_a_small_group_has_no_insights_and_says_why() -> None:
    found = ladder.ladder([result("a", 2), result("b", 3)], SPBE, published=False)
    assert len(found.data) == 2
    assert not found.insights
    assert "at least 5" in found.withheld[0].reason


def test_a_mix_of_bases_is_refused_and_named() -> None:
    mixed = [Standing("a", Decimal("2.00"), ""), Standing("b", Decimal("3.10"), "", "3.10", computed=False)]
    with pytest.raises(Refused) as raised:
        on_basis(mixed, pb.BASIS_UNSPECIFIED)
    assert raised.value.reason == "MIXED_BASIS"
    assert [s.institution for s in on_basis(mixed, pb.BASIS_COMPUTED)[0]] == ["a"]
    assert [s.institution for s in on_basis(mixed, pb.BASIS_PUBLISHED)[0]] == ["b"]


def test_an_institution_s_groups_start_with_the_nation() -> None:
    groups = Groups(REGIONS, {"cluster:x": {"32.11"}, "cohort:c": {"32.04"}})
    assert groups.of("32.11") == ["nation", "cluster:x", "kind:kabupaten", "province:32"]
    assert groups.fault("nation") is None
    assert groups.fault("cluster:y") is not None
    assert groups.members("cohort:later") == frozenset()


def test_a_series_is_never_drawn_across_instruments() -> None:
    points: list[Any] = [("spbe", "2025", standing("a", "2.59")), ("pemdi", "2026", standing("a", "1.24"))]
    answer = trends.series(points, pb.BASIS_UNSPECIFIED, {})
    expected = analysis_pb.Break(
        institution="a", from_instrument="spbe", from_period="2025", to_instrument="pemdi", to_period="2026"
    )
    assert list(answer.breaks) == [expected]


def test_a_plan_of_visits_that_had_no_time_is_said_to_be_the_best_so_far() -> None:
    codes = sorted(CODES)[:14]
    place = school({code: 1 + n % 5 for n, code in enumerate(codes)}, dict.fromkeys(codes, 1))
    plan = learning.visit_plan(place, codes, "7", patience=0)
    assert plan.best_so_far
    hosts = [visit.host for visit in plan.visits]
    assert hosts
    assert len(set(hosts)) == len(hosts)
    assert not learning.visit_plan(place, codes, "7").best_so_far
