"""Open data by address: the race of every period, as published, with the aspects behind it, in one table."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from typing import Any

import grpc
import grpc.aio
from livinglab.assessment.v1 import evaluation_pb2, results_service_pb2, service_pb2
from livinglab.benchmark.v1 import service_pb2 as pb
from starlette.requests import Request
from starlette.responses import Response

from chassis.status import from_rpc_error
from services.console.model import feed
from services.console.pages import answers
from services.console.pages.asked import Asked
from services.console.session.neighbours import Person
from services.console.session.people import public_person

# What was decided, and not what is under way.
_STAGE = "publication"
_BASES = (("published", pb.BASIS_PUBLISHED), ("computed", pb.BASIS_COMPUTED))
# How old an answer may be: of the services' and of whatever stands between.
_SECONDS = 60.0
_CACHE = f"public, max-age={_SECONDS:.0f}"
# Everybody's, also for a page of somebody else's that reads it.
_SHARED: Any = {"access_control_allow_origin": "*", "cross_origin_resource_policy": "cross-origin"}
_LONGEST = 300
_ALL_INSTRUMENTS = service_pb2.ListInstrumentsRequest()
_Key = tuple[str, str, str]


async def csv_table(request: Request) -> Response:
    """One row an institution, race and basis."""

    def made(columns: list[str], rows: list[feed.Row], _instruments: Iterable[Any]) -> answers.Answer:
        name = 'attachment; filename="race.csv"'
        body = feed.as_csv(columns, rows)
        return answers.answer(body, answers.CSV, cache=_CACHE, content_disposition=name, **_SHARED)

    return await _answered(request, "csv", made)


async def json_table(request: Request) -> Response:
    """The same, with the names of what stands in the columns."""

    def made(columns: list[str], rows: list[feed.Row], instruments: Iterable[Any]) -> answers.Answer:
        whole = feed.as_records(columns, rows)
        found = {"columns": columns, "instruments": feed.names(instruments), "rows": whole}
        body = json.dumps(found, ensure_ascii=False).encode()
        return answers.answer(body, answers.JSON, cache=_CACHE, **_SHARED)

    return await _answered(request, "json", made)


async def _answered(request: Request, form: str, made: Any) -> Response:
    asked: Asked = request.app.state.asked
    person = public_person(request)
    wanted = {name: request.query_params.get(name, "")[:_LONGEST] for name in ("institution", "instrument", "period")}

    async def make() -> answers.Answer:
        instruments, rows = await asked.remembered("feed", lambda: _everything(asked, person), _SECONDS)
        fitting = [row for row in rows if all(not value or row[name] == value for name, value in wanted.items())]
        columns = [*feed.FIXED, *feed.node_columns(instruments)]
        # Megabytes, compressed: others are answered meanwhile.
        answer: answers.Answer = await asyncio.to_thread(made, columns, fitting, instruments)
        return answer

    return answers.public(request, await asked.remembered(("feed", form, *wanted.values()), make, _SECONDS))


async def _everything(asked: Asked, person: Person) -> tuple[list[Any], list[feed.Row]]:
    instruments = list((await person.ask(asked.neighbours.instruments.ListInstruments, _ALL_INSTRUMENTS)).instruments)
    nodes = await _nodes(asked, person)
    rows = []
    for race in await asked.races(person):
        if race.stage != _STAGE:
            continue
        versions = [one.version for one in instruments if one.id == race.instrument]
        for name, basis in _BASES:
            about = {"instrument": race.instrument, "period": race.period, "stage": race.stage, "basis": name}
            wanted = pb.Race(instrument=race.instrument, period=race.period, stage=race.stage, basis=basis)
            async for ranking in _rankings(asked, person, wanted, versions):
                rows += [
                    feed.row(about, ranking, one) | nodes.get((one.institution, race.instrument, race.period), {})
                    for one in ranking.rows
                ]
    return instruments, rows


async def _rankings(asked: Asked, person: Person, race: Any, versions: Iterable[int]) -> AsyncIterator[Any]:
    """The ranking; where results rest on several versions of the instrument, which are never compared, one of each."""
    try:
        yield await asked.ranking(person, race)
        return
    except grpc.aio.AioRpcError as error:
        if from_rpc_error(error).reason != "MIXED_VERSIONS":
            raise
    for version in versions:
        race.version = version
        yield await asked.ranking(person, race)


async def _nodes(asked: Asked, person: Person) -> dict[_Key, dict[str, str]]:
    """Domains and aspects by institution, instrument and period; of what was published alone."""
    imported = await person.every(
        asked.neighbours.results.ListResults,
        results_service_pb2.ListResultsRequest(stage=evaluation_pb2.STAGE_PUBLICATION),
        "results",
    )
    listed = await person.every(
        asked.neighbours.instruments.ListEvaluations, service_pb2.ListEvaluationsRequest(), "evaluations"
    )
    done = [one for one in listed if one.state == evaluation_pb2.EVALUATION_STATE_PUBLISHED]
    # What was assessed here is newer than what was brought in.
    return {
        (one.institution, one.instrument, one.period): {
            feed.node_column(node.kind, node.number): node.value for node in one.score.nodes if node.kind in feed.KINDS
        }
        for one in [*imported, *done]
        if one.score.nodes
    }
