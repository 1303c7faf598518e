"""`livinglab session agenda`, `minutes`, `step`, `feedback`, `missed` and `show`: what sessions lead to."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.speak.codes import as_code
from cli.speak.output import AsJson, print_json, say

if TYPE_CHECKING:
    from livinglab.coaching.v1 import minutes_pb2

SessionId = Annotated[str, typer.Argument(metavar="SESSION", help="Id of the session.")]
Institution = Annotated[
    str, typer.Option("--institution", metavar="CODE", parser=as_code, help="Of which; yours, unless named.")
]
Etag = Annotated[str, typer.Option("--etag", help="The version that you have read.")]


def add_to(app: typer.Typer) -> None:
    """Its commands among those of `livinglab session`."""
    for name, command in (
        ("agenda", agenda),
        ("minutes", write),
        ("step", step),
        ("feedback", feedback),
        ("missed", missed),
        ("show", show),
    ):
        app.command(name)(command)


def agenda(
    session_id: SessionId,
    item: Annotated[list[str] | None, typer.Option("--item", metavar="TEXT", help="Several times.")] = None,
    from_plan: Annotated[bool, typer.Option("--from-plan", help="First what the plan asks for.")] = False,
    institution: Institution = "",
    etag: Etag = "",
    as_json: AsJson = False,
) -> None:
    """Say what a session is to be about, in the place of what was said."""
    from livinglab.coaching.v1 import minutes_pb2

    items = [minutes_pb2.AgendaItem(title=one) for one in item or ()]
    _tell(_write("SetAgenda", session_id, institution, items=items, from_plan=from_plan, etag=etag), as_json)


def write(
    session_id: SessionId,
    notes: Annotated[str, typer.Option("--notes", help="What was said.")],
    next_step: Annotated[
        list[str] | None,
        typer.Option("--next", metavar="TEXT[@DATE[@OWNER]]", help="What was agreed; may be given several times."),
    ] = None,
    institution: Institution = "",
    etag: Etag = "",
    as_json: AsJson = False,
) -> None:
    """Note what was said, and the steps that were agreed."""
    from livinglab.coaching.v1 import minutes_pb2

    steps = []
    for one in next_step or ():
        text, due, owner = [*one.split("@", 2), "", ""][:3]
        steps.append(minutes_pb2.NextStep(text=text, due_date=due, owner=owner))
    _tell(_write("WriteMinutes", session_id, institution, notes=notes, next_steps=steps, etag=etag), as_json)


def step(
    session_id: SessionId,
    step_id: Annotated[str, typer.Argument(metavar="STEP", help="Its number in the minutes.")],
    outcome: Annotated[str, typer.Option("--outcome", help="What came of it.")],
    institution: Institution = "",
    as_json: AsJson = False,
) -> None:
    """Say what came of an agreed step."""
    _tell(_write("CompleteNextStep", session_id, institution, step_id=step_id, outcome=outcome), as_json)


def feedback(
    session_id: SessionId,
    rating: Annotated[int, typer.Option("--rating", min=1, max=5, help="1 was no use, 5 could not be better.")],
    text: Annotated[str, typer.Option("--text", help="Why.")] = "",
    institution: Institution = "",
    as_json: AsJson = False,
) -> None:
    """Say what you thought of a session."""
    _tell(_write("GiveFeedback", session_id, institution, rating=rating, text=text), as_json)


def missed(
    session_id: SessionId,
    reason: Annotated[str, typer.Option("--reason", help="Why nobody came, and how it is made up for.")],
    institution: Institution = "",
    as_json: AsJson = False,
) -> None:
    """Follow up a session to which nobody of an institution came."""
    _tell(_write("FollowUpNoShow", session_id, institution, reason=reason), as_json)


def show(session_id: SessionId, institution: Institution = "", as_json: AsJson = False) -> None:
    """Show a session's minutes for an institution, with who came."""
    from livinglab.coaching.v1 import minutes_service_pb2 as pb

    from cli.speak import connection

    request = pb.GetMinutesRequest(session_id=session_id, institution=connection.own_institution(institution))
    _tell(_call("GetMinutes", request), as_json)


def _write(method: str, session_id: str, institution: str, **fields: Any) -> Any:
    from livinglab.coaching.v1 import minutes_service_pb2 as pb

    from cli.speak import connection

    request = getattr(pb, f"{method}Request")(
        request_id=connection.new_request_id(),
        session_id=session_id,
        institution=connection.own_institution(institution),
        **fields,
    )
    return _call(method, request)


def _call(method: str, request: Any) -> Any:
    from livinglab.coaching.v1.minutes_service_pb2_grpc import MinutesServiceStub

    from cli.speak import connection

    return connection.call("coaching", MinutesServiceStub, method, request).minutes


def _tell(found: "minutes_pb2.Minutes", as_json: bool) -> None:
    from google.protobuf.json_format import MessageToDict

    if as_json:
        print_json(MessageToDict(found, preserving_proto_field_name=True))
        return
    for item in found.agenda:
        say(f"agenda: {item.title}")
    for seat in found.seated:
        say(f"came: {seat.name} ({seat.role}{', delegate' if seat.delegate else ''})")
    if found.notes:
        say(f"notes: {found.notes}")
    for one in found.next_steps:
        until = f" until {one.due_date}" if one.due_date else ""
        say(f"step {one.id}: {one.text}{until}{f', done: {one.outcome}' if one.done_by else ''}")
    for said in found.feedback:
        say(f"feedback of {said.given_by}: {said.rating} of 5 {said.text}".rstrip())
    if found.HasField("miss_time") and not found.seated:
        say(f"nobody came: {found.miss_reason or 'nobody has said why'}")
