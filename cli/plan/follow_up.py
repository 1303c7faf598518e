"""`livinglab visit arrange`, `duty`, `done`, `follow-up` and `share`: what a visit is made of and what follows it."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.speak.output import AsJson, print_json, say, table

if TYPE_CHECKING:
    from livinglab.coaching.v1 import follow_up_pb2

VisitId = Annotated[str, typer.Argument(metavar="VISIT", help="Id of the visit.")]


def add_to(app: typer.Typer) -> None:
    """Its commands among those of `livinglab visit`."""
    app.command("arrange")(arrange)
    app.command("duty")(duty)
    app.command("done")(done)
    app.command("follow-up")(follow_up)
    app.command("share")(share)


def arrange(
    visit_id: VisitId,
    point: Annotated[
        list[str] | None, typer.Option("--point", metavar="TIME=TITLE", help="Of the programme; several times.")
    ] = None,
    delegate: Annotated[
        list[str] | None, typer.Option("--delegate", metavar="NAME[=POSITION]", help="Who comes; several times.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say the programme of a visit and who comes, anew each time."""
    from livinglab.coaching.v1 import follow_up_service_pb2 as pb

    from cli.speak import connection

    request = pb.ArrangeVisitRequest(request_id=connection.new_request_id(), visit_id=visit_id)
    for one in point or ():
        time, _, title = one.partition("=")
        request.programme.add(time=time.strip(), title=title.strip())
    for one in delegate or ():
        name, _, position = one.partition("=")
        request.delegation.add(name=name.strip(), position=position.strip())
    _show(_call("ArrangeVisit", request).follow_up, as_json)


def duty(
    visit_id: VisitId,
    text: Annotated[str, typer.Option("--text", help="What is to be done.")],
    due: Annotated[str, typer.Option("--due", metavar="DATE", help="Until when, 2023-01-21.")],
    indicator: Annotated[
        list[str] | None, typer.Option("--indicator", metavar="CODE", help="What it raises; several times.")
    ] = None,
    owner: Annotated[str, typer.Option("--owner", help="Who answers for it.")] = "",
    as_json: AsJson = False,
) -> None:
    """Take a duty on after a visit that was held."""
    from livinglab.coaching.v1 import follow_up_service_pb2 as pb

    from cli.speak import connection

    request = pb.AddVisitDutiesRequest(request_id=connection.new_request_id(), visit_id=visit_id)
    request.duties.add(text=text, due_date=due, indicators=indicator or (), owner=owner)
    _show(_call("AddVisitDuties", request).follow_up, as_json)


def done(
    visit_id: VisitId,
    duty_id: Annotated[str, typer.Argument(metavar="DUTY", help="Its number, as 'visit follow-up' has it.")],
    outcome: Annotated[str, typer.Option("--outcome", help="What was done.")],
    as_json: AsJson = False,
) -> None:
    """Say that a duty after a visit is done."""
    from livinglab.coaching.v1 import follow_up_service_pb2 as pb

    from cli.speak import connection

    request = pb.CompleteVisitDutyRequest(
        request_id=connection.new_request_id(), visit_id=visit_id, duty_id=duty_id, outcome=outcome
    )
    _show(_call("CompleteVisitDuty", request).follow_up, as_json)


def follow_up(visit_id: VisitId, as_json: AsJson = False) -> None:
    """Show what a visit is made of and what followed it."""
    from livinglab.coaching.v1 import follow_up_service_pb2 as pb

    _show(_call("GetFollowUp", pb.GetFollowUpRequest(visit_id=visit_id)).follow_up, as_json)


def share(
    cohort: Annotated[str, typer.Option("--cohort", metavar="ID", help="Of this cohort; of all, unless named.")] = "",
    as_json: AsJson = False,
) -> None:
    """How many of those who visited did something afterwards."""
    from livinglab.coaching.v1 import follow_up_service_pb2 as pb

    found = _call("CountFollowUps", pb.CountFollowUpsRequest(cohort_id=cohort))
    names = ("held", "followed", "escalated", "share", "duties", "done")
    if as_json:
        print_json({name: getattr(found, name) for name in names})
    else:
        percent = f" ({found.share} %)" if found.share else ""
        say(f"{found.followed} of {found.held} visits were followed{percent}, {found.escalated} were escalated")


def _call(method: str, request: Any) -> Any:
    from livinglab.coaching.v1.follow_up_service_pb2_grpc import FollowUpServiceStub

    from cli.speak import connection

    return connection.call("coaching", FollowUpServiceStub, method, request)


def _show(found: "follow_up_pb2.VisitFollowUp", as_json: bool) -> None:
    if as_json:
        print_json(_as_dict(found))
        return
    late = ", nothing was done by then" if found.HasField("escalate_time") else ""
    say(f"{found.id}: {found.visitor} to {found.host}" + (f", term {found.term_date}{late}" if found.term_date else ""))
    for one in found.programme:
        say(f"{one.time} {one.title}")
    if found.delegation:
        say(", ".join(f"{one.name} ({one.position})" if one.position else one.name for one in found.delegation))
    columns = ["id", "what", "indicator", "owner", "due", "done"]
    rows = [[one.id, one.text, ", ".join(one.indicators), one.owner, one.due_date, one.outcome] for one in found.duties]
    if rows:
        table(columns, rows)


def _as_dict(found: "follow_up_pb2.VisitFollowUp") -> dict[str, Any]:
    """For programs."""
    return {
        "visit": found.id,
        "visitor": found.visitor,
        "host": found.host,
        "cohort": found.cohort_id,
        "rehearsal": found.rehearsal,
        "programme": [{"time": one.time, "title": one.title} for one in found.programme],
        "delegation": [{"name": one.name, "position": one.position} for one in found.delegation],
        "duties": [
            {
                "id": one.id,
                "text": one.text,
                "indicators": list(one.indicators),
                "owner": one.owner,
                "due": one.due_date,
                "outcome": one.outcome,
                "done_by": one.done_by,
            }
            for one in found.duties
        ],
        "term": found.term_date,
        "escalated": found.HasField("escalate_time"),
    }
