"""`livinglab institution`: the directory, out as a list and in from a file."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.speak.files import read_file, tell_of
from cli.speak.output import AsJson, print_json, refuse_rows, say, table

if TYPE_CHECKING:
    from livinglab.program.v1 import directory_service_pb2 as pb

    from chassis.tables import Table

app = typer.Typer(help="The directory of institutions.", no_args_is_help=True)

_COLUMNS = ["code", "name", "kind", "parent"]
_ROWS_AT_ONCE = 1_000


@app.command("list")
def list_institutions(
    kind: Annotated[str, typer.Option("--kind", metavar="KIND", help="Only these: kota, country ...")] = "",
    parent: Annotated[str, typer.Option("--parent", metavar="CODE", help="Only those that belong to this one.")] = "",
    as_json: AsJson = False,
) -> None:
    """List the official regions and what was registered beside them."""
    from cli.speak.connection import run

    found = run(listed(kind, parent))
    rows = [{column: getattr(one, column) for column in _COLUMNS} for one in found]
    if as_json:
        print_json(rows)
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
    rejected = [{"line": row.line, "reason": row.reason} for row in answer.rejected]
    if as_json:
        print_json({"imported": answer.imported, "unchanged": answer.unchanged, "rejected": rejected})
    if rejected:
        refuse_rows(file, rejected, answer.rejected_count, as_json)
    if not as_json:
        verb = "would be imported" if dry_run else "imported"
        say(f"{answer.imported} institutions {verb}, {answer.unchanged} unchanged")


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


async def listed(kind: str = "", parent: str = "") -> "list[pb.Institution]":
    """Every institution of the platform's directory, or those of a kind or parent."""
    from livinglab.program.v1 import directory_service_pb2 as pb
    from livinglab.program.v1.directory_service_pb2_grpc import DirectoryServiceStub

    from cli.speak.connection import connected, every_page

    async with connected("program", DirectoryServiceStub) as stub:

        async def page(token: str) -> pb.ListInstitutionsResponse:
            return await stub.ListInstitutions(
                pb.ListInstitutionsRequest(kind=kind, parent=parent, page_size=1000, page_token=token)
            )

        return await every_page(page, lambda found: found.institutions)
