"""What benchmark keeps of an instrument: its scale, and how much each indicator counts in the index."""

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from math import lcm

from chassis.errors import precondition


@dataclass(frozen=True, slots=True)
class Node:
    """A group where it has children, else an indicator. `weight` is in proportion to its siblings'; where `mean`,
    everything scored below counts the same."""

    number: str
    weight: Fraction
    mean: bool
    children: tuple["Node", ...]
    # As the instrument calls it: domain, aspect, indicator.
    kind: str = ""
    name: str = ""
    # The lowest value directly below decides.
    least: bool = False

    def below(self) -> Iterator["Node"]:
        """This node and all under it, parents before children."""
        yield self
        for child in self.children:
            yield from child.below()


@dataclass(frozen=True, slots=True)
class Instrument:
    """One version of an instrument; the root is the index."""

    minimum: Decimal
    maximum: Decimal
    root: Node
    _plans: dict[tuple[str, ...], "list[_Weights]"] = field(default_factory=dict, compare=False, repr=False)

    def counted(self, values: Mapping[str, Decimal]) -> dict[str, Decimal]:
        """The values in the instrument's order, with those still awaited from elsewhere at the scale's minimum."""
        numbers = [leaf.number for leaf in _leaves(self.root)]
        position = {number: place for place, number in enumerate(numbers)}
        full = dict.fromkeys(numbers, self.minimum) | dict(values)

        def order(item: str) -> tuple[int, int]:
            number = _number(item, position)
            return position[number], 1 if item == number else int(item.removeprefix(number + "-"))

        return {item: full[item] for item in sorted(full, key=order)}

    def shares(self, items: Iterable[str]) -> dict[str, Fraction]:
        """The index points that one point of each scored item is worth, instances of a repeatable indicator (35-2)
        counted each; the shares of a whole evaluation sum to 1. FAILED_PRECONDITION where a lowest value decides
        somewhere: points are not shared out among items there."""
        if any(node.least for node in self.root.below()):
            message = f"in {self.root.name} the lowest part decides: points of its index belong to no single indicator"
            raise precondition("LOWEST_DECIDES", message)
        items = list(items)
        numbers = {leaf.number for leaf in _leaves(self.root)}
        counts = Counter(_number(item, numbers) for item in items)
        shares = dict(_shares(self.root, Fraction(1), counts))
        return {item: shares[_number(item, numbers)] for item in items}

    def indicators(self) -> list[Node]:
        """What is scored, in the instrument's order."""
        return list(_leaves(self.root))

    def node_values(self, values: Mapping[str, Decimal]) -> list["NodeValue"]:
        """The exact value and share of each node of an evaluation, parents before children."""
        counted = self.counted(values)
        items = tuple(counted)
        plan = self._plans.get(items)
        if plan is None:
            plan = self._plans[items] = self._plan(items)
        digits = max((-int(value.as_tuple().exponent) for value in counted.values()), default=0)
        scaled = [int(value.scaleb(digits)) for value in counted.values()]
        unit = 10**digits
        return [
            NodeValue(node, share, Fraction(sum(weight * scaled[at] for at, weight in below), whole * unit))
            if whole
            else NodeValue(node, share, Fraction(self.minimum))
            for node, share, below, whole in plan
        ]

    def _plan(self, items: tuple[str, ...]) -> "list[_Weights]":
        """For each node its share, and the items below it with whole numbers as weights: the same for every evaluation
        that has these items."""
        shares = self.shares(items)
        common = lcm(*(share.denominator for share in shares.values()))
        numbers = {leaf.number for leaf in _leaves(self.root)}
        places: dict[str, list[tuple[int, int]]] = {}
        for at, item in enumerate(items):
            places.setdefault(_number(item, numbers), []).append((at, int(shares[item] * common)))
        found = []
        for node in self.root.below():
            below = [place for leaf in _leaves(node) for place in places.get(leaf.number, ())]
            whole = sum(weight for _, weight in below)
            found.append((node, Fraction(whole, common), below, whole))
        return found


# A node, its share of the index, the places and weights of the items below it, and the sum of these weights.
_Weights = tuple[Node, Fraction, list[tuple[int, int]], int]


@dataclass(frozen=True, slots=True)
class NodeValue:
    """What a node of one evaluation is worth: its value, and how many index points one point of it is."""

    node: Node
    share: Fraction
    value: Fraction


def mean(values: Iterable[Fraction]) -> Fraction:
    """Exact; what has the same denominator is added up as whole numbers. ValueError without any."""
    totals: dict[int, int] = {}
    count = 0
    for value in values:
        totals[value.denominator] = totals.get(value.denominator, 0) + value.numerator
        count += 1
    if not count:
        raise ValueError("nothing has no mean")
    return sum((Fraction(total, denominator) for denominator, total in totals.items()), Fraction(0)) / count


def _leaves(node: Node) -> Iterator[Node]:
    if not node.children:
        yield node
    for child in node.children:
        yield from _leaves(child)


def _number(item: str, numbers: Container[str]) -> str:
    """The indicator that an item scores: 35 of 35-2."""
    return item if item in numbers else item.rpartition("-")[0]


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
