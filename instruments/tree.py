"""An instrument as everybody computes with it: its scale, and the tree of weights from what is scored up to the index.

assessment scores with it, benchmark finds gaps with it, coaching looks for the largest gains: one tree, one set of
shares, so that the three cannot differ."""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction
from functools import cached_property

from livinglab.assessment.v1 import instrument_pb2

from chassis.errors import precondition
from instruments.scale import DECIMAL_PLACES


@dataclass(frozen=True, slots=True)
class Node:
    """A group where it has children, else an indicator; the root of a tree is the index."""

    number: str
    # As the instrument calls it: domain, aspect, indicator.
    kind: str = ""
    name: str = ""
    # A whole number, in proportion to its siblings'.
    weight: int = 1
    # Where set, the value is the plain mean of everything scored below, and the weights are not used.
    mean: bool = False
    # Where set, the lowest value directly below decides.
    least: bool = False
    # Where set, another institution scores it.
    awaited: bool = False
    # Where set, it may be said not to apply.
    optional: bool = False
    children: tuple["Node", ...] = ()
    # The numbers of everything scored below, or its own.
    items: tuple[str, ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        below = tuple(item for child in self.children for item in child.items) if self.children else (self.number,)
        object.__setattr__(self, "items", below)

    def below(self) -> Iterator["Node"]:
        """This node and all under it, parents before children."""
        yield self
        for child in self.children:
            yield from child.below()

    def leaves(self) -> Iterator["Node"]:
        """What is scored, in the instrument's order."""
        return (node for node in self.below() if not node.children)


@dataclass(frozen=True, slots=True)
class Item:
    """One scored item of an evaluation: an indicator, or an instance of one (35-2). One point more of it adds `share`
    points to the index; the shares of an evaluation sum to 1."""

    code: str
    indicator: Node
    value: Decimal
    share: Fraction


@dataclass(frozen=True, slots=True)
class NodeValue:
    """What a node of one evaluation is worth: its value, and how many index points one point of it is."""

    node: Node
    share: Fraction
    value: Fraction


@dataclass(frozen=True)
class Instrument:
    """One version of an instrument. On a `binary` scale there is nothing between the bounds."""

    minimum: Decimal
    maximum: Decimal
    root: Node
    binary: bool = False
    # Of a scale that is a set: every value there is, lowest first.
    steps: tuple[Decimal, ...] = ()
    # Levels are whole numbers.
    whole: bool = False
    _plans: dict[tuple[str, ...], "list[_Weights]"] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def leaves(self) -> dict[str, Node]:
        """The indicators by number, in the instrument's order."""
        return {leaf.number: leaf for leaf in self.root.leaves()}

    @cached_property
    def lowest_decides(self) -> bool:
        """Whether a lowest value decides anywhere: then points of the index are not shared out among the items."""
        return any(node.least for node in self.root.below())

    def without(self, absent: Collection[str]) -> "Instrument":
        """The instrument for an institution to which these indicators do not apply: the weight of each is divided among
        its siblings, and a group of which nothing is left goes the same way. ValueError where nothing is left."""
        if not absent:
            return self
        root = _pruned(self.root, absent)
        if root is None:
            raise ValueError("no indicator applies")
        return replace(self, root=root, _plans={})

    @cached_property
    def _places(self) -> dict[str, int]:
        return {number: place for place, number in enumerate(self.leaves)}

    def has(self, value: Decimal) -> bool:
        """Whether the scale has this value."""
        if self.steps:
            return value in self.steps
        if self.binary:
            return value in (self.minimum, self.maximum)
        return self.minimum <= value <= self.maximum and not (self.whole and value % 1)

    def next_value(self, value: Decimal) -> Decimal:
        """One step more: a level, or what is left to the top; the top of a binary scale; the next value of a set."""
        if self.steps:
            return next((one for one in self.steps if one > value), self.maximum)
        return self.maximum if self.binary else min(value + 1, self.maximum)

    def indicators(self) -> list[Node]:
        """What is scored, in the instrument's order."""
        return list(self.leaves.values())

    def place(self, item: str) -> tuple[int, int]:
        """Where an indicator or an instance of one stands in the instrument's order; KeyError for neither."""
        number = indicator_of(item, self.leaves)
        return self._places[number], 1 if item == number else int(item.removeprefix(f"{number}-"))

    def counted(self, values: Mapping[str, Decimal]) -> dict[str, Decimal]:
        """The values in the instrument's order, with those still awaited from elsewhere at the scale's minimum."""
        full = dict.fromkeys(self.leaves, self.minimum) | dict(values)
        return {item: full[item] for item in sorted(full, key=self.place)}

    def shares(self, items: Iterable[str]) -> dict[str, Fraction]:
        """The index points that one point of each scored item is worth, instances of a repeatable indicator (35-2)
        counted each; the shares of a whole evaluation sum to 1. FAILED_PRECONDITION where a lowest value decides
        somewhere: points are not shared out among items there."""
        if self.lowest_decides:
            message = f"in {self.root.name} the lowest part decides: points of its index belong to no single indicator"
            raise precondition("LOWEST_DECIDES", message)
        indicators = {item: indicator_of(item, self.leaves) for item in items}
        shares = dict(shares_of(self.root, Counter(indicators.values())))
        return {item: shares[number] for item, number in indicators.items()}

    def items(self, values: Mapping[str, Decimal]) -> list[Item]:
        """Everything that is scored, in the instrument's order, each with its share; refused as `shares` is."""
        counted = self.counted(values)
        shares = self.shares(counted)
        return [
            Item(code, self.leaves[indicator_of(code, self.leaves)], value, shares[code])
            for code, value in counted.items()
        ]

    def node_values(self, values: Mapping[str, Decimal]) -> list[NodeValue]:
        """The exact value and share of each node of an evaluation, parents before children; refused as `shares` is."""
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
            for node, share, below, whole in plan
        ]

    def _plan(self, items: tuple[str, ...]) -> "list[_Weights]":
        """For each node its share, and the items below it with whole numbers as weights: the same for every evaluation
        that has these items."""
        shares = self.shares(items)
        common = math.lcm(*(share.denominator for share in shares.values()))
        places: dict[str, list[tuple[int, int]]] = {}
        for at, item in enumerate(items):
            places.setdefault(indicator_of(item, self.leaves), []).append((at, int(shares[item] * common)))
        found = []
        for node in self.root.below():
            below = [place for number in node.items for place in places[number]]
            whole = sum(weight for _, weight in below)
            found.append((node, Fraction(whole, common), below, whole))
        return found


