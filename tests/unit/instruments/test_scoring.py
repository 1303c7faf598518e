"""Scoring is exact: a published evaluation to the last digit, and an independent computation on random ones."""

import json
import random
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from livinglab.assessment.v1 import instrument_pb2 as pb

from instruments import instrument_files
from instruments.file import load
from instruments.lint import leaves
from instruments.rounding import rounded, written
from instruments.scoring import Gain, Scorer
from instruments.tree import instrument_of

DATA = Path(__file__).parents[2] / "data"
ADDITIVE = [*instrument_files(), "four-components", "five-criteria", "five-levels"]
INSTRUMENTS = [*ADDITIVE, "controls"]
Values = dict[str, Decimal]


@cache
def instrument(name: str) -> pb.Instrument:
    official = instrument_files().get(name)
    return load(official.read_bytes() if official else (DATA / "instruments" / f"{name}.yaml").read_bytes())


@cache
def scorer(name: str) -> Scorer:
    return Scorer(instrument(name))


def denpasar() -> Any:
    return json.loads((DATA / "published_denpasar_2018.json").read_text("utf-8"))


def decimals(levels: dict[str, int]) -> Values:
    return {item: Decimal(level) for item, level in levels.items()}


def all_at(name: str, level: str) -> Values:
    return dict.fromkeys(scorer(name).indicators, Decimal(level))


# The same computation once more, straight from the contract's words, in fractions.


def scored_below(nodes: list[pb.Node], values: Values) -> Iterator[tuple[pb.Node, Fraction]]:
    for leaf in leaves(nodes):
        instances = [value for item, value in values.items() if item.rpartition("-")[0] == leaf.number]
        first = values.get(leaf.number)
        yield leaf, Fraction(1) if first is None else Fraction(first)
        for value in instances:
            yield leaf, Fraction(value)


def aggregated(aggregation: pb.Aggregation.ValueType, nodes: list[pb.Node], values: Values) -> Fraction:
    if aggregation == pb.AGGREGATION_MEAN:
        found = [value for _, value in scored_below(nodes, values)]
        return sum(found, Fraction(0)) / len(found)
    if aggregation == pb.AGGREGATION_MIN:
        below = [aggregated(node.aggregation, list(node.children), values) for node in nodes if node.children]
        scored = [[value for _, value in scored_below([node], values)] for node in nodes if not node.children]
        return min([*below, *(sum(one, Fraction(0)) / len(one) for one in scored)])
    weighted = []
    for node in nodes:
        weight = Fraction(node.weight) if aggregation == pb.AGGREGATION_WEIGHTED_MEAN else Fraction(1)
        if node.children:
            weighted.append((weight, aggregated(node.aggregation, list(node.children), values)))
        else:
            weighted += [(weight, value) for _, value in scored_below([node], values)]
    return sum((weight * value for weight, value in weighted), Fraction(0)) / sum(weight for weight, _ in weighted)


def groups(nodes: list[pb.Node]) -> Iterator[pb.Node]:
    for node in nodes:
        if node.children:
            yield node
            yield from groups(list(node.children))


@st.composite
def evaluations(draw: st.DrawFn, name: str) -> Values:
    """Every indicator valued, some awaited ones left out, some repeatable ones several times."""
    scale, found = instrument(name).scale, list(leaves(list(instrument(name).nodes)))
    low, high = int(scale.min), int(scale.max)
    digits = 2 if scale.kind == pb.SCALE_KIND_DECIMAL else 0
    several = 4 * sum(node.repeatable for node in found)
    numbers = st.integers(low * 10**digits, high * 10**digits)
    drawn = iter(draw(st.lists(numbers, min_size=len(found) + several, max_size=len(found) + several)))
    values = {}
    for node in found:
        if node.awaited_from and draw(st.booleans()):
            continue
        values[node.number] = Decimal(next(drawn)).scaleb(-digits)
        if scale.values:
            values[node.number] = Decimal(draw(st.sampled_from(list(scale.values))))
        for n in range(draw(st.integers(0, 4)) if node.repeatable else 0):
            values[f"{node.number}-{n + 2}"] = Decimal(next(drawn)).scaleb(-digits)
    return values


def test_the_published_evaluation_of_denpasar_comes_out_to_every_digit() -> None:
    case = denpasar()
    result = scorer("spbe-5-2018").score(decimals(case["external"]))
    by_kind: dict[str, dict[str, str]] = {"aspect": {}, "domain": {}}
    for (kind, number), value in result.nodes.items():
        by_kind[kind][number] = written(value)
    assert by_kind == {"aspect": case["published"]["aspects"], "domain": case["published"]["domains"]}
    assert written(result.index) == case["published"]["index"]
    assert result.awaiting == ()


