"""What assessment keeps: instruments in every version, evaluations with their answers. Only this file knows MongoDB."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from livinglab.assessment.v1 import evaluation_pb2 as pb
from livinglab.assessment.v1 import events_pb2, instrument_pb2
from livinglab.common.v1.meta_pb2 import Meta
from pymongo import IndexModel

from chassis import mongo
from chassis.errors import Kind, Refused, conflict, not_found

_INDEXES = {
    "instruments": [],
    "evaluations": [
        IndexModel([("rehearsal", 1), ("_id", 1)]),
        IndexModel([("cohort_id", 1), ("_id", 1)]),
        IndexModel([("institution", 1), ("_id", 1)]),
    ],
}


class Store:
    """Documents in, messages out."""

    def __init__(self, db: mongo.Database) -> None:
        self.db = db
        self._evaluations = db["evaluations"]
        self._instruments = db["instruments"]

    async def prepare(self) -> None:
        """Collections and indexes; once at start-up."""
        await self.db.prepare(_INDEXES)

    async def publish_instrument(self, instrument: instrument_pb2.Instrument) -> None:
        """Keeps a version of an instrument for good and says so once. A version that stands with another content
        is refused: running evaluations rest on it."""
        body = instrument.SerializeToString(deterministic=True)
        digest = hashlib.sha256(body).hexdigest()
        key = f"{instrument.id}:{instrument.version}"

        async def decide(tx: mongo.Tx) -> None:
            known = await self._instruments.find_one({"_id": key}, {"digest": 1}, session=tx.session)
            if known is None:
                row = {"_id": key, "digest": digest, "body": body, "time": datetime.now(UTC)}
                await self._instruments.insert_one(row, session=tx.session)
                meta = Meta(aggregate_id=f"instrument:{instrument.id}", version=instrument.version)
                tx.add(events_pb2.InstrumentPublished(meta=meta, instrument_id=instrument.id, instrument=instrument))
            elif known["digest"] != digest:
                message = f"instrument {key} stands with another content: give the changed file a new version"
                raise Refused(Kind.ALREADY_EXISTS, "INSTRUMENT_CHANGED", message, resource=("instrument", key))

        await self.db.transaction(decide)

    async def instruments(self) -> list[instrument_pb2.Instrument]:
        """Every version of every instrument."""
        rows = await self._instruments.find({}).to_list(None)
        return [instrument_pb2.Instrument.FromString(row["body"]) for row in rows]

    async def find(self, tx: mongo.Tx, evaluation_id: str) -> pb.Evaluation | None:
        """The evaluation as this transaction sees it, or None."""
        row = await self._evaluations.find_one({"_id": evaluation_id}, session=tx.session)
        return _evaluation(row) if row else None

    async def get(self, evaluation_id: str, tx: mongo.Tx | None = None) -> pb.Evaluation:
        """NOT_FOUND where there is none."""
        row = await self._evaluations.find_one({"_id": evaluation_id}, session=tx.session if tx else None)
        if row is None:
            raise not_found("evaluation", evaluation_id)
        return _evaluation(row)

    async def add(self, tx: mongo.Tx, evaluation: pb.Evaluation) -> None:
        """Stores a new evaluation."""
        await self._evaluations.insert_one(_row(evaluation), session=tx.session)

    async def save(self, tx: mongo.Tx, evaluation: pb.Evaluation) -> None:
        """Stores the next version; ABORTED where somebody else did so first."""
        previous = {"_id": evaluation.id, "version": int(evaluation.etag) - 1}
        result = await self._evaluations.replace_one(previous, _row(evaluation), session=tx.session)
        if result.matched_count == 0:
            raise conflict("evaluation", evaluation.id)

    async def page(self, keys: dict[str, str], size: int, token: str) -> tuple[Sequence[pb.Evaluation], str]:
        """Evaluations without their answers, ordered by id, and the token of the next page."""
        found = await self._evaluations.find({**keys, **mongo.after(token)}).sort("_id").limit(size + 1).to_list(None)
        rows = found[:size]
        evaluations = [_evaluation(row) for row in rows]
        for evaluation in evaluations:
            del evaluation.answers[:]
        return evaluations, mongo.page_token(rows[-1]["_id"]) if len(found) > size else ""


def _row(evaluation: pb.Evaluation) -> dict[str, Any]:
    """The message as it is, and beside it what is looked for."""
    return {
        "_id": evaluation.id,
        "version": int(evaluation.etag),
        "institution": evaluation.institution,
        "instrument": evaluation.instrument,
        "period": evaluation.period,
        "stage": evaluation.stage,
        "state": evaluation.state,
        "cohort_id": evaluation.cohort_id,
        "rehearsal": evaluation.rehearsal,
        "body": evaluation.SerializeToString(),
    }


def _evaluation(row: dict[str, Any]) -> pb.Evaluation:
    return pb.Evaluation.FromString(row["body"])
