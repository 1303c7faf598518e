"""`livinglab plan edit | add | drop | order | amendment | progress`: a plan becomes that of those who carry it out."""

from typing import Annotated, Any

import typer

from cli.plan.commands import PlanId, app, read_plan, told
from cli.speak.output import AsJson, fail
from cli.speak.sentences import sentence

ActionId = Annotated[str, typer.Argument(metavar="ACTION", help="Id of the action, as 'plan show' has it.")]
Etag = Annotated[
    str, typer.Option("--etag", metavar="ETAG", help="The action's, as it was read; unless given, as it is now.")
]
Amend = Annotated[
    str,
    typer.Option("--amend", metavar="REASON", help="The plan is approved: propose it to the coach, for this reason."),
]
To = Annotated[str | None, typer.Option("--to", metavar="LEVEL", help="The level to reach.")]
Description = Annotated[str | None, typer.Option("--description", help="What is done.")]
Criteria = Annotated[
    list[str] | None, typer.Option("--criterion", help="What the level asks for; may be given several times.")
]
Owner = Annotated[str | None, typer.Option("--owner", metavar="AGENCY", help="The agency (OPD): its code or name.")]
Person = Annotated[str | None, typer.Option("--person", metavar="NAME", help="Who is in charge.")]
Start = Annotated[str | None, typer.Option("--start", metavar="DATE", help="The first day, 2022-11-21.")]
Due = Annotated[str | None, typer.Option("--due", metavar="DATE", help="The last day, 2023-01-21.")]
Cost = Annotated[str | None, typer.Option("--cost", metavar="RUPIAH", help="What it costs.")]
Fund = Annotated[str | None, typer.Option("--fund", metavar="own-budget|csr|mutual-aid", help="Who pays.")]
Documents = Annotated[
    list[str] | None, typer.Option("--document", help="A document that it leaves; may be given several times.")
]
DependsOn = Annotated[
    list[str] | None,
    typer.Option("--depends-on", metavar="ACTION", help="What comes before it; may be given several times."),
]
Priority = Annotated[int | None, typer.Option("--priority", min=0, max=5, help="1 comes first, 5 last.")]


@app.command()
def edit(
    plan_id: PlanId,
    action_id: ActionId,
    to: To = None,
    description: Description = None,
    criterion: Criteria = None,
    owner: Owner = None,
    person: Person = None,
    start: Start = None,
    due: Due = None,
    cost: Cost = None,
    fund: Fund = None,
    document: Documents = None,
    depends_on: DependsOn = None,
    priority: Priority = None,
    etag: Etag = "",
    amend: Amend = "",
    as_json: AsJson = False,
) -> None:
    """Change an action of a plan; what is not named stays, an empty text takes it away."""
    from livinglab.coaching.v1 import action_pb2

    given = _given(
        to_value=to,
        description=description,
        criteria=criterion,
        owner=owner,
        person=person,
        start_date=start,
        due_date=due,
        cost=cost,
        fund_source=fund,
        documents=document,
        depends_on=depends_on,
        priority=priority,
    )
    change = action_pb2.ActionChange(
        kind=action_pb2.CHANGE_KIND_EDIT, action_id=action_id, etag=etag or _etag(plan_id, action_id)
    )
    _fill(change, given)
    _send(plan_id, [change], amend, as_json)


@app.command()
def add(
    plan_id: PlanId,
    action_id: ActionId,
    indicator: Annotated[str, typer.Option("--indicator", metavar="CODE", help="The indicator that it raises.")],
    to: To = None,
    description: Description = None,
    criterion: Criteria = None,
    owner: Owner = None,
    person: Person = None,
    start: Start = None,
    due: Due = None,
    cost: Cost = None,
    fund: Fund = None,
    document: Documents = None,
    depends_on: DependsOn = None,
    priority: Priority = None,
    amend: Amend = "",
    as_json: AsJson = False,
) -> None:
    """Add an action to a plan, under an id of your choice."""
    from livinglab.coaching.v1 import action_pb2

    given = _given(
        indicator=indicator,
        to_value=to,
        description=description,
        criteria=criterion,
        owner=owner,
        person=person,
        start_date=start,
        due_date=due,
        cost=cost,
        fund_source=fund,
        documents=document,
        depends_on=depends_on,
        priority=priority,
    )
    change = action_pb2.ActionChange(kind=action_pb2.CHANGE_KIND_ADD, action_id=action_id)
    _fill(change, given)
    _send(plan_id, [change], amend, as_json)