def _pruned(node: Node, absent: Collection[str]) -> Node | None:
    if not node.children:
        return None if node.number in absent else node
    children = tuple(kept for child in node.children if (kept := _pruned(child, absent)) is not None)
    return replace(node, children=children) if children else None


# A node, its share of the index, the places and weights of the items below it, and the sum of these weights.
_Weights = tuple[Node, Fraction, list[tuple[int, int]], int]


def instrument_of(published: instrument_pb2.Instrument) -> Instrument:
    """A published instrument, which must be free of faults."""
    scale = published.scale
    return Instrument(
        minimum=Decimal(scale.min),
        maximum=Decimal(scale.max),
        root=Node(
            number="",
            kind="index",
            name=published.id,
            mean=published.aggregation == instrument_pb2.AGGREGATION_MEAN,
            least=published.aggregation == instrument_pb2.AGGREGATION_MIN,
            children=_nodes(published.aggregation, published.nodes),
        ),
        binary=scale.kind == instrument_pb2.SCALE_KIND_BINARY,
        steps=tuple(Decimal(text) for text in scale.values),
        whole=scale.kind == instrument_pb2.SCALE_KIND_ORDINAL,
    )


def _nodes(
    aggregation: instrument_pb2.Aggregation.ValueType, nodes: Collection[instrument_pb2.Node]
) -> tuple[Node, ...]:
    """What stands below a node of that aggregation; written weights become the smallest whole numbers."""
    weighted = aggregation == instrument_pb2.AGGREGATION_WEIGHTED_MEAN
    weights = [int(Decimal(node.weight) * 10**DECIMAL_PLACES) if weighted else 1 for node in nodes]
    common = math.gcd(*weights) or 1
    return tuple(
        Node(
            number=node.number,
            kind=node.kind,
            name=node.name,
            weight=weight // common,
            mean=node.aggregation == instrument_pb2.AGGREGATION_MEAN,
            least=node.aggregation == instrument_pb2.AGGREGATION_MIN,
            awaited=bool(node.awaited_from),
            optional=node.may_not_apply,
            children=_nodes(node.aggregation, node.children),
        )
        for node, weight in zip(nodes, weights, strict=True)
    )


def indicator_of(item: str, numbers: Collection[str]) -> str:
    """The indicator that an item scores: 35 of 35-2."""
    return item if item in numbers else item.rpartition("-")[0]


def shares_of(node: Node, counts: Mapping[str, int], share: Fraction = Fraction(1)) -> Iterator[tuple[str, Fraction]]:
    """What one point more of an item of each indicator adds to the whole, of which the node is the given share; one
    item each where `counts` does not say otherwise. Not for a tree in which a lowest value decides."""
    if not node.children:
        yield node.number, share
    elif node.mean:
        count = sum(counts.get(number, 1) for number in node.items)
        for number in node.items:
            yield number, share / count
    else:
        total = sum(
            child.weight if child.children else child.weight * counts.get(child.number, 1) for child in node.children
        )
        for child in node.children:
            yield from shares_of(child, counts, share * child.weight / total)
