"""The first sheet of an XLSX as cells, written as a person reads them there, within limits."""

import re
import warnings
import zipfile
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import repeat
from typing import Any, BinaryIO

from chassis.tables import lines
from chassis.tables.cells import SIGNIFICANT, number, written_decimal
from chassis.tables.lines import Cells

ZIP = b"PK\x03\x04"
# What a spreadsheet may unpack to. Its texts are held whole while it is read.
_LARGEST_UNPACKED = 64 * 2**20
_LARGEST_TEXTS = 16 * 2**20
_MOST_COLUMNS = 64
_LONGEST_TEXT = 32_768
_FIXED = re.compile(r"[#,]*0(\.(0+))?")
_FORMULA = re.compile(rb"<f[ >/]")


class Uncalculated(str):
    """The cell of a formula that was never calculated: what wrote the file did not run it."""

    __slots__ = ()


class Wrong(str):
    """A cell that holds no text or number; it says what instead."""

    __slots__ = ()


def sheet_lines(file: BinaryIO) -> Iterator[Cells]:
    """Every line of the first sheet."""
    from openpyxl import load_workbook

    line = 0
    try:
        fault = _unpacked_fault(file)
        if fault:
            yield 1, (), fault
            return
        with warnings.catch_warnings():
            # Of parts of the workbook that are not read.
            warnings.simplefilter("ignore")
            book = load_workbook(file, read_only=True, data_only=True, keep_links=False)
            # The value of a formula stands beside it, so the formulas themselves are read only where there are some.
            other = load_workbook(file, read_only=True, keep_links=False) if _has_formulas(file) else None
        rows = _rows(book)
        formulas: Iterable[Any] = _rows(other) if other else repeat(())
        for line, (cells, beside) in enumerate(zip(rows, formulas, strict=False), start=1):
            if line > lines.LAST_LINE:
                yield line, (), f"is too far: a sheet has at most {lines.LAST_LINE} lines"
                return
            yield line, [_written(cell, beside[at] if beside else None) for at, cell in enumerate(cells)], ""
    except GeneratorExit:
        raise
    except Exception as error:
        # Whatever a broken workbook makes its reader raise: there is no end to the kinds of it.
        yield line + 1, (), f"is not a readable XLSX: {type(error).__name__}: {error}"[:200]


def _rows(book: Any) -> Any:
    sheet = book.worksheets[0]
    sheet.reset_dimensions()
    return sheet.iter_rows(max_col=_MOST_COLUMNS)


def _unpacked_fault(file: BinaryIO) -> str:
    """Why the archive is not unpacked. The reader of a member stops at the size that the directory declares."""
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
    total = sum(member.file_size for member in members)
    if total > _LARGEST_UNPACKED or len(members) > 1_000:
        return f"unpacks to {total} bytes in {len(members)} parts; at most {_LARGEST_UNPACKED} in 1000 are taken"
    # All but the sheets are read whole.
    texts = sum(member.file_size for member in members if "worksheets/" not in member.filename)
    return f"has {texts} bytes of texts; at most {_LARGEST_TEXTS} are taken" if texts > _LARGEST_TEXTS else ""


def _has_formulas(file: BinaryIO) -> bool:
    with zipfile.ZipFile(file) as archive:
        for member in archive.namelist():
            if "worksheets/sheet" not in member:
                continue
            with archive.open(member) as sheet:
                before = b""
                while part := sheet.read(2**16):
                    if _FORMULA.search(before + part):
                        return True
                    before = part[-2:]
    return False


def _written(cell: Any, formula: Any) -> str:
    """A cell as a person reads it."""
    value = cell.value
    if value is None:
        return Uncalculated(str(formula.value)[:60]) if formula is not None and formula.data_type == "f" else ""
    if cell.data_type == "e":
        return Wrong(f"has the error {value}")
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, int | float | Decimal):
        return _number(value, cell.number_format)
    if isinstance(value, datetime | date | time | timedelta):
        return Wrong(f"is a date or time for the spreadsheet ({value}): give the cells the format text and write anew")
    return str(value)[:_LONGEST_TEXT]


def _number(value: float | Decimal, layout: str) -> str:
    """To fifteen significant digits, and with the zeros that a fixed number of places shows: 3.10."""
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return Wrong("is no number")
    exact = Decimal(str(value))
    if exact and not -SIGNIFICANT <= exact.adjusted() <= 2 * SIGNIFICANT:
        return Wrong("is no number that is taken")
    plain = written_decimal(Decimal(number(f"{exact:f}")))
    fixed = _FIXED.fullmatch(layout or "")
    places = len(fixed[2] or "") if fixed else 0
    fraction = plain.partition(".")[2]
    if places > len(fraction):
        plain += ("" if fraction else ".") + "0" * (places - len(fraction))
    return plain
