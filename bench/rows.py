"""One line of the table: a figure of ours, the bare one beside it, and whether the goal is met."""

from dataclasses import asdict, dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Row:
    """`ratio` is ours over bare, or ours over the goal where nothing bare stands beside it."""

    id: str
    what: str
    ours: float
    bare: float | None
    ratio: float
    unit: str
    goal: str
    met: bool

    def as_json(self) -> dict[str, Any]:
        """As bench/latest.json has it."""
        return asdict(self)


def at_least(name: str, what: str, ours: float, bare: float, unit: str, goal: float) -> Row:
    """More is better: ours is at least `goal` times the bare figure."""
    ratio = ours / bare
    return Row(name, what, ours, bare, ratio, unit, f">= {goal:.2f} x bare", ratio >= goal)


def at_most(name: str, what: str, ours: float, bare: float, unit: str, goal: float) -> Row:
    """Less is better: ours is at most `goal` times the bare figure."""
    ratio = ours / bare
    return Row(name, what, ours, bare, ratio, unit, f"<= {goal:.2f} x bare", ratio <= goal)


def at_most_over(name: str, what: str, ours: float, bare: float, unit: str, margin: float) -> Row:
    """Less is better: ours is at most the bare figure and `margin` more."""
    return Row(name, what, ours, bare, ours / bare, unit, f"<= bare + {margin:g}", ours <= bare + margin)


def within(name: str, what: str, ours: float, limit: float, unit: str) -> Row:
    """A figure with an absolute goal."""
    return Row(name, what, ours, None, ours / limit, unit, f"< {limit:g} {unit}", ours < limit)


def within_beside(name: str, what: str, ours: float, bare: float, limit: float, unit: str) -> Row:
    """A figure with an absolute goal, and the bare one for comparison."""
    return Row(name, what, ours, bare, ours / bare, unit, f"< {limit:g} {unit}", ours < limit)


def percentile(values: list[float], share: float) -> float:
    """The value below which that share of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def middle(values: list[float]) -> float:
    """The median, which one slow round does not move."""
    return float(median(values))
