"""Documents: how results, standings and what managers set are laid down, and read again."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from livinglab.assessment.v1 import instrument_pb2

from services.benchmark.model import race

Row = dict[str, Any]
# Of the number that a result is sorted by: the most digits that a published index has.
_SCALE = 6
# Of two facts the earlier has the higher order, counted back from here in milliseconds.
_END_OF_TIME = 2**53


@dataclass(frozen=True, slots=True)
class Write:
    """A document that a fact makes. Of two with one `_id` the one of the higher `order` stays."""

    collection: str
    row: Row


def instrument_write(instrument: instrument_pb2.Instrument) -> Write:
    """A version of an instrument, which never changes."""
    body = instrument.SerializeToString(deterministic=True)
    return Write("instruments", {"_id": f"{instrument.id}:{instrument.version}", "order": 1, "body": body})


def member_writes(cohort_id: str, institution: str, since: datetime) -> list[Write]:
    """That an institution takes part in a cohort, where there is one, from the earliest fact that shows it."""
    if not cohort_id:
        return []
    row = {
        "_id": f"{cohort_id}/{institution}",
        "order": _END_OF_TIME - int(since.timestamp() * 1000),
        "cohort_id": cohort_id,
        "institution": institution,
        "since_time": since,
    }
    return [Write("members", row)]


def cluster_writes(name: str, institutions: Iterable[str], version: int, since: datetime) -> list[Write]:
    """A named set as it now is, and its line in the history, which tells what it was at any time."""
    row = {"_id": name, "institutions": sorted(institutions), "order": version}
    line = {**row, "_id": f"{name}/{version}", "name": name, "since_time": since}
    return [Write("clusters", row), Write("cluster_history", line)]


def result_writes(result: race.Result) -> list[Write]:
    """The result as it stands, and its line in the history, which nothing replaces."""
    standing = {
        "order": result.order,
        "institution": result.institution,
        "instrument": result.instrument,
        "period": result.period,
        "stage": result.stage,
        "rehearsal": result.rehearsal,
        "millionths": int(result.index.scaleb(_SCALE)),
        "predicate": result.predicate,
        "computed": result.computed,
        "published": result.published,
        "instrument_version": result.instrument_version,
    }
    whole = {
        "_id": result.id,
        **standing,
        # As people read it.
        "index": race.shown(result.index),
        "cohort_id": result.cohort_id,
        "version": result.version,
        "imported": result.imported,
        "event_id": result.event_id,
        "occurred_time": result.occurred,
        # A list, since a key may hold a dot.
        "values": [{"item": item, "value": f"{value:f}"} for item, value in result.values.items()],
    }
    line = {"_id": result.event_id, **standing, "occurred_time": result.occurred}
    shown = [Write("results", whole), Write("history", line)]
    return [*shown, *member_writes(result.cohort_id, result.institution, result.occurred)]


def withdrawal_writes(result: race.Result) -> list[Write]:
    """That a result which was brought in is none any more. Its document stays under its id and order, so that no older
    fact brings it back, but in no race; its line in the history says until when it was in one."""
    of = {
        "institution": result.institution,
        "instrument": result.instrument,
        "period": result.period,
        "stage": result.stage,
        "rehearsal": result.rehearsal,
    }
    nowhere = dict.fromkeys(of, "")
    whole = {"_id": result.id, **nowhere, "order": result.order, "withdrawn_from": of}
    line = {
        "_id": result.event_id,
        **of,
        "order": result.order,
        "withdrawn": True,
        "occurred_time": result.occurred,
    }
    return [Write("results", whole), Write("history", line)]


def result_of(row: Row) -> race.Result:
    """The result that a document holds."""
    return race.Result(
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
        published=row["published"],
        computed=row["computed"],
        imported=row["imported"],
        event_id=row["event_id"],
        occurred=row["occurred_time"],
    )


def standing_of(row: Row) -> race.Standing:
    """What a ranking needs of a result or of a line of the history."""
    return race.Standing(
        row["institution"],
        _index(row),
        row["predicate"],
        row["published"],
        row["computed"],
        row.get("instrument_version", 0),
    )


def _index(row: Row) -> Decimal:
    index = Decimal(row["millionths"]).scaleb(-_SCALE)
    two = index.quantize(Decimal("0.01"))
    return two if two == index else index.normalize()
