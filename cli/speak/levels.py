"""Files of levels: a table with the columns indicator, level and, if need be, explanation (CSV or XLSX), or JSON as in
{"35": 3, "35-2": 2}, or an evaluation as `assessment export` writes it."""

import io
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from chassis.tables import Column, Form, Table
from instruments.rounding import as_taken

LARGEST_FILE = 1_000_000  # bytes; a full evaluation has 300
_ZIP = b"PK\x03\x04"
_FORM = Form(
    (
        # The first names are those of the sheet that an evaluation is exported as.
        Column("indicator", ("no", "nomor", "no indikator", "kode indikator", "indikator")),
        Column(
            "level", ("hasil", "tingkat", "tingkat kematangan", "nilai", "capaian", "jawaban"), as_taken, number=True
        ),
        Column("explanation", ("penjelasan", "note", "catatan", "keterangan"), optional=True, longest=4_000),
    )
)


@dataclass
class Levels:
    """Values as they were written, the line of each, and (line, reason) for all that could not be read."""

    values: dict[str, str] = field(default_factory=dict)
    explanations: dict[str, str] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    faults: list[tuple[int, str]] = field(default_factory=list)
    # Indicators whose value could not be read: they are not missing.
    unread: set[str] = field(default_factory=set)

    def add(self, line: int, indicator: str, value: str, explanation: str = "") -> None:
        """Take a value; one without a level is not given, and a second one for an indicator is a fault."""
        if not indicator:
            self.faults.append((line, "names no indicator"))
        elif indicator in self.lines:
            self.faults.append((line, f"indicator {indicator} was given before, in line {self.lines[indicator]}"))
        else:
            self.lines[indicator] = line
            if value:
                self.values[indicator] = value
            if explanation:
                self.explanations[indicator] = explanation

    def refuse(self, line: int, indicator: str, reason: str) -> None:
        """Take note of a value that cannot be read."""
        self.unread.add(indicator)
        self.faults.append((line, reason))


def read_levels(content: bytes, told: Callable[[Table], None] = lambda _: None) -> Levels:
    """Read a file of either form; JSON is known by its first character. At the end `told` hears of a table."""
    levels = Levels()
    start = content.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if start not in (b"{", b"[") or content.startswith(_ZIP):
        _read_table(content, levels, told)
        return levels
    try:
        _read_json(content.decode("utf-8-sig"), levels)
    except UnicodeDecodeError as error:
        levels.faults.append((content.count(b"\n", 0, error.start) + 1, "is not UTF-8 text"))
    return levels


def _read_table(content: bytes, levels: Levels, told: Callable[[Table], None]) -> None:
    table = Table(io.BytesIO(content), _FORM)
    for row in table:
        indicator = row.cells.get("indicator", "")
        if row.fault:
            levels.refuse(row.line, indicator, row.fault)
        else:
            levels.add(row.line, indicator, row.cells["level"], row.cells.get("explanation", ""))
    told(table)


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
    exported = _exported(found)
    at = 0
    for indicator, value in found if exported is None else exported:
        key = re.compile(re.escape(json.dumps(indicator, ensure_ascii=False)) + r"\s*:").search(text, at)
        at = key.start() + 1 if key else at
        line = text.count("\n", 0, at) + 1
        written, explanation = _parts(value)
        if isinstance(written, str):
            levels.add(line, indicator, _plain(written.strip()), explanation)
        else:
            levels.refuse(line, indicator, f"indicator {indicator}: the level must be a number")


def _parts(value: Any) -> tuple[Any, str]:
    """A level by itself, or {"level": 3, "explanation": "..."}."""
    given = dict(value) if isinstance(value, _Pairs) else {}
    if not given or not given.keys() <= {"level", "explanation"}:
        return value, ""
    return given.get("level", ""), str(given.get("explanation", ""))


class _Pairs(list[tuple[str, Any]]):
    """The pairs of a JSON object, because a plain one would hide a key that is written twice."""


def _exported(found: _Pairs) -> list[tuple[str, Any]] | None:
    """The levels of an evaluation that was exported, its last stage's; None where it is no such file."""
    whole = dict(found)
    evaluation, profile = whole.get("evaluation"), whole.get("profile")
    if not isinstance(evaluation, _Pairs) or not isinstance(profile, _Pairs):
        return None
    given = [dict(one) for one in dict(evaluation).get("answers", []) if isinstance(one, _Pairs)]
    notes = {one.get("indicator"): one.get("note", "") for one in given}
    rows = [dict(one) for one in dict(profile).get("rows", []) if isinstance(one, _Pairs)]
    levels: list[tuple[str, Any]] = []
    for row in rows:
        cells = [dict(cell).get("value", "") for cell in row.get("cells", []) if isinstance(cell, _Pairs)]
        code = str(row.get("indicator", ""))
        levels.append((code, _Pairs([("level", cells[-1] if cells else ""), ("explanation", notes.get(code, ""))])))
    return levels


def _plain(value: str) -> str:
    """A number of JSON may be written 1e0."""
    if re.fullmatch(r"-?[0-9]{1,12}(\.[0-9]{1,12})?[eE][+-]?[0-9]", value):
        return f"{Decimal(value):f}"
    return as_taken(value)
