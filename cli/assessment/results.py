"""`livinglab assessment import` and `results`: earlier results in from a file, and out as a list."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.speak.codes import as_code
from cli.speak.output import (
    MOST_ROWS_SHOWN,
    AsJson,
    fail,
    note,
    print_json,
    refuse_rows,
    require_rows,
    say,
    table,
    write_csv,
)
from cli.speak.progress import progress
from cli.speak.sentences import sentence

if TYPE_CHECKING:
    from livinglab.assessment.v1 import results_service_pb2 as pb

_ROWS_AT_ONCE = 1_000


def register(app: typer.Typer) -> None:
    """Adds the commands to the noun `assessment`."""
    app.command("import")(import_results)
    app.command("results")(list_results)
    app.command("withdraw-result")(withdraw_result)


def import_results(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="CSV or XLSX: institution,instrument,period,stage,index or ...,indicator,level; name is checked.",
        ),
    ],
    partial: Annotated[bool, typer.Option("--partial", help="Take the good results where some rows are bad.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Name the bad rows, and store nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Import earlier results; every bad row is named, and then nothing is stored unless --partial."""
    from cli.speak.connection import run

    answer = run(_import(file, partial=partial, dry_run=dry_run))
    require_rows(file, answer)
    rejected = [{"line": row.line, "reason": row.reason} for row in answer.rejected]
    if as_json:
        told = {"imported": answer.imported, "unchanged": answer.unchanged, "rejected": rejected}
        print_json(told | {"doubts": list(answer.doubts)})
    else:
        _show(answer, dry_run=dry_run)
        for doubt in answer.doubts:
            note(sentence("doubtful", message=doubt))
    if rejected and not partial:
        refuse_rows(file, rejected, answer.rejected_count, as_json)
    if rejected and not as_json:
        table(["line", "reason"], [[str(r["line"]), str(r["reason"])] for r in rejected[:MOST_ROWS_SHOWN]], "Rejected")


async def _import(file: Path, *, partial: bool, dry_run: bool) -> "pb.ImportResultsResponse":
    from livinglab.assessment.v1 import results_service_pb2 as pb
    from livinglab.assessment.v1.results_service_pb2_grpc import ResultServiceStub

    from cli.speak.connection import connected, new_request_id

    def requests() -> Iterator[pb.ImportResultsRequest]:
        request_id = new_request_id()
        for rows in _batches(file):
            yield pb.ImportResultsRequest(request_id=request_id, partial=partial, validate_only=dry_run, rows=rows)

    try:
        file.open("rb").close()
    except OSError as error:
        fail(f"{file}: cannot be read: {error.strerror or error}")
    async with connected("assessment", ResultServiceStub) as stub:
        return await stub.ImportResults(requests())


def _batches(file: Path) -> Iterator["list[pb.ImportRow]"]:
    from cli.assessment.results_file import rows_of
    from cli.speak.files import tell_of

    with file.open("rb") as content, progress(f"Reading {file.name}", file.stat().st_size) as tell:
        rows: list[pb.ImportRow] = []
        for row in rows_of(content, tell, tell_of(file)):
            rows.append(row)
            if len(rows) == _ROWS_AT_ONCE:
                yield rows
                rows = []
        yield rows


def _show(answer: "pb.ImportResultsResponse", *, dry_run: bool) -> None:
    verb = "would be imported" if dry_run else "imported"
    say(f"{answer.imported} results {verb}, {answer.unchanged} unchanged, {answer.rejected_count} rows rejected")
    if answer.differing:
        table(
            ["institution", "instrument", "period", "published", "computed", "difference"],
            [
                [one.institution, one.instrument, one.period, one.published_index, one.score.index, one.difference]
                for one in answer.differing
            ],
            "Published otherwise than computed",
            right=["published", "computed", "difference"],
        )


