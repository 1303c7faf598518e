"""The ladder: data, information (what goes together), knowledge (what deserves attention), insight, policy option."""

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from livinglab.benchmark.v1 import ladder_pb2 as pb
from livinglab.benchmark.v1 import service_pb2

from instruments.rounding import written
from instruments.tree import Instrument, Node
from services.benchmark.model.disclosure import too_small
from services.benchmark.model.race import SMALLEST_GROUP, Result, shown

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray

# A rank correlation of fewer bodies is chance; one of many pairs must hold after counting all that were looked at.
_SMALLEST_CORRELATED = 10
_SIGNIFICANT = 0.05
_NOTABLE = 0.5
_SHOWN_CORRELATIONS = 10
_SHOWN_ATTENTION = 5
# How many must be ahead before "all of them" means anything.
_SMALLEST_AHEAD = 3


def ladder(results: Sequence[Result], instrument: Instrument, *, published: bool, withheld: str = "") -> pb.Ladder:
    """All five rungs for one group, from results of one version of the instrument. Deterministic: equals stand in the
    instrument's order. `withheld` says why nothing but the data is shown."""
    answer = pb.Ladder(
        data=[pb.Datum(institution=r.institution, index=shown(r.index), event_id=r.event_id) for r in results]
    )
    if len(results) < SMALLEST_GROUP and not published:
        withheld = too_small(len(results))
    if withheld:
        answer.withheld.append(service_pb2.Withheld(what="information, knowledge, insights", reason=withheld))
        return answer
    levels = _Levels(results, instrument)
    _correlate(answer, levels)
    for attention, node in _attention(answer, levels, published=published):
        answer.knowledge.append(attention)
        answer.insights.append(_insight(levels, node, attention))
    return answer


class _Levels:
    """Values of every body (rows) and indicator (columns)."""

    def __init__(self, results: Sequence[Result], instrument: Instrument) -> None:
        import numpy as np

        self.results = results
        self.instrument = instrument
        self.nodes = instrument.indicators()
        self.share = instrument.shares(node.number for node in self.nodes)
        minimum = instrument.minimum
        table = [[result.values.get(node.number, minimum) for node in self.nodes] for result in results]
        self.exact = [[Fraction(row[at]) for row in table] for at in range(len(self.nodes))]
        self.table: NDArray[float64] = np.array([[float(value) for value in row] for row in table])
        self.low = Fraction(minimum)
        # Level 3 of five: the middle of the scale.
        self.good = (self.low + Fraction(instrument.maximum)) / 2


def _correlate(answer: pb.Ladder, levels: _Levels) -> None:
    """Pairs of indicators whose values rise together, or against each other, the closest first."""
    import numpy as np
    from scipy import stats

    count = len(levels.results)
    if count < _SMALLEST_CORRELATED:
        reason = f"correlations of {count} bodies are not sound; at least {_SMALLEST_CORRELATED} are needed"
        answer.withheld.append(service_pb2.Withheld(what="information", reason=reason))
        return
    varied = [at for at in range(len(levels.nodes)) if len(set(levels.exact[at])) > 1]
    if len(varied) < 2:
        answer.withheld.append(service_pb2.Withheld(what="information", reason="the values do not differ"))
        return
    found = stats.spearmanr(levels.table[:, varied])
    size = len(varied)
    coefficients, chances = (np.asarray(part).reshape(-1) for part in (found.statistic, found.pvalue))
    pairs = []
    for i in range(size):
        for j in range(i + 1, size):
            # Of two columns alone scipy gives the one number.
            at = i * size + j if coefficients.size > 1 else 0
            chance = min(1.0, float(chances[at]) * size * (size - 1) / 2)
            if abs(coefficients[at]) >= _NOTABLE and chance < _SIGNIFICANT:
                pairs.append((-abs(round(float(coefficients[at]), 6)), varied[i], varied[j], coefficients[at], chance))
    for _, i, j, coefficient, chance in sorted(pairs)[:_SHOWN_CORRELATIONS]:
        answer.information.append(
            pb.Correlation(
                indicator=levels.nodes[i].number,
                other=levels.nodes[j].number,
                coefficient=f"{coefficient:.2f}",
                p_value=f"{chance:.4f}",
                bodies=count,
            )
        )


def _attention(answer: pb.Ladder, levels: _Levels, *, published: bool) -> list[tuple[pb.Attention, int]]:
    """Indicators by what the group's mean index loses to them, most first."""
    count, top = len(levels.results), Fraction(levels.instrument.maximum)
    costs = [
        levels.share[node.number] * (top - sum(levels.exact[at], Fraction(0)) / count)
        for at, node in enumerate(levels.nodes)
    ]
    found: list[tuple[pb.Attention, int]] = []
    for at in sorted(range(len(costs)), key=lambda at: -costs[at]):
        if costs[at] <= 0 or len(found) == _SHOWN_ATTENTION:
            break
        node, values = levels.nodes[at], levels.exact[at]
        if len(set(values)) == 1 and not published:
            reason = "everybody has the same value here, which would show each one's draft"
            answer.withheld.append(service_pb2.Withheld(what=f"indicator {node.number}", reason=reason))
            continue
        lowest = sum(value <= levels.low for value in values)
        row = pb.Attention(indicator=node.number, name=node.name, lowest=lowest, bodies=count, cost=written(costs[at]))
        found.append((row, at))
    return found


def _insight(levels: _Levels, at: int, attention: pb.Attention) -> pb.Insight:
    """How many are at the bottom, and what all who are ahead have besides."""
    values, count = levels.exact[at], len(levels.results)
    ahead = [value >= levels.good for value in values]
    text = f"{attention.lowest} of {count} are at level {_level(levels.low)} in {_named(levels.nodes[at])}"
    insight = pb.Insight(
        indicator=attention.indicator,
        strength=pb.Strength(grade=pb.GRADE_WEAK, bodies=count),
        event_ids=[result.event_id for result in levels.results],
    )
    first = _before(levels, at, ahead)
    good = _level(levels.good)
    if first is None:
        insight.text = f"{text}; nothing sets apart those at {good} or more" if any(ahead) else text
    else:
        other, chance = first
        others = sum(value >= levels.good for value, up in zip(levels.exact[other], ahead, strict=True) if not up)
        insight.text = (
            f"{text}; all {sum(ahead)} at {good} or more are there in {_named(levels.nodes[other])} too, "
            f"as are {others} of the {count - sum(ahead)} others"
        )
        insight.strength.p_value = f"{chance:.4f}"
        insight.strength.grade = _grade(chance, count)
    rise = sum((levels.good - value for value in values if value < levels.good), Fraction(0))
    insight.options.append(
        pb.Option(
            text=f"Bring the {count - sum(ahead)} that are below {good} in {_named(levels.nodes[at])} to {good}"
            + (f", starting with {_named(levels.nodes[first[0]])}" if first else ""),
            first=levels.nodes[first[0]].number if first else attention.indicator,
            gain=written(levels.share[attention.indicator] * rise / count),
        )
    )
    return insight


def _before(levels: _Levels, at: int, ahead: Sequence[bool]) -> tuple[int, float] | None:
    """The indicator in which all who are ahead in this one are good, and the others least: what seems to come first.
    With the chance of that (Fisher's exact test, times the number of indicators looked at)."""
    from scipy import stats

    up, down = sum(ahead), len(ahead) - sum(ahead)
    if up < _SMALLEST_AHEAD or not down:
        return None
    best: tuple[float, int] | None = None
    for other in range(len(levels.nodes)):
        good = [value >= levels.good for value in levels.exact[other]]
        with_it = sum(g for g, a in zip(good, ahead, strict=True) if a)
        without = sum(g for g, a in zip(good, ahead, strict=True) if not a)
        if other == at or with_it < up or without == down:
            continue
        chance = float(stats.fisher_exact([[up, 0], [without, down - without]], "greater").pvalue)
        if best is None or chance < best[0]:
            best = chance, other
    return (best[1], min(1.0, best[0] * (len(levels.nodes) - 1))) if best else None


def _grade(chance: float, count: int) -> pb.Grade.ValueType:
    if chance < 0.01 and count >= 30:
        return pb.GRADE_STRONG
    return pb.GRADE_MODERATE if chance < _SIGNIFICANT and count >= _SMALLEST_CORRELATED else pb.GRADE_WEAK


def _level(value: Fraction) -> str:
    return str(value.numerator) if value.denominator == 1 else written(value)


def _named(node: Node) -> str:
    return f"{node.number} {node.name}".strip()
