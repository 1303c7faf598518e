"""What must hold of projections: the race shows what was submitted."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

from livinglab.assessment.v1 import evaluation_pb2, events_pb2

from stack.doctor.finding import Finding, Named, some
from stack.doctor.patient import Patient

_AT_ONCE = 1_000


async def check(patient: Patient) -> AsyncIterator[Finding]:
    """Every invariant of projections."""
    yield await _ranked(patient)


async def _ranked(patient: Patient) -> Finding:
    """One result in the race for each evaluation that was submitted, with the index of its last submission."""
    patient.ledger.table.execute("CREATE TEMP TABLE submitted (result TEXT PRIMARY KEY, rank TEXT, place INTEGER)")
    patient.ledger.table.executemany("INSERT OR REPLACE INTO submitted VALUES (?, ?, ?)", _submissions(patient))
    collection = "results" + await _serving(patient)
    wrong, total = Named(), 0
    for batch in _batches(patient.ledger.ask("SELECT result, rank FROM submitted")):
        told, total = dict(batch), total + len(batch)
        query = {"_id": {"$in": list(told)}}
        ranked = {row["_id"]: row["index"] async for row in patient.rows("benchmark", collection, query, ["index"])}
        wrong += [
            f"{name} {ranked.get(name, 'missing')} for {index}"
            for name, index in told.items()
            if ranked.get(name) != index
        ]
    return Finding(
        "each submission has one result in the race",
        not wrong,
        some(wrong, f" of {total} differ"),
        "livinglab benchmark rebuild",
    )


def _submissions(patient: Patient) -> Iterator[tuple[str, str, int]]:
    before = patient.since.timestamp()
    for number, event in enumerate(patient.ledger.of(events_pb2.EvaluationSubmitted)):
        if event.meta.occurred_time.seconds <= before:
            stage = evaluation_pb2.Stage.Name(event.stage).removeprefix("STAGE_").lower().replace("_", "-")
            place = (event.institution, event.instrument, event.period, stage, event.meta.rehearsal)
            yield "/".join(place), event.score.index, number


async def _serving(patient: Patient) -> str:
    async for row in patient.rows("benchmark", "generations", {"_id": "pointer"}):
        return str(row["serving"])
    return ""


def _batches(rows: Iterator[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    batch: list[tuple[Any, ...]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == _AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch
