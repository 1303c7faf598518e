"""`livinglab ranking`: the race, as it stands, as it stood, or as it changes."""

import sys
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from cli.speak.codes import as_code
from cli.speak.files import Force, new_file, write_file
from cli.speak.output import AsJson, fail, print_json, say, table, write_csv

if TYPE_CHECKING:
    from livinglab.benchmark.v1 import service_pb2 as pb

AsCsv = Annotated[bool, typer.Option("--csv", help="Write CSV, for spreadsheets.")]
Svg = Annotated[
    Path | None, typer.Option("--svg", metavar="FILE", help="Draw a chart into this file.", callback=new_file)
]
Institution = Annotated[str, typer.Argument(metavar="INSTITUTION", parser=as_code, help="Code of the institution.")]
Instrument = Annotated[str, typer.Option("--instrument", metavar="ID", help="Id of the instrument.")]
Period = Annotated[str, typer.Option("--period", metavar="PERIOD", help="Such as 2022.")]
Stage = Annotated[str, typer.Option("--stage", metavar="STAGE", help="self-assessment where left out; publication ...")]
Group = Annotated[
    str,
    typer.Option(
        "--group", metavar="GROUP", help="nation, province:32, kind:kota, parent:CODE, cohort:ID, cluster:NAME."
    ),
]
Rehearsal = Annotated[str, typer.Option("--rehearsal", metavar="COHORT", help="A rehearsal's cohort; real without.")]

_COLUMNS = ["rank", "institution", "name", "index", "published", "predicate"]
_COLUMNS += ["movement", "gain", "percentile", "to next"]
# In a table for people, and what of it an 80 columns' terminal goes without.
_HEADED = ["rank", "code", *_COLUMNS[2:]]
_SPARE = ["percentile", "published", "gain"]
# A date ends where the nation's capital ends its day.
_CAPITAL = "Asia/Jakarta"
_EVERYBODY = 1_000


class Basis(StrEnum):
    """What is ranked."""

    COMPUTED = "computed"
    PUBLISHED = "published"


BasisOption = Annotated[
    Basis | None, typer.Option("--basis", help="Computed or published indices; what everybody has without.")
]
Version = Annotated[
    int, typer.Option("--version", metavar="N", min=0, help="Version of the instrument, where results rest on several.")
]


def ranking(
    instrument: Instrument,
    period: Period,
    stage: Stage = "",
    group: Group = "",
    basis: BasisOption = None,
    version: Version = 0,
    rehearsal: Rehearsal = "",
    as_of: Annotated[
        str, typer.Option("--as-of", metavar="DATE", help="As it stood at the end of that day, in WIB.")
    ] = "",
    watch: Annotated[bool, typer.Option("--watch", help="Stay, and show each change.")] = False,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
    svg: Svg = None,
    force: Force = False,
) -> None:
    """Rank like with like: one instrument, period, stage and group."""
    from cli.speak.connection import run

    race = race_of(instrument, period, stage, group, basis, rehearsal, version)
    if watch and (as_of or svg or as_csv):
        fail("--watch shows what changes from now on: leave out --as-of, --svg and --csv")
    if watch:
        run(_watch(race, as_json))
        return
    if svg and as_of:
        fail("--svg draws the indices of every period as they are now: leave out --as-of")
    answer, chart = run(_ranking_and_chart(race, as_of, bool(svg)))
    if as_json:
        print_json(_as_json(race, answer.rows))
    elif as_csv:
        write_csv(_COLUMNS, [_cells(row) for row in answer.rows])
    else:
        _show(answer.rows, _ranked_on(answer), empty=_nobody(race, as_of))
        for one in answer.withheld:
            say(f"Not compared: {one.what}: {one.reason}")
    if svg:
        write_file(svg, chart, force=force)


def race_of(
    instrument: str,
    period: str,
    stage: str = "",
    group: str = "",
    basis: Basis | None = None,
    rehearsal: str = "",
    version: int = 0,
) -> "pb.Race":
    """The race that the options name; a list in one of them asks for a mix, which is refused with the reason."""
    from livinglab.benchmark.v1 import service_pb2 as pb

    for what, value in {"instruments": instrument, "periods": period, "stages": stage, "groups": group}.items():
        if "," in value:
            fail(f"refused: different {what} are never ranked together ({value}): like is compared with like only")
    number = pb.Basis.Value(f"BASIS_{basis.name}") if basis else pb.BASIS_UNSPECIFIED
    race = pb.Race(instrument=instrument, period=period, stage=stage, group=group, basis=number, rehearsal=rehearsal)
    race.version = version
    return race


