"""What one institution lacks at every node: to the role model, the targets, the group's best and its median."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from statistics import median

from livinglab.benchmark.v1 import service_pb2 as pb

from instruments.rounding import written
from instruments.tree import Instrument, NodeValue
from services.benchmark.model.disclosure import too_small
from services.benchmark.model.race import SMALLEST_GROUP, Result

_HOLDING_BACK = 3


@dataclass(frozen=True, slots=True)
class Line:
    """A target line that was set for a group."""

    group: str
    period: str
    target: str


def whole_gap(
    result: Result,
    role_model: Result | None,
    targets: Sequence[str],
    lines: Sequence[Line],
    instrument: Instrument,
    peers: Sequence[Result],
    withheld: str = "",
) -> pb.GetGapResponse:
    """The gap with every node, the target lines of the institution's groups, and what holds it back most. `peers` are
    the group's results in the same version of the instrument; `withheld` says why nothing is made of them."""
    answer = gap(result, role_model, targets, instrument)
    answer.targets.extend(
        pb.TargetGap(target=line.target, gap=_still(line.target, result), period=line.period, group=line.group)
        for line in lines
    )
    if not result.values:
        answer.withheld.append(pb.Withheld(what="nodes", reason="only the index of this result is known"))
        del answer.indicators[:]
        return answer
    others = [peer for peer in peers if peer.values and peer.institution != result.institution]
    if not withheld and len(others) + 1 < SMALLEST_GROUP:
        withheld = too_small(len(others) + 1)
    if withheld:
        answer.withheld.append(pb.Withheld(what="best, median", reason=withheld))
    mine = instrument.node_values(result.values)
    learned = instrument.node_values(role_model.values) if role_model and role_model.values else None
    group = [instrument.node_values(peer.values) for peer in others] + [mine] if not withheld else []
    _compare(answer, mine, learned, group, Fraction(instrument.maximum))
    return answer


def _compare(
    answer: pb.GetGapResponse,
    mine: Sequence[NodeValue],
    learned: Sequence[NodeValue] | None,
    group: Sequence[Sequence[NodeValue]],
    top: Fraction,
) -> None:
    """Each node beside the role model's and the group's, and the three indicators that cost most against the former,
    else the group's best, else the top of the scale."""
    costs = []
    for at, own in enumerate(mine):
        values = [nodes[at].value for nodes in group]
        theirs = learned[at].value if learned else None
        row = _node(own, theirs, values)
        answer.nodes.append(row)
        ahead = theirs if theirs is not None else max(values, default=top)
        if not own.node.children and ahead > own.value:
            costs.append((own.share * (ahead - own.value), row))
    # Equals in the instrument's order.
    costs.sort(key=lambda cost: -cost[0])
    answer.holding_back.extend(row for _, row in costs[:_HOLDING_BACK])


def _node(own: NodeValue, role_model: Fraction | None, group: Sequence[Fraction]) -> pb.NodeGap:
    """A node's values, and how many points of the index the others are ahead there."""
    best, middle = (max(group), median(group)) if group else (None, None)

    def ahead(other: Fraction | None) -> str:
        return "" if other is None else written(own.share * (other - own.value))

    def value(other: Fraction | None) -> str:
        return "" if other is None else written(other)

    return pb.NodeGap(
        kind=own.node.kind,
        number=own.node.number,
        name=own.node.name,
        value=written(own.value),
        role_model=value(role_model),
        to_role_model=ahead(role_model),
        best=value(best),
        to_best=ahead(best),
        median=value(middle),
        to_median=ahead(middle),
    )


def _still(target: str, result: Result) -> str:
    return written(max(Decimal(target) - result.index, Decimal(0)))


def gap(result: Result, role_model: Result | None, targets: Sequence[str], instrument: Instrument) -> pb.GetGapResponse:
    """The whole answer; what concerns the role model stays empty without one."""
    return pb.GetGapResponse(
        index=written(result.index),
        role_model_index=written(role_model.index) if role_model else "",
        role_model_gap=written(role_model.index - result.index) if role_model else "",
        targets=[pb.TargetGap(target=target, gap=_still(target, result)) for target in targets],
        indicators=indicator_gaps(instrument, result, role_model),
    )


def indicator_gaps(instrument: Instrument, result: Result, role_model: Result | None) -> list[pb.IndicatorGap]:
    """Index points that each scored item costs, exact until written; the most costly against the top first, equals
    in the instrument's order. An instance that the role model does not have is not compared."""
    values = instrument.counted(result.values)
    shares = instrument.shares(values)
    to_top = {item: shares[item] * Fraction(instrument.maximum - value) for item, value in values.items()}
    # Of one that was brought in only the index may be known.
    learned = instrument.counted(role_model.values) if role_model and role_model.values else {}
    return [
        pb.IndicatorGap(
            indicator=item,
            value=f"{values[item]:f}",
            role_model_value=f"{learned[item]:f}" if item in learned else "",
            to_top=written(to_top[item]),
            to_role_model=written(shares[item] * Fraction(learned[item] - values[item])) if item in learned else "",
        )
        for item in sorted(values, key=lambda item: -to_top[item])
    ]
