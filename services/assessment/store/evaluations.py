"""What assessment keeps of evaluations: instruments in every version, cycles, evaluations with their answers and
course, dossiers, changes. Only the stores know MongoDB."""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from livinglab.assessment.v1 import cycle_pb2, events_pb2, instrument_pb2, service_pb2, verification_pb2
from livinglab.assessment.v1 import evaluation_pb2 as pb
from livinglab.common.v1.meta_pb2 import Meta
from pymongo import IndexModel

from chassis import mongo, pages
from chassis.errors import Kind, Refused, conflict, not_found

_INDEXES = {
    "instruments": [],
    "cycles": [],
    "dossiers": [],
    "changes": [IndexModel([("evaluation", 1), ("_id", 1)])],
    "evaluations": [
        IndexModel([("rehearsal", 1), ("_id", 1)]),
        IndexModel([("cohort_id", 1), ("_id", 1)]),
        IndexModel([("institution", 1), ("_id", 1)]),
        IndexModel([("assessors", 1), ("_id", 1)]),
        IndexModel([("institution", 1), ("agencies", 1), ("_id", 1)]),
    ],
}
# What a list leaves out.
_Large = Literal["answers", "cycle", "results", "assessors", "delegations", "visit", "determination"]
_LARGE: tuple[_Large, ...] = get_args(_Large)


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
        """`keep_instrument` in a transaction of its own."""

        async def decide(tx: mongo.Tx) -> None:
            await self.keep_instrument(tx, instrument)

        await self.db.transaction(decide)

    async def keep_instrument(self, tx: mongo.Tx, instrument: instrument_pb2.Instrument) -> None:
        """Keeps a version of an instrument for good and says so once. A version that stands with another content
        is refused: running evaluations rest on it."""
        body = instrument.SerializeToString(deterministic=True)
        digest = hashlib.sha256(body).hexdigest()
        key = f"{instrument.id}:{instrument.version}"
        known = await self._instruments.find_one({"_id": key}, {"digest": 1}, session=tx.session)
        if known is None:
            row = {"_id": key, "id": instrument.id, "version": instrument.version, "digest": digest, "body": body}
            await self._instruments.insert_one({**row, "time": datetime.now(UTC)}, session=tx.session)
            meta = Meta(aggregate_id=f"instrument:{instrument.id}", version=instrument.version)
            tx.add(events_pb2.InstrumentPublished(meta=meta, instrument_id=instrument.id, instrument=instrument))
        elif known["digest"] != digest:
            message = f"instrument {key} stands with another content: give the changed file a new version"
            raise Refused(Kind.ALREADY_EXISTS, "INSTRUMENT_CHANGED", message, resource=("instrument", key))

    async def instrument_keys(self) -> list[str]:
        """What is kept, spbe-59-2020:1."""
        return [row["_id"] for row in await self._instruments.find({}, {"_id": 1}).to_list(None)]

    async def instruments(self, keys: Iterable[str] | None = None) -> list[instrument_pb2.Instrument]:
        """These versions of instruments, or all."""
        rows = await self._instruments.find({"_id": {"$in": list(keys)}} if keys is not None else {}).to_list(None)
        return [instrument_pb2.Instrument.FromString(row["body"]) for row in rows]

    async def cycle(self, instrument: str, period: str, tx: mongo.Tx | None = None) -> cycle_pb2.Cycle | None:
        """The cycle that was set for an instrument and period."""
        key = f"{instrument}:{period}"
        row = await self.db["cycles"].find_one({"_id": key}, session=tx.session if tx else None)
        return cycle_pb2.Cycle.FromString(row["body"]) if row else None

    async def keep_cycle(self, tx: mongo.Tx, cycle: cycle_pb2.Cycle) -> None:
        """Stores the next version."""
        key = f"{cycle.instrument}:{cycle.period}"
        row = {"version": int(cycle.etag), "body": cycle.SerializeToString()}
        await self.db["cycles"].update_one({"_id": key}, {"$set": row}, upsert=True, session=tx.session)

    async def dossier(self, evaluation_id: str, tx: mongo.Tx | None = None) -> cycle_pb2.Dossier:
        """The evaluation's papers; empty where there are none yet."""
        row = await self.db["dossiers"].find_one({"_id": evaluation_id}, session=tx.session if tx else None)
        return cycle_pb2.Dossier.FromString(row["body"]) if row else cycle_pb2.Dossier()

    async def keep_dossier(self, tx: mongo.Tx, evaluation_id: str, dossier: cycle_pb2.Dossier) -> None:
        """Stores the papers; the evaluation, which is saved with them, guards against a second writer."""
        row = {"body": dossier.SerializeToString()}
        await self.db["dossiers"].update_one({"_id": evaluation_id}, {"$set": row}, upsert=True, session=tx.session)

    async def record(self, tx: mongo.Tx, evaluation_id: str, change: cycle_pb2.Change) -> None:
        """One entry more in the evaluation's history."""
        key = f"{evaluation_id}#{change.version:012d}"
        row = {"_id": key, "evaluation": evaluation_id, "by": change.by, "body": change.SerializeToString()}
        await self.db["changes"].insert_one(row, session=tx.session)

    async def changes(self, request: verification_pb2.ListChangesRequest) -> tuple[list[cycle_pb2.Change], str]:
        """The history of an evaluation, oldest first, and the token of the next page."""

        def read(row: dict[str, Any]) -> cycle_pb2.Change:
            return cycle_pb2.Change.FromString(row["body"])

        return await pages.page(self.db["changes"], {"evaluation": request.evaluation_id}, request, read)

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
        # Not as a whole: what a newer release keeps beside it stays.
        result = await self._evaluations.update_one(previous, {"$set": _row(evaluation)}, session=tx.session)
        if result.matched_count == 0:
            raise conflict("evaluation", evaluation.id)

    async def page(
        self, keys: dict[str, Any], request: service_pb2.ListEvaluationsRequest
    ) -> tuple[list[pb.Evaluation], str]:
        """Evaluations without their answers, ordered by id, and the token of the next page."""
        return await pages.page(self._evaluations, keys, request, _without_answers)


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
        "agencies": sorted({one.agency for one in evaluation.delegations}),
        "assessors": [one.assessor for one in evaluation.assessors],
        "body": evaluation.SerializeToString(),
    }


def _without_answers(row: dict[str, Any]) -> pb.Evaluation:
    evaluation = _evaluation(row)
    for field in _LARGE:
        evaluation.ClearField(field)
    return evaluation


def _evaluation(row: dict[str, Any]) -> pb.Evaluation:
    return pb.Evaluation.FromString(row["body"])
