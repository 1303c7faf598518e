"""A region: its index over the years, its aspects against its group, its place, and how the number came about."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from livinglab.benchmark.v1 import service_pb2 as pb
from livinglab.program.v1 import directory_service_pb2
from starlette.requests import Request
from starlette.responses import Response

from chassis.errors import not_found
from directory import is_code
from services.console.model import account, charts, numbers, tables, words
from services.console.pages import answers, shell, shown
from services.console.pages.asked import Asked, group_name
from services.console.pages.public import results
from services.console.session.neighbours import Person
from services.console.session.people import public_person

_COLUMNS = ("institution", "name", "instrument", "period", "stage", "published", "computed")
_STRONGEST = 8


async def page(request: Request) -> Response:
    """What is published of one region."""
    language: str = request.state.language
    asked: Asked = request.app.state.asked
    code = request.path_params["code"]
    name = "region", language, code
    return answers.public(request, await asked.remembered(name, lambda: _made(request, code, language)))


async def csv_table(request: Request) -> Response:
    """The index by period."""
    institution, stage, years = await _years(request)
    rows = [[institution.code, institution.name, y.instrument, y.period, stage, y.published, y.computed] for y in years]
    name = f'attachment; filename="{institution.code}.csv"'
    body = tables.as_csv(_COLUMNS, rows)
    return answers.public(request, answers.answer(body, answers.CSV, content_disposition=name))


async def json_table(request: Request) -> Response:
    """The index by period, and the values behind the newest."""
    institution, stage, years = await _years(request)
    detail = await results.newest(request.app.state.asked, public_person(request), institution.code)
    found: dict[str, Any] = {
        "institution": institution.code,
        "name": institution.name,
        "kind": institution.kind,
        "parent": institution.parent,
        "stage": stage,
        "periods": [
            {"instrument": y.instrument, "period": y.period, "published": y.published, "computed": y.computed}
            for y in years
        ],
        "newest": None,
    }
    if detail:
        found["newest"] = {
            "instrument": detail.instrument,
            "period": detail.period,
            "index": detail.index,
            "predicate": detail.predicate,
            "published": detail.published,
            "indicators": dict(detail.values),
            "nodes": [{"kind": kind, "number": number, "value": v} for (kind, number), v in detail.nodes.items()],
        }
    return answers.public(request, answers.answer(tables.as_json(found), answers.JSON))


async def _institution(asked: Asked, person: Person, code: str) -> Any:
    if not is_code(code):
        raise not_found("institution", code[:40])
    request = directory_service_pb2.GetInstitutionRequest(code=code)
    return (await asked.once(person, asked.neighbours.directory.GetInstitution, request)).institution


async def _years(request: Request) -> tuple[Any, str, list[results.Year]]:
    asked: Asked = request.app.state.asked
    person = public_person(request)
    institution = await _institution(asked, person, request.path_params["code"])
    stage, years = await results.years(asked, person, institution.code, await asked.races(person))
    return institution, stage, years


async def _made(request: Request, code: str, language: str) -> answers.Answer:
    asked: Asked = request.app.state.asked
    person = public_person(request)
    institution, stage, years = await _years(request)
    parent = await _institution(asked, person, institution.parent) if institution.parent else None
    instruments = await asked.instruments(person)
    detail = await results.newest(asked, person, code)
    values: dict[str, Any] = {"parts": [], "strong": [], "weak": [], "means": {}, "peers": 0}
    if detail:
        values = await _account(asked, person, institution, detail, language)
    return shown.public(
        "region.html",
        language,
        f"r/{code}",
        institution=institution,
        parent=parent,
        stage=stage,
        years=list(reversed(years)),
        lines=_lines(years, instruments),
        titles={name: _short(instrument.title) for name, instrument in instruments.items()},
        places=await _places(asked, person, institution, stage, years, language),
        detail=detail,
        difference=_difference,
        differing=any(_difference(year) for year in years),
        **values,
    )


def _short(title: str) -> str:
    """The regulation that a title names in brackets at its end, which is how people speak of it; else the title."""
    head, _, tail = title.removesuffix(")").rpartition("(")
    return tail if head and title.endswith(")") else title


def _without_zeros(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def _difference(year: results.Year) -> str:
    """Published less computed; empty unless both are known."""
    published, computed = numbers.decimal(year.published), numbers.decimal(year.computed)
    return str(published - computed) if published is not None and computed is not None else ""


def _lines(years: Sequence[results.Year], instruments: dict[str, Any]) -> charts.Lines | None:
    """One line an instrument of what was published, and one of what was computed where nothing was published."""
    points: dict[tuple[str, bool], list[tuple[str, str]]] = {}
    for year in years:
        value = year.published or year.computed
        if numbers.decimal(value) is not None:
            points.setdefault((year.instrument, not year.published), []).append((year.period, value))
    if not points:
        return None
    scales = [instruments[year.instrument].scale for year in years if year.instrument in instruments]
    low = min((Decimal(scale.min) for scale in scales), default=Decimal(1))
    high = max((Decimal(scale.max) for scale in scales), default=Decimal(5))
    return charts.lines([charts.Series(i, computed, one) for (i, computed), one in points.items()], low, high)


async def _places(
    asked: Asked, person: Person, institution: Any, stage: str, years: Sequence[results.Year], language: str
) -> list[dict[str, Any]]:
    """Its rank in the newest race, in the nation, among its kind and in its province."""
    if not years:
        return []
    last, found = years[-1], []
    basis = pb.BASIS_PUBLISHED if last.published else pb.BASIS_COMPUTED
    groups = ["", f"kind:{institution.kind}"]
    if institution.parent and institution.kind in ("kabupaten", "kota"):
        groups.append(f"province:{institution.parent}")
    for group in groups:
        race = pb.Race(instrument=last.instrument, period=last.period, stage=stage, group=group, basis=basis)
        ranking = await asked.ranking(person, race)
        mine = next((row for row in ranking.rows if row.institution == institution.code), None)
        if mine is not None:
            where = shell.query(instrument=last.instrument, period=last.period, stage=stage, group=group)
            name = words.text("place_nation", language)
            if group:
                name = words.text("place_group", language, group=group_name(group, language))
            found.append({"row": mine, "total": len(ranking.rows), "name": name, "group": group, "where": where})
    return found


async def _account(
    asked: Asked, person: Person, institution: Any, detail: account.Detail, language: str
) -> dict[str, Any]:
    """The tree with its values, and the means of the group at each node."""
    instrument = await asked.instrument(person, detail.instrument, detail.version)
    tree = account.parts(instrument.nodes, detail, language)
    low, high = Decimal(instrument.scale.min), Decimal(instrument.scale.max)
    group = f"kind:{institution.kind}"
    race = pb.Race(
        instrument=detail.instrument, period=detail.period, stage=detail.stage, group=group, basis=pb.BASIS_COMPUTED
    )
    aggregate = await asked.once(person, asked.neighbours.race.GetAggregate, pb.GetAggregateRequest(race=race))
    return {
        "parts": tree,
        "aspects": account.groups(tree),
        "strong": account.strong(tree, low, high)[:_STRONGEST],
        "weak": account.weak(tree, low, high)[:_STRONGEST],
        "means": {(node.kind, node.number): node.mean for node in aggregate.profile},
        "peers": aggregate.count,
        "peer_group": group_name(group, language),
        "title": instrument.title,
        "scale_max": high,
        "exact": _without_zeros(detail.exact),
    }