async def _ranking_and_chart(race: "pb.Race", as_of: str, drawn: bool) -> "tuple[pb.GetRankingResponse, str]":
    from cli.race.drawing import bars

    answer = await _ranking(race, as_of)
    return answer, await bars(race, answer.rows) if drawn else ""


async def _ranking(race: "pb.Race", as_of: str) -> "pb.GetRankingResponse":
    from livinglab.benchmark.v1 import service_pb2 as pb
    from livinglab.benchmark.v1.service_pb2_grpc import BenchmarkServiceStub

    from cli.speak.connection import connected

    whole = pb.GetRankingResponse()
    async with connected("benchmark", BenchmarkServiceStub) as stub:
        request = pb.GetRankingRequest(race=race, page_size=_EVERYBODY, since_previous=True)
        if as_of:
            request.as_of_time.FromDatetime(_end_of(as_of))
        while True:
            page: pb.GetRankingResponse = await stub.GetRanking(request)
            whole.MergeFrom(page)
            request.page_token = page.next_page_token
            if not page.next_page_token:
                return whole


def _end_of(day: str) -> datetime:
    try:
        following = date.fromisoformat(day) + timedelta(days=1)
    except (ValueError, OverflowError):
        fail(f"--as-of {day}: must be a date such as 2022-11-01")
    return datetime.combine(following, time(), ZoneInfo(_CAPITAL)) - timedelta(microseconds=1)


async def _watch(race: "pb.Race", as_json: bool) -> None:
    from livinglab.benchmark.v1 import service_pb2 as pb
    from livinglab.benchmark.v1.service_pb2_grpc import BenchmarkServiceStub

    from cli.speak.connection import connected

    async with connected("benchmark", BenchmarkServiceStub) as stub:
        async for news in stub.WatchRanking(pb.WatchRankingRequest(race=race)):
            if as_json:
                print_json({**_as_json(race, news.rows), "complete": news.complete, "left": list(news.left)})
            else:
                _show(news.rows, "" if news.complete else "changed")
            sys.stdout.flush()


def _as_json(race: "pb.Race", rows: Any) -> dict[str, Any]:
    shown = [
        {
            "rank": row.rank,
            "institution": row.institution,
            "index": row.index,
            "published": row.published or None,
            "predicate": row.predicate,
            "movement": row.movement if row.HasField("movement") else None,
            "name": row.name,
            "gain": row.gain or None,
            "percentile": row.percentile or None,
            "to_next": row.to_next or None,
        }
        for row in rows
    ]
    return {
        "instrument": race.instrument,
        "period": race.period,
        "stage": race.stage or "self-assessment",
        "group": race.group or "nation",
        "rows": shown,
    }


def _cells(row: Any) -> list[str]:
    movement = f"{row.movement:+d}" if row.HasField("movement") and row.movement else ""
    return [
        str(row.rank),
        row.institution,
        row.name,
        row.index,
        row.published,
        row.predicate,
        movement,
        row.gain,
        row.percentile,
        row.to_next,
    ]


def _nobody(race: "pb.Race", as_of: str) -> str:
    from livinglab.benchmark.v1 import service_pb2 as pb

    whom = "Nobody"
    if race.basis != pb.BASIS_UNSPECIFIED:
        whom += f" with a {pb.Basis.Name(race.basis).removeprefix('BASIS_').lower()} index"
    return f"{whom} was in this race by the end of {as_of}." if as_of else f"{whom} is in this race yet."


def _show(rows: Any, title: str = "", empty: str = "Nobody is in this race yet.") -> None:
    if not rows:
        say(empty)
        return
    right = ["rank", "index", "published", *_COLUMNS[6:]]
    table(_HEADED, [_cells(row) for row in rows], title, right=right, spare=_SPARE)


def _ranked_on(answer: "pb.GetRankingResponse") -> str:
    """What was ranked, for the title."""
    from livinglab.benchmark.v1 import service_pb2 as pb

    if answer.basis == pb.BASIS_UNSPECIFIED:
        return ""
    word = pb.Basis.Name(answer.basis).removeprefix("BASIS_").lower()
    return f"By the {word} index" + (f", version {answer.version} of the instrument" if answer.version > 1 else "")
