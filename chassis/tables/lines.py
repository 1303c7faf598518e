"""The lines of a CSV as cells: whatever separates them, with the number of each line, within limits."""

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import BinaryIO

LARGEST_FILE = 64 * 2**20  # bytes
LONGEST_LINE = 64 * 2**10
LAST_LINE = 250_000

# What spreadsheets write between cells. Where the comma is the decimal point it is the semicolon.
_SEPARATORS = ",;\t|"
_DECLARED = re.compile(r'"?sep=(.)"?[,;]*', re.IGNORECASE)
_QUOTED = re.compile(r'"[^"]*"')
_OTHER_UNICODE = (b"\xff\xfe", b"\xfe\xff")
CURE = "save the file as CSV UTF-8 (LibreOffice: character set Unicode (UTF-8))"
# What Windows-1252 has where nothing else is likely: letters with marks, dashes and quotes of a word processor.
_WINDOWS = re.compile(rb"[\x85\x91-\x97\xa0-\xd6\xd8-\xf6\xf8-\xfe]")

# A line's number, its cells, and what is wrong with it: then the cells are what could be made out.
Cells = tuple[int, Sequence[str], str]


def lines_of(file: BinaryIO, tell: Callable[[int], None]) -> Iterator[Cells]:
    """Every line that is not empty, as its cells were written."""
    lines = _Lines(file, tell)
    start: list[str] = []
    for line in lines:
        start.append(line)
        if line.strip():
            break
    separator = _separator(start)
    reader = csv.reader(chain(start, lines), delimiter=separator, strict=True)
    first = 1
    while True:
        cells: Sequence[str] = ()
        fault = ""
        try:
            cells = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            fault = f"is not CSV: {error}"
        if lines.undecoded:
            first, fault = lines.undecoded, lines.undecoded_because
            lines.undecoded = 0
        yield first, cells, fault
        first = reader.line_num + 1
    if lines.fault:
        yield lines.number, (), lines.fault


def _separator(start: list[str]) -> str:
    """As the first line that says something says; a line `sep=;` is taken for that and not read as cells."""
    if not start:
        return ","
    declared = _DECLARED.fullmatch(start[-1].rstrip("\r\n"))
    if declared:
        start[-1] = "\n"
        return declared[1]
    bare = _QUOTED.sub("", start[-1])
    return max(_SEPARATORS, key=bare.count)


class _Lines:
    """The lines of a text, none of them longer than the limit; where one is, the file ends there."""

    def __init__(self, file: BinaryIO, tell: Callable[[int], None]) -> None:
        self._file = file
        self._tell = tell
        self._read = 0
        self.number = 0
        self.undecoded = 0
        self.undecoded_because = ""
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
        elif self.number > LAST_LINE or self._read > LARGEST_FILE:
            self.fault = f"is too far: a file has at most {LAST_LINE} lines and {LARGEST_FILE} bytes"
        elif self.number == 1 and line.startswith(_OTHER_UNICODE):
            self.fault = f"is not UTF-8 text but UTF-16: {CURE}"
        if self.fault:
            raise StopIteration
        try:
            return line.decode("utf-8-sig" if self.number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            if not self.undecoded:
                self.undecoded = self.number
                self.undecoded_because = _undecoded(line, error)
            return line.decode("utf-8", "replace")


def _undecoded(line: bytes, error: UnicodeDecodeError) -> str:
    if not _WINDOWS.match(line, error.start):
        return f"is not UTF-8 text: {CURE}"
    before = re.split(rb'[,;\t|"]', line[max(0, error.start - 30) : error.start])[-1]
    after = re.split(rb'[,;\t|"\r\n]', line[error.start : error.start + 30])[0]
    shown = (before + after).decode("cp1252", "replace").strip()
    return f"is not UTF-8 text (Windows-1252, as in '{shown}'): {CURE}"
