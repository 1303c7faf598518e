"""Charts as SVG, for those who would rather look than read: the race over time, a radar, a distribution."""

import math
from collections.abc import Mapping, Sequence
from html import escape

_WIDTH, _HEIGHT, _MARGIN = 860, 440, 60
# For the key on the right, and how much of a text fits there.
_KEY, _FITS = 240, 32
# Told apart by people who see few colours too (Okabe and Ito).
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999933")
_INK, _GRID = "#333333", "#dddddd"

Lines = Mapping[str, Sequence[tuple[str, float]]]


def race(
    title: str,
    lines: Lines,
    low: float,
    high: float,
    targets: Mapping[str, float] | None = None,
    breaks: Sequence[str] = (),
) -> str:
    """Index by period, one line a name; a series of one point is a dot. Target lines stand under their names, and a
    dashed upright before each period with which the instrument changed."""
    periods = sorted({period for points in lines.values() for period, _ in points})
    right = _WIDTH - _KEY - 20

    def x(period: str) -> float:
        return _MARGIN + (right - _MARGIN) * (periods.index(period) / max(len(periods) - 1, 1))

    def y(value: float) -> float:
        return _up(value, low, high)

    parts = [*_scale(low, high, right), _text(_MARGIN - 8, _MARGIN - 14, "index", "end")]
    parts += [_target(name, y(value), right) for name, value in (targets or {}).items() if low <= value <= high]
    parts += [_text(x(period), _HEIGHT - _MARGIN + 20, period, "middle") for period in periods]
    for period in breaks:
        at_x = (x(period) + x(periods[max(periods.index(period) - 1, 0)])) / 2
        parts.append(_line(at_x, _MARGIN, at_x, _HEIGHT - _MARGIN, _INK, dashed=True))
        parts.append(_text(at_x, _MARGIN - 6, "another instrument", "middle"))
    for at, (name, points) in enumerate(lines.items()):
        colour = _COLOURS[at % len(_COLOURS)]
        path = " ".join(f"{x(period):.1f},{y(value):.1f}" for period, value in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x(p):.1f}" cy="{y(v):.1f}" r="3" fill="{colour}"/>' for p, v in points]
        parts.append(_key(at, name, colour))
    return _drawing(title, parts)


def bars(title: str, rows: Sequence[tuple[str, float, str]], targets: Mapping[str, float] | None = None) -> str:
    """A bar a row, from the top, under its name and with its value as it is written; target lines stand under their
    names."""
    named, step = 250, 20
    high = max([value for _, value, _ in rows] + list((targets or {}).values()) + [1.0])
    right, bottom = _WIDTH - _MARGIN, _MARGIN + step * len(rows)

    def x(value: float) -> float:
        return named + (right - named) * max(value, 0.0) / high

    parts = []
    for at, (name, value, written) in enumerate(rows):
        y = _MARGIN + step * at
        size = f'width="{x(value) - named:.1f}" height="{step - 6}"'
        parts.append(f'<rect x="{named}" y="{y}" {size} fill="{_COLOURS[0]}"/>')
        parts.append(_text(named - 8, y + 12, _fitting(name, _FITS), "end"))
        parts.append(_text(x(value) + 6, y + 12, written))
    for name, value in (targets or {}).items():
        parts.append(_line(x(value), _MARGIN - 8, x(value), bottom, _COLOURS[1], dashed=True))
        parts.append(_text(x(value), bottom + 16, name, "middle"))
    return _drawing(title, parts, bottom + _MARGIN)


