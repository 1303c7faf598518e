"""Series with breaks where the instrument changes, projections with honest intervals, and how far they were off."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise

from livinglab.benchmark.v1 import analysis_service_pb2 as pb
from livinglab.benchmark.v1 import service_pb2

from chassis.errors import precondition
from services.benchmark.model.race import Regions, Standing, on_basis, shown
from services.benchmark.model.ranking import name_of, year_of

Histories = Mapping[str, Sequence[tuple[Fraction, Decimal]]]

# Fewer yearly steps than this, own and group's together, say nothing about growth.
SMALLEST_STEPS = 5
# A region's own growth weighs as many steps as it has, its group's as many as this.
_GROUP_WEIGHT = 2
# The interval holds four of five.
_TAIL = 0.9


def series(
    points: Iterable[tuple[str, str, Standing]], basis: service_pb2.Basis.ValueType, regions: Regions
) -> pb.ListSeriesResponse:
    """One series an institution and instrument; where one instrument follows another there is a break, never a line."""
    answer = pb.ListSeriesResponse()
    found: dict[tuple[str, str], list[tuple[str, Standing]]] = {}
    for instrument, period, standing in points:
        found.setdefault((standing.institution, instrument), []).append((period, standing))
    for (institution, instrument), entries in found.items():
        chosen = {s.institution + p: (p, s) for p, s in entries}
        kept, _ = on_basis([s for _, s in chosen.values()], basis)
        if not kept:
            continue
        rows = [(p, on_basis([s], basis)[0]) for p, s in sorted(entries, key=lambda entry: year_of(entry[0]))]
        line = pb.Series(institution=institution, name=name_of(institution, regions), instrument=instrument)
        line.points.extend(pb.SeriesPoint(period=p, index=shown(s[0].index)) for p, s in rows if s)
        answer.series.append(line)
    ordered = sorted(answer.series, key=lambda s: (s.institution, year_of(s.points[0].period), s.instrument))
    del answer.series[:]
    answer.series.extend(ordered)
    for before, after in pairwise(ordered):
        if before.institution == after.institution:
            last = max((p.period for p in before.points), key=year_of)
            answer.breaks.append(
                pb.Break(
                    institution=before.institution,
                    from_instrument=before.instrument,
                    from_period=last,
                    to_instrument=after.instrument,
                    to_period=after.points[0].period,
                )
            )
    return answer


def histories(points: Iterable[tuple[str, Standing]], basis: service_pb2.Basis.ValueType) -> Histories:
    """Each institution's indices by year, one instrument."""
    found: dict[str, list[tuple[Fraction, Decimal]]] = {}
    entries = list(points)
    _, basis = on_basis([standing for _, standing in entries], basis)
    for period, standing in entries:
        for kept in on_basis([standing], basis)[0]:
            found.setdefault(kept.institution, []).append((year_of(period), kept.index))
    return {institution: sorted(found[institution]) for institution in sorted(found)}


@dataclass(frozen=True, slots=True)
class Growth:
    """Yearly steps of one history, or of all: how many, their sum and the sum of their squares."""

    count: int = 0
    total: float = 0.0
    squares: float = 0.0

    def __add__(self, other: "Growth") -> "Growth":
        return Growth(self.count + other.count, self.total + other.total, self.squares + other.squares)

    @property
    def spread(self) -> float:
        """Standard deviation of a step, estimated."""
        return math.sqrt(max(self.squares - self.total**2 / self.count, 0.0) / (self.count - 1))


def _growth(history: Sequence[tuple[Fraction, Decimal]], *, compound: bool) -> Growth:
    """Points a year, or the logarithm of the ratio a year."""
    found = Growth()
    for (year, index), (later, then) in pairwise(history):
        if compound and (index <= 0 or then <= 0):
            continue
        gain = math.log(then / index) if compound else float(then - index)
        step = gain / float(later - year)
        found += Growth(1, step, step * step)
    return found


@dataclass(frozen=True, slots=True)
class Reach:
    """A projection in the unit that it grows in: index points, or logarithms of them."""

    middle: float
    half: float
    growth: float


def _reach(last: float, ahead: float, own: Growth, group: Growth) -> Reach:
    """Where `last` will be after `ahead` years: the own growth drawn towards the group's, the less it has steps the
    more. The interval holds the scatter of each year and what is not known about the growth."""
    weight = own.count + _GROUP_WEIGHT
    growth = (own.total + _GROUP_WEIGHT * group.total / group.count) / weight
    error = group.spread * math.sqrt(ahead + ahead**2 / weight)
    return Reach(last + ahead * growth, _t(group.count - 1) * error, growth)


@lru_cache(maxsize=4096)
def _t(degrees: int) -> float:
    from scipy import stats

    return float(stats.t.ppf(_TAIL, degrees))


