"""Exact scoring: from the values of an instrument's indicators to its index, and what each step more would bring."""

import copy
from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from livinglab.assessment.v1 import evaluation_pb2, instrument_pb2

from instruments.aggregation import Tally, keys_of, value_of
from instruments.lint import INSTANCE, leaves, lint
from instruments.rounding import written
from instruments.scale import DECIMAL_PLACES, decimal, unreadable
from instruments.tree import instrument_of, shares_of

_MILLIONTHS = 10**DECIMAL_PLACES


@dataclass(frozen=True, slots=True)
class Result:
    """What a full set of values comes to; everything exact, to be rounded where it is shown."""

    index: Fraction
    # Of the exact index: see Scorer.predicate.
    predicate: str
    # Each group's value by its kind and number, in the instrument's order: ("aspect", "1").
    nodes: Mapping[tuple[str, str], Fraction]
    # What was counted for each indicator and instance, awaited ones at the scale's minimum.
    items: Mapping[str, Decimal]
    awaiting: tuple[str, ...]

    def message(self) -> evaluation_pb2.Score:
        """As the contract has it: two-digit strings, and the index to 12 digits."""
        return evaluation_pb2.Score(
            index=written(self.index),
            index_exact=written(self.index, 12),
            predicate=self.predicate,
            nodes=[
                evaluation_pb2.NodeScore(kind=kind, number=number, value=written(value))
                for (kind, number), value in self.nodes.items()
            ],
            awaiting=self.awaiting,
        )


@dataclass(frozen=True, slots=True)
class Gain:
    """Points of the index that an indicator would bring: by one level more, and at the top of the scale."""

    step: Fraction
    top: Fraction


