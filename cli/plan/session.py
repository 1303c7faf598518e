"""`livinglab session`: the sessions of a cohort: on the calendar, moved, called off, and who came."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from cli.plan import minutes
from cli.speak.codes import as_code
from cli.speak.language import word
from cli.speak.output import AsJson, fail, print_json, say, table
from cli.speak.sentences import day, sentence
from programs.zones import zone_name

if TYPE_CHECKING:
    from livinglab.coaching.v1 import coaching_pb2

app = typer.Typer(help="Sessions of a cohort.", no_args_is_help=True)
minutes.add_to(app)

SessionId = Annotated[str, typer.Argument(metavar="SESSION", help="Id of the session.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it is told to those who were invited.")]


def _moment(value: str) -> datetime:
    """A time; without an offset it is what clocks show in the zone of the session."""
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        raise typer.BadParameter(f"{value} is no time such as 2022-11-07T09:00") from None


Start = Annotated[
    datetime,
    typer.Option("--start", metavar="TIME", parser=_moment, help="2022-11-07T09:00, by the clocks of its place."),
]
End = Annotated[datetime, typer.Option("--end", metavar="TIME", parser=_moment, help="By the same clocks.")]


@app.command("list")
def list_sessions(
    cohort_id: Annotated[str, typer.Argument(metavar="COHORT", help="Id of the cohort.")],
    as_json: AsJson = False,
) -> None:
    """List the sessions of a cohort by start, the cancelled ones too."""
    from livinglab.coaching.v1 import service_pb2 as pb

    rows = [_as_dict(one) for one in _call("ListSessions", pb.ListSessionsRequest(cohort_id=cohort_id)).sessions]
    if as_json:
        print_json(rows)
        return
    shown = [
        [row["id"], ", ".join(filter(None, [row["title"], row["place"]])), _when(row), row["state"]] for row in rows
    ]
    table(["id", "what", "when", "state"], shown)


@app.command()
def add(
    session_id: SessionId,
    cohort_id: Annotated[str, typer.Option("--cohort", metavar="COHORT", help="Id of the cohort.")],
    phase: Annotated[str, typer.Option("--phase", metavar="PHASE", help="The phase that it belongs to.")],
    title: Annotated[str, typer.Option("--title", help="What it is.")],
    start: Start,
    end: End,
    zone: Annotated[str, typer.Option("--zone", metavar="ZONE", help="Whose clocks show it: Asia/Jakarta.")],
    place: Annotated[str, typer.Option("--place", help="Where; an address or a link.")] = "",
    rehearsal: Annotated[bool, typer.Option("--rehearsal", help="The cohort is a rehearsal.")] = False,
    as_json: AsJson = False,
) -> None:
    """Put a session on the calendar beside those of the definition."""
    from livinglab.coaching.v1 import service_pb2 as pb

    from cli.speak import connection

    request = pb.ScheduleSessionRequest(
        request_id=connection.new_request_id(),
        session_id=session_id,
        cohort_id=cohort_id,
        phase=phase,
        title=title,
        place=place,
        time_zone=zone,
        rehearsal=cohort_id if rehearsal else "",
    )
    request.start_time.FromDatetime(_there(start, zone))
    request.end_time.FromDatetime(_there(end, zone))
    _told(_call("ScheduleSession", request).session, as_json)


@app.command()
def attend(
    session_id: SessionId,
    role: Annotated[str, typer.Option("--role", help="Whose seat: operator, head, secretary or regent.")],
    name: Annotated[str, typer.Option("--name", help="Who sat on it.")],
    institution: Annotated[
        str,
        typer.Option(
            "--institution", metavar="CODE", parser=as_code, help="Of which institution; yours, unless named."
        ),
    ] = "",
    delegate: Annotated[bool, typer.Option("--delegate", help="That was a delegate.")] = False,
    as_json: AsJson = False,
) -> None:
    """Note that somebody came; a seat is noted once."""
    from livinglab.coaching.v1 import service_pb2 as pb
    from livinglab.common.v1 import options_pb2

    from cli.speak import connection
    from cli.speak.known import name_of

    seats = {"operator", "head", "secretary", "regent"}
    if role not in seats:
        raise typer.BadParameter(f"--role is {', '.join(sorted(seats))}, not {role}")
    code = connection.own_institution(institution)
    request = pb.RecordAttendanceRequest(
        request_id=connection.new_request_id(),
        session_id=session_id,
        institution=code,
        role=options_pb2.Role.Value(f"ROLE_{role.upper()}"),
        name=name,
        delegate=delegate,
    )
    _call("RecordAttendance", request)
    if as_json:
        print_json({"session": session_id, "institution": code, "role": role, "name": name, "delegate": delegate})
    else:
        say(sentence("came", name=name, session=session_id, institution=name_of(code)))


@app.command()
def cancel(session_id: SessionId, reason: Reason, as_json: AsJson = False) -> None:
    """Call a session off."""
    from livinglab.coaching.v1 import service_pb2 as pb

    from cli.speak import connection

    request = pb.CancelSessionRequest(request_id=connection.new_request_id(), session_id=session_id, reason=reason)
    _told(_call("CancelSession", request).session, as_json)


@app.command()
def move(
    session_id: SessionId,
    start: Start,
    end: End,
    reason: Reason,
    as_json: AsJson = False,
) -> None:
    """Move a session to other times."""
    from livinglab.coaching.v1 import service_pb2 as pb

    from cli.speak import connection

    zone = "" if start.tzinfo and end.tzinfo else _zone_of(session_id)
    request = pb.MoveSessionRequest(request_id=connection.new_request_id(), session_id=session_id, reason=reason)
    request.start_time.FromDatetime(_there(start, zone))
    request.end_time.FromDatetime(_there(end, zone))
    _told(_call("MoveSession", request).session, as_json)


def _call(method: str, request: Any) -> Any:
    from livinglab.coaching.v1.service_pb2_grpc import CoachingServiceStub

    from cli.speak import connection

    return connection.call("coaching", CoachingServiceStub, method, request)


def _told(session: "coaching_pb2.Session", as_json: bool) -> None:
    row = _as_dict(session)
    if as_json:
        print_json(row)
    else:
        why = f": {row['reason']}" if row["reason"] else ""
        say(sentence("session_is", session=row["id"], state=word(row["state"]), when=_when(row), reason=why))


def _when(row: dict[str, str]) -> str:
    """Wed 2026-12-02 10:00 to 12:00 WIB, by the clocks of its place."""
    zone = ZoneInfo(row["time_zone"])
    start, end = (datetime.fromisoformat(row[at]).astimezone(zone) for at in ("start", "end"))
    until = f"{end:%H:%M}" if start.date() == end.date() else f"{day(end)} {end:%H:%M}"
    return sentence("hours", start=f"{day(start)} {start:%H:%M}", end=until, zone=zone_name(start))


def _there(at: datetime, zone: str) -> datetime:
    """The moment at which clocks of the zone show it, unless it says which clocks."""
    return at if at.tzinfo else at.replace(tzinfo=_known_zone(zone))


def _known_zone(zone: str) -> ZoneInfo:
    try:
        return ZoneInfo(zone)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise typer.BadParameter(f"{zone!r} is no time zone such as Asia/Jakarta", param_hint="--zone") from None


def _zone_of(session_id: str) -> str:
    """The zone of a session, whose id begins with its cohort's."""
    from livinglab.coaching.v1 import service_pb2 as pb

    cohort = session_id.partition(":")[0]
    found = _call("ListSessions", pb.ListSessionsRequest(cohort_id=cohort)).sessions
    zones = [one.time_zone for one in found if one.id == session_id]
    if not zones:
        fail(sentence("no_session", session=session_id))
    return str(zones[0])


def _as_dict(session: "coaching_pb2.Session") -> dict[str, str]:
    """A session for programs, its times as clocks show them there."""
    from livinglab.coaching.v1 import coaching_pb2

    zone = ZoneInfo(session.time_zone)
    return {
        "id": session.id,
        "cohort": session.cohort_id,
        "phase": session.phase,
        "title": session.title,
        "place": session.place,
        "start": session.start_time.ToDatetime(UTC).astimezone(zone).isoformat(timespec="minutes"),
        "end": session.end_time.ToDatetime(UTC).astimezone(zone).isoformat(timespec="minutes"),
        "time_zone": session.time_zone,
        "state": coaching_pb2.SessionState.Name(session.state).removeprefix("SESSION_STATE_").lower(),
        "reason": session.reason,
        "rehearsal": session.rehearsal,
    }
