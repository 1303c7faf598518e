"""Which indicators to raise to which level at the least effort: solved to proven optimality, with the runners-up, why
each item is in, and what a target that cannot be reached would need.

Levels of effort are a first guess that people put right in their plan: days of work by the step's height."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction
from math import lcm
from typing import Any

from instruments.tree import Instrument, Item

# Days of work that the step to a level takes, and days of the calendar that it lasts at least; a level that is not
# named takes as many as the next lower one that is.
EFFORT = {2: 10, 3: 20, 4: 40, 5: 60}
DAYS = {2: 14, 3: 30, 4: 60, 5: 90}
_PATIENCE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Prerequisite:
    """`indicator` is raised only where `needs` has reached `level`, or reaches it in the same plan."""

    indicator: str
    needs: str
    level: Decimal


@dataclass(frozen=True)
class Terms:
    """What a plan is drafted for. `capacity` in days of work, `days` of the calendar; None where there is no bound."""

    missing: Fraction
    capacity: int | None = None
    days: int | None = None
    most_levels: int = 2
    most_actions: int = 12
    prerequisites: tuple[Prerequisite, ...] = ()
    effort: Mapping[int, int] = field(default_factory=lambda: EFFORT)
    duration: Mapping[int, int] = field(default_factory=lambda: DAYS)


@dataclass(frozen=True, slots=True)
class Move:
    """One step of one item."""

    code: str
    from_value: Decimal
    to_value: Decimal
    gain: Fraction
    effort: int
    days: int


@dataclass(frozen=True, slots=True)
class Draft:
    """The moves in the instrument's order, an item's from the lowest up. `proven` where nothing takes less effort."""

    moves: tuple[Move, ...]
    proven: bool

    @property
    def effort(self) -> int:
        """Days of work."""
        return sum(move.effort for move in self.moves)

    @property
    def gain(self) -> Fraction:
        """Index points, exact."""
        return sum((move.gain for move in self.moves), Fraction(0))

    @property
    def codes(self) -> tuple[str, ...]:
        """The items that are raised."""
        return tuple(dict.fromkeys(move.code for move in self.moves))


@dataclass(frozen=True, slots=True)
class Needs:
    """What a target that cannot be reached would need: the most that can be gained as it is, and how many days of work
    or of the calendar would do; None where more of them alone would not."""

    most_gain: Fraction
    effort: int | None
    days: int | None


def moves(items: Sequence[Item], instrument: Instrument, terms: Terms) -> list[Move]:
    """Every step that may be taken: one after the other, within the levels and the days that there are; what another
    institution has to say is left out."""
    found = []
    for item in items:
        value, passed = item.value, 0
        for _ in range(0 if item.indicator.awaited else terms.most_levels):
            if value >= instrument.maximum:
                break
            reached = instrument.next_value(value)
            days = _of_level(terms.duration, reached)
            passed += days
            if terms.days is not None and passed > terms.days:
                break
            gain = item.share * Fraction(reached - value)
            found.append(Move(item.code, value, reached, gain, _of_level(terms.effort, reached), days))
            value = reached
    return found


def draft(items: Sequence[Item], instrument: Instrument, terms: Terms) -> Draft | Needs:
    """The plan of least effort that reaches the target, the largest gain among equals; else what it would need."""
    problem = _Problem(moves(items, instrument, terms), items, terms)
    found = problem.least(terms.capacity)
    return found if found is not None else _needs(items, instrument, terms, problem)


def runners_up(items: Sequence[Item], instrument: Instrument, terms: Terms, best: Draft, count: int) -> list[Draft]:
    """The next plans by effort, none of which holds one before it whole."""
    problem = _Problem(moves(items, instrument, terms), items, terms)
    known = [best]
    while len(known) <= count:
        found = problem.least(terms.capacity, without=[one.moves for one in known])
        if found is None:
            break
        known.append(found)
    return known[1:]


def without(items: Sequence[Item], instrument: Instrument, terms: Terms, code: str) -> int | None:
    """Days of work of the best plan that leaves an item alone: why it is in. None where none does."""
    allowed = [move for move in moves(items, instrument, terms) if move.code != code]
    found = _Problem(allowed, items, terms).least(terms.capacity, largest=False)
    return found.effort if found else None


def _needs(items: Sequence[Item], instrument: Instrument, terms: Terms, problem: "_Problem") -> Needs:
    more_work = problem.least(None, largest=False)
    longest = sum(terms.duration.values())
    days = None
    if terms.days is not None:
        enough = sorted(set(_totals(items, instrument, replace(terms, days=longest))))
        for tried in (one for one in enough if one > terms.days):
            wider = replace(terms, days=tried)
            if _Problem(moves(items, instrument, wider), items, wider).least(terms.capacity, largest=False):
                days = tried
                break
    return Needs(problem.most(terms.capacity).gain, more_work.effort if more_work else None, days)


def _totals(items: Sequence[Item], instrument: Instrument, terms: Terms) -> Iterator[int]:
    """How long the steps of an item last together, up to each of them."""
    passed: dict[str, int] = {}
    for move in moves(items, instrument, terms):
        passed[move.code] = passed.get(move.code, 0) + move.days
        yield passed[move.code]


class _Problem:
    """A binary program: a variable a move. All numbers are whole ones, so that no tolerance of the solver decides."""

    def __init__(self, allowed: Sequence[Move], items: Sequence[Item], terms: Terms) -> None:
        self._moves, self._terms = allowed, terms
        self._values = {item.code: item.value for item in items}
        unit = lcm(terms.missing.denominator, *(move.gain.denominator for move in allowed))
        self._gains = [int(move.gain * unit) for move in allowed]
        self._missing = int(terms.missing * unit)
        self._efforts = [move.effort for move in allowed]
        self._rules = list(self._structure())

    def least(
        self, capacity: int | None, *, without: Sequence[Sequence[Move]] = (), largest: bool = True
    ) -> Draft | None:
        """The least effort, and the largest gain at that effort; None where the target is out of reach."""
        rules = [*self._rules, (self._gains, self._missing, None), *map(self._not_all_of, without)]
        if capacity is not None:
            rules.append((self._efforts, None, capacity))
        found = self._solved(self._efforts, rules)
        if found is None or not largest:
            return found
        best = self._solved([-gain for gain in self._gains], [*rules, (self._efforts, None, found.effort)])
        return replace(best, proven=best.proven and found.proven) if best else found

    def most(self, capacity: int | None) -> Draft:
        """The largest gain, whatever is missing then."""
        rules = [*self._rules, *([(self._efforts, None, capacity)] if capacity is not None else [])]
        return self._solved([-gain for gain in self._gains], rules) or Draft((), False)

    def _structure(self) -> Iterator[tuple[list[int], int | None, int | None]]:
        """No step before the one below it, no more actions than may be, nothing before what it needs."""
        firsts = [int(move.from_value == self._values[move.code]) for move in self._moves]
        yield firsts, None, self._terms.most_actions
        for n, first in enumerate(firsts):
            if not first:
                yield self._row({n: 1, n - 1: -1}), None, 0
        for one in self._terms.prerequisites:
            if self._values.get(one.needs, Decimal(0)) >= one.level:
                continue
            reaching = [n for n, m in enumerate(self._moves) if m.code == one.needs and m.to_value >= one.level]
            for n, move in enumerate(self._moves):
                if move.code == one.indicator:
                    yield self._row({n: 1, **({reaching[0]: -1} if reaching else {})}), None, 0

    def _not_all_of(self, taken: Sequence[Move]) -> tuple[list[int], int | None, int | None]:
        return [int(move in taken) for move in self._moves], None, len(taken) - 1

    def _row(self, entries: Mapping[int, int]) -> list[int]:
        return [entries.get(n, 0) for n in range(len(self._moves))]

    def _solved(
        self, costs: Sequence[int], rules: Sequence[tuple[Sequence[int], int | None, int | None]]
    ) -> Draft | None:
        if not self._moves:
            return None if self._missing > 0 else Draft((), True)
        import numpy as np
        from scipy.optimize import Bounds, LinearConstraint, milp

        lower = [-np.inf if low is None else low for _, low, _ in rules]
        upper = [np.inf if high is None else high for _, _, high in rules]
        rows: Any = np.array([row for row, _, _ in rules], dtype=float)
        solved = milp(
            c=np.array(costs, dtype=float),
            integrality=np.ones(len(self._moves)),
            bounds=Bounds(0, 1),
            constraints=[LinearConstraint(rows, lower, upper)],
            # With its own gap of 1e-4 it calls optimal what is not.
            options={"mip_rel_gap": 0, "time_limit": _PATIENCE_SECONDS},
        )
        if solved.x is None:
            return None
        taken = tuple(move for move, x in zip(self._moves, solved.x, strict=True) if x > 0.5)
        return Draft(taken, solved.status == 0)


def _of_level(table: Mapping[int, int], reached: Decimal) -> int:
    """The number of the level, or of the next lower one that has one; of the lowest below all."""
    below = [level for level in table if level <= reached]
    return table[max(below) if below else min(table)]
