"""Files of levels: CSV with the columns `indicator,level`, or JSON such as {"35": 3, "35-2": 2}."""

import csv
import json
import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

LARGEST_FILE = 1_000_000  # bytes; a full evaluation has 300

_HEADER = ["indicator", "level"]
_DECIMAL_COMMA = re.compile(r"-?[0-9]+,[0-9]+")


@dataclass
class Levels:
    """Values as they were written, the line of each, and (line, reason) for all that could not be read."""

    values: dict[str, str] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    faults: list[tuple[int, str]] = field(default_factory=list)
    # Indicators whose value could not be read: they are not missing.
    unread: set[str] = field(default_factory=set)

    def add(self, line: int, indicator: str, value: str) -> None:
        """Take a value; one without a level is not given, and a second one for an indicator is a fault."""
        if not indicator:
            self.faults.append((line, "names no indicator"))
        elif indicator in self.lines:
            self.faults.append((line, f"indicator {indicator} was given before, in line {self.lines[indicator]}"))
        else:
            self.lines[indicator] = line
            if value:
                self.values[indicator] = value

    def refuse(self, line: int, indicator: str, reason: str) -> None:
        """Take note of a value that cannot be read."""
        self.unread.add(indicator)
        self.faults.append((line, reason))


def read_levels(content: bytes) -> Levels:
    """Read a file of either form; JSON is known by its first character."""
    levels = Levels()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        levels.faults.append((content.count(b"\n", 0, error.start) + 1, "is not UTF-8 text"))
        return levels
    if text.lstrip()[:1] in ("{", "["):
        _read_json(text, levels)
    else:
        _read_csv(text, levels)
    return levels


def _read_csv(text: str, levels: Levels) -> None:
    # A spreadsheet set to Indonesian separates columns with semicolons, because the comma is its decimal point.
    header = text.split("\n", 1)[0]
    reader = csv.reader(text.splitlines(keepends=True), delimiter=";" if ";" in header else ",", strict=True)
    line = 1
    try:
        for row in reader:
            cells = _cells(row)
            if line == 1:
                if [cell.lower() for cell in cells] != _HEADER:
                    levels.faults.append((1, "the header must be `indicator,level`"))
                    return
            elif len(cells) > 2:
                reason = f"has {len(cells)} columns, not 2 (write a decimal comma in quotes, or separate with ;)"
                levels.refuse(line, cells[0], reason)
            elif cells:
                levels.add(line, cells[0], _point(cells[1]) if len(cells) == 2 else "")
            line = reader.line_num + 1
    except csv.Error as error:
        levels.faults.append((line, f"is not CSV: {error}"))
    if not text.strip():
        levels.faults.append((1, "is empty"))


def _cells(row: list[str]) -> list[str]:
    """The row's cells without blanks around them, and without the empty ones that spreadsheets leave at the end."""
    cells = [cell.strip() for cell in row]
    while cells and not cells[-1]:
        cells.pop()
    return cells


def _point(value: str) -> str:
    return value.replace(",", ".") if _DECIMAL_COMMA.fullmatch(value) else value


def _read_json(text: str, levels: Levels) -> None:
    try:
        # Numbers stay as they were written: nothing passes through binary fractions.
        found = json.loads(text, parse_float=str, parse_int=str, parse_constant=str, object_pairs_hook=_Pairs)
    except json.JSONDecodeError as error:
        levels.faults.append((error.lineno, f"is not JSON: {error.msg}"))
        return
    except RecursionError:
        levels.faults.append((1, "is not JSON: nested too deep"))
        return
    if not isinstance(found, _Pairs):
        levels.faults.append((1, 'must be one object: {"1": 3, "2": 4}'))
        return
    at = 0
    for indicator, value in found:
        key = re.compile(re.escape(json.dumps(indicator, ensure_ascii=False)) + r"\s*:").search(text, at)
        at = key.start() + 1 if key else at
        line = text.count("\n", 0, at) + 1
        if isinstance(value, str):
            levels.add(line, indicator, _plain(value.strip()))
        else:
            levels.refuse(line, indicator, f"indicator {indicator}: the level must be a number")


class _Pairs(list[tuple[str, Any]]):
    """The pairs of a JSON object, because a plain one would hide a key that is written twice."""


def _plain(value: str) -> str:
    """A number of JSON may be written 1e0."""
    if re.fullmatch(r"-?[0-9]{1,12}(\.[0-9]{1,12})?[eE][+-]?[0-9]", value):
        return f"{Decimal(value):f}"
    return _point(value)