def test_the_self_assessment_of_denpasar_comes_to_its_recomputed_index() -> None:
    case = denpasar()
    assert written(scorer("spbe-5-2018").score(decimals(case["self"])).index) == case["self_index_recomputed"]


def test_each_instance_of_a_repeatable_indicator_counts_in_its_aspect() -> None:
    values = all_at("spbe-5-2018", "0") | decimals({"35": 1, "35-2": 3, "35-3": 5})
    assert scorer("spbe-5-2018").score(values).nodes["aspect", "7"] == Fraction(9, 6)


def test_instances_in_a_weighted_mean_each_carry_the_weight_of_the_indicator() -> None:
    weighted = pb.Instrument()
    weighted.CopyFrom(instrument("spbe-59-2020"))
    weighted.nodes[0].children[0].children[0].repeatable = True
    values = all_at("spbe-59-2020", "1") | {"1": Decimal(5), "1-2": Decimal(5)}
    assert Scorer(weighted).score(values).nodes["aspect", "1"] == Fraction(2 * 5 + 9, 11)


@pytest.mark.parametrize("name", INSTRUMENTS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_scores_equal_a_second_computation_in_fractions(name: str, data: st.DataObject) -> None:
    values = data.draw(evaluations(name))
    one = instrument(name)
    result = scorer(name).score(values)
    assert result.index == aggregated(one.aggregation, list(one.nodes), values)
    assert result.nodes == {
        (node.kind, node.number): aggregated(node.aggregation, list(node.children), values)
        for node in groups(list(one.nodes))
    }


def random_values(name: str, chance: random.Random) -> Values:
    scale, values = instrument(name).scale, {}
    digits = 2 if scale.kind == pb.SCALE_KIND_DECIMAL else 0
    for node in leaves(list(instrument(name).nodes)):
        several = chance.randrange(4) if node.repeatable else 0
        if node.awaited_from and chance.random() < 0.5:
            continue
        for item in (node.number, *(f"{node.number}-{n + 2}" for n in range(several))):
            drawn = chance.randint(int(scale.min) * 10**digits, int(scale.max) * 10**digits)
            values[item] = Decimal(chance.choice(scale.values)) if scale.values else Decimal(drawn).scaleb(-digits)
    return values


@pytest.mark.parametrize("name", INSTRUMENTS)
def test_the_index_of_thousands_of_evaluations_equals_that_computation(name: str) -> None:
    chance, one = random.Random(name), instrument(name)
    for _ in range(2000):
        values = random_values(name, chance)
        assert scorer(name).score(values).index == aggregated(one.aggregation, list(one.nodes), values), values


def test_a_mean_of_children_counts_each_group_as_one_however_many_items_are_below() -> None:
    values = decimals({"1": 1, "2": 2, "2-2": 4, "3": 4, "4": 3, "5": 0, "6": 4, "7": 2, "8": 3, "9": 4})
    result = scorer("five-levels").score(values)
    # T1 = 11/4, A1 = (70 * 11/4 + 30 * 3) / 100, F1 = (A1 + 0) / 2, P1 = (20 * F1 + 40 * 4) / 60, P2 = (5/2 + 4) / 2
    assert result.nodes["topic", "T1"] == Fraction(11, 4)
    assert result.nodes["aspect", "A1"] == Fraction(2825, 1000)
    assert result.nodes["field", "F1"] == Fraction(14125, 10000)
    assert result.nodes["pillar", "P2"] == Fraction(13, 4)
    assert result.index == Fraction(60, 100) * (20 * Fraction(14125, 10000) + 160) / 60 + Fraction(40, 100) * Fraction(
        13, 4
    )


@pytest.mark.parametrize("name", ADDITIVE)
def test_the_race_weighs_each_indicator_as_the_index_does(name: str) -> None:
    one = instrument(name)
    shares = instrument_of(one).shares(scorer(name).indicators)
    span = Fraction(one.scale.max) - Fraction(one.scale.min)
    gains = scorer(name).marginal(all_at(name, one.scale.min))
    assert {item: share * span for item, share in shares.items()} == {item: gain.top for item, gain in gains.items()}


@pytest.mark.parametrize("name", INSTRUMENTS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_an_index_stays_within_the_scale_and_rises_by_what_marginal_says(name: str, data: st.DataObject) -> None:
    values, one = data.draw(evaluations(name)), scorer(name)
    scale = instrument(name).scale
    before, gains = one.score(values), one.marginal(values)
    assert Fraction(scale.min) <= before.index <= Fraction(scale.max)
    item = data.draw(st.sampled_from(sorted(gains)))
    top, value = Decimal(scale.max), before.items[item]
    step = one.next_step(value) - value
    assert one.score(dict(before.items) | {item: value + step}).index - before.index == gains[item].step
    assert one.score(dict(before.items) | {item: top}).index - before.index == gains[item].top
    assert gains[item].top >= gains[item].step >= 0


def test_gains_are_index_points_by_the_weight_of_the_indicator() -> None:
    gains = scorer("spbe-59-2020").marginal(all_at("spbe-59-2020", "3") | {"1": Decimal(5)})
    assert gains["42"] == Gain(step=Fraction(3, 100), top=Fraction(6, 100))
    assert gains["1"] == Gain(step=Fraction(0), top=Fraction(0))


def test_the_gain_of_an_instance_is_shared_among_the_items_of_its_aspect() -> None:
    values = all_at("spbe-5-2018", "2") | {"35-2": Decimal(2)}
    assert scorer("spbe-5-2018").marginal(values)["35-2"].step == Fraction(20, 100) / 5


@pytest.mark.parametrize(
    ("value", "digits", "shown"),
    [
        (Fraction(2595, 1000), 2, "2.60"),
        (Fraction(259499999, 100000000), 2, "2.59"),
        (Fraction(1, 3), 2, "0.33"),
        (Fraction(5, 1000), 2, "0.01"),
        (Fraction(-5, 1000), 2, "-0.01"),
        (Fraction(0), 12, "0.000000000000"),
        (Fraction(2, 3), 12, "0.666666666667"),
        (Fraction(5), 2, "5.00"),
    ],
)
def test_rounding_is_half_up_and_keeps_its_digits(value: Fraction, digits: int, shown: str) -> None:
    assert written(value, digits) == shown
    assert rounded(value, digits) == Decimal(shown)


def test_the_predicate_is_that_of_the_unrounded_index() -> None:
    threes = [*range(42, 48), *range(32, 42), *range(11, 16), 21]
    values = all_at("spbe-59-2020", "2") | decimals({str(n): 3 for n in threes})
    result = scorer("spbe-59-2020").score(values)
    assert result.index == Fraction(2595, 1000)
    assert (written(result.index), result.predicate) == ("2.60", "Cukup")


@pytest.mark.parametrize(
    ("name", "index", "predicate"),
    [
        ("spbe-59-2020", "1", "Kurang"),
        ("spbe-59-2020", "1.8", "Cukup"),
        ("spbe-59-2020", "3.4999", "Baik"),
        ("spbe-59-2020", "4.2", "Memuaskan"),
        ("pemdi-8-2026", "1.24", "Kurang"),
        ("pemdi-8-2026", "4", "Memuaskan"),
        ("four-components", "0.75", "A"),
        ("five-criteria", "0", "Low"),
    ],
)
def test_a_predicate_begins_at_its_bound(name: str, index: str, predicate: str) -> None:
    assert scorer(name).predicate(Decimal(index)) == predicate


def test_an_awaited_indicator_counts_at_the_minimum_and_is_listed() -> None:
    values = all_at("pemdi-8-2026", "5")
    for awaited in ("6", "18"):
        del values[awaited]
    result = scorer("pemdi-8-2026").score(values)
    assert result.awaiting == ("6", "18")
    assert result.index == 5 - Fraction(4 * (3 + 3), 100)
    assert result.items["6"] == 1
    assert scorer("pemdi-8-2026").missing(values) == []


def test_a_missing_indicator_is_named_and_refused() -> None:
    values = all_at("spbe-5-2018", "2")
    del values["7"], values["35"]
    values["35-2"] = Decimal(2)
    assert scorer("spbe-5-2018").missing(values) == ["7", "35"]
    with pytest.raises(ValueError, match="no value for 7, 35"):
        scorer("spbe-5-2018").score(values)


@pytest.mark.parametrize(
    ("name", "item", "value", "reason"),
    [
        ("spbe-59-2020", "48", "3", "is no indicator"),
        ("spbe-59-2020", "35-2", "3", "scored once only"),
        ("spbe-5-2018", "35-1", "3", "the first instance"),
        ("spbe-5-2018", "35-02", "3", "is no indicator"),
        ("spbe-59-2020", "3", "three", "not a decimal number"),
        ("spbe-59-2020", "3", "NaN", "not a decimal number"),
        ("spbe-59-2020", "3", "1E+999999999", "not a decimal number"),
        ("spbe-59-2020", "3", "6", "outside the scale, 1 to 5"),
        ("spbe-59-2020", "3", "0", "outside the scale, 1 to 5"),
        ("spbe-59-2020", "3", "2.5", "not a whole level"),
        ("five-criteria", "86", "0.5", "neither 0 nor 1"),
        ("pemdi-8-2026", "20", "5.01", "outside the scale"),
    ],
)
def test_a_value_that_does_not_fit_is_named_with_its_reason(name: str, item: str, value: str, reason: str) -> None:
    [(found, why)] = scorer(name).check({item: value, "2": "1"} if name != "four-components" else {item: value})
    assert found == item
    assert reason in why


def test_values_that_fit_have_nothing_wrong() -> None:
    assert scorer("spbe-5-2018").check({"1": "0", "35": "5", "35-2": "3.0", "35-3": "1"}) == []
    assert scorer("pemdi-8-2026").check({"1": "1.26"}) == []


@pytest.mark.parametrize("wrong", ["2.5", "6", "2.00000000000000000000000000000000001"])
def test_scoring_refuses_what_check_would_have_named(wrong: str) -> None:
    with pytest.raises(ValueError, match="3: "):
        scorer("spbe-59-2020").score(all_at("spbe-59-2020", "2") | {"3": Decimal(wrong)})


def test_scoring_refuses_an_unknown_indicator() -> None:
    with pytest.raises(ValueError, match="48: is no indicator"):
        scorer("spbe-59-2020").score(all_at("spbe-59-2020", "2") | {"48": Decimal(2)})


def test_a_faulty_instrument_scores_nothing() -> None:
    faulty = pb.Instrument()
    faulty.CopyFrom(instrument("spbe-59-2020"))
    faulty.nodes[0].weight = "12"
    with pytest.raises(ValueError, match="sum to 99"):
        Scorer(faulty)


def test_the_message_of_a_score_has_what_the_contract_promises() -> None:
    score = scorer("spbe-5-2018").score(decimals(denpasar()["external"])).message()
    assert (score.index, score.index_exact, score.predicate) == ("2.64", "2.640000000000", "Baik")
    assert [(node.kind, node.number, node.value) for node in score.nodes][:2] == [
        ("domain", "1", "2.06"),
        ("aspect", "1", "2.00"),
    ]


def test_four_equal_components_take_a_letter() -> None:
    values = {"I": Decimal("0.9"), "II": Decimal("0.8"), "III": Decimal("0.7"), "IV": Decimal("0.65")}
    result = scorer("four-components").score(values)
    assert (result.index, result.predicate) == (Fraction(305, 400), "A")


def test_a_checklist_counts_every_item_the_same() -> None:
    values = all_at("five-criteria", "0") | {str(n): Decimal(1) for n in range(1, 44)}
    result = scorer("five-criteria").score(values)
    assert result.index == Fraction(43, 86)
    assert result.nodes["criterion", "1"] == 1
    assert result.nodes["criterion", "5"] == 0


def test_the_weight_of_what_does_not_apply_leaves_the_denominator_of_its_aspect() -> None:
    """Aspect 1 of 2020 has ten indicators of one weight: with one left out, its value is the mean of nine, and its own
    weight in the index stays."""
    whole = scorer("spbe-59-2020")
    values = all_at("spbe-59-2020", "3") | {"1": Decimal(1)}
    part = whole.without({"1"})
    left = {item: value for item, value in values.items() if item != "1"}
    assert part.score(left).index == 3
    assert part.score(left).nodes["aspect", "1"] == 3
    assert sum(gain.top for gain in part.marginal(left).values()) == 2
    assert part.missing({}) == [code for code in whole.missing({}) if code != "1"]
    below = {child.number for child in instrument("spbe-59-2020").nodes[0].children[0].children}
    emptied = whole.without(below)
    assert ("aspect", "1") not in emptied.score({i: v for i, v in left.items() if i not in below}).nodes
    with pytest.raises(ValueError, match="no indicator applies"):
        whole.without(set(whole.indicators))
    assert whole.score(values).index < 3
