"""Tables as files: CSV that no spreadsheet takes for formulas, and JSON."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from typing import Any

_STARTS_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_csv(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """UTF-8, numbers with a point as programs read them."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(columns)
    writer.writerows([_cell(cell) for cell in row] for row in rows)
    return out.getvalue().encode()


def _cell(text: str) -> str:
    """A text that a spreadsheet would run is shown as text; a number keeps its sign."""
    if text.startswith(_STARTS_FORMULA) and not text[1:].replace(".", "", 1).isdigit():
        return "'" + text
    return text


def as_json(found: Any) -> bytes:
    """One document, in the order in which it was made."""
    return json.dumps(found, ensure_ascii=False, indent=1).encode()