def radar(
    title: str,
    axes: Sequence[str],
    polygons: Mapping[str, Sequence[float]],
    low: float,
    high: float,
    notes: Sequence[str] = (),
) -> str:
    """One axis a node of the instrument, one polygon a body or group; `notes` stand beside, such as what an axis is."""
    centre_x, centre_y, radius = (_WIDTH - _KEY) / 2, _HEIGHT / 2 + 10, _HEIGHT / 2 - 70

    def at(axis: int, value: float) -> tuple[float, float]:
        angle = 2 * math.pi * axis / len(axes) - math.pi / 2
        reach = radius * (value - low) / (high - low)
        return centre_x + reach * math.cos(angle), centre_y + reach * math.sin(angle)

    parts = []
    for level in range(math.ceil(low) + 1, math.floor(high) + 1):
        parts.append(_polygon([at(axis, level) for axis in range(len(axes))], _GRID, "none"))
        parts.append(_text(centre_x + 4, at(0, level)[1] + 12, str(level)))
    for axis, name in enumerate(axes):
        end_x, end_y = at(axis, high)
        parts.append(_line(centre_x, centre_y, end_x, end_y, _GRID))
        label_x, label_y = at(axis, high + (high - low) * 0.08)
        anchor = "middle" if abs(label_x - centre_x) < 5 else "start" if label_x > centre_x else "end"
        parts.append(_text(label_x, label_y + 4, name, anchor))
    for number, (name, values) in enumerate(polygons.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        # The first is whom the chart is about.
        fill = "none" if number else colour
        parts.append(_polygon([at(axis, value) for axis, value in enumerate(values)], colour, fill))
        parts.append(_key(number, name, colour))
    for number, note in enumerate(notes, len(polygons) + 1):
        parts.append(_text(_WIDTH - _KEY, _MARGIN + 18 * number, _fitting(note, _FITS)))
    return _drawing(title, parts)


def distribution(title: str, bins: Sequence[tuple[float, float, int]], targets: Sequence[float]) -> str:
    """How many bodies have which index, with a line at each target."""
    right, most = _WIDTH - _MARGIN, max((count for _, _, count in bins), default=1)
    low = min([start for start, _, _ in bins] + list(targets))
    high = max([end for _, end, _ in bins] + list(targets))

    def x(value: float) -> float:
        return _MARGIN + (right - _MARGIN) * (value - low) / (high - low)

    parts = [_text(_MARGIN, _MARGIN - 22, "bodies"), _text((_MARGIN + right) / 2, _HEIGHT - 16, "index", "middle")]
    drawn: set[float] = set()
    for start, end, count in bins:
        top = _up(count, 0, most)
        size = f'width="{x(end) - x(start) - 2:.1f}" height="{_HEIGHT - _MARGIN - top:.1f}"'
        parts.append(f'<rect x="{x(start) + 1:.1f}" y="{top:.1f}" {size} fill="{_COLOURS[0]}"/>')
        parts.append(_text((x(start) + x(end)) / 2, top - 5, str(count), "middle"))
        parts += [
            _text(x(edge), _HEIGHT - _MARGIN + 20, f"{edge:g}", "middle") for edge in sorted({start, end} - drawn)
        ]
        drawn |= {start, end}
    for target in targets:
        parts.append(_line(x(target), _MARGIN, x(target), _HEIGHT - _MARGIN, _COLOURS[1], dashed=True))
        parts.append(_text(x(target), _MARGIN - 6, f"target {target:g}", "middle"))
    return _drawing(title, parts)


def _drawing(title: str, parts: Sequence[str], height: int = _HEIGHT) -> str:
    box = f'viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {box} font-family="sans-serif" font-size="12" role="img">'
    back = f'<rect width="{_WIDTH}" height="{height}" fill="white"/>'
    name = f'<text x="{_MARGIN}" y="24" font-size="15" fill="{_INK}">{escape(title)}</text>'
    return "\n".join([head, f"<title>{escape(title)}</title>", back, name, *parts, "</svg>", ""])


def _scale(low: float, high: float, right: float) -> list[str]:
    parts = []
    for level in range(math.ceil(low), math.floor(high) + 1):
        y = _up(level, low, high)
        parts += [_line(_MARGIN, y, right, y, _GRID), _text(_MARGIN - 8, y + 4, str(level), "end")]
    return parts


def _target(name: str, y: float, right: float) -> str:
    return _line(_MARGIN, y, right, y, _COLOURS[1], dashed=True) + _text(_MARGIN + 4, y - 4, name)


def _up(value: float, low: float, high: float) -> float:
    return _HEIGHT - _MARGIN - (_HEIGHT - 2 * _MARGIN) * (value - low) / (high - low)


def _key(at: int, name: str, colour: str) -> str:
    y = _MARGIN + 18 * at
    square = f'<rect x="{_WIDTH - _KEY}" y="{y - 9}" width="10" height="10" fill="{colour}"/>'
    return square + _text(_WIDTH - _KEY + 16, y, _fitting(name, _FITS - 2))


def _fitting(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{_INK}" text-anchor="{anchor}">{escape(text)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, *, dashed: bool = False) -> str:
    dashes = ' stroke-dasharray="6 4"' if dashed else ""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"{dashes}/>'


def _polygon(points: Sequence[tuple[float, float]], stroke: str, fill: str) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polygon points="{path}" fill="{fill}" fill-opacity="0.15" stroke="{stroke}" stroke-width="2"/>'
