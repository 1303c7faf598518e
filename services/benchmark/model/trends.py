"""Series with breaks where the instrument changes, projections with honest intervals, and how far they were off."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from typing import Any

from livinglab.benchmark.v1 import analysis_service_pb2 as pb
from livinglab.benchmark.v1 import service_pb2

from chassis.errors import precondition
from instruments import periods
from instruments.rounding import written
from services.benchmark.model.likeness import like, on_basis
from services.benchmark.model.race import Regions, Standing, shown
from services.benchmark.model.ranking import name_of

Known = Mapping[str, Sequence[tuple[Fraction, Decimal]]]

# Fewer yearly steps than this, own and group's together, say nothing about growth.
SMALLEST_STEPS = 5
# A region's own growth weighs as many steps as it has, its group's as many as this.
_GROUP_WEIGHT = 2
# The interval holds four of five.
_TAIL = 0.9


def series(
    points: Iterable[tuple[str, str, Standing]], basis: service_pb2.Basis.ValueType, regions: Regions
) -> pb.ListSeriesResponse:
    """One series an institution, instrument, version of it and kind of period, those of an instrument on one basis,
    each point marked; where one follows another there is a break, never a line. FAILED_PRECONDITION (MIXED_BASIS) where
    no basis covers all of an instrument."""
    entries = list(points)
    names = {instrument for instrument, _, _ in entries}
    of = {name: on_basis([s for one, _, s in entries if one == name], basis)[1] for name in names}
    answer = pb.ListSeriesResponse()
    found: dict[tuple[str, str, int, int], list[tuple[str, Standing]]] = {}
    every: dict[str, set[str]] = {}
    for instrument, period, _ in entries:
        every.setdefault(instrument, set()).add(period)
    kinds = {(one, p): periods.alike(p, among)[0] for one, among in every.items() for p in among}
    for instrument, period, standing in entries:
        for kept in on_basis([standing], of[instrument])[0]:
            key = kept.institution, instrument, kept.version, kinds[instrument, period]
            found.setdefault(key, []).append((period, kept))
    for (institution, instrument, version, _), rows in found.items():
        line = pb.Series(institution=institution, instrument=instrument, instrument_version=version)
        line.name = name_of(institution, regions)
        line.points.extend(
            pb.SeriesPoint(period=period, index=shown(standing.index), basis=of[instrument], instrument_version=version)
            for period, standing in sorted(rows, key=lambda row: periods.order(row[0]))
        )
        answer.series.append(line)
    ordered = sorted(answer.series, key=_place)
    del answer.series[:]
    answer.series.extend(ordered)
    answer.breaks.extend(_break(*pair) for pair in pairwise(ordered) if pair[0].institution == pair[1].institution)
    return answer


def _place(line: pb.Series) -> tuple[Any, ...]:
    return line.institution, periods.order(line.points[0].period), line.instrument, line.instrument_version


def _break(before: pb.Series, after: pb.Series) -> pb.Break:
    return pb.Break(
        institution=before.institution,
        from_instrument=before.instrument,
        from_period=before.points[-1].period,
        to_instrument=after.instrument,
        to_period=after.points[0].period,
        from_version=before.instrument_version,
        to_version=after.instrument_version,
    )


@dataclass(frozen=True, slots=True)
class Histories(Mapping[str, Sequence[tuple[Fraction, Decimal]]]):
    """Each institution's indices by the place of their period on the line of years, of one instrument, version, basis
    and kind of period, of which `parts` make a year; `left_out` says what is not among them."""

    known: Mapping[str, Sequence[tuple[Fraction, Decimal]]]
    parts: int = 1
    left_out: Sequence[service_pb2.Withheld] = ()

    def __getitem__(self, institution: str) -> Sequence[tuple[Fraction, Decimal]]:
        return self.known[institution]

    def __iter__(self) -> Iterator[str]:
        return iter(self.known)

    def __len__(self) -> int:
        return len(self.known)


def histories(points: Iterable[tuple[str, Standing]], race: service_pb2.Race) -> Histories:
    """Of what lies up to the race's period and is like it. Where nothing shows what part of a year its periods are,
    nothing is kept, and the reason stands in `left_out`."""
    ended = [(p, s) for p, s in points if periods.order(p) <= periods.order(race.period)]
    every = {period for period, _ in ended}
    if not every:
        return Histories({})
    parts, alike, reason = periods.alike(race.period, every)
    if not parts:
        return Histories({}, 1, [service_pb2.Withheld(what="projection", reason=reason)])
    entries = [(period, standing) for period, standing in ended if period in alike]
    _, chosen = like([standing for _, standing in entries], race)
    left_out = [
        service_pb2.Withheld(what=f"results of {period}", reason=f"the race is one of {periods.words(parts)}")
        for period in sorted(every - set(alike), key=periods.order)
    ]
    found: dict[str, list[tuple[Fraction, Decimal]]] = {}
    for period, standing in entries:
        for kept in chosen.of([standing]):
            found.setdefault(kept.institution, []).append((periods.position(period, parts), kept.index))
    return Histories({code: sorted(found[code]) for code in sorted(found)}, parts, left_out)


@dataclass(frozen=True, slots=True)
class Growth:
    """Steps of one history, or of all: how many, the years that they take, and their gains: the sum, and the sum of the
    squares, each by the years of its step."""

    count: int = 0
    years: float = 0.0
    total: float = 0.0
    squares: float = 0.0

    def __add__(self, other: "Growth") -> "Growth":
        return Growth(
            self.count + other.count,
            self.years + other.years,
            self.total + other.total,
            self.squares + other.squares,
        )

    @property
    def rate(self) -> float:
        """What is gained a year."""
        return self.total / self.years

    @property
    def spread(self) -> float:
        """Standard deviation of what a year brings, estimated from steps of any length."""
        return math.sqrt(max(self.squares - self.total**2 / self.years, 0.0) / (self.count - 1))


def _growth(history: Sequence[tuple[Fraction, Decimal]], *, compound: bool) -> Growth:
    """In points, or in logarithms of the ratio."""
    found = Growth()
    for (year, index), (later, then) in pairwise(history):
        if compound and (index <= 0 or then <= 0):
            continue
        gain = math.log(then / index) if compound else float(then - index)
        years = float(later - year)
        found += Growth(1, years, gain, gain * gain / years)
    return found


@dataclass(frozen=True, slots=True)
class Reach:
    """A projection in the unit that it grows in: index points, or logarithms of them."""

    middle: float
    half: float
    growth: float


def _reach(last: float, ahead: float, own: Growth, group: Growth) -> Reach:
    """Where `last` will be after `ahead` years: the own growth drawn towards the group's, the less it has years the
    more. The interval holds the scatter of each year and what is not known about the growth."""
    weight = own.years + _GROUP_WEIGHT
    growth = (own.total + _GROUP_WEIGHT * group.rate) / weight
    error = group.spread * math.sqrt(ahead + ahead**2 / weight)
    return Reach(last + ahead * growth, _t(group.count - 1) * error, growth)


@lru_cache(maxsize=4096)
def _t(degrees: int) -> float:
    from scipy import stats

    return float(stats.t.ppf(_TAIL, degrees))


def projection(
    known: Known, institution: str, target_period: str, target: Decimal, scale: tuple[Decimal, Decimal] | None
) -> pb.GetProjectionResponse:
    """Linear and compound side by side; FAILED_PRECONDITION where the target period is not ahead."""
    own, parts = known[institution], _parts(known)
    year, index = own[-1]
    ahead = float(periods.position(target_period, parts) - year)
    if ahead <= 0:
        last = periods.at(year, parts)
        raise precondition("TARGET_PASSED", f"{target_period} is not after the last result, of {last}")
    linear = _growth(own, compound=False)
    group = sum((_growth(history, compound=False) for history in known.values()), Growth())
    answer = pb.GetProjectionResponse(
        period=target_period, index=shown(index), own_steps=linear.count, group_steps=group.count - linear.count
    )
    if group.count < SMALLEST_STEPS:
        steps = "yearly steps" if parts == 1 else f"steps between {periods.words(parts)}"
        reason = f"{group.count} {steps} of the region and its group; at least {SMALLEST_STEPS} are needed"
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
    known: Known,
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


def back_test(known: Known, scale: tuple[Decimal, Decimal] | None) -> pb.GetBackTestResponse:
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
        reason = f"no period has {SMALLEST_STEPS} steps from one period to the next before it"
        answer.withheld.append(service_pb2.Withheld(what="back-test", reason=reason))
        return answer
    answer.mean_absolute_error = _two(math.fsum(map(abs, errors)) / len(errors))
    answer.mean_error = _two(math.fsum(errors) / len(errors))
    answer.largest_error = _two(max(errors, key=abs))
    return answer


def _parts(known: Mapping[str, Sequence[tuple[Fraction, Decimal]]]) -> int:
    return known.parts if isinstance(known, Histories) else 1


def _two(value: float) -> str:
    return written(Decimal(repr(value)))
