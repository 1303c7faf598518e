"""Answers from a set, an indicator whose lowest part decides, numbers in brackets, components of both kinds."""

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from chassis.errors import Refused
from instruments.file import lint_content, load
from instruments.scoring import Gain, Scorer
from instruments.tree import Instrument, instrument_of

FILE = Path(__file__).parents[2] / "data" / "instruments" / "controls.yaml"
CONTROLS = load(FILE.read_bytes())
SCORER = Scorer(CONTROLS)


def scaled(scale: str) -> list[str]:
    text = FILE.read_text().replace("kind: set, min: 0, max: 1, values: [0, 0.25, 0.5, 1]", scale)
    return [f"{fault.place}: {fault.reason}" for fault in lint_content(text.encode())]


@pytest.mark.parametrize(
    ("scale", "fault"),
    [
        ("kind: set, min: 0, max: 1", "scale.values: are missing: a set lists at least two"),
        ("kind: set, min: 0, max: 1, values: [0, 0.5, 0.25, 1]", "scale.values[2]: 0.25 is not above 0.5"),
        ("kind: set, min: 0, max: 1, values: [0, 0.5]", "scale.values: go from 0 to 0.5, the scale from 0 to 1"),
        ("kind: set, min: 0, max: 1, values: [0, half, 1]", "scale.values[1]: 'half' is not a decimal"),
        ("kind: decimal, min: 0, max: 1, values: [0, 1]", "scale.values: are for a set"),
    ],
)
def test_a_set_of_answers_lists_every_value_in_order(scale: str, fault: str) -> None:
    [found] = scaled(scale)
    assert found.startswith(fault)


def test_a_component_of_items_may_stand_beside_one_with_a_value_of_its_own() -> None:
    text = """
id: egdi-mixed
version: 1
title: EGDI
source: UN
scale: {kind: decimal, min: 0, max: 1}
aggregation: mean_of_children
nodes:
- kind: component
  number: OSI
  name: Online services
  aggregation: mean
  children:
  - {kind: item, number: OSI-1, name: Item 1}
  - {kind: item, number: OSI-2, name: Item 2}
- {kind: component, number: TII, name: Infrastructure}
- {kind: component, number: HCI, name: Human capital}
"""
    assert lint_content(text.encode()) == []


def test_the_lowest_part_decides_and_raising_another_brings_nothing() -> None:
    values = {"AC-2(1)": "1", "AC-2(2)": "0.25", "AC-2(3)": "0.5", "AT-1": "1", "AT-2": "0.5", "HCI": "0.5"}
    one = SCORER
    assert one.check(values) == []
    given = {item: Decimal(value) for item, value in values.items()}
    result = one.score(given)
    assert result.nodes == {("control", "AC-2"): Fraction(1, 4), ("component", "TR"): Fraction(5, 8)}
    assert result.index == (Fraction(1, 4) + Fraction(5, 8) + Fraction(1, 2)) / 3
    gains = one.marginal(given)
    assert (gains["AC-2(1)"], gains["AC-2(3)"]) == (Gain(Fraction(0), Fraction(0)),) * 2
    # From 0.25 to 0.5; the top of this part would still leave the third one lowest.
    assert gains["AC-2(2)"] == Gain(Fraction(1, 12), Fraction(1, 12))
    # A step in a set goes to its next value, 0.5 to 1.
    assert gains["HCI"] == Gain(Fraction(1, 6), Fraction(1, 6))


def test_an_answer_outside_the_set_is_refused_with_the_set() -> None:
    assert SCORER.check({"HCI": "0.75", "AC-2(1)": "0.5"}) == [("HCI", "0.75 is none of 0, 0.25, 0.5, 1")]
    with pytest.raises(ValueError, match=r"HCI: 0.75 is none of"):
        SCORER.score(dict.fromkeys(SCORER.indicators, Decimal(1)) | {"HCI": Decimal("0.75")})


@pytest.mark.parametrize("shared_out", [lambda one: one.shares(SCORER.indicators), lambda one: one.items({})])
def test_where_the_lowest_part_decides_no_points_are_shared_out(shared_out: Callable[[Instrument], object]) -> None:
    with pytest.raises(Refused, match="the lowest part decides"):
        shared_out(instrument_of(CONTROLS))
