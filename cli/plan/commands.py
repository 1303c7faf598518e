"""`livinglab plan`: action plans: drafted from the gaps, handed in, reviewed by the coach, their actions done."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.plan import drafting
from cli.speak.codes import as_code
from cli.speak.language import word
from cli.speak.output import AsJson, print_json, say, table
from cli.speak.sentences import sentence

if TYPE_CHECKING:
    from livinglab.coaching.v1 import coaching_pb2

app = typer.Typer(help="Action plans.", no_args_is_help=True)
app.command("drafts")(drafting.drafts)

PlanId = Annotated[str, typer.Argument(metavar="PLAN", help="Id of the plan.")]
Etag = Annotated[
    str, typer.Option("--etag", metavar="ETAG", help="Refuse where the plan has changed since it was shown.")
]


@app.command("list")
def list_plans(
    cohort_id: Annotated[str, typer.Argument(metavar="COHORT", help="Id of the cohort.")],
    institution: Annotated[
        str,
        typer.Option(
            "--institution", metavar="CODE", parser=as_code, help="This institution's; a region's user sees their own."
        ),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """List the plans of a cohort."""
    from livinglab.coaching.v1 import service_pb2 as pb
    from livinglab.coaching.v1.service_pb2_grpc import CoachingServiceStub

    from cli.speak.connection import connected, every_page, run, token_institution

    wanted = institution or token_institution()

    async def call() -> list[Any]:
        async with connected("coaching", CoachingServiceStub) as coaching:

            async def page(token: str) -> pb.ListPlansResponse:
                return await coaching.ListPlans(
                    pb.ListPlansRequest(cohort_id=cohort_id, institution=wanted, page_size=1000, page_token=token)
                )

            return await every_page(page, lambda found: found.plans)

    rows = [_as_dict(one) for one in run(call())]
    if as_json:
        print_json(rows)
        return
    columns = ["id", "institution", "coach", "state", "from_index", "to_index"]
    shown = [[*(row[key] for key in columns), _progress(row)] for row in rows]
    table([*columns, "done"], shown, right=["from_index", "to_index", "done"])


@app.command()
def show(plan_id: PlanId, as_json: AsJson = False) -> None:
    """Show a plan with its actions."""
    _show(read_plan(plan_id), as_json)


@app.command()
def draft(
    cohort_id: Annotated[str, typer.Argument(metavar="COHORT", help="Id of the cohort.")],
    institution: Annotated[
        str, typer.Option("--institution", metavar="CODE", parser=as_code, help="Whose plan; yours, unless named.")
    ] = "",
    target: drafting.Target = "",
    due: drafting.Due = "",
    evaluation: drafting.From = "",
    least_effort: Annotated[
        bool, typer.Option("--least-effort", help="The plan of the least effort, not that of the largest gains.")
    ] = False,
    capacity: drafting.Capacity = 0,
    budget: drafting.Budget = "",
    day_rate: drafting.DayRate = "",
    start: drafting.Start = "",
    needs: drafting.Needs = None,
    rehearsal: Annotated[bool, typer.Option("--rehearsal", help="The cohort is a rehearsal.")] = False,
    as_json: AsJson = False,
) -> None:
    """Draft a plan from the largest reachable gaps of a submitted evaluation, or, under terms, that of the least
    effort; one that is there is shown as it is."""
    from livinglab.coaching.v1 import service_pb2 as pb

    from cli.speak import connection

    request = pb.DraftPlanRequest(
        request_id=connection.new_request_id(),
        cohort_id=cohort_id,
        institution=connection.own_institution(institution),
        rehearsal=cohort_id if rehearsal else "",
        target=target,
        due_date=due,
        evaluation_id=evaluation,
    )
    if least_effort or capacity or budget or start or needs:
        request.terms.CopyFrom(drafting.terms_of(capacity, budget, day_rate, start, needs))
    _show(_call("DraftPlan", request).plan, as_json)


@app.command()
def submit(plan_id: PlanId, etag: Etag = "", as_json: AsJson = False) -> None:
    """Hand a plan to the coach; the head does."""
    from livinglab.coaching.v1 import service_pb2 as pb

    from cli.speak import connection

    request = pb.SubmitPlanRequest(request_id=connection.new_request_id(), plan_id=plan_id, etag=etag)
    told(_call("SubmitPlan", request).plan, as_json)


@app.command()
def approve(plan_id: PlanId, etag: Etag = "", as_json: AsJson = False) -> None:
    """Approve a plan that was handed in; its coach does."""
    _review(plan_id, "", etag, as_json, approved=True)


@app.command("return")
def send_back(
    plan_id: PlanId,
    reason: Annotated[str, typer.Option("--reason", help="What is to be changed, as a whole.")] = "",
    remark: Annotated[
        list[str] | None,
        typer.Option(
            "--remark", metavar="ACTION=TEXT", help="What is to be changed of an action; may be given several times."
        ),
    ] = None,
    etag: Etag = "",
    as_json: AsJson = False,
) -> None:
    """Send a plan back with a reason, or with remarks on its actions; its coach does."""
    if not reason and not remark:
        raise typer.BadParameter("is required, or --remark", param_hint="--reason")
    _review(plan_id, reason, etag, as_json, approved=False, remarks=remark or ())


@app.command()
def complete(
    plan_id: PlanId,
    action_id: Annotated[str, typer.Argument(metavar="ACTION", help="Id of the action, as 'plan show' has it.")],
    evidence: Annotated[
        list[str] | None,
        typer.Option("--evidence", metavar="ID", help="A piece of uploaded evidence; may be given several times."),
    ] = None,
    link: Annotated[
        list[str] | None,
        typer.Option("--link", metavar="URL", help="A page that shows it; may be given several times."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Report an action of an approved plan as done, with what shows it."""
    from livinglab.coaching.v1 import service_pb2 as pb

    from cli.speak import connection

    request = pb.CompleteActionRequest(request_id=connection.new_request_id(), plan_id=plan_id, action_id=action_id)
    for piece in evidence or ():
        request.evidence.add(evidence_id=piece)
    for page in link or ():
        request.evidence.add(link=page)
    told(_call("CompleteAction", request).plan, as_json)


