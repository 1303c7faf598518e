"""Whom to learn from: hosts at the upper levels that are like the visitor and climbed, and who goes to whom."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from livinglab.benchmark.v1 import analysis_service_pb2 as pb

from chassis.errors import invalid_field
from instruments.tree import Instrument
from services.benchmark.model.race import Regions, Result, shown
from services.benchmark.model.ranking import name_of

# Levels 4 and 5 of five: the upper quarter of a scale.
# For a plan of visits; a call has more, and others wait for theirs.
PATIENCE_SECONDS = 5.0
_UPPER = Fraction(3, 4)
# What likeness is made of, in thousandths of the whole.
_KIND, _PROVINCE, _START, _CLIMB = 300, 100, 300, 300
# A gain of one point, or more, counts in full.
_FULL_CLIMB = Fraction(1)


@dataclass(frozen=True)
class School:
    """Everybody's results in one version of the instrument, their indices before, and how many visitors each takes."""

    instrument: Instrument
    results: Mapping[str, Result]
    earlier: Mapping[str, Decimal]
    capacity: Mapping[str, int]
    regions: Regions

    def value(self, institution: str, indicator: str) -> Decimal:
        """The level of an indicator; the scale's minimum while it is awaited."""
        return self.results[institution].values.get(indicator, self.instrument.minimum)

    def hosts(self, indicator: str) -> list[str]:
        """Who is at the upper levels and receives visitors, by code."""
        low, high = Fraction(self.instrument.minimum), Fraction(self.instrument.maximum)
        enough = low + _UPPER * (high - low)
        return [
            code
            for code in sorted(self.results)
            if self.capacity.get(code) and Fraction(self.value(code, indicator)) >= enough
        ]

    def require(self, indicator: str) -> None:
        """INVALID_ARGUMENT for an indicator that the instrument does not have."""
        if indicator not in self.instrument.leaves:
            raise invalid_field("indicator", f"{indicator} is not an indicator of this instrument")


def teachers(school: School, visitor: str, indicator: str) -> list[pb.Teacher]:
    """Hosts of an indicator for one visitor, the most alike first, equals by code."""
    school.require(indicator)
    return _teachers(school, visitor, indicator)


@dataclass(frozen=True, slots=True)
class _Pair:
    """A visitor and a host that is ahead of it in an indicator; `score` says how alike they are, whatever is taught."""

    visitor: str
    host: str
    indicator: str
    score: int


def _teachers(school: School, visitor: str, indicator: str) -> list[pb.Teacher]:
    mine = school.value(visitor, indicator) if visitor in school.results else school.instrument.minimum
    found = [
        _Pair(visitor, host, indicator, _score(school, visitor, host))
        for host in school.hosts(indicator)
        if host != visitor and school.value(host, indicator) > mine
    ]
    return [_teacher(school, pair) for pair in sorted(found, key=_most_alike)]


def _most_alike(pair: _Pair) -> tuple[int, str]:
    return -pair.score, pair.host


def _alike(school: School, visitor: str, host: str) -> tuple[bool, bool]:
    """Whether both are of one kind, and whether both lie in one province."""
    ours, theirs = school.regions.get(visitor), school.regions.get(host)
    if ours is None or theirs is None:
        return False, False
    return ours.kind == theirs.kind, ours.parent == theirs.parent and bool(ours.parent)


def _score(school: School, visitor: str, host: str) -> int:
    own, other = school.results[visitor].index, school.results[host].index
    start = school.earlier.get(host)
    span = Fraction(school.instrument.maximum - school.instrument.minimum)
    near = 1 - min(Fraction(abs((other if start is None else start) - own)) / span, Fraction(1))
    climb = min(max(Fraction(0 if start is None else other - start), Fraction(0)) / _FULL_CLIMB, Fraction(1))
    same_kind, same_province = _alike(school, visitor, host)
    return int(_KIND * same_kind + _PROVINCE * same_province + _START * near + _CLIMB * climb)


def _teacher(school: School, pair: _Pair) -> pb.Teacher:
    start = school.earlier.get(pair.host)
    same_kind, same_province = _alike(school, pair.visitor, pair.host)
    teacher = pb.Teacher(
        visitor=pair.visitor,
        host=pair.host,
        host_name=name_of(pair.host, school.regions),
        indicator=pair.indicator,
        visitor_value=f"{school.value(pair.visitor, pair.indicator):f}",
        host_value=f"{school.value(pair.host, pair.indicator):f}",
        same_kind=same_kind,
        same_province=same_province,
        host_start="" if start is None else shown(start),
        host_gain="" if start is None else shown(school.results[pair.host].index - start),
        capacity=school.capacity[pair.host],
        score=pair.score,
    )
    teacher.reason = _reason(teacher, school.results[pair.visitor].index)
    return teacher


def _reason(teacher: pb.Teacher, own: Decimal) -> str:
    parts = [f"is at {teacher.host_value} where the visitor is at {teacher.visitor_value}"]
    if teacher.same_kind:
        parts.append("is of the same kind")
    if teacher.same_province:
        parts.append("lies in the same province")
    if teacher.host_start:
        parts.append(
            f"was at {teacher.host_start} (the visitor is at {shown(own)}) and has won {teacher.host_gain} since"
        )
    return f"{teacher.host_name} " + ", ".join(parts)


def visit_plan(
    school: School, visitors: Sequence[str], indicator: str, patience: float = PATIENCE_SECONDS
) -> pb.GetVisitPlanResponse:
    """One host for each visitor: as many as can be placed, among such plans as many as can be for the indicator that
    costs its visitor most of those that somebody teaches, and among these one of the highest total score. After
    `patience` seconds the best that was found so far, said to be that."""
    if indicator:
        school.require(indicator)
    answer = pb.GetVisitPlanResponse()
    hosts = {node.number: school.hosts(node.number) for node in school.instrument.indicators()}
    offers: dict[str, list[_Pair]] = {}
    for visitor in sorted(visitors):
        wanted = [indicator] if indicator else _costliest(school, visitor)
        found = _offers(school, visitor, wanted, hosts)
        if found:
            offers[visitor] = found
        else:
            what = f"indicator {indicator}" if indicator else "any of its costly indicators"
            reason = f"nobody who receives visitors is ahead at the upper levels in {what}"
            answer.unplaced.append(pb.Unplaced(institution=visitor, reason=reason))
    chosen, best = _assigned(offers, school.capacity, patience)
    answer.best_so_far = not best
    answer.visits.extend(_teacher(school, pair) for pair in chosen)
    answer.total_score = sum(pair.score for pair in chosen)
    placed = {pair.visitor for pair in chosen}
    for visitor in offers:
        if visitor not in placed:
            answer.unplaced.append(pb.Unplaced(institution=visitor, reason="every host that suits is full"))
    return answer


def _offers(school: School, visitor: str, wanted: Sequence[str], hosts: Mapping[str, Sequence[str]]) -> list[_Pair]:
    """Each host that can teach the visitor something, with the first of the wanted indicators that it teaches; those
    of the indicator that is wanted most first, then the most alike, equals by code."""
    found: list[_Pair] = []
    seen = {visitor}
    for item in wanted:
        mine = school.value(visitor, item)
        new = [host for host in hosts[item] if host not in seen and school.value(host, item) > mine]
        seen.update(new)
        found += sorted((_Pair(visitor, host, item, _score(school, visitor, host)) for host in new), key=_most_alike)
    return found


def _costliest(school: School, visitor: str) -> list[str]:
    """Indicators by the index points that they lack to the top, most first, equals in the instrument's order."""
    top = Fraction(school.instrument.maximum)
    nodes = school.instrument.node_values(school.results[visitor].values)
    costs = {node.node.number: node.share * (top - node.value) for node in nodes if not node.node.children}
    return sorted((item for item in costs if costs[item] > 0), key=lambda item: -costs[item])


def _assigned(
    offers: Mapping[str, Sequence[_Pair]], capacity: Mapping[str, int], patience: float
) -> tuple[list[_Pair], bool]:
    """Solved by HiGHS, and whether that is the best there is. Every visitor placed outweighs all that the rest could
    win, and every visit for the indicator that its visitor wants most all that scores could win, so these numbers come
    first."""
    pairs = [pair for visitor in sorted(offers) for pair in offers[visitor]]
    if not pairs:
        return [], True
    import numpy as np
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_array

    def once_each(names: Sequence[str]) -> tuple[list[str], csr_array]:
        rows = sorted(set(names))
        at = {name: row for row, name in enumerate(rows)}
        ones, columns = np.ones(len(names)), np.arange(len(names))
        return rows, csr_array((ones, ([at[name] for name in names], columns)), shape=(len(rows), len(names)))

    visitors, by_visitor = once_each([pair.visitor for pair in pairs])
    hosts, by_host = once_each([pair.host for pair in pairs])
    most_wanted = {visitor: found[0].indicator for visitor, found in offers.items()}
    first = 1 + 1000 * len(visitors)
    placed = 1 + (first + 1000) * len(visitors)
    worth = [placed + first * (pair.indicator == most_wanted[pair.visitor]) + pair.score for pair in pairs]
    solved = milp(
        c=-np.array(worth, dtype=float),
        integrality=np.ones(len(pairs)),
        bounds=Bounds(0, 1),
        constraints=[
            LinearConstraint(by_visitor, ub=np.ones(len(visitors))),
            LinearConstraint(by_host, ub=np.array([capacity[host] for host in hosts], dtype=float)),
        ],
        options={"mip_rel_gap": 0, "time_limit": patience},
    )
    if solved.x is None:
        return _one_by_one(offers, capacity), False
    return [pair for pair, take in zip(pairs, solved.x, strict=True) if take > 0.5], solved.status == 0


def _one_by_one(offers: Mapping[str, Sequence[_Pair]], capacity: Mapping[str, int]) -> list[_Pair]:
    """Each visitor at the first host of its own order that has a place left: what can be said at once."""
    left = dict(capacity)
    chosen = []
    for visitor in sorted(offers):
        for pair in offers[visitor]:
            if left[pair.host]:
                left[pair.host] -= 1
                chosen.append(pair)
                break
    return chosen
