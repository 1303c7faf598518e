"""Rules of a sound instrument: `lint` names every fault of one, whoever wrote it and in whatever format."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from livinglab.assessment.v1 import instrument_pb2 as pb

from instruments.scale import (
    Found,
    bounds_of,
    decimal,
    decimal_fault,
    level_name_faults,
    predicate_faults,
    scale_faults,
)

# An instance of a repeatable indicator after the first: 35-2, 35-3.
INSTANCE = re.compile(r"(?P<indicator>.+)-(?P<instance>[1-9][0-9]{0,2})")

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,31}")
# A number may have parts in brackets too: AC-2(1).
_NUMBER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:()-]{0,31}")
_WHOLE_INDEX = Decimal(100)
_DEEPEST = 16
# Kinds that group others in every instrument, and one that never does. Of any other kind some may have children and
# some be scored themselves: a component of items beside one with a value of its own.
_GROUP_KINDS, _SCORED_KINDS = frozenset({"domain", "aspect"}), frozenset({"indicator"})
_PLAIN = (pb.AGGREGATION_MEAN, pb.AGGREGATION_MEAN_OF_CHILDREN, pb.AGGREGATION_MIN)
_AGGREGATIONS = "weighted_mean, mean, mean_of_children or min"
_SCORED_ONLY = ("repeatable", "awaited_from", "capability", "may_not_apply")


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """What is wrong, where: the line in the file (0 where there is none), the place in the instrument, the reason."""

    line: int
    place: str
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.place}: {self.reason}" if self.line else f"{self.place}: {self.reason}"


def lint(instrument: pb.Instrument, lines: Mapping[str, int] | None = None) -> list[Fault]:
    """Every fault of the instrument, by line; `lines` gives the line of each place that was written in a file."""
    checks = (_head, scale_faults, level_name_faults, predicate_faults, _top_nodes, _kinds, _numbers, _evidence)
    lines = lines or {}
    return sorted(
        Fault(line_of(place, lines), place, reason) for check in checks for place, reason in check(instrument)
    )


def line_of(place: str, lines: Mapping[str, int]) -> int:
    """The line of a place, or of the nearest thing around it that was written; the place of the whole is ''."""
    while place and place not in lines:
        place = place[: max(place.rfind("."), place.rfind("["), 0)]
    return lines.get(place, 0)


def leaves(nodes: Iterator[pb.Node] | list[pb.Node]) -> Iterator[pb.Node]:
    """What is scored: the nodes without children, in the instrument's order."""
    for node in nodes:
        if node.children:
            yield from leaves(list(node.children))
        else:
            yield node


def _head(instrument: pb.Instrument) -> Found:
    for field in ("id", "title", "source"):
        if not getattr(instrument, field):
            yield field, "is missing"
    if instrument.id and not _ID.fullmatch(instrument.id):
        yield "id", f"'{instrument.id}' is not an id: letters, digits, '.', '-', '_', ':', at most 32"
    if not instrument.version:
        yield "version", "is missing, or 0: versions count from 1"
    if instrument.valid_to and instrument.valid_to < instrument.valid_from:
        yield "valid_to", f"{instrument.valid_to} is before valid_from, {instrument.valid_from}"


def _top_nodes(instrument: pb.Instrument) -> Found:
    if not instrument.nodes:
        yield "nodes", "is missing"
    if not instrument.aggregation:
        yield "aggregation", f"is missing: {_AGGREGATIONS}"
    capabilities = {names.capability for names in instrument.level_names}
    yield from _weights("nodes", list(instrument.nodes), instrument.aggregation, _WHOLE_INDEX, "the whole index")
    yield from _levelled("aggregation", instrument.aggregation, list(instrument.nodes))
    for n, node in enumerate(instrument.nodes):
        yield from _node(f"nodes[{n}]", node, capabilities, 1)


def _node(place: str, node: pb.Node, capabilities: set[str], depth: int) -> Found:
    if depth > _DEEPEST:
        yield place, f"is nested deeper than {_DEEPEST} levels"
        return
    for field in ("kind", "number", "name"):
        if not getattr(node, field):
            yield f"{place}.{field}", "is missing"
    if node.number and not _NUMBER.fullmatch(node.number):
        allowed = "letters, digits, '.', '-', '_', ':', '(', ')', at most 32"
        yield f"{place}.number", f"'{node.number}' is not a number: {allowed}"
    # A capability that misses its name is reported there; then nobody knows which ones exist.
    if node.capability and node.capability not in capabilities and "" not in capabilities:
        yield f"{place}.capability", f"'{node.capability}' has no level_names"
    if not node.children:
        if node.may_not_apply and (node.repeatable or node.awaited_from):
            yield f"{place}.may_not_apply", "is for what an institution scores itself, and once"
        return
    if not node.aggregation:
        yield f"{place}.aggregation", f"is missing: {_AGGREGATIONS}"
    for field in _SCORED_ONLY:
        if getattr(node, field):
            yield f"{place}.{field}", "is for what is scored, and this has children"
    # Without a weight of its own (its parent takes a plain mean) a group is the whole that its children share.
    whole = decimal(node.weight) if node.weight else _WHOLE_INDEX
    yield from _weights(f"{place}.children", list(node.children), node.aggregation, whole, f"{node.kind} {node.number}")
    yield from _levelled(f"{place}.aggregation", node.aggregation, list(node.children))
    for n, child in enumerate(node.children):
        yield from _node(f"{place}.children[{n}]", child, capabilities, depth + 1)


