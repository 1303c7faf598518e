"""Charts as SVG, made from numbers that stand in a table beside them. Nothing in them is style: classes only."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from instruments.periods import position

# A period says its part in at most two digits.
_MOST_PARTS = 100
_WIDTH, _HEIGHT = 640, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 34, 14, 14, 30


@dataclass(frozen=True, slots=True)
class Bar:
    """One column: where it starts on the scale, how tall, and what stands under it."""

    x: float
    y: float
    width: float
    height: float
    label: str
    count: int


@dataclass(frozen=True, slots=True)
class Bars:
    """Columns within a box of 640 by 220."""

    bars: list[Bar]
    base: float


def bars(counts: Sequence[tuple[str, int]]) -> Bars:
    """A column for each label, in order; the tallest fills the box."""
    tallest = max((count for _, count in counts), default=0) or 1
    room = _HEIGHT - _TOP - _BOTTOM
    step = (_WIDTH - 20) / max(len(counts), 1)
    wide = min(step * 0.86, 90.0)
    made = []
    for place, (label, count) in enumerate(counts):
        height = round(room * count / tallest, 1)
        made.append(
            Bar(
                x=round(10 + step * place + (step - wide) / 2, 1),
                y=round(_HEIGHT - _BOTTOM - height, 1),
                width=round(wide, 1),
                height=height,
                label=label,
                count=count,
            )
        )
    return Bars(made, _HEIGHT - _BOTTOM)


@dataclass(frozen=True, slots=True)
class Dot:
    """A value at a time."""

    x: float
    y: float
    period: str
    value: str


@dataclass(frozen=True, slots=True)
class Line:
    """The dots of one instrument on one basis; `number` picks its colour, and what was computed is dashed."""

    number: int
    dots: list[Dot]
    computed: bool = False

    @property
    def points(self) -> str:
        """As SVG wants them."""
        return " ".join(f"{dot.x},{dot.y}" for dot in self.dots)


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines within a box of 640 by 220, a mark for each whole number, and where an instrument follows another."""

    lines: list[Line]
    marks: list[tuple[float, int]]
    periods: list[tuple[float, str]]
    breaks: list[float]
    # Some lines are of published values and some of computed ones.
    both: bool = False


def year_of(period: str) -> Fraction:
    """The end of a period on the line of years, for their order: 2022-H1 lies before 2022, 2022-1 before 2022-2."""
    # Of how many parts 2022-1 is the first does not matter here.
    return position(period, _MOST_PARTS)


@dataclass(frozen=True, slots=True)
class Series:
    """Period and value of one instrument on one basis, oldest first."""

    instrument: str
    computed: bool
    points: Sequence[tuple[str, str]]


def lines(series: Sequence[Series], low: Decimal, high: Decimal) -> Lines:
    """One line for each series, never joined; `low` and `high` bound the scale."""
    periods = sorted({period for one in series for period, _ in one.points}, key=year_of)
    step = (_WIDTH - _LEFT - _RIGHT) / max(len(periods), 1)
    across = {period: round(_LEFT + step * (place + 0.5), 1) for place, period in enumerate(periods)}
    room, span = _HEIGHT - _TOP - _BOTTOM, max(high - low, Decimal("0.01"))

    def down(value: Decimal) -> float:
        inside = min(max(value, low), high)
        return round(_TOP + float((high - inside) / span) * room, 1)

    starts: dict[str, float] = {}
    for one in series:
        for period, _ in one.points:
            starts[one.instrument] = min(starts.get(one.instrument, _WIDTH), across[period])
    order = sorted(starts, key=lambda instrument: starts[instrument])
    made = [
        Line(
            order.index(one.instrument) + 1,
            [Dot(across[period], down(Decimal(value)), period, value) for period, value in one.points],
            one.computed,
        )
        for one in series
        if one.points
    ]
    marks = [(down(Decimal(whole)), whole) for whole in range(int(low), int(high) + 1) if low <= whole <= high]
    breaks = [round(starts[instrument] - step / 2, 1) for instrument in order[1:]]
    both = len({line.computed for line in made}) > 1
    return Lines(made, marks, [(across[period], period) for period in periods], breaks, both)
