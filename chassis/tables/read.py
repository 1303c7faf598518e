"""A table that somebody brought, row by row: what cannot be read is a row that says so, and the rest is read on."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from chassis.tables import cells as cell
from chassis.tables.form import Column, Form, fitted
from chassis.tables.lines import Cells, lines_of
from chassis.tables.workbook import ZIP, Uncalculated, Wrong, sheet_lines

# A title beyond is none.
_MOST_COLUMNS = 60


@dataclass(frozen=True)
class Row:
    """A line of the file: what stands in each column (empty where nothing does), or why it cannot be read."""

    line: int
    cells: dict[str, str] = field(default_factory=dict)
    fault: str = ""


class Table:
    """Reads one file. Once rows came, `ignored` has the titles of the columns that are not read, and `columns` the
    names of those that are."""

    def __init__(self, file: BinaryIO, *forms: Form, tell: Callable[[int], None] = lambda _: None) -> None:
        self._lines = _any_lines(file, tell)
        self._forms = forms
        self.ignored: list[str] = []
        self.columns: list[str] = []
        self._width = 0

    def __iter__(self) -> Iterator[Row]:
        places: dict[int, Column] | None = None
        unreadable = False
        for line, written in self._lines:
            if isinstance(written, str):
                unreadable = True
                yield Row(line, fault=written)
                continue
            found = _stripped(written)
            if not found:
                continue
            if places is not None:
                yield _row(line, found, places, self._width)
                continue
            heading = fitted(found[:_MOST_COLUMNS], self._forms)
            if heading.fault:
                yield Row(line, fault=heading.fault)
                return
            places, self.ignored, self._width = heading.places, heading.ignored, len(found)
            self.columns = [column.name for column in places.values()]
        if places is None and not unreadable:
            header = " or ".join(f"`{form.header}`" for form in self._forms)
            yield Row(1, fault=f"is empty: the header must be {header}")


def plain_rows(file: BinaryIO) -> list[list[str]]:
    """The cells of every line that has some, whatever they are about; raises ValueError where one cannot be read."""
    rows = []
    for line, written in _any_lines(file, lambda _: None):
        if isinstance(written, str):
            raise ValueError(f"line {line}: {written}")
        if found := _stripped(written):
            rows.append([cell.text(one) for one in found])
    return rows


def _any_lines(file: BinaryIO, tell: Callable[[int], None]) -> Iterator[Cells]:
    start = file.read(4)
    file.seek(0)
    return sheet_lines(file) if start == ZIP else lines_of(file, tell)


def _stripped(written: Sequence[str]) -> list[str]:
    """Without the empty ones that spreadsheets leave at the end."""
    found = list(written)
    while found and not cell.text(found[-1]) and not isinstance(found[-1], Uncalculated):
        found.pop()
    return found


def _row(line: int, found: Sequence[str], places: dict[int, Column], width: int) -> Row:
    if len(found) > width:
        reason = f"has {len(found)} columns, not {width} (write a decimal comma in quotes, or separate with ;)"
        return Row(line, fault=reason)
    taken = {column.name: "" for column in places.values()}
    for at, column in places.items():
        written = found[at] if at < len(found) else ""
        if fault := _fault(written, column):
            return Row(line, fault=fault)
        taken[column.name] = column.clean(cell.text(written))
    return Row(line, taken)


def _fault(written: str, column: Column) -> str:
    if isinstance(written, Uncalculated):
        return (
            f"{column.name} is a formula that was never calculated ({written}): open the file in a spreadsheet and "
            "save it, or write the values"
        )
    if isinstance(written, Wrong):
        return f"{column.name} {written}"
    if len(written) > column.longest:
        return f"has a cell of more than {column.longest} characters"
    if column.clean in (cell.number, cell.whole) and cell.shortened(cell.text(written)):
        return f"{column.name} {written!r} was shortened by the spreadsheet: give the cells the format number"
    return ""