def list_results(
    institution: Annotated[
        str, typer.Option("--institution", metavar="CODE", parser=as_code, help="Of one institution.")
    ] = "",
    instrument: Annotated[str, typer.Option("--instrument", metavar="ID", help="On one instrument.")] = "",
    period: Annotated[str, typer.Option("--period", metavar="PERIOD", help="In one period.")] = "",
    stage: Annotated[str, typer.Option("--stage", metavar="STAGE", help="Of one stage.")] = "publication",
    as_csv: Annotated[bool, typer.Option("--csv", help="Write CSV, as `import` reads it.")] = False,
    as_json: AsJson = False,
) -> None:
    """List imported results, the published index beside the computed one."""
    from livinglab.assessment.v1 import evaluation_pb2
    from livinglab.assessment.v1 import results_service_pb2 as pb
    from livinglab.assessment.v1.results_service_pb2_grpc import ResultServiceStub

    from cli.assessment.results_file import EXPORTED, exported
    from cli.speak.connection import connected, every_page, run
    from cli.speak.known import names_of

    stages = {name.removeprefix("STAGE_").lower(): number for name, number in evaluation_pb2.Stage.items()}
    stage = stage.replace("-", "_")
    if stage and stage not in stages:
        raise typer.BadParameter(f"{stage!r} is none of {', '.join(list(stages)[1:])}", param_hint="--stage")

    async def call() -> list[pb.Result]:
        async with connected("assessment", ResultServiceStub) as stub:
            request = pb.ListResultsRequest(
                institution=institution, instrument=instrument, period=period, page_size=1000
            )
            request.stage = evaluation_pb2.Stage.ValueType(stages[stage]) if stage else request.stage

            async def page(token: str) -> pb.ListResultsResponse:
                request.page_token = token
                return await stub.ListResults(request)

            return await every_page(page, lambda found: found.results)

    found = run(call())
    if as_csv:
        write_csv(EXPORTED, exported(found, names_of({one.institution for one in found})))
        return
    rows = [_as_json(one, {number: name for name, number in stages.items()}) for one in found]
    if as_json:
        print_json(rows)
        return
    columns = ["institution", "instrument", "period", "stage", "published", "computed", "difference", "predicate"]
    table(columns, [[str(row[key]) for key in columns] for row in rows], right=["published", "computed", "difference"])


def withdraw_result(
    institution: Annotated[str, typer.Argument(metavar="INSTITUTION", parser=as_code, help="Code of the institution.")],
    instrument: Annotated[str, typer.Option("--instrument", metavar="ID")],
    period: Annotated[str, typer.Option("--period", metavar="PERIOD")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Kept, for who looks for it later.")],
    stage: Annotated[str, typer.Option("--stage", metavar="STAGE")] = "publication",
    as_json: AsJson = False,
) -> None:
    """Take out an imported result that was brought in by mistake; rankings follow."""
    from livinglab.assessment.v1 import evaluation_pb2
    from livinglab.assessment.v1 import results_service_pb2 as pb
    from livinglab.assessment.v1.results_service_pb2_grpc import ResultServiceStub

    from cli.race.settings_files import code_meant
    from cli.speak.connection import connected, new_request_id, run

    stages = {name.removeprefix("STAGE_").lower(): number for name, number in evaluation_pb2.Stage.items()}
    if stage.replace("-", "_") not in stages:
        raise typer.BadParameter(f"{stage!r} is none of {', '.join(list(stages)[1:])}", param_hint="--stage")
    request = pb.WithdrawResultRequest(
        request_id=new_request_id(),
        institution=code_meant(institution),
        instrument=instrument,
        period=period,
        stage=evaluation_pb2.Stage.ValueType(stages[stage.replace("-", "_")]),
        reason=reason,
    )

    async def call() -> pb.WithdrawResultResponse:
        async with connected("assessment", ResultServiceStub) as stub:
            return await stub.WithdrawResult(request)

    result = run(call()).result
    if as_json:
        print_json({"id": result.id, "withdrawn_by": result.withdrawn_by, "reason": result.withdrawn_reason})
    else:
        say(f"{result.id} is taken out: {result.withdrawn_reason}")


def _as_json(one: "pb.Result", stages: dict[int, str]) -> dict[str, Any]:
    return {
        "institution": one.institution,
        "instrument": one.instrument,
        "period": one.period,
        "stage": stages[one.stage],
        "published": one.published_index,
        "computed": one.score.index,
        "difference": one.difference,
        "predicate": one.published_predicate or one.score.predicate,
        "values": dict(one.values),
    }