@app.command()
def drop(
    plan_id: PlanId,
    action_id: ActionId,
    reason: Annotated[str, typer.Option("--reason", help="Why.")],
    etag: Etag = "",
    amend: Amend = "",
    as_json: AsJson = False,
) -> None:
    """Drop an action from a plan; it stays to be seen, with the reason."""
    from livinglab.coaching.v1 import action_pb2

    change = action_pb2.ActionChange(
        kind=action_pb2.CHANGE_KIND_DROP,
        action_id=action_id,
        etag=etag or _etag(plan_id, action_id),
        reason=reason,
    )
    _send(plan_id, [change], amend, as_json)


@app.command()
def order(
    plan_id: PlanId,
    actions: Annotated[list[str], typer.Argument(metavar="ACTION...", help="Every action, in the order wanted.")],
    etag: Annotated[
        str, typer.Option("--etag", metavar="ETAG", help="The order_etag, as it was read; unless given, as it is now.")
    ] = "",
    amend: Amend = "",
    as_json: AsJson = False,
) -> None:
    """Put the actions of a plan in another order."""
    _send(plan_id, [], amend, as_json, order=actions, order_etag=etag or read_plan(plan_id).order_etag)


@app.command()
def progress(
    plan_id: PlanId,
    action_id: ActionId,
    note: Annotated[str, typer.Option("--note", help="How it goes.")],
    as_json: AsJson = False,
) -> None:
    """Say that work on an action goes on."""
    from livinglab.coaching.v1 import plan_service_pb2 as pb

    from cli.speak import connection

    request = pb.ReportProgressRequest(
        request_id=connection.new_request_id(), plan_id=plan_id, action_id=action_id, note=note
    )
    told(call("ReportProgress", request).plan, as_json)


@app.command("approve-amendment")
def approve_amendment(
    plan_id: PlanId,
    amendment: Annotated[str, typer.Option("--amendment", metavar="ID", help="That one and no other.")] = "",
    as_json: AsJson = False,
) -> None:
    """Make the amendment that waits part of the plan; its coach does."""
    _review_amendment(plan_id, amendment, "", as_json, approved=True)


@app.command("refuse-amendment")
def refuse_amendment(
    plan_id: PlanId,
    reason: Annotated[str, typer.Option("--reason", help="Why.")],
    amendment: Annotated[str, typer.Option("--amendment", metavar="ID", help="That one and no other.")] = "",
    as_json: AsJson = False,
) -> None:
    """Leave the plan as it is; its coach does."""
    _review_amendment(plan_id, amendment, reason, as_json, approved=False)


def _review_amendment(plan_id: str, amendment: str, reason: str, as_json: bool, *, approved: bool) -> None:
    from livinglab.coaching.v1 import plan_service_pb2 as pb

    from cli.speak import connection

    waiting = amendment or read_plan(plan_id).amendment.id
    if not waiting:
        fail(f"refused: {sentence('no_amendment', plan=plan_id)}")
    request = pb.ReviewAmendmentRequest(
        request_id=connection.new_request_id(),
        plan_id=plan_id,
        amendment_id=waiting,
        approved=approved,
        reason=reason,
    )
    told(call("ReviewAmendment", request).plan, as_json)


def call(method: str, request: Any) -> Any:
    """One call to the service of plans."""
    from livinglab.coaching.v1.plan_service_pb2_grpc import PlanServiceStub

    from cli.speak import connection

    return connection.call("coaching", PlanServiceStub, method, request)


def _given(**options: Any) -> dict[str, Any]:
    """What was named on the command line; a list that holds one empty text is an empty list."""
    found = {name: value for name, value in options.items() if value is not None}
    return {name: [] if value == [""] else value for name, value in found.items()}


def _fill(change: Any, given: dict[str, Any]) -> None:
    from livinglab.coaching.v1 import action_pb2

    for name, value in given.items():
        if name == "fund_source" and value:
            label = f"FUND_SOURCE_{value.upper().replace('-', '_')}"
            if label not in set(action_pb2.FundSource.keys()):
                raise typer.BadParameter("must be own-budget, csr or mutual-aid", param_hint="--fund")
            change.fields.fund_source = action_pb2.FundSource.Value(label)
        elif isinstance(value, list):
            getattr(change.fields, name).extend(value)
        elif name != "fund_source":
            setattr(change.fields, name, value)
        change.set.append(name)


def _etag(plan_id: str, action_id: str) -> str:
    """The action's as it is now; one that is not there is the service's to refuse."""
    return next((one.etag for one in read_plan(plan_id).actions if one.id == action_id), "0")


def _send(plan_id: str, changes: list[Any], amend: str, as_json: bool, **more: Any) -> None:
    from livinglab.coaching.v1 import plan_service_pb2 as pb

    from cli.speak import connection

    about = {"request_id": connection.new_request_id(), "plan_id": plan_id, "changes": changes, **more}
    if amend:
        told(call("ProposeAmendment", pb.ProposeAmendmentRequest(reason=amend, **about)).plan, as_json)
    else:
        told(call("EditPlan", pb.EditPlanRequest(**about)).plan, as_json)