def _review(
    plan_id: str, reason: str, etag: str, as_json: bool, *, approved: bool, remarks: Iterable[str] = ()
) -> None:
    from livinglab.coaching.v1 import service_pb2 as pb

    from cli.speak import connection

    request = pb.ReviewPlanRequest(
        request_id=connection.new_request_id(), plan_id=plan_id, approved=approved, reason=reason, etag=etag
    )
    for one in remarks:
        action_id, _, text = one.partition("=")
        request.remarks.add(action_id=action_id.strip(), text=text.strip())
    told(_call("ReviewPlan", request).plan, as_json)


def read_plan(plan_id: str) -> "coaching_pb2.Plan":
    """The plan as it is now."""
    from livinglab.coaching.v1 import service_pb2 as pb

    found: coaching_pb2.Plan = _call("GetPlan", pb.GetPlanRequest(plan_id=plan_id)).plan
    return found


def _call(method: str, request: Any) -> Any:
    from livinglab.coaching.v1.service_pb2_grpc import CoachingServiceStub

    from cli.speak import connection

    return connection.call("coaching", CoachingServiceStub, method, request)


def told(plan: "coaching_pb2.Plan", as_json: bool) -> None:
    """What became of a plan, in one line."""
    row = _as_dict(plan)
    if as_json:
        print_json(row)
        return
    why = f": {row['reason']}" if row["reason"] else ""
    say(sentence("plan_is", plan=row["id"], state=word(row["state"]), done=_progress(row), reason=why))


def _show(plan: "coaching_pb2.Plan", as_json: bool) -> None:
    row = _as_dict(plan)
    if as_json:
        print_json(row)
        return
    columns = ["id", "indicator", "name", "from", "to", "gain", "owner", "start", "due", "after", "state"]
    about = {"coach": row["coach"], "before": row["from_index"], "after": row["to_index"]}
    title = sentence("plan_title", plan=row["id"], state=word(row["state"]), **about)
    actions = [{**one, "after": ", ".join(one["depends_on"])} for one in row["actions"]]
    table(columns, [[a[key] for key in columns] for a in actions], title=title, right=["gain"])
    if row["reason"]:
        say(sentence("sent_back", reason=row["reason"]))
    if row["amendment"]:
        say(sentence("amendment_waits", amendment=row["amendment"]["id"], reason=row["amendment"]["reason"]))


def _progress(row: dict[str, Any]) -> str:
    counted = [action for action in row["actions"] if action["state"] != "dropped"]
    return sentence("of", some=sum(action["state"] == "done" for action in counted), all=len(counted))


def _as_dict(plan: "coaching_pb2.Plan") -> dict[str, Any]:
    """A plan for programs."""
    from livinglab.coaching.v1 import coaching_pb2

    waiting = plan.amendment
    return {
        "id": plan.id,
        "cohort": plan.cohort_id,
        "institution": plan.institution,
        "coach": plan.coach_id,
        "state": coaching_pb2.PlanState.Name(plan.state).removeprefix("PLAN_STATE_").lower(),
        "from_index": plan.from_index,
        "to_index": plan.to_index,
        "evaluation": plan.evaluation_id,
        "reason": plan.reason,
        "rehearsal": plan.rehearsal,
        "etag": plan.etag,
        "order_etag": plan.order_etag,
        "amendment": {"id": waiting.id, "reason": waiting.reason, "by": waiting.proposed_by} if waiting.id else None,
        "actions": [_action_as_dict(one) for one in plan.actions],
    }


def _action_as_dict(one: "coaching_pb2.Action") -> dict[str, Any]:
    from livinglab.coaching.v1 import action_pb2, coaching_pb2

    fund = action_pb2.FundSource.Name(one.fund_source).removeprefix("FUND_SOURCE_").lower().replace("_", "-")
    return {
        "id": one.id,
        "indicator": one.indicator,
        "name": one.indicator_name,
        "description": one.description,
        "from": one.from_value,
        "to": one.to_value,
        "gain": one.gain,
        "criteria": list(one.criteria),
        "owner": one.owner,
        "person": one.person,
        "start": one.start_date,
        "due": one.due_date,
        "cost": one.cost,
        "fund": "" if fund == "unspecified" else fund,
        "documents": list(one.documents),
        "depends_on": list(one.depends_on),
        "priority": one.priority,
        "state": coaching_pb2.ActionState.Name(one.state).removeprefix("ACTION_STATE_").lower(),
        "reason": one.drop_reason,
        "progress": one.progress_note,
        "evidence": [{"id": e.evidence_id, "link": e.link, "note": e.note} for e in one.evidence],
        "reported_by": one.reported_by,
        "proven": one.proven_value,
        "why": one.why,
        "etag": one.etag,
        "changed_by": one.changed_by,
    }
