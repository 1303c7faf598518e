"""All stages side by side: values and what is inherited, gaps, strengths and weaknesses, completeness by aspect."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from livinglab.assessment.v1 import evaluation_pb2, instrument_pb2, understanding_pb2

from instruments.lint import INSTANCE, leaves
from instruments.rounding import written
from instruments.scoring import Result, Scorer
from services.assessment.model import cycle

_SELF = evaluation_pb2.STAGE_SELF_ASSESSMENT
# Levels 4-5 of a scale from 1 to 5, and 1-2 (below 3), as shares of the way from its lowest to its highest value.
_STRONG, _WEAK = Fraction(3, 4), Fraction(1, 2)


@dataclass(frozen=True, slots=True)
class Sides:
    """The evaluation's values by stage, those that are complete scored, and the last one that came from outside."""

    values: Mapping[cycle.Stage, Mapping[str, str]]
    scores: Mapping[cycle.Stage, Result]

    @property
    def last(self) -> cycle.Stage:
        """The stage that counts now."""
        return list(self.values)[-1]


def profile(
    evaluation: evaluation_pb2.Evaluation, instrument: instrument_pb2.Instrument, scorer: Scorer
) -> understanding_pb2.GetProfileResponse:
    """Rows by indicator and groups by node; two digits wherever something is computed."""
    values = cycle.values_by_stage(evaluation)
    scores = {
        stage: part.score({item: Decimal(value) for item, value in given.items()})
        for stage, given in values.items()
        if not (part := scorer.without(cycle.absent_of(evaluation, given))).missing(given)
    }
    sides = Sides(values, scores)
    nodes = list(instrument.nodes)
    return understanding_pb2.GetProfileResponse(
        evaluation_id=evaluation.id,
        stages=list(values),
        groups=[
            _group(instrument_pb2.Node(children=nodes), sides, scorer),
            *(_group(node, sides, scorer) for node in _groups(nodes)),
        ],
        rows=_rows(evaluation, nodes, sides, scorer),
    )


def _rows(
    evaluation: evaluation_pb2.Evaluation, nodes: list[instrument_pb2.Node], sides: Sides, scorer: Scorer
) -> Iterator[understanding_pb2.ProfileRow]:
    named = {node.number: node.name for node in leaves(nodes)}
    aspects = {child.number: group.number for group in _groups(nodes) for child in group.children}
    own, last = sides.values[_SELF], sides.values[sides.last]
    set_in = _set_in(evaluation)
    notes = {one.indicator: one.note for result in evaluation.results for one in result.values if one.HasField("note")}
    for item in scorer.ordered({*named, *last}):
        code = _indicator(item, named)
        yield understanding_pb2.ProfileRow(
            indicator=item,
            name=named[code],
            aspect=aspects.get(code, ""),
            cells=[
                understanding_pb2.ProfileCell(stage=stage, value=given[item], inherited=item not in set_in[stage])
                for stage, given in sides.values.items()
                if item in given
            ],
            gap=f"{Decimal(last[item]) - Decimal(own[item]):f}" if sides.last != _SELF and item in own else "",
            note=notes.get(item),
        )


def _group(node: instrument_pb2.Node, sides: Sides, scorer: Scorer) -> understanding_pb2.ProfileGroup:
    below = list(leaves(list(node.children)))
    last = sides.values[sides.last]
    direct = {child.number for child in node.children if not child.children}
    codes = {leaf.number for leaf in below}
    items = scorer.ordered(item for item in last if _indicator(item, codes) in direct)
    share = {item: _share(last[item], scorer) for item in items}
    group = understanding_pb2.ProfileGroup(
        kind=node.kind,
        number=node.number,
        name=node.name,
        strengths=[item for item in items if share[item] >= _STRONG],
        weaknesses=[item for item in items if share[item] < _WEAK],
        indicators=len(below),
        answered=sum(leaf.number in last for leaf in below),
        awaiting=sum(bool(leaf.awaited_from) and leaf.number not in last for leaf in below),
    )
    before: Fraction | None = None
    for stage, result in sides.scores.items():
        value = _value(node, result)
        if value is None:
            continue
        group.cells.add(stage=stage, value=written(value), inherited=before == value)
        before = value
    if sides.last != _SELF and {_SELF, sides.last} <= sides.scores.keys():
        own, last_value = _value(node, sides.scores[_SELF]), _value(node, sides.scores[sides.last])
        group.gap = written(last_value - own) if own is not None and last_value is not None else ""
    return group


def _value(node: instrument_pb2.Node, result: Result) -> Fraction | None:
    """None for a group of which nothing applies."""
    return result.nodes.get((node.kind, node.number)) if node.number else result.index


def _set_in(evaluation: evaluation_pb2.Evaluation) -> dict[cycle.Stage, set[str]]:
    found: dict[cycle.Stage, set[str]] = {_SELF: {answer.indicator for answer in evaluation.answers}}
    for result in evaluation.results:
        found.setdefault(result.stage, set()).update(one.indicator for one in result.values)
    return found


def _groups(nodes: list[instrument_pb2.Node]) -> Iterator[instrument_pb2.Node]:
    for node in nodes:
        if node.children:
            yield node
            yield from _groups(list(node.children))


def _indicator(item: str, codes: Mapping[str, str] | set[str]) -> str:
    """35 of 35-2, where that is no indicator of its own."""
    instance = INSTANCE.fullmatch(item)
    return instance["indicator"] if instance and item not in codes else item


def _share(value: str, scorer: Scorer) -> Fraction:
    """How much of the scale a value has climbed."""
    return Fraction(Decimal(value) - scorer.lowest) / Fraction(scorer.highest - scorer.lowest)