class Scorer:
    """An instrument made ready to score many evaluations; it keeps nothing of any of them."""

    def __init__(self, instrument: instrument_pb2.Instrument) -> None:
        """Raises ValueError where the instrument has faults."""
        faults = lint(instrument)
        if faults:
            raise ValueError(f"instrument {instrument.id}: " + "; ".join(map(str, faults)))
        nodes = list(instrument.nodes)
        self._leaves = {node.number: node for node in leaves(nodes)}
        self._awaited = [code for code, node in self._leaves.items() if node.awaited_from]
        self._tree = instrument_of(instrument)
        self._root = self._tree.root
        self._order = tuple(keys_of(self._root))
        self._min, self._max = self._tree.minimum, self._tree.maximum
        self._kind = instrument.scale.kind
        self._unit = 1 if self._kind == instrument_pb2.SCALE_KIND_ORDINAL else _MILLIONTHS
        self._bounds = [Fraction(predicate.min) for predicate in instrument.predicates]
        self._labels = [predicate.label for predicate in instrument.predicates]
        self._values = self._tree.steps
        self._single = {} if self._tree.lowest_decides else dict(shares_of(self._root, {}))

    def without(self, absent: Collection[str]) -> "Scorer":
        """The same for an institution to which these indicators do not apply; see `Instrument.without`."""
        if not absent:
            return self
        part = copy.copy(self)
        part._tree = self._tree.without(absent)
        part._root = part._tree.root
        part._leaves = {code: node for code, node in self._leaves.items() if code not in absent}
        part._awaited = [code for code in self._awaited if code not in absent]
        part._order = tuple(keys_of(part._root))
        part._single = {} if part._tree.lowest_decides else dict(shares_of(part._root, {}))
        return part

    def may_not_apply(self, item: str) -> bool:
        """Whether the instrument lets an institution say that this indicator does not apply to it."""
        return item in self._leaves and self._leaves[item].may_not_apply

    @property
    def indicators(self) -> tuple[str, ...]:
        """The codes of what is scored, in the instrument's order."""
        return tuple(self._leaves)

    @property
    def lowest(self) -> Decimal:
        """The scale's minimum."""
        return self._min

    @property
    def highest(self) -> Decimal:
        """The scale's maximum."""
        return self._max

    def next_step(self, value: Decimal) -> Decimal:
        """One level more, as `marginal` counts it."""
        return self._tree.next_value(value)

    def check(self, values: Mapping[str, str]) -> list[tuple[str, str]]:
        """What is wrong with values as they were written: (indicator, reason) for every fault."""
        return [
            (item, reason)
            for item, value in values.items()
            for reason in (self._item_fault(item) or self._value_fault(value),)
            if reason
        ]

    def strangers(self, items: Iterable[str]) -> list[tuple[str, str]]:
        """Which of the codes name nothing here: (code, reason)."""
        return [(item, fault) for item in items for fault in (self._item_fault(item),) if fault]

    def missing(self, values: Iterable[str]) -> list[str]:
        """Indicators that need a value and have none; those awaited from elsewhere are not missing."""
        given = set(values)
        return [code for code, node in self._leaves.items() if code not in given and not node.awaited_from]

    def ordered(self, items: Iterable[str]) -> list[str]:
        """Indicators and instances of them in the order of the instrument."""
        return sorted(items, key=self._tree.place)

    def score(self, values: Mapping[str, Decimal]) -> Result:
        """The index and all below it; raises ValueError where `check` or `missing` find something."""
        items, awaiting = self._counted(values)
        tally = self._tally(items)
        found: dict[tuple[str, str], tuple[int, int]] = {}
        index = Fraction(*value_of(self._root, tally, self._unit, found))
        return Result(
            index=index,
            predicate=self.predicate(index),
            nodes={key: Fraction(*found[key]) for key in self._order},
            items=items,
            awaiting=awaiting,
        )

    def predicate(self, index: Fraction | Decimal) -> str:
        """The label of the predicate that the index falls into; "" where the instrument has none.

        The index is taken as it is, unrounded: the regulations write half-open ranges (Cukup 1.8 to below 2.6), which
        have no gap for a number of more digits, and everything is computed from unrounded values: a published 2.59
        Cukup becomes 2.60 Baik from rounded domains. So an exact 2.595 is shown as 2.60 and is Cukup: no rounding
        lifts an institution over a bound that it did not reach.
        """
        place = bisect_right(self._bounds, Fraction(index))
        return self._labels[max(place - 1, 0)] if self._labels else ""

    def marginal(self, values: Mapping[str, Decimal]) -> dict[str, Gain]:
        """The index points to be gained on each scored item, exact, the others staying as they are.

        One step is one level, or what is left to the top where that is less; on a binary scale it is the top, in a set
        the next value. Where a lowest value decides, raising one item of several brings nothing. Raises ValueError as
        `score` does.
        """
        items, _ = self._counted(values)
        if self._tree.lowest_decides:
            return self._tried(items)
        counts = self._tally(items)[1]
        shares = dict(shares_of(self._root, counts)) if counts else self._single
        gains = {}
        for item, value in items.items():
            share, step = shares[self._indicator(item) or item], Fraction(self.next_step(value) - value)
            gains[item] = Gain(step=share * step, top=share * Fraction(self._max - value))
        return gains

    def _tried(self, items: Mapping[str, Decimal]) -> dict[str, Gain]:
        """Each item raised alone, and what the whole comes to then."""
        index = self._index(items)
        return {
            item: Gain(
                step=self._index({**items, item: self.next_step(value)}) - index,
                top=self._index({**items, item: self._max}) - index,
            )
            for item, value in items.items()
        }

    def _index(self, items: Mapping[str, Decimal]) -> Fraction:
        return Fraction(*value_of(self._root, self._tally(items), self._unit, {}))

    def _indicator(self, item: str) -> str | None:
        """The indicator that an item scores, 35 of 35-2; None where there is no such item."""
        if item in self._leaves:
            return item
        instance = INSTANCE.fullmatch(item)
        if not instance or instance["instance"] == "1":
            return None
        node = self._leaves.get(instance["indicator"])
        return node.number if node is not None and node.repeatable else None

    def _item_fault(self, item: str) -> str | None:
        if self._indicator(item) is not None:
            return None
        instance = INSTANCE.fullmatch(item)
        if instance and instance["indicator"] in self._leaves:
            code = instance["indicator"]
            repeatable = self._leaves[code].repeatable
            return f"is written {code}, the first instance" if repeatable else f"indicator {code} is scored once only"
        return "is no indicator of this instrument"

    def _value_fault(self, text: str) -> str | None:
        value = decimal(text)
        if value is None:
            return unreadable(text)
        if not self._min <= value <= self._max:
            return f"{text} is outside the scale, {self._min} to {self._max}"
        if self._kind == instrument_pb2.SCALE_KIND_ORDINAL and value != int(value):
            return f"{text} is not a whole level"
        if self._kind == instrument_pb2.SCALE_KIND_BINARY and value not in (self._min, self._max):
            return f"{text} is neither {self._min} nor {self._max}"
        if self._values and value not in self._values:
            return f"{text} is none of {', '.join(map(str, self._values))}"
        return None

    def _counted(self, values: Mapping[str, Decimal]) -> tuple[dict[str, Decimal], tuple[str, ...]]:
        """The values with awaited ones filled in, in the instrument's order, and which those are."""
        awaiting = tuple(code for code in self._awaited if code not in values)
        items = dict(values)
        for code in awaiting:
            items[code] = self._min
        if items.keys() != self._leaves.keys():
            absent = self.missing(items)
            if absent:
                raise ValueError(f"no value for {', '.join(absent)}")
            for item in items:
                fault = self._item_fault(item)
                if fault:
                    raise ValueError(f"{item}: {fault}")
        return {item: items[item] for item in self.ordered(items)}, awaiting

    def _tally(self, items: Mapping[str, Decimal]) -> Tally:
        sums: dict[str, int] = {}
        counts: dict[str, int] = {}
        low, high, unit = int(self._min * self._unit), int(self._max * self._unit), self._unit
        binary = self._kind == instrument_pb2.SCALE_KIND_BINARY
        for item, value in items.items():
            count = int(value * unit)
            exact = count if unit == 1 else Decimal(count).scaleb(-DECIMAL_PLACES)
            off = (binary and low < count < high) or (self._values and exact not in self._values)
            if exact != value or not low <= count <= high or off:
                raise ValueError(f"{item}: {self._value_fault(str(value)) or 'has too many digits'}")
            if item in self._leaves:
                sums[item] = sums.get(item, 0) + count
            else:
                code = item.rpartition("-")[0]
                sums[code] = sums.get(code, 0) + count
                counts[code] = counts.get(code, 1) + 1
        return sums, counts
