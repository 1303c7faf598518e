"""Reads a table that somebody has brought, row by row. A row that cannot be read becomes a fault with its line, and
reading goes on."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from chassis.tables import cells as cell
from chassis.tables.form import Column, Form, fitted
from chassis.tables.lines import Cells, lines_of
from chassis.tables.workbook import ZIP, Uncalculated, Wrong, sheet_lines

# A title beyond is none.
_MOST_COLUMNS = 60
_MOST_REMARKS = 100


@dataclass(frozen=True)
class Row:
    """A line of the file: what stands in each column (empty where nothing does), and why it is not taken if it is not:
    then `cells` has what could be read."""

    line: int
    cells: dict[str, str] = field(default_factory=dict)
    fault: str = ""


class Table:
    """Reads one file. Once rows came, `ignored` has the titles of the columns that are not read, `columns` the names of
    those that are, and `remarks` what is to be told of cells that are read as something else than they say."""

    def __init__(self, file: BinaryIO, *forms: Form, tell: Callable[[int], None] = lambda _: None) -> None:
        self._lines = _any_lines(file, tell)
        self._forms = forms
        self.ignored: list[str] = []
        self.columns: list[str] = []
        self.remarks: dict[str, int] = {}
        self._width = 0

    def __iter__(self) -> Iterator[Row]:
        places: dict[int, Column] | None = None
        unreadable = False
        for line, written, fault in self._lines:
            found = _stripped(written)
            if fault:
                unreadable = True
                yield Row(line, self._row(line, found, places).cells if places else {}, fault)
                continue
            if not found:
                continue
            if places is not None:
                yield self._row(line, found, places)
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

    def _row(self, line: int, found: Sequence[str], places: dict[int, Column]) -> Row:
        taken: dict[str, str] = {}
        faults = []
        if len(found) > self._width:
            faults = [
                f"has {len(found)} columns, not {self._width} (write a decimal comma in quotes, or separate with ;)"
            ]
        for at, column in places.items():
            written = found[at] if at < len(found) else ""
            fault = _fault(written, column)
            value = "" if fault else cell.text(written)
            taken[column.name] = column.clean(value)
            if fault:
                faults.append(fault)
            elif value and len(self.remarks) < _MOST_REMARKS and (remark := column.remark(value)):
                self.remarks.setdefault(remark, line)
        return Row(line, taken, "; ".join(faults))


def remarks_of(table: Table) -> list[str]:
    """What to tell of a table that was read: the columns that were not, and what was read as something else."""
    found = [f"not read: {', '.join(table.ignored)}"] if table.ignored else []
    return found + [f"line {line}: {remark}" for remark, line in table.remarks.items()]


def plain_rows(file: BinaryIO) -> list[list[str]]:
    """The cells of every line that has some, whatever they are about; raises ValueError where one cannot be read."""
    rows = []
    for line, written, fault in _any_lines(file, lambda _: None):
        if fault:
            raise ValueError(f"line {line}: {fault}")
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
    if column.number and cell.shortened(cell.text(written)):
        return f"{column.name} {written!r} was shortened by the spreadsheet: give the cells the format number"
    return ""
