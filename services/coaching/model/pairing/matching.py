"""Coaches for a whole cohort as one assignment: as many institutions placed as can be, then as few changes as can be,
then the most points. Exact: whole numbers that doubles hold."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

from livinglab.coaching.v1 import assignment_pb2 as pb
from livinglab.coaching.v1 import coaching_pb2

from instruments.rounding import written

# Points of a pair, at most or each.
EXPERTISE, CONTINUITY, HOUR, BALANCE = 1000, 150, 50, 200
_BEST_GRADE = 3
# One change weighs more than all points of a cohort together, one institution without a coach more than all changes.
_CHANGE, _UNPLACED = 10**7, 10**12
# Institutions times places: 64 MiB of doubles.
_MOST_CELLS = 8_000_000
_ASPECTS_TOLD = 5


@dataclass(frozen=True, slots=True)
class Aspect:
    """One aspect of an instrument, and the index points that an institution lacks there."""

    instrument: str
    number: str
    name: str
    gap: Fraction


@dataclass(frozen=True, slots=True)
class Region:
    """An institution that needs a coach; `current` is who coaches it in this cohort, `before` who did in others."""

    code: str
    zone: str
    aspects: Sequence[Aspect] = ()
    current: str = ""
    before: Collection[str] = ()
    chosen: str = ""
    # The gaps in millionths of a point: sums of many fractions are slow.
    weights: tuple[tuple[tuple[str, str], int], ...] = field(init=False)
    lacking: int = field(init=False)

    def __post_init__(self) -> None:
        weights = tuple(((one.instrument, one.number), round(one.gap * 10**6)) for one in self.aspects)
        object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "lacking", sum(gap for _, gap in weights))


@dataclass(frozen=True)
class Candidates:
    """Who may coach, with the places that institutions outside of the question have taken already."""

    coaches: Sequence[coaching_pb2.Coach]
    taken: Mapping[str, int] = field(default_factory=dict)
    # Those who have left the cohort.
    gone: Collection[str] = ()

    def places(self, coach: coaching_pb2.Coach) -> range:
        """The places that are free, by how many are taken before each."""
        return range(self.taken.get(coach.id, 0), 0 if coach.id in self.gone else coach.capacity)


def excluded(coach: coaching_pb2.Coach, institution: str) -> bool:
    """Whether the coach must not coach it: a conflict, or their own house."""
    return institution in coach.conflicts or (bool(institution) and institution == coach.institution)


@dataclass(frozen=True, slots=True)
class _Points:
    """What speaks for a pair, however full the coach is."""

    expertise: int
    continuity: int
    distance: int

    @property
    def total(self) -> int:
        return self.expertise + self.continuity + self.distance


def matched(regions: Sequence[Region], candidates: Candidates, now: datetime) -> list[pb.Pair]:
    """One pair a region, in their order; where nobody is left for it the coach is empty. `now` says how far zones are
    apart. Slow for hundreds of regions: not for an event loop."""
    import numpy as np
    from scipy.optimize import linear_sum_assignment

    coaches = candidates.coaches
    apart = {zone: [_hours_apart(zone, coach.time_zone, now) for coach in coaches] for zone in _zones(regions)}
    grades = [{(one.instrument, one.aspect): one.grade for one in coach.expertise} for coach in coaches]
    conflicts = [{*coach.conflicts, coach.institution} for coach in coaches]
    points = [
        [
            _Points(_expertise(region, grades[at]), CONTINUITY * (coach.id in region.before), -HOUR * hours)
            for at, (coach, hours) in enumerate(zip(coaches, apart[region.zone], strict=True))
        ]
        for region in regions
    ]
    slots = _slots(candidates, len(regions))
    owners = np.array([at for at, _ in slots], dtype=int)
    full = np.array([_full(coaches[at], place) for at, place in slots], dtype=float)
    costs = np.full((len(regions), len(slots) + len(regions)), float(_UNPLACED))
    for n, region in enumerate(regions):
        pair = [_cost(region, coach, points[n][at], conflicts[at]) for at, coach in enumerate(coaches)]
        if slots:
            costs[n, : len(slots)] = np.array(pair)[owners] + full
    rows, columns = linear_sum_assignment(costs)
    places = dict(zip(rows.tolist(), columns.tolist(), strict=True))
    return [
        _told(region, candidates, points[n], *slots[places[n]])
        if places[n] < len(slots)
        else pb.Pair(institution=region.code, reason=_why_nobody(region, candidates))
        for n, region in enumerate(regions)
    ]


def _zones(regions: Sequence[Region]) -> set[str]:
    return {region.zone for region in regions}


def _cost(region: Region, coach: coaching_pb2.Coach, points: _Points, conflicts: Collection[str]) -> float:
    """Of a pair, however full the coach is; infinite where it must not be."""
    if region.code in conflicts or region.chosen not in ("", coach.id):
        return float("inf")
    moves = region.current not in ("", coach.id) and not region.chosen
    return (_CHANGE if moves else 0) - points.total


def _slots(candidates: Candidates, regions: int) -> list[tuple[int, int]]:
    """The free places: whose, and how many are taken before each. No coach gets more than there are regions."""
    most = min(regions, max(1, _MOST_CELLS // max(1, regions * len(candidates.coaches))))
    return [(at, place) for at, coach in enumerate(candidates.coaches) for place in candidates.places(coach)[:most]]


def _expertise(region: Region, grades: Mapping[tuple[str, str], int]) -> int:
    if not grades or not region.lacking:
        return 0
    known = sum(gap * grades.get(key, 0) for key, gap in region.weights)
    return (2 * EXPERTISE * known + _BEST_GRADE * region.lacking) // (2 * _BEST_GRADE * region.lacking)


def _hours_apart(one: str, other: str, now: datetime) -> int:
    """Of two zones' clocks, whole hours; 0 where one is not known."""
    if not one or not other or one == other:
        return 0
    offsets = [now.astimezone(ZoneInfo(zone)).utcoffset() or timedelta() for zone in (one, other)]
    return round(abs(offsets[0] - offsets[1]) / timedelta(hours=1))


