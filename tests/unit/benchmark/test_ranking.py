"""Ranks, groups, gaps and means of the race, against independent computations."""

from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from livinglab.benchmark.v1 import service_pb2 as pb

from directory import official_regions
from instruments import instrument_files
from instruments.file import load
from instruments.rounding import written
from instruments.scoring import Scorer
from instruments.tree import instrument_of
from services.benchmark.model.gaps import gap, indicator_gaps
from services.benchmark.model.race import (
    Groups,
    Result,
    Standing,
    aggregate,
    is_news,
    race_faults,
    ranked,
    target_faults,
)
from services.benchmark.model.ranking import places, rows
from services.benchmark.store.projections import STAGES

REGIONS = official_regions()
GROUPS = Groups(REGIONS)
OFFICIAL = {name: load(path.read_bytes()) for name, path in instrument_files().items()}
# Few different indices and many institutions: ties everywhere.
INDICES = st.integers(300, 306).map(lambda hundredths: Decimal(hundredths).scaleb(-2))
STANDINGS = st.dictionaries(st.sampled_from(sorted(REGIONS)), INDICES, max_size=40).map(
    lambda indices: [Standing(code, index, "Baik") for code, index in indices.items()]
)


def standing(institution: str, index: str) -> Standing:
    return Standing(institution, Decimal(index), "Cukup")


def result(values: dict[str, str], index: str = "2.00", name: str = "spbe-59-2020") -> Result:
    decimals = {item: Decimal(value) for item, value in values.items()}
    return Result("32.11", name, 1, "2022", "self-assessment", "", "", 1, Decimal(index), "Cukup", decimals)


@settings(deadline=None)
@given(STANDINGS)
def test_a_rank_is_one_more_than_the_number_of_those_above(standings: list[Standing]) -> None:
    for place in places(standings):
        assert place.rank == 1 + sum(other.index > place.standing.index for other in standings)


@settings(deadline=None)
@given(STANDINGS)
def test_equals_stand_in_the_order_of_their_codes(standings: list[Standing]) -> None:
    order = [(-place.standing.index, place.standing.institution) for place in places(standings)]
    assert order == sorted(order)
    assert len(order) == len(standings)


def test_ties_share_a_rank_and_the_next_counts_all_before() -> None:
    ranked = places([standing("a", "2.10"), standing("c", "2.50"), standing("b", "2.50"), standing("d", "3.00")])
    assert [(p.rank, p.standing.institution) for p in ranked] == [(1, "d"), (2, "b"), (2, "c"), (4, "a")]


def test_movement_and_gain_are_those_since_the_earlier_period() -> None:
    earlier = places([standing("32.11", "2.00"), standing("32.04", "2.50")])
    now = places([standing("32.11", "3.00"), standing("32.04", "2.40"), standing("32.78", "2.90")])
    sumedang, tasikmalaya, bandung = rows(now, earlier, REGIONS)
    assert (sumedang.name, sumedang.rank, sumedang.movement, sumedang.gain) == ("Kabupaten Sumedang", 1, 1, "1.00")
    assert (bandung.rank, bandung.movement, bandung.gain) == (3, -2, "-0.10")
    assert not tasikmalaya.HasField("movement")
    assert tasikmalaya.gain == ""


def test_a_province_is_the_27_kabupaten_and_kota_in_it() -> None:
    everybody = [standing(code, "2.00") for code in REGIONS]
    assert len(GROUPS.within("province:32", everybody)) == 27
    assert {REGIONS[s.institution].kind for s in GROUPS.within("province:32", everybody)} == {"kabupaten", "kota"}
    counts = {kind: len(GROUPS.within(f"kind:{kind}", everybody)) for kind in ("provinsi", "kabupaten", "kota")}
    assert counts == {"provinsi": 38, "kabupaten": 416, "kota": 98}
    assert len(GROUPS.within("", everybody)) == 552


@pytest.mark.parametrize("group", ["kind:desa", "province:99", "province:32.11", "kota", "kind:"])
def test_an_unknown_group_and_stage_are_both_named(group: str) -> None:
    faults = race_faults(pb.Race(group=group, stage="guess"), GROUPS, list(STAGES.values()))
    assert [fault.field for fault in faults] == ["race.stage", "race.group"]


FACTS = st.tuples(st.booleans(), st.integers(1, 4), st.booleans())


