"""Files of earlier results, CSV or XLSX, as rows for the import: within limits, every fault with its line."""

import csv
import re
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, BinaryIO

from livinglab.assessment.v1 import results_service_pb2 as pb

from directory import unclipped

LARGEST_FILE = 64 * 2**20  # bytes
LONGEST_LINE = 64 * 2**10
# What a spreadsheet may unpack to. Its texts are held whole while it is read.
_LARGEST_UNPACKED = 64 * 2**20
_LARGEST_TEXTS = 16 * 2**20
_MOST_COLUMNS = 12
_LAST_LINE = 250_000
_LONGEST_CELL = 200

_KEYS = ["institution", "instrument", "period", "stage"]
_FORMS = {frozenset([*_KEYS, "index"]): "index", frozenset([*_KEYS, "indicator", "level"]): "level"}
_HEADERS = " or ".join(f"`{','.join(columns)}`" for columns in ([*_KEYS, "index"], [*_KEYS, "indicator", "level"]))
_DECIMAL_COMMA = re.compile(r"-?[0-9]+,[0-9]+")
_ZIP = b"PK\x03\x04"
_OTHER_UNICODE = (b"\xff\xfe", b"\xfe\xff")

# A line's number and its cells, or what is wrong with it.
_Cells = tuple[int, Sequence[str] | str]


def rows_of(file: BinaryIO, tell: Callable[[int], None] = lambda _: None) -> Iterator[pb.ImportRow]:
    """The rows of a file; what cannot be read is a row that says so. `tell` hears how many bytes were read."""
    start = file.read(4)
    file.seek(0)
    lines = _sheet(file) if start == _ZIP else _text(file, tell)
    columns: list[str] | None = None
    unreadable = False
    for line, cells in lines:
        if isinstance(cells, str):
            unreadable = True
            yield pb.ImportRow(line=line, unreadable=cells)
        elif not any(cells):
            continue
        elif columns is None:
            columns = [cell.lower() for cell in cells]
            if frozenset(columns) not in _FORMS or len(columns) != len(set(columns)):
                yield pb.ImportRow(line=line, unreadable=f"the header must be {_HEADERS}")
                return
        else:
            yield _row(line, cells, columns)
    if columns is None and not unreadable:
        yield pb.ImportRow(line=1, unreadable=f"is empty: the header must be {_HEADERS}")


def _row(line: int, cells: Sequence[str], columns: list[str]) -> pb.ImportRow:
    if len(cells) > len(columns):
        reason = f"has {len(cells)} columns, not {len(columns)} (write a decimal comma in quotes, or separate with ;)"
        return pb.ImportRow(line=line, unreadable=reason)
    if any(len(cell) > _LONGEST_CELL for cell in cells):
        return pb.ImportRow(line=line, unreadable=f"has a cell of more than {_LONGEST_CELL} characters")
    found = dict(zip(columns, cells, strict=False))
    form = _FORMS[frozenset(columns)]
    if form == "level" and not found.get("indicator"):
        return pb.ImportRow(line=line, unreadable="names no indicator")
    value = found.get(form, "")
    return pb.ImportRow(
        line=line,
        institution=unclipped(found["institution"]),
        instrument=found.get("instrument", ""),
        period=found.get("period", ""),
        stage=found.get("stage", ""),
        indicator=found.get("indicator", ""),
        value=value.replace(",", ".") if _DECIMAL_COMMA.fullmatch(value) else value,
    )


def _stripped(cells: Iterable[str]) -> list[str]:
    """Without blanks around them, and without the empty ones that spreadsheets leave at the end."""
    found = [cell.strip() for cell in cells]
    while found and not found[-1]:
        found.pop()
    return found


def _text(file: BinaryIO, tell: Callable[[int], None]) -> Iterator[_Cells]:
    lines = _Lines(file, tell)
    header = next(lines, "")
    # A spreadsheet set to Indonesian separates columns with semicolons, because the comma is its decimal point.
    separator = next((sign for sign in ";\t" if sign in header), ",")
    reader = csv.reader(_again(header, lines), delimiter=separator, strict=True)
    first = 1
    while True:
        try:
            cells: Sequence[str] | str = _stripped(next(reader))
        except StopIteration:
            break
        except csv.Error as error:
            cells = f"is not CSV: {error}"
        if lines.undecoded:
            first, cells = lines.undecoded, "is not UTF-8 text: save the file as CSV UTF-8"
            lines.undecoded = 0
        yield first, cells
        first = reader.line_num + 1
    if lines.fault:
        yield lines.number, lines.fault


def _again(header: str, lines: Iterator[str]) -> Iterator[str]:
    if header:
        yield header
    yield from lines


class _Lines:
    """The lines of a text, none of them longer than the limit; where one is, the file ends there."""

    def __init__(self, file: BinaryIO, tell: Callable[[int], None]) -> None:
        self._file = file
        self._tell = tell
        self._read = 0
        self.number = 0
        self.undecoded = 0
        self.fault = ""

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = b"" if self.fault else self._file.readline(LONGEST_LINE + 1)
        if not line:
            raise StopIteration
        self.number += 1
        self._read += len(line)
        self._tell(self._read)
        if len(line) > LONGEST_LINE:
            self.fault = f"has more than {LONGEST_LINE} bytes"
        elif self.number > _LAST_LINE or self._read > LARGEST_FILE:
            self.fault = f"is too far: a file has at most {_LAST_LINE} lines and {LARGEST_FILE} bytes"
        elif self.number == 1 and line.startswith(_OTHER_UNICODE):
            self.fault = "is not UTF-8 text: save the file as CSV UTF-8"
        if self.fault:
            raise StopIteration
        try:
            return line.decode("utf-8-sig" if self.number == 1 else "utf-8")
        except UnicodeDecodeError:
            self.undecoded = self.undecoded or self.number
            return line.decode("utf-8", "replace")


def _sheet(file: BinaryIO) -> Iterator[_Cells]:
    """The first sheet of a workbook."""
    from openpyxl import load_workbook

    line = 0
    try:
        fault = _unpacked_fault(file)
        if fault:
            yield 1, fault
            return
        with warnings.catch_warnings():
            # Of parts of the workbook that are not read.
            warnings.simplefilter("ignore")
            book = load_workbook(file, read_only=True, data_only=True, keep_links=False)
        sheet = book.worksheets[0]
        sheet.reset_dimensions()
        for line, cells in enumerate(sheet.iter_rows(max_col=_MOST_COLUMNS, values_only=True), start=1):
            if line > _LAST_LINE:
                yield line, f"is too far: a sheet has at most {_LAST_LINE} lines"
                return
            yield line, _stripped(_written(cell) for cell in cells)
    except GeneratorExit:
        raise
    except Exception as error:
        # Whatever a broken workbook makes its reader raise: there is no end to the kinds of it.
        yield line + 1, f"is not a readable XLSX: {type(error).__name__}: {error}"[:200]


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


def _written(cell: Any) -> str:
    """A cell as a person reads it."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    return str(cell)[: _LONGEST_CELL + 1]
