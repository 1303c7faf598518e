"""What coaching keeps of an instrument: its scale, its indicators, and how much each counts in the index."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cached_property

from chassis.errors import precondition


@dataclass(frozen=True, slots=True)
class Node:
    """A group where it has children, else an indicator. `weight` is in proportion to its siblings'; where `mean`,
    everything scored below counts the same. An `awaited` value is another institution's to change."""

    number: str
    name: str
    weight: Fraction
    mean: bool
    awaited: bool
    children: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Item:
    """One scored item of an evaluation: an indicator, or an instance of one (35-2). One point more of it adds `share`
    points to the index; the shares of an evaluation sum to 1."""

    code: str
    indicator: Node
    value: Decimal
    share: Fraction


@dataclass(frozen=True)
class Instrument:
    """One version of an instrument; the root is the index. On a `binary` scale there is nothing between the bounds."""

    minimum: Decimal
    maximum: Decimal
    binary: bool
    root: Node
    # Of a scale that is a set: every value there is, lowest first.
    steps: tuple[Decimal, ...] = ()
    # Somewhere the lowest value below decides.
    lowest_decides: bool = False
    # Levels are whole ones.
    whole: bool = False

    def next_value(self, value: Decimal) -> Decimal:
        """One step more: a level, or what is left to the top; the top of a binary scale; the next value of a set."""
        if self.steps:
            return next((one for one in self.steps if one > value), self.maximum)
        return self.maximum if self.binary else min(value + 1, self.maximum)

    def has(self, value: Decimal) -> bool:
        """Whether the scale has this value."""
        if self.steps:
            return value in self.steps
        if self.binary:
            return value in (self.minimum, self.maximum)
        return self.minimum <= value <= self.maximum and not (self.whole and value % 1)

    def items(self, values: Mapping[str, Decimal]) -> list[Item]:
        """Everything that is scored, in the instrument's order; what is still awaited counts at the minimum.
        FAILED_PRECONDITION where a lowest value decides: points are not shared out among items there."""
        if self.lowest_decides:
            raise precondition("LOWEST_DECIDES", "the lowest part decides here: no plan by gains can be drafted")
        full = dict.fromkeys(self._indicators, self.minimum) | dict(values)
        counts = Counter(self._number(code) for code in full)
        shares = dict(_shares(self.root, Fraction(1), counts))
        return [
            Item(code, self._indicators[number], full[code], shares[number])
            for code in sorted(full, key=self._order)
            for number in (self._number(code),)
        ]

    @cached_property
    def _indicators(self) -> dict[str, Node]:
        return {leaf.number: leaf for leaf in _leaves(self.root)}

    @cached_property
    def _places(self) -> dict[str, int]:
        return {number: place for place, number in enumerate(self._indicators)}

    def _number(self, code: str) -> str:
        return code if code in self._indicators else code.rpartition("-")[0]

    def _order(self, code: str) -> tuple[int, int]:
        number = self._number(code)
        return self._places[number], 1 if code == number else int(code.removeprefix(f"{number}-"))


def _leaves(node: Node) -> Iterator[Node]:
    if not node.children:
        yield node
    for child in node.children:
        yield from _leaves(child)


def _shares(node: Node, share: Fraction, counts: Mapping[str, int]) -> Iterator[tuple[str, Fraction]]:
    """The share of each item below a node that has the given share itself."""
    if not node.children:
        yield node.number, share
    elif node.mean:
        leaves = list(_leaves(node))
        total = sum(counts[leaf.number] for leaf in leaves)
        for leaf in leaves:
            yield leaf.number, share / total
    else:
        times = [1 if child.children else counts[child.number] for child in node.children]
        whole = sum(child.weight * n for child, n in zip(node.children, times, strict=True))
        for child in node.children:
            yield from _shares(child, share * child.weight / whole, counts)
