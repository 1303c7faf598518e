"""`livinglab schedule`: cohorts that the calendar launches."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cli.speak.output import AsJson, print_json, say, table

app = typer.Typer(help="Schedules: cohorts that the calendar launches.", no_args_is_help=True)

ScheduleId = Annotated[str, typer.Argument(metavar="ID", help="The id of a schedule.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it is recorded.")]


@app.command()
def create(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A cohort file; its dates move to each start.")],
    months: Annotated[str, typer.Option("--months", metavar="M,M", help="Months of the start, such as 3,11.")] = "",
    day: Annotated[int, typer.Option("--day", min=0, max=31, help="Day of the month; 31 is the last one.")] = 0,
    every_years: Annotated[int, typer.Option("--every-years", min=0, max=10, help="Not each year.")] = 0,
    every_seconds: Annotated[int, typer.Option("--every-seconds", min=0, help="Instead of days, for rehearsals.")] = 0,
    name: Annotated[str, typer.Option("--id", help="The schedule's id instead of the file's.")] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say when cohorts would start, and store nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Have a cohort launched each time that the calendar says. Creating the same one twice creates it once."""
    from livinglab.program.v1 import schedule_service_pb2 as pb

    from cli.cohort.files import stop_at
    from cli.speak import connection
    from cli.speak.known import known_institutions
    from instruments import instrument_files
    from programs.files.definition import check_cohort

    # Not against today: each cohort has dates of its own.
    loaded = check_cohort(file, known_institutions(), instrument_files(), name=name)
    stop_at(loaded.faults, as_json)
    told = pb.Recurrence(months=_numbers(months), day=day, every_years=every_years, every_seconds=every_seconds)
    request = pb.CreateScheduleRequest(
        request_id=connection.new_request_id(),
        definition=loaded.definition.message,
        cohort=loaded.cohort.message,
        recurrence=told,
        validate_only=dry_run,
    )
    _show(_call("CreateSchedule", request).schedule, as_json)


@app.command("list")
def list_schedules(as_json: AsJson = False) -> None:
    """List the schedules with their next starts, the cohorts they launched and the launches that were refused."""
    from livinglab.program.v1 import schedule_service_pb2 as pb
    from livinglab.program.v1.schedule_service_pb2_grpc import ScheduleServiceStub

    from cli.speak import connection
    from cli.speak.answers import message_json

    async def call() -> list[Any]:
        async with connection.connected("program", ScheduleServiceStub) as stub:
            program: Any = stub
            return await connection.every_page(
                lambda token: program.ListSchedules(pb.ListSchedulesRequest(page_size=100, page_token=token)),
                lambda page: page.schedules,
            )

    found = connection.run(call())
    if as_json:
        print_json([message_json(schedule) for schedule in found])
        return
    rows = [
        (s.id, s.definition_id, _calendar(s.recurrence), _next(s), str(len(s.cohorts)), "; ".join(s.problems[:1]))
        for s in found
    ]
    table(["schedule", "definition", "starts", "next", "cohorts", "last problem"], rows)


@app.command()
def pause(schedule_id: ScheduleId, reason: Reason, as_json: AsJson = False) -> None:
    """Launch no cohort until it is resumed. Starts of that time are not made up for."""
    _pause(schedule_id, reason, as_json, paused=True)


@app.command()
def resume(schedule_id: ScheduleId, reason: Reason, as_json: AsJson = False) -> None:
    """Launch cohorts again."""
    _pause(schedule_id, reason, as_json, paused=False)


@app.command()
def delete(schedule_id: ScheduleId, reason: Reason, as_json: AsJson = False) -> None:
    """Launch no cohort any more; those that run go on."""
    from livinglab.program.v1 import schedule_service_pb2 as pb

    from cli.speak import connection

    request_id = connection.new_request_id()
    _call("DeleteSchedule", pb.DeleteScheduleRequest(request_id=request_id, schedule_id=schedule_id, reason=reason))
    if as_json:
        print_json({"schedule": schedule_id, "reason": reason})
    else:
        say(f"{schedule_id} launches no cohort any more")


def _pause(schedule_id: str, reason: str, as_json: bool, *, paused: bool) -> None:
    from livinglab.program.v1 import schedule_service_pb2 as pb

    from cli.speak import connection

    request = pb.PauseScheduleRequest(
        request_id=connection.new_request_id(), schedule_id=schedule_id, paused=paused, reason=reason
    )
    _show(_call("PauseSchedule", request).schedule, as_json)


def _call(method: str, request: Any) -> Any:
    from livinglab.program.v1.schedule_service_pb2_grpc import ScheduleServiceStub

    from cli.speak import connection

    return connection.call("program", ScheduleServiceStub, method, request)


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise typer.BadParameter(f"{text} is not a list of months such as 3,11", param_hint="--months") from None


def _show(schedule: Any, as_json: bool) -> None:
    from cli.cohort.view import local_time
    from cli.speak.answers import message_json

    if as_json:
        print_json(message_json(schedule))
        return
    say(f"{schedule.id}: {schedule.definition_id}, {_calendar(schedule.recurrence)}")
    if schedule.paused:
        say(f"paused: {schedule.reason}")
    for at in schedule.next_times:
        say(f"  starts {local_time(at, schedule.time_zone)}")


def _calendar(recurrence: Any) -> str:
    if recurrence.every_seconds:
        return f"every {recurrence.every_seconds} s"
    months = ", ".join(str(month) for month in recurrence.months)
    years = f", every {recurrence.every_years} years" if recurrence.every_years > 1 else ""
    return f"day {recurrence.day} of month {months}{years}"


def _next(schedule: Any) -> str:
    from cli.cohort.view import local_time

    if schedule.paused or not schedule.next_times:
        return "paused" if schedule.paused else ""
    return local_time(schedule.next_times[0], schedule.time_zone)
