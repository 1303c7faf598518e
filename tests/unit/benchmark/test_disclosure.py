"""No draft comes out of the statistics, neither alone nor by adding and subtracting those of several groups."""

from collections import Counter
from decimal import Decimal
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from livinglab.benchmark.v1 import service_pb2 as pb

from directory import official_regions
from instruments import instrument_files
from instruments.file import load
from instruments.tree import instrument_of
from services.benchmark.model import aggregates, gaps
from services.benchmark.model.disclosure import Apart, apart
from services.benchmark.model.race import SMALLEST_GROUP, Groups, Result

REGIONS = official_regions()
SPBE = instrument_of(load(instrument_files()["spbe-59-2020"].read_bytes()))
# Kabupaten and kota of three provinces, and the provinces themselves.
CODES = sorted(code for code, region in REGIONS.items() if {code, region.parent} & {"32", "33", "34"})
SETS = st.dictionaries(
    st.sampled_from(["cohort:a", "cohort:b", "cluster:x", "cluster:y", "cluster:z"]),
    st.sets(st.sampled_from(CODES), min_size=1),
)
RACES = st.sets(st.sampled_from(CODES), min_size=1)


def shown(groups: Groups, bodies: set[str]) -> dict[str, frozenset[str]]:
    """Every group whose statistics are shown, with its bodies."""
    found = {name: apart(name, groups, bodies) for name in ("", *groups.names())}
    return {name: group.inside for name, group in found.items() if not group.reason}


def result(institution: str, levels: dict[str, int]) -> Result:
    values = {str(n): Decimal(levels.get(str(n), 2)) for n in range(1, 48)}
    return Result(institution, "spbe", 1, "2022", "self-assessment", "", "", 1, Decimal("2.00"), "", values)


@settings(deadline=None, max_examples=150)
@given(SETS, RACES)
def test_no_two_groups_that_are_shown_differ_by_fewer_than_the_smallest_group(
    sets: dict[str, set[str]], bodies: set[str]
) -> None:
    for one, other in combinations(shown(Groups(REGIONS, sets), bodies).values(), 2):
        for size in (len(one - other), len(other - one), len(one & other)):
            assert size == 0 or size >= SMALLEST_GROUP


@settings(deadline=None, max_examples=60)
@given(SETS, RACES)
def test_no_sum_of_groups_that_are_shown_is_about_fewer_than_the_smallest_group(
    sets: dict[str, set[str]], bodies: set[str]
) -> None:
    order = sorted(bodies)
    groups = shown(Groups(REGIONS, sets), bodies)
    table = np.array([[float(code in inside) for code in order] for inside in groups.values()])
    if not groups:
        return
    # Whatever combination is made, bodies with equal columns weigh the same in it.
    alike = Counter(tuple(column) for column in table.T)
    assert min(alike.values()) >= SMALLEST_GROUP
    # So none of them can be solved for: a single body's unit vector is outside of what the sums span.
    rank = np.linalg.matrix_rank(table)
    for at in range(len(order)):
        alone = np.eye(len(order))[at]
        assert np.linalg.matrix_rank(np.vstack([table, alone])) == rank + 1


def test_a_cohort_that_is_the_province_without_one_is_withheld_and_says_why() -> None:
    java = [code for code in CODES if REGIONS[code].parent == "32"]
    groups = Groups(REGIONS, {"cohort:all-but-one": java[1:], "cohort:same": java, "cluster:half": java[:10]})
    assert not apart("", groups, java).reason
    assert not apart("cohort:same", groups, java).reason
    reason = apart("cohort:all-but-one", groups, java).reason
    assert reason.startswith("beside what is shown of nation, kind:kabupaten")
    assert reason.endswith("it would set 1 apart; at least 5 are needed")
    assert apart("cohort:all-but-one", groups, java, published=True) == Apart(frozenset(java[1:]))


def test_what_two_kinds_leave_over_is_not_shown_by_the_third() -> None:
    java = [code for code in CODES if REGIONS[code].parent == "32"]
    # 18 kabupaten and 9 kota of a province, and 2 provinces: the nation less both kinds would be those 2.
    bodies = [*java, "32", "33"]
    groups = Groups(REGIONS)
    kinds = {kind: apart(f"kind:{kind}", groups, bodies).reason for kind in ("kabupaten", "kota", "provinsi")}
    assert not kinds["kabupaten"]
    assert "would set 2 apart" in kinds["kota"]
    assert kinds["provinsi"].startswith("a group of 2 would show")


def profile(race: list[Result], group: Apart) -> tuple[set[str], list[str]]:
    answer = pb.GetAggregateResponse()
    aggregates.profile(answer, race, SPBE, group)
    return {node.number for node in answer.profile if node.kind == "indicator"}, [w.what for w in answer.withheld]


