"""`livinglab cohort validate` and `launch`: what starts from a file."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from cli.cohort import calendar, view
from cli.cohort import timeline as cohort_timeline
from cli.cohort.ics import ics
from cli.speak.files import Force, new_file, write_file
from cli.speak.output import AsJson, fail, note, print_json, say
from cli.speak.sentences import sentence

if TYPE_CHECKING:
    from livinglab.program.v1 import cohort_pb2, definition_pb2, workflow_pb2

    from programs.files.definition import CohortFile, FileFault
    from programs.timeline import Happening

CohortPath = Annotated[Path, typer.Argument(metavar="FILE", help="A cohort file.")]


def validate(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A cohort file, a definition or a roster.")],
    as_json: AsJson = False,
    ics_file: Annotated[
        Path | None,
        typer.Option("--ics", metavar="FILE", help="Write phases and sessions for calendars.", callback=new_file),
    ] = None,
    force: Force = False,
) -> None:
    """Name every fault of a cohort file, its roster and its definition, each with its line; without a fault, draw the
    timeline and tell what happens day by day. Needs no server."""
    from livinglab.program.v1 import definition_pb2

    from cli.speak.known import known_institutions
    from instruments import instrument_files
    from programs.files.definition import check_roster, holds_definition, holds_roster, load_definition

    if holds_roster(file):
        if ics_file:
            fail(f"{file.name}: is a roster and has no dates: name a cohort or a definition")
        roster, faults = check_roster(file, known_institutions())
        for remark in roster.remarks:
            note(f"{file.name}: {remark}")
        stop_at(faults, as_json)
        _report_roster(file.name, roster.participants, as_json)
    elif holds_definition(file):
        definition, faults = load_definition(file, known_institutions(), instrument_files())
        stop_at(faults, as_json)
        _tell_doubts(definition)
        _report(file.name, definition, definition_pb2.CohortSpec(), as_json, ics_file, force=force)
    else:
        loaded = _checked(file, as_json)
        _report(file.name, loaded.definition.message, loaded.cohort.message, as_json, ics_file, force=force)


def _report_roster(name: str, roster: "list[definition_pb2.Participant]", as_json: bool) -> None:
    people = sum(len(participant.people) for participant in roster)
    if as_json:
        print_json({"valid": True, "faults": [], "participants": len(roster), "people": people})
        return
    say(f"{name}: no fault, {len(roster):,} participants with {people:,} people; a cohort file that names it is")
    say("checked against its definition too")


def _report(
    name: str,
    definition: "definition_pb2.Definition",
    cohort: "definition_pb2.CohortSpec",
    as_json: bool,
    ics_file: Path | None = None,
    *,
    force: bool = False,
) -> None:
    """What was found to be without fault: its dates, as a chart and as a calendar."""
    from programs import timeline
    from programs.overrides import effective

    counts, happenings = effective(definition, cohort), timeline.happenings(definition, cohort)
    now = datetime.now(UTC)
    pace = timeline.wall_clock(definition, cohort, now) if cohort.rehearsal else None
    if ics_file:
        write_file(ics_file, ics(counts, cohort, happenings, now), force=force)
    participants = len(cohort.roster) if cohort.id else None
    if as_json:
        report = {"valid": True, "faults": [], "definition": definition.id, "version": definition.version}
        report |= {"cohort": cohort.id or None, "participants": participants}
        print_json(report | calendar.dates(counts) | {"calendar": [calendar.as_data(h, pace) for h in happenings]})
        return
    people = sum(len(participant.people) for participant in cohort.roster)
    who = f", {participants:,} participants with {people:,} people" if cohort.id else ""
    say(f"{name}: no fault{who}")
    say(f"{definition.title}, version {definition.version}; days of {counts.time_zone}")
    say("")
    cohort_timeline.draw(counts, happenings)
    say("")
    _tell(happenings, pace, now if cohort.id else None)


def _tell(happenings: "list[Happening]", pace: "workflow_pb2.Clock | None", now: datetime | None) -> None:
    """Day by day; of a real cohort with what a late launch does."""
    if now and not pace and (warning := calendar.lateness(happenings, now)):
        say(warning)
    calendar.tell(happenings, pace)


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
    from cli.speak import connection

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
                    stop_at(loaded.locate(refused.violations), as_json)
                raise

    cohort = connection.run(call())
    if dry_run:
        _rehearse(cohort, loaded, as_json)
    else:
        view.show(cohort, as_json)


def _rehearse(cohort: "cohort_pb2.Cohort", loaded: "CohortFile", as_json: bool) -> None:
    """The cohort that would stand, and what would happen if it were launched now."""
    from programs import timeline

    definition, spec = loaded.definition.message, loaded.cohort.message
    happenings, now = timeline.happenings(definition, spec), datetime.now(UTC)
    pace = timeline.wall_clock(definition, spec, now) if spec.rehearsal else None
    if as_json:
        print_json(view.as_dict(cohort) | {"calendar": [calendar.as_data(h, pace) for h in happenings]})
        return
    view.show(cohort, as_json)
    say("Nothing was stored. What would happen, unless somebody steers it:")
    _tell(happenings, pace, now)


def _checked(file: Path, as_json: bool, name: str = "") -> "CohortFile":
    from cli.speak.known import known_institutions
    from instruments import instrument_files
    from programs.files.definition import check_cohort

    loaded = check_cohort(file, known_institutions(), instrument_files(), datetime.now(UTC), name)
    for remark in loaded.roster.remarks:
        note(f"{loaded.roster_name}: {remark}")
    stop_at(loaded.faults, as_json)
    _tell_doubts(loaded.definition.message)
    return loaded


def _doubts(definition: "definition_pb2.Definition") -> list[str]:
    """What may be meant and mostly is not: a duty on an instrument that was not in force in the year of its period."""
    from instruments import instrument_files
    from instruments.file import load
    from instruments.periods import out_of_force

    files = instrument_files()
    used = {
        (duty.instrument, duty.period): f"{phase.id}/{duty.id}" for phase in definition.phases for duty in phase.duties
    }
    told = []
    for (instrument, period), where in used.items():
        if instrument in files and (why := out_of_force(load(files[instrument].read_bytes()), period)):
            told.append(f"{where}: {why}")
    return told


def _tell_doubts(definition: "definition_pb2.Definition") -> None:
    for doubt in _doubts(definition):
        note(sentence("doubtful", message=doubt))


def stop_at(faults: "list[FileFault]", as_json: bool) -> None:
    """Ends the command where a file has faults, each told with its place."""
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
