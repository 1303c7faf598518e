"""`livinglab institution`: the directory, out as a list and in from a file."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.speak.codes import as_code
from cli.speak.files import read_file, tell_of
from cli.speak.output import AsJson, print_json, refuse_rows, require_rows, say, table, write_csv

if TYPE_CHECKING:
    from livinglab.program.v1 import directory_service_pb2 as pb

    from chassis.tables import Table

app = typer.Typer(help="The directory of institutions.", no_args_is_help=True)

_COLUMNS = ["code", "name", "kind", "parent"]
_ROWS_AT_ONCE = 1_000


@app.command("list")
def list_institutions(
    kind: Annotated[str, typer.Option("--kind", metavar="KIND", help="Only these: kota, country ...")] = "",
    parent: Annotated[
        str, typer.Option("--parent", metavar="CODE", parser=as_code, help="Only those that belong to this one.")
    ] = "",
    as_csv: Annotated[bool, typer.Option("--csv", help="Write CSV, as `import` reads it.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the official regions and what was registered beside them."""
    from cli.speak.connection import run
    from cli.speak.known import listed

    found = run(listed(kind, parent))
    rows = [{column: getattr(one, column) for column in _COLUMNS} for one in found]
    if as_json:
        print_json(rows)
    elif as_csv:
        write_csv(_COLUMNS, [list(row.values()) for row in rows])
    elif rows:
        table(_COLUMNS, [list(row.values()) for row in rows])
    else:
        say("There is no such institution.")


@app.command("import")
def import_institutions(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV or XLSX: code,name,kind,parent.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Name the bad rows, and store nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Register institutions beside the official regions, or change them; with a bad row nothing is stored."""
    from cli.speak.connection import run
    from directory.file import LARGEST_FILE

    content = read_file(file, LARGEST_FILE)
    answer = run(_import(content, tell_of(file), dry_run=dry_run))
    require_rows(file, answer)
    rejected = [{"line": row.line, "reason": row.reason} for row in answer.rejected]
    if as_json:
        print_json({"imported": answer.imported, "unchanged": answer.unchanged, "rejected": rejected})
    if rejected:
        refuse_rows(file, rejected, answer.rejected_count, as_json)
    if not as_json:
        verb = "would be imported" if dry_run else "imported"
        say(f"{answer.imported} institutions {verb}, {answer.unchanged} unchanged")


@app.command("withdraw")
def withdraw(
    code: Annotated[str, typer.Argument(metavar="CODE", help="Of an institution that was registered by mistake.")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Kept, for who looks for it later.")],
    as_json: AsJson = False,
) -> None:
    """Take out an institution, with the results that were imported of it; rankings follow."""
    from cli.speak.connection import run

    taken = run(_withdraw(code, reason))
    if as_json:
        print_json({"code": code, "results": taken, "reason": reason})
    else:
        say(f"{code} is taken out, with {len(taken)} imported results")


async def _withdraw(code: str, reason: str) -> list[str]:
    """The ids of the results that went first, so that no ranking holds what nobody knows."""
    from livinglab.assessment.v1 import results_service_pb2 as results_pb
    from livinglab.assessment.v1 import service_pb2 as assessment_pb
    from livinglab.assessment.v1.results_service_pb2_grpc import ResultServiceStub
    from livinglab.assessment.v1.service_pb2_grpc import AssessmentServiceStub
    from livinglab.program.v1 import directory_service_pb2 as pb
    from livinglab.program.v1.directory_service_pb2_grpc import DirectoryServiceStub

    from cli.speak.connection import connected, every_page, new_request_id
    from cli.speak.output import fail

    async with connected("program", DirectoryServiceStub) as directory:
        found = (await directory.GetInstitution(pb.GetInstitutionRequest(code=code))).institution
        if not found.version:
            fail(f"{code} {found.name} is an official region, and stays so")
    async with connected("assessment", AssessmentServiceStub) as assessment:
        here = await assessment.ListEvaluations(assessment_pb.ListEvaluationsRequest(institution=code, page_size=1))
    if here.evaluations:
        fail(f"{code} has evaluations that were made here, such as {here.evaluations[0].id}: it stays")
    async with connected("assessment", ResultServiceStub) as stub:

        async def page(token: str) -> results_pb.ListResultsResponse:
            return await stub.ListResults(
                results_pb.ListResultsRequest(institution=code, page_size=1000, page_token=token)
            )

        results = await every_page(page, lambda answer: answer.results)
        for one in results:
            await stub.WithdrawResult(
                results_pb.WithdrawResultRequest(
                    request_id=new_request_id(),
                    institution=code,
                    instrument=one.instrument,
                    period=one.period,
                    stage=one.stage,
                    reason=reason,
                )
            )
    async with connected("program", DirectoryServiceStub) as directory:
        await directory.WithdrawInstitution(
            pb.WithdrawInstitutionRequest(request_id=new_request_id(), code=code, reason=reason)
        )
    return [one.id for one in results]


async def _import(content: bytes, tell: "Callable[[Table], None]", *, dry_run: bool) -> "pb.ImportInstitutionsResponse":
    from livinglab.program.v1 import directory_service_pb2 as pb
    from livinglab.program.v1.directory_service_pb2_grpc import DirectoryServiceStub

    from cli.speak.connection import connected, new_request_id
    from directory.file import rows_of

    rows, request_id = list(rows_of(content, tell)), new_request_id()

    def requests() -> Iterator[pb.ImportInstitutionsRequest]:
        for start in range(0, max(1, len(rows)), _ROWS_AT_ONCE):
            some = rows[start : start + _ROWS_AT_ONCE]
            yield pb.ImportInstitutionsRequest(request_id=request_id, validate_only=dry_run, rows=some)

    async with connected("program", DirectoryServiceStub) as stub:
        return await stub.ImportInstitutions(requests())
