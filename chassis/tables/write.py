"""Tables as people take them away: CSV and XLSX that no spreadsheet runs, and that come back as they went."""

import csv
import io
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from chassis.tables.cells import SIGNIFICANT, guarded

# A number that reads back as it was written.
_NUMBER = re.compile(r"(?!-0(\.0*)?$)-?(0|[1-9][0-9]*)(\.[0-9]+)?")

_WIDEST = 60
_NARROWEST = 6


@dataclass(frozen=True)
class Sheet:
    """A sheet of a workbook. Of `rows` the first is the header unless `header` says no, and then the first cell of each
    row is its title; `numbers` are the titles of those whose cells are numbers where they can be. All else is text, so
    that no code loses its zero."""

    title: str
    rows: Sequence[Sequence[str]]
    numbers: Collection[str] = ()
    header: bool = True


def csv_of(rows: Iterable[Sequence[str]], end: str = "\r\n") -> str:
    """RFC 4180, every text guarded."""
    out = io.StringIO()
    csv.writer(out, lineterminator=end).writerows([guarded(cell) for cell in row] for row in rows)
    return out.getvalue()


def xlsx_of(*sheets: Sheet) -> bytes:
    """A workbook: numbers with the places that they are written with, codes and other texts as text cells."""
    from openpyxl import Workbook

    book = Workbook()
    book.remove(book.active)
    for sheet in sheets:
        _fill(book.create_sheet(sheet.title), sheet)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _fill(page: Any, sheet: Sheet) -> None:
    from openpyxl.styles import Alignment, Font, PatternFill
    from openpyxl.utils import get_column_letter

    titles = list(sheet.rows[0]) if sheet.rows else []
    for line, row in enumerate(sheet.rows, start=1):
        for at, value in enumerate(row):
            title = row[0] if not sheet.header else titles[at] if at < len(titles) else ""
            numeric = (line > 1 if sheet.header else at > 0) and title in sheet.numbers
            _put(page.cell(line, at + 1), value, numeric=numeric)
    if sheet.header and sheet.rows:
        for cell in page[1]:
            cell.font, cell.fill = Font(bold=True), PatternFill("solid", start_color="FFDDE6F0")
            cell.alignment = Alignment(wrap_text=True, vertical="top")
        page.freeze_panes = "A2"
        page.auto_filter.ref = page.dimensions
        page.print_title_rows = "1:1"
    for at in range(max((len(row) for row in sheet.rows), default=0)):
        longest = max(len(row[at]) for row in sheet.rows if len(row) > at)
        page.column_dimensions[get_column_letter(at + 1)].width = min(max(longest + 2, _NARROWEST), _WIDEST)
    page.page_setup.orientation = "landscape"
    page.page_setup.fitToHeight = 0
    page.sheet_properties.pageSetUpPr.fitToPage = True


def _put(cell: Any, value: str, *, numeric: bool) -> None:
    """One cell. Its kind is said, since a text such as #N/A would be taken for an error."""
    if numeric and _NUMBER.fullmatch(value) and len(value) <= SIGNIFICANT:
        cell.value = Decimal(value)
        places = len(value.partition(".")[2])
        cell.number_format = f"0.{'0' * places}" if places else "0"
    elif value:
        cell.value = guarded(value)
        cell.data_type = "s"
        cell.number_format = "@"
