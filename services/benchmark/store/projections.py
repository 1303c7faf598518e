"""What benchmark keeps: projections of facts, in generations of which one serves, and what managers set. Only this
file and documents.py know how."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from livinglab.assessment.v1 import evaluation_pb2, instrument_pb2
from livinglab.benchmark.v1 import service_pb2 as pb
from pymongo import IndexModel, ReplaceOne, ReturnDocument, UpdateOne

from chassis import mongo, naming
from chassis.errors import Refused, not_found, precondition, unavailable
from instruments.tree import Instrument, instrument_of
from services.benchmark.model import race as model
from services.benchmark.store.documents import Row, Write, result_of, standing_of

__all__ = ["STAGES", "Store"]

# The stages of an evaluation as a race names them, in their order.
STAGES = {
    number: label.removeprefix("STAGE_").lower().replace("_", "-")
    for label, number in evaluation_pb2.Stage.items()
    if number
}

_RACE = ("instrument", "period", "stage", "rehearsal")
_ORDER = [("millionths", -1), ("institution", 1)]
_SHOWN = ("millionths", "institution", "predicate", "published", "computed", "instrument_version")
_KEYS = [(name, 1) for name in _RACE]
# Holds all that a ranking shows, so that the results with their values are not read for it.
_STANDINGS = [*_KEYS, *_ORDER, ("predicate", 1), ("published", 1), ("computed", 1), ("instrument_version", 1)]
# Another name than that of the index without the version, which may stand beside it.
_STANDINGS_NAME = "like_standings"
# Made anew by a rebuild; each generation has its own.
PROJECTIONS: Mapping[str, Sequence[IndexModel]] = {
    "results": [IndexModel(_STANDINGS, name=_STANDINGS_NAME), IndexModel([("institution", 1), ("stage", 1)])],
    "history": [IndexModel([*_KEYS, ("occurred_time", 1)], name="history")],
    "instruments": [],
    "members": [],
}
# What managers set, and which generation serves: these are never made anew.
_KEPT = ("generations", "clusters", "cluster_history", "targets", "hosts", "populations")
_POINTER = {"_id": "pointer"}
# A rebuild that says nothing for so long has died.
_SILENT_SECONDS = 30


class Store:
    """Facts in, standings and results out."""

    def __init__(self, db: mongo.Database) -> None:
        self.db = db
        # A version of an instrument never changes.
        self._known: dict[str, Instrument] = {}
        self._serving: str | None = None

    async def prepare(self) -> None:
        """Collections and indexes; once at start-up."""
        serving = (await self._pointer())["serving"]
        await self.db.prepare(_named(serving) | {name: [] for name in _KEPT})

    # What is projected.

    async def write(self, tx: mongo.Tx, writes: Iterable[Write]) -> int | None:
        """Keeps what is newer than what is there, in the generation that serves and in one that is being built. The
        order of the result that a newer one replaced, -1 where there was none; None where none became newer."""
        pointer = await self._pointer(tx.session)
        generations = [pointer["serving"]] + ([pointer["building"]] if pointer.get("building") else [])
        replaced = None
        for write in writes:
            for generation in generations:
                before = await self._keep(tx, self.db[write.collection + generation], write)
                if generation == pointer["serving"] and write.collection == "results":
                    replaced = before
        return replaced

    async def _keep(self, tx: mongo.Tx, collection: Any, write: Write) -> int | None:
        key, before = {"_id": write.row["_id"]}, -1
        # A line of the history is nobody else's.
        if write.collection != "history":
            stored = await collection.find_one(key, {"order": 1}, session=tx.session)
            before = stored["order"] if stored else -1
            if before >= write.row["order"]:
                return None
        await collection.replace_one(key, write.row, upsert=True, session=tx.session)
        return before

    # Generations.

    async def _pointer(self, session: Any = None) -> Row:
        row: Row | None = await self.db["generations"].find_one(_POINTER, session=session)
        return row or {"serving": "", "building": ""}

    def serve(self, generation: str | None) -> None:
        """Which generation is read from now on; None asks the database each time."""
        self._serving = generation

    def reads(self, generation: str) -> bool:
        """Whether that generation is the one that is read."""
        return self._serving == generation

    async def serving(self) -> str:
        """The generation that the database says serves."""
        return str((await self._pointer())["serving"])

    async def _of(self, collection: str) -> Any:
        generation = self._serving if self._serving is not None else await self.serving()
        return self.db[collection + generation]

    async def _results(self) -> Any:
        return await self._of("results")

    async def start_building(self) -> str:
        """A new generation that receives every fact from now on; FAILED_PRECONDITION while another is built."""
        now = datetime.now(UTC)
        pointer = await self._pointer()
        if pointer.get("building") and pointer["seen_time"] > now - timedelta(seconds=_SILENT_SECONDS):
            raise precondition("REBUILDING", "another rebuild runs")
        serving, building = pointer["serving"], f"_{naming.new_id()}"
        await self._drop_all_but(serving)
        await self.db.prepare(_named(building))
        change = {"$set": {"serving": serving, "building": building, "seen_time": now}}
        claimed = {**_POINTER, "building": pointer.get("building", "")} if "_id" in pointer else _POINTER
        await self.db["generations"].update_one(claimed, change, upsert="_id" not in pointer)
        return building

    async def fill(self, building: str, writes: Sequence[Write]) -> None:
        """Many documents at once, the newer of two staying, so that it may run again and beside live facts. Nothing
        of it shows before the swap."""
        by_collection: dict[str, dict[str, Row]] = {}
        for write in writes:
            newest = by_collection.setdefault(write.collection, {})
            stored = newest.get(write.row["_id"])
            if stored is None or stored["order"] < write.row["order"]:
                newest[write.row["_id"]] = write.row
        await asyncio.gather(*(self._fill(name, building, list(rows.values())) for name, rows in by_collection.items()))
        still = await self.db["generations"].update_one(
            {**_POINTER, "building": building}, {"$set": {"seen_time": datetime.now(UTC)}}
        )
        if not still.matched_count:
            raise precondition("REBUILDING", "another rebuild took over")

    async def _fill(self, name: str, building: str, rows: list[Row]) -> None:
        one = _replaced if name == "history" else _newer
        await self.db[name + building].bulk_write([one(row) for row in rows], ordered=False)

    async def swap(self, building: str) -> None:
        """One write, after which every read is of the new generation. The old one stays until the next rebuild, so
        that readers who have not heard yet find it."""
        change = {"$set": {"serving": building, "building": ""}}
        swapped = await self.db["generations"].find_one_and_update(
            {**_POINTER, "building": building}, change, return_document=ReturnDocument.AFTER
        )
        if swapped is None:
            raise precondition("REBUILDING", "another rebuild took over")

    async def abandon(self, building: str) -> None:
        """A rebuild that ended early gives way to another."""
        await self.db["generations"].update_one({**_POINTER, "building": building}, {"$set": {"building": ""}})

    # What is read.

    async def instrument(self, name: str, version: int) -> Instrument:
        """UNAVAILABLE while its own fact is still on the way."""
        key = f"{name}:{version}"
        if key not in self._known:
            row = await (await self._of("instruments")).find_one({"_id": key})
            if row is None:
                raise unavailable(f"the projection of instrument {key}")
            self._known[key] = instrument_of(instrument_pb2.Instrument.FromString(row["body"]))
        return self._known[key]

    async def instrument_if_known(self, name: str, version: int) -> Instrument | None:
        """None while its own fact is still on the way."""
        try:
            return await self.instrument(name, version)
        except Refused:
            return None

    async def newest_instrument(self, name: str) -> Instrument | None:
        """The highest version that is known."""
        keys = {"_id": {"$gte": f"{name}:", "$lt": f"{name};"}}
        rows = await (await self._of("instruments")).find(keys, {"_id": 1}).to_list(None)
        versions = [int(row["_id"].rpartition(":")[2]) for row in rows]
        return await self.instrument(name, max(versions)) if versions else None

    async def standings(self, race: pb.Race, period: str, as_of: datetime | None = None) -> list[model.Standing]:
        """Everybody's standing in that period of the race, whatever the group; highest first."""
        keys = _keys(race, period)
        if as_of is not None:
            return await self._standings_as_of(keys, as_of)
        shown = {"_id": 0, **dict.fromkeys(_SHOWN, 1)}
        found = (await self._results()).find(keys, shown).sort(_ORDER).hint(_STANDINGS_NAME)
        return [standing_of(row) for row in await found.to_list(None)]

    async def _standings_as_of(self, keys: Row, as_of: datetime) -> list[model.Standing]:
        """From the facts that had occurred, the newest of each institution."""
        lines = (await self._of("history")).find({**keys, "occurred_time": {"$lte": as_of}})
        newest: dict[str, Row] = {}
        for line in await lines.to_list(None):
            stored = newest.get(line["institution"])
            if stored is None or stored["order"] < line["order"]:
                newest[line["institution"]] = line
        standing = [line for line in newest.values() if not line.get("withdrawn")]
        return sorted((standing_of(line) for line in standing), key=lambda s: (-s.index, s.institution))

    async def periods(self, race: pb.Race, as_of: datetime | None = None) -> list[str]:
        """In which the race was held, or had been by then, in no order."""
        keys = {name: value for name, value in _keys(race, "").items() if name != "period"}
        if as_of is not None:
            keys["occurred_time"] = {"$lte": as_of}
        found: list[str] = await (await self._of("history" if as_of else "results")).distinct("period", keys)
        return found

    async def races(self) -> list[pb.HeldRace]:
        """Every race of real results with how many stand in it, in no order."""
        parts = ("instrument", "period", "stage")
        group = {"_id": {name: f"${name}" for name in parts}, "institutions": {"$sum": 1}}
        rows = (await self._results()).aggregate([{"$match": {"rehearsal": ""}}, {"$group": group}])
        return [pb.HeldRace(**row["_id"], institutions=row["institutions"]) for row in await rows.to_list(None)]

    async def results(self, race: pb.Race, period: str) -> list[model.Result]:
        """Everybody's result in that period of the race, by the institution's code."""
        found = (await self._results()).find(_keys(race, period)).sort("institution", 1)
        return [result_of(row) for row in await found.to_list(None)]

    async def result(self, race: pb.Race, institution: str) -> model.Result:
        """NOT_FOUND where the institution has none in that race."""
        key = model.result_id(institution, race.instrument, race.period, race.stage, race.rehearsal)
        row = await (await self._results()).find_one({"_id": key})
        if row is None or "withdrawn_from" in row:
            raise not_found("result", f"of {institution} in {race.instrument}, {race.period}, {race.stage}")
        return result_of(row)

    async def every_instrument(self, race: pb.Race, institution: str) -> list[tuple[str, str, model.Standing]]:
        """Instrument, period and standing of one institution, or of everybody, in the race's stage and realm."""
        keys = {"stage": race.stage, "rehearsal": race.rehearsal} | (
            {"institution": institution} if institution else {"instrument": race.instrument}
        )
        shown = {"_id": 0, "instrument": 1, "period": 1, **dict.fromkeys(_SHOWN, 1)}
        rows = await (await self._results()).find(keys, shown).to_list(None)
        return [(row["instrument"], row["period"], standing_of(row)) for row in rows]

    async def sets(self, as_of: datetime | None = None) -> dict[str, frozenset[str]]:
        """Members of each cohort:ID and cluster:NAME, now or as they were."""
        known = {"since_time": {"$lte": as_of}} if as_of else {}
        found: dict[str, set[str]] = {}
        for row in await (await self._of("members")).find(known).to_list(None):
            found.setdefault(f"cohort:{row['cohort_id']}", set()).add(row["institution"])
        if as_of:
            lines = await self.db["cluster_history"].find(known).sort("order", 1).to_list(None)
            clusters = {row["name"]: row["institutions"] for row in lines}
        else:
            clusters = {row["_id"]: row["institutions"] for row in await self.settings("clusters")}
        found |= {f"cluster:{name}": set(institutions) for name, institutions in clusters.items() if institutions}
        return {name: frozenset(members) for name, members in found.items()}

    # What managers set.

    async def setting(self, collection: str, key: str, session: Any = None) -> Row | None:
        """One of the clusters, targets, hosts or populations."""
        row: Row | None = await self.db[collection].find_one({"_id": key}, session=session)
        return row

    async def settings(self, collection: str) -> list[Row]:
        """All of them, by their keys."""
        rows: list[Row] = await self.db[collection].find().sort("_id", 1).to_list(None)
        return rows

    async def set(self, tx: mongo.Tx | None, writes: Iterable[Write]) -> None:
        """Keeps what was set unless what is there is as new."""
        for write in writes:
            await self.db[write.collection].bulk_write([_newer(write.row)], session=tx.session if tx else None)

    async def _drop_all_but(self, serving: str) -> None:
        """Generations that no longer serve."""
        pattern = f"^({'|'.join(PROJECTIONS)})(_|$)"
        ask = {"listCollections": 1, "nameOnly": True, "filter": {"name": {"$regex": pattern}}}
        answer = await self.db.command({**ask, "cursor": {"batchSize": 1_000}}, None)
        for name in {row["name"] for row in answer["cursor"]["firstBatch"]} - _named(serving).keys():
            await self.db[name].drop()


def _named(generation: str) -> dict[str, Sequence[IndexModel]]:
    return {name + generation: indexes for name, indexes in PROJECTIONS.items()}


def _keys(race: pb.Race, period: str) -> Row:
    return {"instrument": race.instrument, "period": period, "stage": race.stage, "rehearsal": race.rehearsal}


def _replaced(row: Row) -> ReplaceOne[Row]:
    return ReplaceOne({"_id": row["_id"]}, row, upsert=True)


def _newer(row: Row) -> UpdateOne:
    """Replaces a document unless the one that is there is as new."""
    older = {"$lt": [{"$ifNull": ["$order", -1]}, row["order"]]}
    return UpdateOne(
        {"_id": row["_id"]},
        [{"$replaceWith": {"$cond": [older, {"$literal": row}, "$$ROOT"]}}],
        upsert=True,
    )