def _full(coach: coaching_pb2.Coach, place: int) -> int:
    """Points that a place costs: the fuller the coach, the more."""
    return BALANCE * (place + 1) // coach.capacity


def _told(region: Region, candidates: Candidates, points: Sequence[_Points], at: int, place: int) -> pb.Pair:
    coach, own = candidates.coaches[at], points[at]
    pair = pb.Pair(
        institution=region.code,
        coach_id=coach.id,
        expertise=own.expertise,
        continuity=own.continuity,
        distance=own.distance,
        balance=-_full(coach, place),
        chosen=bool(region.chosen),
        kept=region.current == coach.id,
    )
    grades = {(one.instrument, one.aspect): one.grade for one in coach.expertise}
    for one in sorted(region.aspects, key=lambda aspect: -aspect.gap)[:_ASPECTS_TOLD]:
        grade = grades.get((one.instrument, one.number), 0)
        pair.aspects.add(aspect=one.number, name=one.name, gap=written(one.gap), grade=grade)
    others = [
        (-points[n].total, who.id)
        for n, who in enumerate(candidates.coaches)
        if who.id != coach.id and not excluded(who, region.code) and who.id not in candidates.gone
    ]
    if others:
        less, pair.next_coach_id = min(others)
        pair.next_less = own.total + less
        if pair.next_less < 0 and not pair.kept and not pair.chosen:
            pair.reason = f"{pair.next_coach_id} suits better, and is needed elsewhere or full"
    return pair


def _why_nobody(region: Region, candidates: Candidates) -> str:
    free = [coach for coach in candidates.coaches if candidates.places(coach)]
    if free and all(excluded(coach, region.code) for coach in free):
        return "everybody with a free place has a conflict with it"
    return "no place is left"
