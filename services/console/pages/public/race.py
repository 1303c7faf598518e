"""The race: who stands where in a group, what moved, how the index is spread, the provinces as tiles."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import grpc
import grpc.aio
from livinglab.benchmark.v1 import analysis_service_pb2 as analysis_pb
from livinglab.benchmark.v1 import service_pb2 as pb
from starlette.requests import Request
from starlette.responses import Response

from chassis.status import from_rpc_error
from directory import official_regions
from services.console.model import charts, numbers, tables, tiles
from services.console.model.choice import ROWS, Choice, chosen
from services.console.pages import answers, shell, shown
from services.console.pages.asked import Asked, group_name
from services.console.session.people import public_person

_LEAPS = 5
_BASIS = {"": pb.BASIS_UNSPECIFIED, "computed": pb.BASIS_COMPUTED, "published": pb.BASIS_PUBLISHED}
_COLUMNS = ("rank", "institution", "name", "index", "predicate", "movement", "gain", "published")


async def page(request: Request) -> Response:
    """The race that the address names, or the newest."""
    language: str = request.state.language
    asked: Asked = request.app.state.asked
    name = "race", language, request.scope["query_string"]
    return answers.public(request, await asked.remembered(name, lambda: _made(request, language)))


async def csv_table(request: Request) -> Response:
    """The whole ranking, one row an institution."""
    choice, ranking = await _table(request)
    rows = [
        [str(r.rank), r.institution, r.name, r.index, r.predicate, _movement(r), r.gain, r.published]
        for r in ranking.rows
    ]
    name = f'attachment; filename="race-{choice.instrument}-{choice.period}.csv"'
    body = tables.as_csv(_COLUMNS, rows)
    return answers.public(request, answers.answer(body, answers.CSV, content_disposition=name))


async def json_table(request: Request) -> Response:
    """The same as `livinglab ranking --json` writes it."""
    choice, ranking = await _table(request)
    rows = [
        {
            "rank": r.rank,
            "institution": r.institution,
            "name": r.name,
            "index": r.index,
            "published": r.published,
            "predicate": r.predicate,
            "movement": r.movement if r.HasField("movement") else None,
            "gain": r.gain,
        }
        for r in ranking.rows
    ]
    found = {
        "instrument": choice.instrument,
        "period": choice.period,
        "stage": choice.stage,
        "group": choice.group or "nation",
        "basis": pb.Basis.Name(ranking.basis).removeprefix("BASIS_").lower(),
        "since_period": ranking.since_period,
        "rows": rows,
    }
    return answers.public(request, answers.answer(tables.as_json(found), answers.JSON))


async def _table(request: Request) -> tuple[Choice, Any]:
    asked: Asked = request.app.state.asked
    person = public_person(request)
    choice = chosen(request.query_params, await asked.races(person))
    if not choice.instrument:
        return choice, pb.GetRankingResponse()
    return choice, (await _ranked(asked, person, choice))[0]


async def _ranked(asked: Asked, person: Any, choice: Choice) -> tuple[Any, bool]:
    """The ranking, and whether some results are published only and others computed only: then what was published is
    shown, unless the address says otherwise."""
    race = _race(choice)
    try:
        return await asked.ranking(person, race), False
    except grpc.aio.AioRpcError as error:
        if from_rpc_error(error).reason != "MIXED_BASIS" or choice.basis:
            raise
    race.basis = pb.BASIS_PUBLISHED
    return await asked.ranking(person, race), True


def _race(choice: Choice) -> pb.Race:
    return pb.Race(
        instrument=choice.instrument,
        period=choice.period,
        stage=choice.stage,
        group=choice.group,
        basis=_BASIS[choice.basis],
    )


async def _made(request: Request, language: str) -> answers.Answer:
    asked: Asked = request.app.state.asked
    person = public_person(request)
    held, instruments = await asked.races(person), await asked.instruments(person)
    choice = chosen(request.query_params, held)
    table: dict[str, Any] = {"ranking": None, "rows": [], "total": 0}
    if choice.instrument and choice.period:
        table = await _shown(asked, person, choice, instruments, language)
    return shown.public(
        "race.html",
        language,
        shell.query(**choice.query()),
        choice=choice,
        selects=_selects(choice, held, instruments),
        query=shell.query,
        group=group_name(choice.group, language),
        held=bool(held),
        **table,
    )


async def _shown(
    asked: Asked, person: Any, choice: Choice, instruments: dict[str, Any], language: str
) -> dict[str, Any]:
    ranking, mixed = await _ranked(asked, person, choice)
    race = _race(choice)
    race.basis = ranking.basis
    method = asked.neighbours.race.GetAggregate
    aggregate = await asked.once(person, method, pb.GetAggregateRequest(race=race))
    leaps: Sequence[Any] = ()
    if ranking.since_period:
        request = analysis_pb.ListLeapsRequest(race=race, since_period=ranking.since_period, size=_LEAPS)
        leaps = (await asked.once(person, asked.neighbours.analysis.ListLeaps, request)).leaps
    first = min((choice.page - 1) * ROWS, max(len(ranking.rows) - 1, 0) // ROWS * ROWS)
    instrument = instruments.get(choice.instrument)
    counts = [(f"{numbers.number(b.to, language)}", b.count) for b in aggregate.distribution]
    return {
        "ranking": ranking,
        "rows": [(row, _movement(row)) for row in ranking.rows[first : first + ROWS]],
        "first": first,
        "size": ROWS,
        "total": len(ranking.rows),
        "mixed": mixed,
        "aggregate": aggregate,
        "bars": charts.bars(counts),
        "leaps": leaps,
        "tiles": _tiles(choice, ranking.rows, instrument),
        "legend": _legend(instrument),
    }


def _movement(row: Any) -> str:
    """Places won or lost; empty for who was not in the race before."""
    return str(row.movement) if row.HasField("movement") else ""


def _bounds(instrument: Any) -> list[Decimal]:
    return [Decimal(predicate.min) for predicate in instrument.predicates] if instrument else []


def _legend(instrument: Any) -> list[tuple[int, str, str]]:
    """Which colour stands for which predicate: place, label and where it begins."""
    if instrument is None:
        return []
    return [(min(n, 5), p.label, p.min) for n, p in enumerate(instrument.predicates, start=1)]


def _tiles(choice: Choice, rows: Sequence[Any], instrument: Any) -> list[dict[str, Any]]:
    """A tile for each province, of the whole nation or of the provinces themselves; none for other groups."""
    own = choice.group == "kind:provinsi"
    if choice.group and not own and not choice.group.startswith("kind:"):
        return []
    values: dict[str, list[Decimal]] = {}
    for row in rows:
        province = tiles.province_of(row.institution)
        index = numbers.decimal(row.index)
        if province and index is not None and (row.institution == province) == own:
            values.setdefault(province, []).append(index)
    if not values:
        return []
    bounds, found = _bounds(instrument), []
    for code, (letters, _, _) in tiles.TILES.items():
        mean = numbers.mean(values.get(code, []))
        where = f"r/{code}" if own else shell.query(**choice.query(group=f"province:{code}", page=1))
        found.append(
            {
                "code": code,
                "letters": letters,
                "name": official_regions()[code].name,
                "mean": mean,
                "band": tiles.band(Decimal(mean), bounds) if mean else 0,
                "where": where,
            }
        )
    return found


def _selects(choice: Choice, held: Sequence[Any], instruments: dict[str, Any]) -> dict[str, Any]:
    """What can be chosen: races that were held, and groups."""
    mine = [race for race in held if race.instrument == choice.instrument]
    provinces = [
        (f"province:{code}", region.name) for code, region in official_regions().items() if code in tiles.TILES
    ]
    kinds = [f"kind:{kind}" for kind in ("kabupaten", "kota", "provinsi")]
    known = {"", *kinds, *(code for code, _ in provinces)}
    return {
        "instruments": [
            (name, instruments[name].title) for name in instruments if any(r.instrument == name for r in held)
        ],
        "periods": list(dict.fromkeys(race.period for race in mine)),
        "stages": list(dict.fromkeys(race.stage for race in mine if race.period == choice.period)),
        "kinds": kinds,
        "provinces": sorted(provinces, key=lambda entry: entry[1]),
        "other": choice.group if choice.group not in known else "",
    }
