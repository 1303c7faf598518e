"""Aggregates of a group: means, spread, distribution and profile, and before against after with a paired test."""

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

from livinglab.benchmark.v1 import analysis_service_pb2 as analysis_pb
from livinglab.benchmark.v1 import service_pb2 as pb

from instruments.rounding import written
from instruments.tree import Instrument
from services.benchmark.model.disclosure import Apart, hidden, too_small
from services.benchmark.model.means import mean
from services.benchmark.model.race import SMALLEST_GROUP, Result, Standing, shown

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Only what is published is no draft any more.
PUBLIC_STAGE = "publication"
# A paired test on fewer pairs says nothing: with five, even five gains of five give p = 0.06.
SMALLEST_PAIRS = 6
_BIN = Fraction(1, 2)
_CONFIDENCE = 0.95


def complete(answer: pb.GetAggregateResponse, standings: Sequence[Standing], people: Mapping[str, int]) -> None:
    """Adds the weighted mean, the quartiles and the distribution to the plain mean. Indices stand in the ranking, so
    no group is too small for what is made of them alone, but quartiles of a few are no statistic."""
    weighted = [(s.index, people[s.institution]) for s in standings if people.get(s.institution)]
    if weighted:
        total = sum(weight for _, weight in weighted)
        answer.weighted_mean = written(sum((Fraction(i) * w for i, w in weighted), Fraction(0)) / total)
        answer.weighted_count = len(weighted)
    if not standings:
        return
    indices = sorted(standing.index for standing in standings)
    answer.minimum, answer.maximum = shown(indices[0]), shown(indices[-1])
    if len(indices) >= SMALLEST_GROUP:
        answer.lower_quartile, answer.median, answer.upper_quartile = (
            written(quantile(indices, Fraction(share, 4))) for share in (1, 2, 3)
        )
    else:
        answer.withheld.append(pb.Withheld(what="quartiles", reason=too_small(len(indices))))
    answer.distribution.extend(_bins(indices))


def quantile(ordered: Sequence[Decimal], share: Fraction) -> Fraction:
    """Exact, between neighbours in proportion, as numpy's default does it in binary fractions."""
    at = share * (len(ordered) - 1)
    low = int(at)
    high = min(low + 1, len(ordered) - 1)
    return Fraction(ordered[low]) + (at - low) * Fraction(ordered[high] - ordered[low])


def _bins(indices: Sequence[Decimal]) -> list[pb.Bin]:
    counts = Counter(int(Fraction(index) / _BIN) for index in indices)
    return [
        pb.Bin(count=counts[at], to=written((at + 1) * _BIN), **{"from": written(at * _BIN)})
        for at in range(min(counts), max(counts) + 1)
    ]


def profile(
    answer: pb.GetAggregateResponse, race: Sequence[Result], instrument: Instrument | None, group: Apart
) -> None:
    """Mean of each node over the bodies of the group, of all in the race. Before publication the values are drafts:
    withheld is what would show somebody's, alone or subtracted from what is shown of other groups."""
    if instrument is None:
        answer.withheld.append(pb.Withheld(what="profile", reason="the instrument is not known yet"))
        return
    if group.reason or not group.inside:
        answer.withheld.append(pb.Withheld(what="profile", reason=group.reason or "nobody has values here"))
        return
    wanted = group.inside.union(*group.parts)
    every = {r.institution: instrument.node_values(r.values) for r in race if r.institution in wanted}
    headings, below = hidden(instrument, group.parts, every)
    for at, node in enumerate(instrument.root.below()):
        if at not in below:
            middle = written(mean(every[code][at].value for code in group.inside))
            answer.profile.append(pb.NodeMean(kind=node.kind, number=node.number, name=node.name, mean=middle))
    for heading in headings:
        what = f"profile below {heading.kind} {heading.number}".strip()
        reason = "in one of its parts everybody is at an end of the scale, which would show each one's draft"
        answer.withheld.append(pb.Withheld(what=what, reason=reason))


def before_and_after(before: Sequence[Standing], after: Sequence[Standing]) -> analysis_pb.CompareRacesResponse:
    """The bodies that are in both, with the paired t test and Wilcoxon's signed-rank test of their gains."""
    earlier = {standing.institution: standing.index for standing in before}
    pairs = [(earlier[s.institution], s.index) for s in after if s.institution in earlier]
    answer = analysis_pb.CompareRacesResponse(pairs=len(pairs))
    if not pairs:
        return answer
    count = len(pairs)
    first, second = (sum((Fraction(pair[at]) for pair in pairs), Fraction(0)) / count for at in (0, 1))
    answer.mean_before, answer.mean_after = written(first), written(second)
    answer.mean_gain = written(second - first)
    gains = [new - old for old, new in pairs]
    if count < SMALLEST_PAIRS:
        reason = f"{count} pairs carry no test; at least {SMALLEST_PAIRS} are needed"
        answer.withheld.append(pb.Withheld(what="tests", reason=reason))
    elif len(set(gains)) == 1:
        answer.withheld.append(
            pb.Withheld(what="tests", reason="every gain is the same, so there is no spread to test")
        )
    else:
        _test(answer, _floats(gains))
    return answer


def _test(answer: analysis_pb.CompareRacesResponse, gains: "NDArray[np.float64]") -> None:
    from scipy import stats

    paired = stats.ttest_1samp(gains, 0.0)
    interval = paired.confidence_interval(_CONFIDENCE)
    answer.gain_low, answer.gain_high = f"{interval.low:.2f}", f"{interval.high:.2f}"
    answer.t_p_value = f"{paired.pvalue:.4f}"
    answer.wilcoxon_p_value = f"{stats.wilcoxon(gains, zero_method='zsplit').pvalue:.4f}"


def _floats(values: Sequence[Decimal]) -> "NDArray[np.float64]":
    import numpy as np

    return np.array([float(value) for value in values])