@given(st.lists(FACTS, max_size=12))
def test_the_versions_under_which_one_result_is_told_only_grow(heard: list[tuple[bool, int, bool]]) -> None:
    stays, told = -1, [0]
    for is_import, version, is_publication in heard:
        fact = replace(
            result({"1": "2"}), imported=is_import, version=version, published="2.00" if is_publication else ""
        )
        if fact.order > stays:
            if is_news(fact.order, stays):
                told.append(ranked(fact).meta.version)
            stays = fact.order
    assert told == sorted(set(told))
    if heard:
        assert stays == max(
            replace(result({}), imported=i, version=v, published="2.00" if p else "").order for i, v, p in heard
        )


def test_a_target_has_two_digits_as_the_index_has() -> None:
    assert [fault.field for fault in target_faults(["3.0", "3.005", "3.500"])] == ["targets[1]"]


@settings(deadline=None)
@given(st.lists(INDICES, min_size=1, max_size=30), INDICES)
def test_the_mean_is_rounded_once_half_up(indices: list[Decimal], target: Decimal) -> None:
    answer = aggregate([Standing(str(i), index, "") for i, index in enumerate(indices)], [str(target)])
    exact = sum(indices) / Decimal(len(indices))
    assert answer.mean == str(exact.quantize(Decimal("0.01"), ROUND_HALF_UP))
    assert answer.count == len(indices)
    assert answer.targets[0].reached == len([index for index in indices if index >= target])


def test_nobody_has_no_mean() -> None:
    assert aggregate([], ["3.0"]) == pb.GetAggregateResponse(targets=[pb.TargetShare(target="3.0", reached=0)])


@pytest.mark.parametrize("name", OFFICIAL)
@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_what_an_indicator_costs_agrees_with_the_engine_that_scores(name: str, data: st.DataObject) -> None:
    published = OFFICIAL[name]
    scorer, instrument = Scorer(published), instrument_of(published)
    levels = st.integers(int(published.scale.min), int(published.scale.max)).map(Decimal)
    values = {code: data.draw(levels, code) for code in scorer.missing(())}
    if name == "spbe-5-2018":
        values |= {f"35-{n}": data.draw(levels) for n in range(2, data.draw(st.integers(2, 4)))}
    items = instrument.counted(values)
    shares = instrument.shares(items)
    assert sum(shares.values()) == 1
    assert sum(shares[item] * Fraction(value) for item, value in items.items()) == scorer.score(values).index
    gains = scorer.marginal(values)
    found = indicator_gaps(instrument, result({k: str(v) for k, v in values.items()}), None)
    assert {row.indicator: row.to_top for row in found} == {item: written(gain.top) for item, gain in gains.items()}
    tops = [gains[row.indicator].top for row in found]
    assert tops == sorted(tops, reverse=True)


def test_a_gap_names_the_way_to_the_role_model_and_to_each_target() -> None:
    instrument = instrument_of(OFFICIAL["spbe-59-2020"])
    mine = result({str(n): "2" for n in range(1, 48)}, "2.00")
    theirs = result({str(n): "4" if n > 1 else "1" for n in range(1, 48)}, "3.96")
    answer = gap(mine, theirs, ["3.0", "1.8"], instrument)
    assert (answer.index, answer.role_model_index, answer.role_model_gap) == ("2.00", "3.96", "1.96")
    assert [(t.target, t.gap) for t in answer.targets] == [("3.0", "1.00"), ("1.8", "0.00")]
    first = {row.indicator: row for row in answer.indicators}["1"]
    # 1.3 percent of the index: three levels to the top, and the role model is one behind.
    assert (first.value, first.role_model_value, first.to_top, first.to_role_model) == ("2", "1", "0.04", "-0.01")


def test_an_instance_that_the_role_model_does_not_have_is_not_compared() -> None:
    instrument = instrument_of(OFFICIAL["spbe-5-2018"])
    values = {str(n): "2" for n in range(1, 36)}
    answer = gap(result(values | {"35-2": "1"}), result(values), [], instrument)
    second = {row.indicator: row for row in answer.indicators}["35-2"]
    assert (second.value, second.role_model_value, second.to_role_model) == ("1", "", "")


def test_an_awaited_value_counts_at_the_minimum() -> None:
    published = OFFICIAL["pemdi-8-2026"]
    values = dict.fromkeys(Scorer(published).missing(()), "3.5")
    rows_by_code = {row.indicator: row for row in indicator_gaps(instrument_of(published), result(values), None)}
    assert len(rows_by_code) == 20
    assert {row.value for code, row in rows_by_code.items() if code not in values} == {"1"}
