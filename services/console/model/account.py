"""How an index came about: the tree of an instrument with the value, weight and contribution of each part."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from services.console.model.numbers import decimal, two_digits

_HIGH = Decimal("0.75")
_LOW = Decimal("0.25")


@dataclass(frozen=True, slots=True)
class Detail:
    """One evaluation's outcome with the values behind it: of each indicator, and of each node (kind, number)."""

    instrument: str
    version: int
    period: str
    stage: str
    index: str
    exact: str
    predicate: str
    published: str
    difference: str
    values: Mapping[str, str]
    nodes: Mapping[tuple[str, str], str]
    awaiting: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Part:
    """A node of the tree: `weight` in percent of the index, empty where the parent takes a plain mean; `contribution`
    are index points, two digits; `depth` counts from 0."""

    kind: str
    number: str
    name: str
    value: str
    weight: str
    contribution: str
    depth: int
    awaiting: bool = False
    children: list["Part"] = field(default_factory=list)


def parts(nodes: Iterable[Any], detail: Detail, language: str, depth: int = 0) -> list[Part]:
    """The instrument's nodes as this evaluation filled them; instances of a repeatable indicator stand one by one."""
    found = []
    for node in nodes:
        name = (node.name_en if language == "en" else "") or node.name
        if node.children:
            value = detail.nodes.get((node.kind, node.number), "")
            below = parts(node.children, detail, language, depth + 1)
            found.append(
                Part(node.kind, node.number, name, value, node.weight, _share(value, node.weight), depth, False, below)
            )
            continue
        for number in _instances(node, detail.values):
            value = detail.values.get(number, "")
            weight = node.weight if number == node.number else ""
            awaiting = number in detail.awaiting
            found.append(Part(node.kind, number, name, value, weight, _share(value, weight), depth, awaiting))
    return found


def _instances(node: Any, values: Mapping[str, str]) -> Sequence[str]:
    """35, 35-2, 35-3 of a repeatable indicator."""
    more = sorted((n for n in values if n.startswith(f"{node.number}-")), key=lambda n: (len(n), n))
    return [node.number, *more] if node.repeatable else [node.number]


def _share(value: str, weight: str) -> str:
    """What it adds to the index, two digits."""
    one, percent = decimal(value), decimal(weight)
    return two_digits(one * percent / 100) if one is not None and percent is not None else ""


def leaves(tree: Iterable[Part]) -> list[Part]:
    """Every indicator, in order."""
    return [leaf for part in tree for leaf in (leaves(part.children) if part.children else [part])]


def groups(tree: Iterable[Part]) -> list[Part]:
    """Every part that holds indicators directly, and what holds those, parents first."""
    return [group for part in tree if part.children for group in (part, *groups(part.children))]


def strong(tree: Sequence[Part], low: Decimal, high: Decimal) -> list[Part]:
    """Indicators in the top quarter of the scale: 4 and 5 of 1 to 5, best first."""
    return _outer(tree, lambda value: value >= low + (high - low) * _HIGH, best=True)


def weak(tree: Sequence[Part], low: Decimal, high: Decimal) -> list[Part]:
    """Indicators in the bottom quarter: 1 and 2 of 1 to 5, lowest first."""
    return _outer(tree, lambda value: value <= low + (high - low) * _LOW, best=False)


def _outer(tree: Sequence[Part], within: Any, *, best: bool) -> list[Part]:
    valued = [(value, leaf) for leaf in leaves(tree) if (value := decimal(leaf.value)) is not None and within(value)]
    valued.sort(key=lambda entry: entry[0], reverse=best)
    return [leaf for _, leaf in valued]
