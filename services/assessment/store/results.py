"""Earlier results as they are kept, one document each. Only the stores know MongoDB."""

from collections.abc import Sequence
from datetime import UTC
from typing import Any

from livinglab.assessment.v1 import results_service_pb2 as pb
from pymongo import IndexModel, ReplaceOne

from chassis import mongo, pages
from chassis.large_writes import LargeWrites
from services.assessment.model import results

_INDEXES = {"results": [IndexModel([("institution", 1), ("_id", 1)]), IndexModel([("stage", 1), ("_id", 1)])]}
_AT_ONCE = 1_000


class ResultStore:
    """Documents in, messages out."""

    def __init__(self, db: mongo.Database) -> None:
        self.db = db
        self._results = db["results"]
        self.writes = LargeWrites(db, "results", self._save)

    async def prepare(self) -> None:
        """Collection and indexes; once at start-up."""
        await self.db.prepare(_INDEXES)
        await self.writes.prepare()

    async def find(self, ids: Sequence[str]) -> dict[str, pb.Result]:
        """Those of the results that are stored, by id."""
        found = {}
        for start in range(0, len(ids), _AT_ONCE):
            query = {"_id": {"$in": ids[start : start + _AT_ONCE]}}
            async for row in self._results.find(query, batch_size=_AT_ONCE):
                found[row["_id"]] = _result(row)
        return found

    async def _save(self, tx: mongo.Tx, contents: Sequence[bytes], actor: str) -> None:
        """Stores the next version of each, and tells of it."""
        writes = []
        for content in contents:
            result = pb.Result.FromString(content)
            writes.append(ReplaceOne({"_id": result.id}, _row(result), upsert=True))
            fact = results.told(result)
            fact.meta.actor = actor
            tx.add(fact)
        await self._results.bulk_write(writes, ordered=False, session=tx.session)

    async def page(self, keys: dict[str, Any], request: pb.ListResultsRequest) -> tuple[list[pb.Result], str]:
        """Results that stand, ordered by id, and the token of the next page."""
        return await pages.page(self._results, {**keys, "withdrawn": None}, request, _result)


def _row(result: pb.Result) -> dict[str, Any]:
    return {
        "_id": result.id,
        "version": result.version,
        "institution": result.institution,
        "instrument": result.instrument,
        "instrument_version": result.instrument_version,
        "period": result.period,
        "stage": result.stage,
        "published": {"index": result.published_index, "predicate": result.published_predicate},
        # Pairs, because an indicator's code may hold a dot.
        "values": list(map(list, result.values.items())),
        "score": result.score.SerializeToString() if result.HasField("score") else None,
        "difference": result.difference,
        "by": result.imported_by,
        "time": result.import_time.ToDatetime(UTC),
        "withdrawn": {
            "reason": result.withdrawn_reason,
            "by": result.withdrawn_by,
            "time": result.withdraw_time.ToDatetime(UTC),
        }
        if result.withdrawn_reason
        else None,
    }


def _result(row: dict[str, Any]) -> pb.Result:
    result = pb.Result(
        id=row["_id"],
        version=row["version"],
        institution=row["institution"],
        instrument=row["instrument"],
        instrument_version=row["instrument_version"],
        period=row["period"],
        stage=row["stage"],
        published_index=row["published"]["index"],
        published_predicate=row["published"]["predicate"],
        values=dict(row["values"]),
        difference=row["difference"],
        imported_by=row["by"],
        import_time=mongo.timestamp(row["time"]),
    )
    if gone := row.get("withdrawn"):
        result.withdrawn_reason, result.withdrawn_by = gone["reason"], gone["by"]
        result.withdraw_time.FromDatetime(gone["time"])
    if row["score"] is not None:
        result.score.ParseFromString(row["score"])
    return result
