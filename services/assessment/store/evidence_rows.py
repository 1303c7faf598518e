"""Pieces of evidence, and what they are shown for, as documents and back."""

import hashlib
from datetime import UTC
from typing import Any

from livinglab.assessment.v1 import evidence_pb2 as pb

from chassis import mongo


def row_of(evidence: pb.Evidence, origin: str = "") -> dict[str, Any]:
    return {
        "link": evidence.link,
        "valid_until": evidence.valid_until,
        "revises": evidence.revises,
        "revision": evidence.revision or 1,
        "change": evidence.change,
        "revised_by": evidence.revised_by,
        "origin": origin or evidence.id,
        "version": 1,
        # Whether somebody is to be told that it ends.
        "watched": bool(evidence.valid_until),
        "_id": evidence.id,
        "institution": evidence.institution,
        "file_name": evidence.file_name,
        "title": evidence.title,
        "content_type": evidence.content_type,
        "size": evidence.size,
        "sha256": evidence.sha256 or address_key(evidence.link),
        "document_date": evidence.document_date,
        "by": evidence.uploaded_by,
        "agency": evidence.agency,
        "time": evidence.upload_time.ToDatetime(UTC),
    }


def evidence_of(row: dict[str, Any]) -> pb.Evidence:
    return pb.Evidence(
        id=row["_id"],
        institution=row["institution"],
        file_name=row["file_name"],
        title=row["title"],
        content_type=row["content_type"],
        size=row["size"],
        sha256="" if row.get("link") else row["sha256"],
        document_date=row["document_date"],
        uploaded_by=row["by"],
        upload_time=mongo.timestamp(row["time"]),
        link=row.get("link", ""),
        valid_until=row.get("valid_until", ""),
        revises=row.get("revises", ""),
        revision=row.get("revision", 1),
        change=row.get("change", ""),
        revised_by=row.get("revised_by", ""),
        agency=row.get("agency", ""),
    )


def address_key(link: str) -> str:
    """What stands in the place of a content's hash for a link: an address is noted once an institution."""
    return f"link:{hashlib.sha256(link.encode()).hexdigest()}"


def indicator_row(shown: pb.IndicatorEvidence) -> dict[str, Any]:
    return {
        "_id": f"{shown.evaluation_id}:{shown.indicator}",
        "version": int(shown.etag),
        "evaluation": shown.evaluation_id,
        "indicator": shown.indicator,
        "state": shown.state,
        "pieces": [
            {
                "evidence": piece.evidence_id,
                "level": piece.level,
                "pages": piece.pages,
                "minutes": piece.minutes,
                "state": piece.state,
                "reason": piece.reason,
                "by": piece.changed_by,
                "time": piece.change_time.ToDatetime(UTC),
                "carried_from": piece.carried_from,
                "carried_as": piece.carried_as,
            }
            for piece in shown.pieces
        ],
    }


def indicator_of(row: dict[str, Any]) -> pb.IndicatorEvidence:
    return pb.IndicatorEvidence(
        evaluation_id=row["evaluation"],
        indicator=row["indicator"],
        state=row["state"],
        etag=str(row["version"]),
        pieces=[
            pb.Piece(
                evidence_id=piece["evidence"],
                level=piece["level"],
                pages=piece["pages"],
                minutes=piece["minutes"],
                state=piece["state"],
                reason=piece["reason"],
                changed_by=piece["by"],
                change_time=mongo.timestamp(piece["time"]),
                carried_from=piece["carried_from"],
                carried_as=piece["carried_as"],
            )
            for piece in row["pieces"]
        ],
    )
