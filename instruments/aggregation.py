"""The tree of weights and means behind an instrument, in whole numbers: how values below become a value above."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from livinglab.assessment.v1 import instrument_pb2

from instruments.lint import leaves
from instruments.scale import DECIMAL_PLACES


@dataclass(frozen=True, slots=True)
class Group:
    """A node with children, or the whole instrument; weights are whole numbers in proportion to the written ones."""

    key: tuple[str, str]
    # Where set, the plain mean of everything scored below, and the weights are not used.
    mean: bool
    # Where set, the lowest value directly below decides.
    least: bool
    items: tuple[str, ...]
    scored: tuple[tuple[str, int], ...]
    groups: tuple[tuple["Group", int], ...]


# Sums of the scaled values per indicator, and the number of instances of those that have several.
Tally = tuple[dict[str, int], dict[str, int]]


def group_of(
    key: tuple[str, str], aggregation: instrument_pb2.Aggregation.ValueType, nodes: list[instrument_pb2.Node]
) -> Group:
    """The nodes below one key, made ready for `value_of`; the instrument must be free of faults."""
    mean = aggregation == instrument_pb2.AGGREGATION_MEAN
    weighted = aggregation == instrument_pb2.AGGREGATION_WEIGHTED_MEAN
    weights = [int(Decimal(node.weight) * 10**DECIMAL_PLACES) if weighted else 0 if mean else 1 for node in nodes]
    common = math.gcd(*weights) or 1
    pairs = [(node, weight // common) for node, weight in zip(nodes, weights, strict=True)]
    return Group(
        key=key,
        mean=mean,
        least=aggregation == instrument_pb2.AGGREGATION_MIN,
        items=tuple(leaf.number for leaf in leaves(nodes)),
        scored=tuple((node.number, weight) for node, weight in pairs if not node.children),
        groups=tuple(
            (group_of((node.kind, node.number), node.aggregation, list(node.children)), weight)
            for node, weight in pairs
            if node.children
        ),
    )


def keys_of(group: Group) -> Iterator[tuple[str, str]]:
    """The keys of all groups below, each before those within it."""
    for child, _ in group.groups:
        yield child.key
        yield from keys_of(child)


def value_of(group: Group, tally: Tally, unit: int, found: dict[tuple[str, str], tuple[int, int]]) -> tuple[int, int]:
    """The group's value as (numerator, denominator), and into `found` that of every group below.

    Whole numbers, because fractions spend most of their time on reducing at every step.
    """
    sums, counts = tally
    values = []
    for child, weight in group.groups:
        found[child.key] = value = value_of(child, tally, unit, found)
        values.append((value, weight))
    if group.mean:
        count = len(group.items) + sum(counts[code] - 1 for code in group.items if code in counts)
        return sum([sums[code] for code in group.items]), count * unit
    if group.least:
        return _least(group, sums, counts, unit, [value for value, _ in values])
    top = total = 0
    for code, weight in group.scored:
        top += weight * sums[code]
        total += weight * counts[code] if code in counts else weight
    if not values:
        return top, total * unit
    common = math.lcm(unit, *(value[1] for value, _ in values))
    top *= common // unit
    for (numerator, denominator), weight in values:
        top += weight * numerator * (common // denominator)
        total += weight
    return top, total * common


def _least(
    group: Group, sums: Mapping[str, int], counts: Mapping[str, int], unit: int, values: list[tuple[int, int]]
) -> tuple[int, int]:
    """The lowest of the values below; a repeatable indicator counts as the mean of its instances."""
    scored = [(sums[code], counts.get(code, 1) * unit) for code, _ in group.scored]
    return min([*scored, *values], key=lambda value: Fraction(*value))


def decided_by_the_lowest(group: Group) -> bool:
    """Whether a lowest value decides anywhere below: then points of the whole are not shared out among the items."""
    return group.least or any(decided_by_the_lowest(child) for child, _ in group.groups)


def shares_of(group: Group, share: Fraction, counts: Mapping[str, int]) -> Iterator[tuple[str, Fraction]]:
    """What one point more of each item adds to the whole, of which the group is the given share. Not for a tree in
    which a lowest value decides."""
    if group.mean:
        count = sum(counts.get(code, 1) for code in group.items)
        for code in group.items:
            yield code, share / count
        return
    total = sum(weight * counts.get(code, 1) for code, weight in group.scored)
    total += sum(weight for _, weight in group.groups)
    for code, weight in group.scored:
        yield code, share * weight / total
    for child, weight in group.groups:
        yield from shares_of(child, share * weight / total, counts)


def passed_over(
    aggregation: instrument_pb2.Aggregation.ValueType, nodes: list[instrument_pb2.Node], owner: str = "the index"
) -> Iterator[str]:
    """What is sound, but easily meant otherwise: means in which a larger group counts more than a smaller one."""
    sizes = [sum(1 for _ in leaves([node])) for node in nodes]
    if aggregation == instrument_pb2.AGGREGATION_MEAN and len(set(sizes)) > 1:
        yield (
            f"{owner} is the mean of all {sum(sizes)} items below, so that larger groups count more;"
            " mean_of_children would count each group as one"
        )
    for node in nodes:
        yield from passed_over(node.aggregation, list(node.children), f"{node.kind} {node.number}")
