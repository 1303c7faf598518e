"""How evidence is shown: rows for programs, tables for people."""

import re
from collections.abc import Iterable
from typing import Any

from livinglab.assessment.v1 import evidence_pb2

from cli.speak.output import print_json, table


def as_dict(one: evidence_pb2.Evidence) -> dict[str, Any]:
    """A file for programs."""
    keys = ("id", "institution", "file_name", "title", "size", "sha256", "document_date", "uploaded_by")
    more = ("link", "valid_until", "revises", "revision", "change", "revised_by")
    return {key: getattr(one, key) for key in (*keys, *more)} | {"content_type": word(one.content_type)}


def tell(shown: Iterable[evidence_pb2.IndicatorEvidence], as_json: bool, names: dict[str, str] | None = None) -> None:
    """Writes the evidence of indicators; `names` are those of the files."""
    rows = [as_row(one) for one in shown]
    if as_json:
        print_json(rows)
        return
    cells = []
    for row in rows:
        for piece in row["pieces"] or [{}]:
            evidence = piece.get("evidence", "")
            named = (names or {}).get(evidence, "")
            level, state = str(piece.get("level") or ""), piece.get("state", row["state"])
            cells.append([row["indicator"], level, state, evidence, named, piece.get("reason", "")])
    table(["indicator", "level", "state", "evidence", "file", "reason"], cells)


def as_row(one: evidence_pb2.IndicatorEvidence) -> dict[str, Any]:
    """The evidence of an indicator for programs."""
    return {
        "indicator": one.indicator,
        "state": word(one.state, "EvidenceState"),
        "etag": one.etag,
        "pieces": [
            {
                "evidence": piece.evidence_id,
                "level": piece.level,
                "state": word(piece.state, "EvidenceState"),
                "reason": piece.reason,
                "pages": piece.pages,
                "minutes": piece.minutes,
                "carried_from": piece.carried_from,
            }
            for piece in one.pieces
        ],
    }


def word(number: int, enum: str = "ContentType") -> str:
    """pdf, in_process, reuse"""
    prefix = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", enum).upper() + "_"
    return str(getattr(evidence_pb2, enum).Name(number)).removeprefix(prefix).lower()