def projection(
    known: Histories, institution: str, target_period: str, target: Decimal, scale: tuple[Decimal, Decimal] | None
) -> pb.GetProjectionResponse:
    """Linear and compound side by side; FAILED_PRECONDITION where the target period is not ahead."""
    own = known[institution]
    year, index = own[-1]
    ahead = float(year_of(target_period) - year)
    if ahead <= 0:
        raise precondition("TARGET_PASSED", f"{target_period} is not after the last result, of {_period(year)}")
    linear = _growth(own, compound=False)
    group = sum((_growth(history, compound=False) for history in known.values()), Growth())
    answer = pb.GetProjectionResponse(
        period=target_period, index=shown(index), own_steps=linear.count, group_steps=group.count - linear.count
    )
    if group.count < SMALLEST_STEPS:
        reason = f"{group.count} yearly steps of the region and its group; at least {SMALLEST_STEPS} are needed"
        answer.withheld.append(service_pb2.Withheld(what="projection", reason=reason))
        return answer
    reach = _reach(float(index), ahead, linear, group)
    _fill(answer.linear, reach.middle, reach.half, scale)
    answer.linear.growth = _two(reach.growth)
    answer.linear.growth_needed = _two(float(target - index) / ahead)
    _compound(answer, known, own, target, ahead, scale)
    return answer


def _compound(
    answer: pb.GetProjectionResponse,
    known: Histories,
    own: Sequence[tuple[Fraction, Decimal]],
    target: Decimal,
    ahead: float,
    scale: tuple[Decimal, Decimal] | None,
) -> None:
    index = own[-1][1]
    group = sum((_growth(history, compound=True) for history in known.values()), Growth())
    if index <= 0 or target <= 0 or group.count < SMALLEST_STEPS:
        reason = "growth in percent needs indices above zero"
        answer.withheld.append(service_pb2.Withheld(what="compound projection", reason=reason))
        return
    reach = _reach(math.log(index), ahead, _growth(own, compound=True), group)
    low, high = math.exp(reach.middle - reach.half), math.exp(reach.middle + reach.half)
    _fill_between(answer.compound, math.exp(reach.middle), low, high, scale)
    answer.compound.growth = _two(100 * math.expm1(reach.growth))
    answer.compound.growth_needed = _two(100 * math.expm1(math.log(target / index) / ahead))


def _fill(row: pb.Projection, middle: float, half: float, scale: tuple[Decimal, Decimal] | None) -> None:
    _fill_between(row, middle, middle - half, middle + half, scale)


def _fill_between(
    row: pb.Projection, middle: float, low: float, high: float, scale: tuple[Decimal, Decimal] | None
) -> None:
    def within(value: float) -> str:
        return _two(min(max(value, float(scale[0])), float(scale[1])) if scale else value)

    row.index, row.low, row.high = within(middle), within(low), within(high)


def back_test(known: Histories, scale: tuple[Decimal, Decimal] | None) -> pb.GetBackTestResponse:
    """Each period in turn is held out and projected, linearly, from what lay before it and nothing else."""
    errors: list[float] = []
    inside = 0
    for held_out in sorted({year for history in known.values() for year, _ in history}):
        past = {code: [point for point in history if point[0] < held_out] for code, history in known.items()}
        steps = {code: _growth(history, compound=False) for code, history in past.items()}
        group = sum(steps.values(), Growth())
        if group.count < SMALLEST_STEPS:
            continue
        for code, history in known.items():
            actual = dict(history).get(held_out)
            if actual is None or not past[code]:
                continue
            year, last = past[code][-1]
            reach = _reach(float(last), float(held_out - year), steps[code], group)
            low, high = (float(bound) for bound in scale) if scale else (-math.inf, math.inf)
            errors.append(min(max(reach.middle, low), high) - float(actual))
            inside += abs(reach.middle - float(actual)) <= reach.half
    answer = pb.GetBackTestResponse(projections=len(errors), within_interval=inside)
    if not errors:
        reason = f"no period has {SMALLEST_STEPS} yearly steps before it"
        answer.withheld.append(service_pb2.Withheld(what="back-test", reason=reason))
        return answer
    answer.mean_absolute_error = _two(math.fsum(map(abs, errors)) / len(errors))
    answer.mean_error = _two(math.fsum(errors) / len(errors))
    answer.largest_error = _two(max(errors, key=abs))
    return answer


def _period(year: Fraction) -> str:
    return str(int(year)) + (f"-{int((year - int(year)) * 100)}" if year != int(year) else "")


def _two(value: float) -> str:
    # No minus before a zero.
    return f"{round(value, 2) + 0.0:.2f}"
