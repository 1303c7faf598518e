"""What people say of evaluations, as documents."""

from collections.abc import Collection, Mapping
from datetime import UTC
from typing import Any

from livinglab.assessment.v1 import comment_service_pb2 as pb
from pymongo import IndexModel

from chassis import mongo, pages
from chassis.errors import not_found

_INDEXES = {
    "evaluation_comments": [
        IndexModel([("evaluation", 1), ("_id", 1)]),
        IndexModel([("evaluation", 1), ("open", 1)]),
    ]
}


class Comments:
    """Documents in, messages out."""

    def __init__(self, db: mongo.Database) -> None:
        self.db = db
        self._comments = db["evaluation_comments"]

    async def prepare(self) -> None:
        """Collections and indexes; once at start-up."""
        await self.db.prepare(_INDEXES)

    async def add(self, tx: mongo.Tx, made: pb.EvaluationComment, base: str) -> None:
        """A new one; `base` is its indicator where it is about an instance of one."""
        row = {
            "_id": made.id,
            "evaluation": made.evaluation_id,
            "indicator": made.indicator,
            "base": base,
            "evidence": made.evidence_id,
            "text": made.text,
            "by": made.author,
            "role": made.role,
            "time": made.time.ToDatetime(UTC),
            "to_assessors": made.to_assessors,
            "open": True,
        }
        await self._comments.insert_one(row, session=tx.session)

    async def get(self, comment_id: str, tx: mongo.Tx) -> pb.EvaluationComment:
        """NOT_FOUND where there is none."""
        row = await self._comments.find_one({"_id": comment_id}, session=tx.session)
        if row is None:
            raise not_found("comment", comment_id)
        return _comment(row)

    async def close(self, tx: mongo.Tx, known: pb.EvaluationComment) -> None:
        """Keeps that it is dealt with."""
        change = {
            "open": False,
            "answer": known.answer,
            "resolved_by": known.resolved_by,
            "resolved_role": known.resolved_role,
            "resolve_time": known.resolve_time.ToDatetime(UTC),
        }
        await self._comments.update_one({"_id": known.id}, {"$set": change}, session=tx.session)

    async def count_open(self, tx: mongo.Tx, evaluation_id: str) -> int:
        """How many of an evaluation wait for an answer."""
        query = {"evaluation": evaluation_id, "open": True}
        return int(await self._comments.count_documents(query, session=tx.session))

    async def page(
        self, request: pb.ListEvaluationCommentsRequest, bounds: Mapping[str, Any]
    ) -> tuple[list[pb.EvaluationComment], str]:
        """Oldest first within `bounds`, and the token of the next page."""
        keys: dict[str, Any] = {"evaluation": request.evaluation_id, **bounds}
        if request.indicator:
            keys["indicator"] = request.indicator
        if request.evidence_id:
            keys["evidence"] = request.evidence_id
        if request.open_only:
            keys["open"] = True
        return await pages.page(self._comments, keys, request, _comment)


def said_to_assessors() -> dict[str, Any]:
    """What bounds a list to what assessors see."""
    return {"to_assessors": True}


def about(care: Collection[str], evidence: Collection[str]) -> dict[str, Any]:
    """What bounds a list to these indicators, and to these pieces where no indicator is named."""
    return {"$or": [{"base": {"$in": sorted(care)}}, {"base": "", "evidence": {"$in": sorted(evidence)}}]}


def _comment(row: Mapping[str, Any]) -> pb.EvaluationComment:
    resolved = row.get("resolve_time")
    return pb.EvaluationComment(
        id=row["_id"],
        evaluation_id=row["evaluation"],
        indicator=row["indicator"],
        evidence_id=row["evidence"],
        text=row["text"],
        author=row["by"],
        role=row["role"],
        time=mongo.timestamp(row["time"]),
        to_assessors=row["to_assessors"],
        resolved_by=row.get("resolved_by", ""),
        resolved_role=row.get("resolved_role", ""),
        resolve_time=mongo.timestamp(resolved) if resolved else None,
        answer=row.get("answer", ""),
    )
