"""What benchmark keeps: projections of instruments and results, from facts alone. Only this file knows MongoDB."""

from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from typing import Any

from livinglab.assessment.v1 import evaluation_pb2, instrument_pb2
from livinglab.benchmark.v1 import service_pb2 as pb
from pymongo import IndexModel

from chassis import mongo
from chassis.errors import not_found, unavailable
from services.benchmark import model
from services.benchmark.instrument import Instrument, Node

# The stages of an evaluation as a race names them, in their order.
STAGES = {
    number: label.removeprefix("STAGE_").lower().replace("_", "-")
    for label, number in evaluation_pb2.Stage.items()
    if number
}

_RACE = [("instrument", 1), ("period", 1), ("stage", 1), ("rehearsal", 1)]
# Holds all that a ranking shows, so that the results with their values are not read for it.
_STANDING = [("hundredths", -1), ("institution", 1), ("predicate", 1)]
_INDEXES = {"results": [IndexModel(_RACE + _STANDING, name="race")], "instruments": []}


class Store:
    """Facts in, standings and results out."""

    def __init__(self, db: mongo.Database) -> None:
        self.db = db
        self._results = db["results"]
        self._instruments = db["instruments"]
        # A version of an instrument never changes.
        self._known: dict[str, Instrument] = {}

    async def prepare(self) -> None:
        """Collections and indexes; once at start-up."""
        await self.db.prepare(_INDEXES)

    async def keep_instrument(self, tx: mongo.Tx, instrument: instrument_pb2.Instrument) -> None:
        """Keeps a version of an instrument."""
        row = {"body": instrument.SerializeToString(deterministic=True)}
        key = {"_id": f"{instrument.id}:{instrument.version}"}
        await self._instruments.replace_one(key, row, upsert=True, session=tx.session)

    async def instrument(self, name: str, version: int) -> Instrument:
        """UNAVAILABLE while its own fact is still on the way."""
        key = f"{name}:{version}"
        if key not in self._known:
            row = await self._instruments.find_one({"_id": key})
            if row is None:
                raise unavailable(f"the projection of instrument {key}")
            self._known[key] = instrument_of(instrument_pb2.Instrument.FromString(row["body"]))
        return self._known[key]

    async def project(self, tx: mongo.Tx, result: model.Result) -> bool:
        """Keeps a result unless the one that is there is as new; says whether it did."""
        stored = await self._results.find_one({"_id": result.id}, {"version": 1}, session=tx.session)
        if stored is not None and stored["version"] >= result.version:
            return False
        await self._results.replace_one({"_id": result.id}, _row(result), upsert=True, session=tx.session)
        return True

    async def standings(self, race: pb.Race, period: str) -> list[model.Standing]:
        """Everybody's standing in that period of the race, whatever the group; highest first."""
        keys = {"instrument": race.instrument, "period": period, "stage": race.stage, "rehearsal": race.rehearsal}
        shown = {"_id": 0, "institution": 1, "hundredths": 1, "predicate": 1}
        rows = await self._results.find(keys, shown).sort(_STANDING[:2]).hint("race").to_list(None)
        return [model.Standing(row["institution"], _index(row), row["predicate"]) for row in rows]

    async def result(self, race: pb.Race, institution: str) -> model.Result:
        """NOT_FOUND where the institution has none in that race."""
        key = model.result_id(institution, race.instrument, race.period, race.stage, race.rehearsal)
        row = await self._results.find_one({"_id": key})
        if row is None:
            raise not_found("result", f"of {institution} in {race.instrument}, {race.period}, {race.stage}")
        return _result(row)


def _row(result: model.Result) -> dict[str, Any]:
    return {
        "version": result.version,
        "institution": result.institution,
        "instrument": result.instrument,
        "instrument_version": result.instrument_version,
        "period": result.period,
        "stage": result.stage,
        "rehearsal": result.rehearsal,
        "cohort_id": result.cohort_id,
        "index": model.written(result.index),
        # The same as a number to sort by.
        "hundredths": int(result.index.scaleb(model.DIGITS)),
        "predicate": result.predicate,
        # A list, since a key may hold a dot.
        "values": [{"item": item, "value": f"{value:f}"} for item, value in result.values.items()],
    }


def _result(row: dict[str, Any]) -> model.Result:
    return model.Result(
        institution=row["institution"],
        instrument=row["instrument"],
        instrument_version=row["instrument_version"],
        period=row["period"],
        stage=row["stage"],
        rehearsal=row["rehearsal"],
        cohort_id=row["cohort_id"],
        version=row["version"],
        index=_index(row),
        predicate=row["predicate"],
        values={value["item"]: Decimal(value["value"]) for value in row["values"]},
    )


def _index(row: dict[str, Any]) -> Decimal:
    return Decimal(row["hundredths"]).scaleb(-model.DIGITS)


def instrument_of(instrument: instrument_pb2.Instrument) -> Instrument:
    """What benchmark reads of a published instrument."""
    scale = instrument.scale
    root = Node("", Fraction(1), _is_mean(instrument.aggregation), _nodes(instrument.nodes))
    return Instrument(Decimal(scale.min), Decimal(scale.max), root)


def _nodes(nodes: Iterable[instrument_pb2.Node]) -> tuple[Node, ...]:
    return tuple(
        Node(node.number, Fraction(node.weight or "1"), _is_mean(node.aggregation), _nodes(node.children))
        for node in nodes
    )


def _is_mean(aggregation: instrument_pb2.Aggregation.ValueType) -> bool:
    return aggregation == instrument_pb2.AGGREGATION_MEAN
