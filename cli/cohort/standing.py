"""`livinglab cohort calendar`: the days of a cohort as they stand now, for people and for the calendars they keep."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from cli.cohort import view
from cli.cohort.view import CohortId, days
from cli.speak.files import Force, new_file, write_file
from cli.speak.language import word
from cli.speak.output import AsJson, print_json, say
from cli.speak.sentences import day, sentence
from programs.zones import zone_name

if TYPE_CHECKING:
    from livinglab.program.v1 import cohort_pb2


def calendar(
    cohort_id: CohortId,
    as_json: AsJson = False,
    ics: Annotated[
        Path | None, typer.Option("--ics", help="Write it as a calendar file, too.", callback=new_file)
    ] = None,
    force: Force = False,
) -> None:
    """Tell the days of a cohort as they stand: phases, and sessions in the time of their place."""
    from livinglab.program.v1 import service_pb2 as pb
    from livinglab.program.v1.service_pb2_grpc import ProgramServiceStub

    from cli.cohort import ics as files
    from cli.speak import connection

    cohort = connection.call(
        "program", ProgramServiceStub, "GetCohort", pb.GetCohortRequest(cohort_id=cohort_id)
    ).cohort
    if ics:
        write_file(ics, files.standing(cohort, datetime.now(UTC)), force=force)
    if as_json:
        print_json(as_dict(cohort))
        return
    say(sentence("calendar", title=cohort.title, zone=cohort.time_zone))
    for phase in cohort.phases:
        opens, last = days(cohort, phase)
        about = {"phase": view.phase_name(phase), "state": word(view.phase_state(phase))}
        say(sentence("phase_days", first=day(opens), last=day(last), **about))
        for session in phase.sessions:
            off = sentence("cancelled") if session.cancelled else ""
            place = f", {session.place}" if session.place else ""
            say(f"  {hours(session)}  {session.title}{place}{off}")


def as_dict(cohort: "cohort_pb2.Cohort") -> dict[str, Any]:
    """The days as programs read them."""
    return {
        "cohort": cohort.id,
        "title": cohort.title,
        "time_zone": cohort.time_zone,
        "phases": [
            {
                "phase": phase.phase,
                "title": phase.title,
                "state": view.phase_state(phase),
                "first_day": days(cohort, phase)[0].isoformat(),
                "last_day": days(cohort, phase)[1].isoformat(),
                "sessions": [view.session_dict(session) for session in phase.sessions],
            }
            for phase in cohort.phases
        ],
    }


def hours(session: Any) -> str:
    """2022-11-07 09:00 to 12:00 WIB, in the time of its place."""
    zone = ZoneInfo(session.time_zone)
    start, end = (at.ToDatetime(UTC).astimezone(zone) for at in (session.start_time, session.end_time))
    until = f"{end:%H:%M}" if start.date() == end.date() else f"{day(end)} {end:%H:%M}"
    return sentence("hours", start=f"{day(start)} {start:%H:%M}", end=until, zone=zone_name(start))
