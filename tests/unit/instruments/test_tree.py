"""One tree of weights and one set of shares, whoever computes with an instrument."""

import ast
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from instruments import instrument_files
from instruments.file import load
from instruments.scoring import Scorer
from instruments.tree import Node, instrument_of, shares_of

ROOT = Path(__file__).resolve().parents[3]
OFFICIAL = {name: load(path.read_bytes()) for name, path in instrument_files().items()}
CODE = ("bench", "chassis", "cli", "directory", "instruments", "programs", "services", "stack")


@pytest.mark.parametrize("name", OFFICIAL)
def test_the_shares_add_up_to_the_index_that_is_scored(name: str) -> None:
    tree, scorer = instrument_of(OFFICIAL[name]), Scorer(OFFICIAL[name])
    codes = scorer.missing(())
    values = {code: tree.minimum + n % 2 for n, code in enumerate(codes)}
    items = tree.items(values)
    assert sum(item.share for item in items) == 1
    assert sum(item.share * Fraction(item.value) for item in items) == scorer.score(values).index
    assert tree.node_values(values)[0].value == scorer.score(values).index


def test_instances_of_an_indicator_share_what_it_has_and_weigh_more_together() -> None:
    half, rest = Node("1", weight=1), Node("2", weight=3)
    shares = dict(shares_of(Node("", children=(half, rest)), {"1": 2}))
    assert shares == {"1": Fraction(1, 5), "2": Fraction(3, 5)}


def test_what_is_awaited_counts_at_the_minimum_and_is_known_as_such() -> None:
    tree = instrument_of(OFFICIAL["pemdi-8-2026"])
    awaited = [node.number for node in tree.indicators() if node.awaited]
    counted = tree.counted({})
    assert awaited
    assert set(map(counted.__getitem__, awaited)) == {tree.minimum}
    assert tree.next_value(Decimal(2)) == 3


def test_nobody_else_shares_out_an_index() -> None:
    """What stood twice, in benchmark and in coaching, stands in the tree alone."""
    found = [
        str(path.relative_to(ROOT))
        for top in CODE
        for path in (ROOT / top).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and "shares_of" in node.name
    ]
    assert found == ["instruments/tree.py"]
