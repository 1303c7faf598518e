"""How values below become a value above, in whole numbers, along the tree of an instrument."""

import math
from collections.abc import Iterator
from fractions import Fraction

from livinglab.assessment.v1 import instrument_pb2

from instruments.lint import leaves
from instruments.tree import Node

# Sums of the scaled values per indicator, and the number of instances of those that have several.
Tally = tuple[dict[str, int], dict[str, int]]


def keys_of(node: Node) -> Iterator[tuple[str, str]]:
    """The (kind, number) of all groups below, each before those within it."""
    return ((group.kind, group.number) for group in node.below() if group.children and group is not node)


def value_of(node: Node, tally: Tally, unit: int, found: dict[tuple[str, str], tuple[int, int]]) -> tuple[int, int]:
    """The group's value as (numerator, denominator), and into `found` that of every group below by kind and number.

    Whole numbers, because fractions spend most of their time on reducing at every step.
    """
    sums, counts = tally
    values = []
    top = total = 0
    for child in node.children:
        if child.children:
            found[child.kind, child.number] = value = value_of(child, tally, unit, found)
            values.append((value, child.weight))
        else:
            top += child.weight * sums[child.number]
            total += child.weight * counts.get(child.number, 1)
    if node.mean:
        count = len(node.items) + sum(counts[code] - 1 for code in node.items if code in counts)
        return sum([sums[code] for code in node.items]), count * unit
    if node.least:
        return _least(node, tally, unit, [value for value, _ in values])
    if not values:
        return top, total * unit
    common = math.lcm(unit, *(value[1] for value, _ in values))
    top *= common // unit
    for (numerator, denominator), weight in values:
        top += weight * numerator * (common // denominator)
        total += weight
    return top, total * common


def _least(node: Node, tally: Tally, unit: int, values: list[tuple[int, int]]) -> tuple[int, int]:
    """The lowest of the values below; a repeatable indicator counts as the mean of its instances."""
    sums, counts = tally
    scored = [(sums[child.number], counts.get(child.number, 1) * unit) for child in node.children if not child.children]
    return min([*scored, *values], key=lambda value: Fraction(*value))


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