def test_a_profile_of_few_drafts_is_withheld_until_they_are_published() -> None:
    groups = Groups(REGIONS)
    race = [result(code, {"1": 1}) for code in CODES[:4]]
    bodies = [r.institution for r in race]
    assert profile(race, apart("", groups, bodies)) == (set(), ["profile"])
    numbers, withheld = profile(race, apart("", groups, bodies, published=True))
    assert (len(numbers), withheld) == (47, [])


@pytest.mark.parametrize("end", [1, 5])
def test_where_everybody_is_at_an_end_no_neighbour_tells_it_either(end: int) -> None:
    race = [result(code, {"3": end}) for code in CODES[:8]]
    numbers, withheld = profile(race, apart("", Groups(REGIONS), [r.institution for r in race]))
    aspect = next(n for n in SPBE.root.below() if ("indicator", "3") in {(c.kind, c.number) for c in n.children})
    hidden = {child.number for child in aspect.children}
    assert len(hidden) > 1
    assert numbers == {str(n) for n in range(1, 48)} - hidden
    assert withheld == [f"profile below {aspect.kind} {aspect.number}"]


def test_a_group_does_not_tell_that_all_others_are_at_an_end() -> None:
    codes = [code for code in CODES if REGIONS[code].kind == "kabupaten"][:20]
    race = [result(code, {"3": 1 if at < 10 else 1 + at % 5}) for at, code in enumerate(codes)]
    groups = Groups(REGIONS, {"cohort:upper": codes[10:]})
    assert "3" in profile(race, apart("", groups, codes))[0]
    # Of the ten who are left the nation less the cohort would say that each is at 1.
    assert "3" not in profile(race, apart("cohort:upper", groups, codes))[0]


@settings(deadline=None, max_examples=30)
@given(st.lists(st.lists(st.integers(1, 5), min_size=47, max_size=47), min_size=5, max_size=12))
def test_the_means_of_a_profile_are_those_of_exact_arithmetic(levels: list[list[int]]) -> None:
    race = [result(CODES[at], {str(n + 1): level for n, level in enumerate(row)}) for at, row in enumerate(levels)]
    answer = pb.GetAggregateResponse()
    bodies = [r.institution for r in race]
    aggregates.profile(answer, race, SPBE, apart("", Groups(REGIONS), bodies, published=True))
    for node in answer.profile:
        if node.kind == "indicator":
            column = [row[int(node.number) - 1] for row in levels]
            assert float(node.mean) == pytest.approx(np.mean(column), abs=0.00501)


LEVELS = st.lists(st.lists(st.integers(1, 5), min_size=47, max_size=47), min_size=6, max_size=9)


@settings(deadline=None, max_examples=30)
@given(LEVELS, LEVELS, st.integers(1, 6))
def test_who_may_not_see_drafts_is_shown_the_same_whatever_they_hold_and_whenever_they_came(
    levels: list[list[int]], others: list[list[int]], arrived: int
) -> None:
    mine = result(CODES[0], {str(n): 1 + n % 5 for n in range(1, 48)})

    def shown_of(rows: list[list[int]]) -> bytes:
        race = [
            mine,
            *(result(CODES[1 + at], {str(n + 1): v for n, v in enumerate(row)}) for at, row in enumerate(rows)),
        ]
        group = apart("", Groups(REGIONS), [r.institution for r in race], drafts=False)
        answer = pb.GetAggregateResponse()
        aggregates.profile(answer, race, SPBE, group)
        assert not answer.profile
        gap = gaps.whole_gap(mine, None, [], [], SPBE, race, group.reason)
        assert len(gap.holding_back) == 3
        return bytes(answer.SerializeToString(deterministic=True) + gap.SerializeToString(deterministic=True))

    # Before and after more results, and with other values in them: nothing can be subtracted.
    assert shown_of(levels) == shown_of(levels[:arrived]) == shown_of(others)


def test_what_holds_back_most_is_counted_to_the_top_of_the_scale_where_the_best_is_withheld() -> None:
    mine = result(CODES[0], {str(n): 5 for n in range(1, 48)} | {"7": 1, "20": 3})
    gap = gaps.whole_gap(mine, None, [], [], SPBE, [mine], "withheld")
    assert {node.number for node in gap.holding_back} == {"7", "20"}
    assert gap.holding_back[0].number == "7"


def test_a_role_model_of_which_only_the_index_is_known_is_not_taken_for_one_at_the_bottom() -> None:
    mine = result("32.04", {})
    model = Result("32.11", "spbe", 1, "2022", "publication", "", "", 1, Decimal("3.84"), "", {})
    answer = gaps.whole_gap(mine, model, [], [], SPBE, [])
    assert answer.role_model_index == "3.84"
    assert not any(row.role_model_value for row in answer.indicators)