def _weights(
    place: str, nodes: list[pb.Node], aggregation: pb.Aggregation.ValueType, whole: Decimal | None, owner: str
) -> Found:
    if aggregation in _PLAIN:
        for n, node in enumerate(nodes):
            if node.weight:
                how = "the lowest value" if aggregation == pb.AGGREGATION_MIN else "a plain mean"
                yield f"{place}[{n}].weight", f"{node.weight} has no meaning: {owner} takes {how}"
    if aggregation != pb.AGGREGATION_WEIGHTED_MEAN:
        return
    sound = True
    for n, node in enumerate(nodes):
        fault = next(decimal_fault(f"{place}[{n}].weight", node.weight), None)
        if fault is None and Decimal(node.weight) <= 0:
            fault = f"{place}[{n}].weight", f"{node.weight} is not above 0"
        if fault:
            sound = False
            yield fault
    total = sum((Decimal(node.weight) for node in nodes), Decimal(0)) if sound else None
    if nodes and total is not None and whole is not None and total != whole:
        yield place, f"the weights sum to {total}, not to {whole} ({owner})"


def _levelled(place: str, aggregation: pb.Aggregation.ValueType, nodes: list[pb.Node]) -> Found:
    """A mean of all items below passes over how the groups between are made up: it must not pass over weights."""
    if aggregation != pb.AGGREGATION_MEAN:
        return
    for _, node in _walk("", nodes):
        if node.children and node.aggregation not in (pb.AGGREGATION_MEAN, pb.AGGREGATION_UNSPECIFIED):
            name = pb.Aggregation.Name(node.aggregation).removeprefix("AGGREGATION_").lower()
            reason = f"mean counts every item below alike, but {node.kind} {node.number} is a {name}"
            yield place, f"{reason}: mean_of_children counts each child as one"
            return


def _kinds(instrument: pb.Instrument) -> Found:
    """Empty groups, and indicators with children."""
    for place, node in _walk("nodes", list(instrument.nodes)):
        kind = node.kind
        if kind in _GROUP_KINDS and not node.children:
            yield place, f"{kind} {node.number} is an empty group: it needs something that is scored"
        elif kind in _SCORED_KINDS and node.children:
            yield f"{place}.children", f"{kind} {node.number} has children: an {kind} is scored itself"
        elif not node.children and node.aggregation:
            yield f"{place}.aggregation", f"{kind or 'this'} {node.number} has no children to aggregate"


def _numbers(instrument: pb.Instrument) -> Found:
    """Numbers are unique within a kind, and among all that is scored, because they are the codes in answers."""
    seen: dict[tuple[str, str], str] = {}
    repeatable = {node.number for node in leaves(list(instrument.nodes)) if node.repeatable}
    for place, node in _walk("nodes", list(instrument.nodes)):
        if not node.number or not node.kind:
            continue
        key = (node.kind if node.children else "", node.number)
        instance = INSTANCE.fullmatch(node.number)
        if key in seen:
            yield f"{place}.number", f"{node.kind} {node.number} is also {seen[key]}"
        elif not node.children and instance and instance["indicator"] in repeatable:
            yield (
                f"{place}.number",
                f"{node.number} reads as an instance of {instance['indicator']}, a repeatable one",
            )
        seen.setdefault(key, place)


def _evidence(instrument: pb.Instrument) -> Found:
    bounds, seen = bounds_of(instrument), set()
    for n, rule in enumerate(instrument.evidence.fresh):
        place = f"evidence.fresh[{n}]"
        if rule.level in seen:
            yield f"{place}.level", f"level {rule.level} has a rule before"
        elif bounds and not bounds[0] <= rule.level <= bounds[1]:
            yield f"{place}.level", f"{rule.level} is outside the scale, {bounds[0]} to {bounds[1]}"
        seen.add(rule.level)
        if not 1 <= rule.younger_than_years <= 100:
            yield f"{place}.younger_than_years", f"{rule.younger_than_years} is not between 1 and 100"


def _walk(place: str, nodes: list[pb.Node], depth: int = 1) -> Iterator[tuple[str, pb.Node]]:
    for n, node in enumerate(nodes):
        yield f"{place}[{n}]", node
        if depth < _DEEPEST:
            yield from _walk(f"{place}[{n}].children", list(node.children), depth + 1)
