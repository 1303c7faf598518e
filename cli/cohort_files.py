"""`livinglab cohort validate` and `launch`: what starts from a file."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from cli import cohort_view as view
from cli.output import AsJson, fail, print_json, table

if TYPE_CHECKING:
    from services.program.definition_file import CohortFile, FileFault

CohortPath = Annotated[Path, typer.Argument(metavar="FILE", help="A cohort file.")]


def validate(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A cohort file or a definition.")],
    as_json: AsJson = False,
) -> None:
    """Name every fault of a cohort file, its roster and its definition, each with its line; needs no server."""
    from services.program.definition_file import holds_definition, load_definition

    if holds_definition(file):
        definition, faults = load_definition(file)
        _stop_at(faults, as_json)
        report: dict[str, Any] = {"valid": True, "faults": [], "definition": definition.id, "participants": None}
    else:
        loaded = _checked(file, as_json)
        definition = loaded.definition.message
        participants = len(loaded.cohort.message.roster)
        report = {"valid": True, "faults": [], "definition": definition.id, "participants": participants}
    if as_json:
        print_json(report)
        return
    rows = [(p.id, p.title, p.opens, p.closes, ", ".join(d.id for d in p.duties)) for p in definition.phases]
    who = "" if report["participants"] is None else f", {report['participants']} participants"
    table(["phase", "title", "opens", "closes", "duties"], rows, title=f"{file.name}: no fault{who}")


def launch(
    file: CohortPath,
    as_json: AsJson = False,
    name: Annotated[str, typer.Option("--id", help="Launch under this id instead of the file's.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen, and store nothing.")] = False,
) -> None:
    """Launch a cohort. Launching the same one twice launches it once."""
    from livinglab.program.v1 import service_pb2 as pb
    from livinglab.program.v1.service_pb2_grpc import ProgramServiceStub

    from chassis.errors import Kind
    from chassis.status import from_rpc_error
    from cli import connection

    loaded = _checked(file, as_json, name)
    request = pb.LaunchCohortRequest(
        request_id=connection.new_request_id(),
        definition=loaded.definition.message,
        cohort=loaded.cohort.message,
        validate_only=dry_run,
    )

    async def call() -> Any:
        import grpc.aio

        async with connection.connected("program", ProgramServiceStub) as program:
            stub: Any = program
            try:
                return (await stub.LaunchCohort(request)).cohort
            except grpc.aio.AioRpcError as error:
                refused = from_rpc_error(error)
                if refused.kind is Kind.INVALID_ARGUMENT and refused.violations:
                    _stop_at(loaded.locate(refused.violations), as_json)
                raise

    view.show(connection.run(call()), as_json)


def _checked(file: Path, as_json: bool, name: str = "") -> "CohortFile":
    from directory import official_regions
    from instruments import instrument_files
    from services.program.definition_file import check_cohort

    loaded = check_cohort(file, official_regions(), instrument_files(), datetime.now(UTC), name)
    _stop_at(loaded.faults, as_json)
    return loaded


def _stop_at(faults: "list[FileFault]", as_json: bool) -> None:
    if not faults:
        return
    if as_json:
        told = [
            {"file": f.file, "line": f.fault.line, "field": f.fault.field, "description": f.fault.description}
            for f in faults
        ]
        print_json({"valid": False, "faults": told})
        raise typer.Exit(1)
    _refuse(faults)


def _refuse(faults: "list[FileFault]") -> NoReturn:
    fail(*(str(fault) for fault in faults))
