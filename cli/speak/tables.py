"""Tables for people, as wide as the terminal: a word is never cut, so an id can be copied. What has no room beside one
another stands below one another."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from textwrap import wrap

# What a bordered grid takes for each column, and once.
_BORDERS, _EDGE = 3, 1

Rows = Sequence[Sequence[str]]


@dataclass(frozen=True)
class Cells:
    """Columns by their own names and as they are headed, and what stands in them."""

    columns: Sequence[str]
    names: Sequence[str]
    rows: Rows

    def without(self, left_out: Collection[str]) -> "Cells":
        """The same with some columns left out."""
        kept = [at for at, column in enumerate(self.columns) if column not in left_out]
        columns, names, *rows = ([line[at] for at in kept] for line in (self.columns, self.names, *self.rows))
        return Cells(columns, names, rows)


def fit(cells: Cells, total: int, spare: Sequence[str] = ()) -> tuple[list[int] | None, Cells]:
    """The columns that have room beside one another, and how wide they are: all, else those with something in them,
    else without one more of `spare` each; None where even so there is no room."""
    empty = [column for at, column in enumerate(cells.columns) if not any(row[at] for row in cells.rows)]
    tries = [[], *([*empty, *spare[:count]] for count in range(len(spare) + 1))]
    for left_out in tries:
        shown = cells.without(left_out)
        if (found := widths(shown.names, shown.rows, total)) is not None:
            return found, shown
    return None, cells


def widths(columns: Sequence[str], rows: Rows, total: int) -> list[int] | None:
    """How wide each column of a bordered grid is, so that all of them have room for their longest word; None where the
    terminal is too narrow for that."""
    least = [max(_longest(cells)) for cells in _by_column(columns, rows)]
    room = total - _EDGE - _BORDERS * len(columns) - sum(least)
    if room < 0:
        return None
    most = [max(_lines(cells)) for cells in _by_column(columns, rows)]
    given = list(least)
    # Whoever still wants room gets one more, in turn: long texts share what short ones leave.
    while room and (wanting := [at for at, width in enumerate(given) if width < most[at]]):
        for at in wanting[:room]:
            given[at] += 1
        room -= min(room, len(wanting))
    return given


def records(columns: Sequence[str], rows: Rows, total: int) -> list[str]:
    """The rows one below another: what stands first in each as its heading, then the rest with its names; what is empty
    is left out."""
    lines: list[str] = []
    for row in rows:
        lines += _wrapped(row[0], total) or ["-"]
        told = [f"{name}:\N{NO-BREAK SPACE}{cell}" for name, cell in zip(columns[1:], row[1:], strict=True) if cell]
        lines += _beside(told, total)
    return lines


def _beside(fields: Sequence[str], total: int) -> list[str]:
    """As many fields in a line as fit; a field that is longer than a line goes on below itself."""
    lines = [""]
    for field in fields:
        flat = " ".join(field.split("\n"))
        if lines[-1] and len(lines[-1]) + len(flat) + 4 <= total:
            lines[-1] += f"  {flat}"
            continue
        first, *more = _wrapped(flat, total) or [""]
        lines += [f"  {first}", *(f"    {line}" for line in more)]
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines if line]


def _wrapped(text: str, total: int) -> list[str]:
    """Its lines, with room for what stands before them; no word is cut."""
    return wrap(text, max(total - 4, 20), break_long_words=False, break_on_hyphens=False)


def _by_column(columns: Sequence[str], rows: Rows) -> list[list[str]]:
    return [[name, *(row[at] for row in rows)] for at, name in enumerate(columns)]


def _longest(cells: Collection[str]) -> list[int]:
    from rich.cells import cell_len

    return [max((cell_len(word) for word in cell.split()), default=1) for cell in cells]


def _lines(cells: Collection[str]) -> list[int]:
    from rich.cells import cell_len

    return [max((cell_len(line) for line in cell.splitlines()), default=1) for cell in cells]
