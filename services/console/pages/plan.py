"""An action plan: its actions with what is due, reporting one as done, handing it to the coach, the coach's review."""

from datetime import UTC, datetime
from typing import Any

import grpc
import grpc.aio
from livinglab.coaching.v1 import action_pb2, coaching_pb2
from livinglab.coaching.v1 import plan_service_pb2 as plan_pb
from livinglab.coaching.v1 import service_pb2 as pb
from livinglab.common.v1 import options_pb2
from starlette.requests import Request
from starlette.responses import Response

from chassis.errors import Refused, invalid_field
from chassis.status import from_rpc_error
from services.console.pages import shown
from services.console.session import people
from services.console.session.neighbours import Neighbours, Person

_AGREED = (coaching_pb2.PLAN_STATE_APPROVED, coaching_pb2.PLAN_STATE_IN_PROGRESS)
_WRITERS = (options_pb2.ROLE_OPERATOR, options_pb2.ROLE_HEAD)
# An agency on its own actions.
_REPORTERS = (*_WRITERS, options_pb2.ROLE_AGENCY)
_SPEAKERS = (
    *_WRITERS,
    options_pb2.ROLE_SECRETARY,
    options_pb2.ROLE_REGENT,
    options_pb2.ROLE_COACH,
    options_pb2.ROLE_MANAGER,
)
# What of an action its form changes.
_FIELDS = ("description", "owner", "person", "start_date", "due_date", "cost")
_MOST = 1_000


async def page(request: Request) -> Response:
    """The plan as it stands, and what this person may do with it."""
    session = await people.session_of(request)
    person, coaching = people.person_of(session), request.app.state.neighbours.coaching
    plan_id = request.path_params["plan"]
    error: Refused | None = None
    if request.method == "POST":
        form = await people.form_of(request, session)
        try:
            await _done(person, request.app.state.neighbours, plan_id, form)
            return shown.there(request, f"work/plan/{plan_id}", saved="1")
        except grpc.aio.AioRpcError as refused:
            error = from_rpc_error(refused)
    plan = (await person.ask(coaching.GetPlan, pb.GetPlanRequest(plan_id=plan_id))).plan
    talks = not session.of_agency
    comments: list[Any] = []
    if talks:
        asked = plan_pb.ListPlanCommentsRequest(plan_id=plan_id, page_size=_MOST)
        comments = list((await person.ask(request.app.state.neighbours.plans.ListPlanComments, asked)).comments)
    approved = plan.state in _AGREED
    drafted = plan.state in (coaching_pb2.PLAN_STATE_DRAFT, coaching_pb2.PLAN_STATE_RETURNED)
    return shown.page(
        request,
        "plan.html",
        session,
        status=409 if error else 200,
        plan=plan,
        comments={
            action: [one for one in comments if one.action_id == action]
            for action in ("", *(action.id for action in plan.actions))
        },
        talks=talks,
        comments_on=session.has(*_SPEAKERS),
        edits=drafted and session.has(*_WRITERS),
        done=sum(action.state == coaching_pb2.ACTION_STATE_DONE for action in plan.actions),
        done_state=coaching_pb2.ACTION_STATE_DONE,
        dropped_state=coaching_pb2.ACTION_STATE_DROPPED,
        counted=sum(action.state != coaching_pb2.ACTION_STATE_DROPPED for action in plan.actions),
        today=datetime.now(UTC).date().isoformat(),
        reports=approved and session.has(*_REPORTERS),
        hands=drafted and session.has(options_pb2.ROLE_HEAD),
        reviews=plan.state == coaching_pb2.PLAN_STATE_SUBMITTED
        and session.has(options_pb2.ROLE_COACH)
        and plan.coach_id == session.subject,
        saved=request.query_params.get("saved", ""),
        error=error,
    )


async def _done(person: Person, neighbours: Neighbours, plan_id: str, form: dict[str, str]) -> None:
    """What the form asks for; INVALID_ARGUMENT for anything else."""
    request_id, what, coaching = form.get("request_id", ""), form.get("what", ""), neighbours.coaching
    if what == "done":
        order: Any = pb.CompleteActionRequest(request_id=request_id, plan_id=plan_id, action_id=form.get("action", ""))
        if link := form.get("link", "").strip():
            order.evidence.add(link=link)
        await person.ask(coaching.CompleteAction, order)
    elif what == "progress":
        order = plan_pb.ReportProgressRequest(
            request_id=request_id, plan_id=plan_id, action_id=form.get("action", ""), note=form.get("note", "").strip()
        )
        await person.ask(neighbours.plans.ReportProgress, order)
    elif what == "hand":
        order = pb.SubmitPlanRequest(request_id=request_id, plan_id=plan_id, etag=form.get("etag", ""))
        await person.ask(coaching.SubmitPlan, order)
    elif what in ("approve", "return"):
        order = pb.ReviewPlanRequest(
            request_id=request_id,
            plan_id=plan_id,
            etag=form.get("etag", ""),
            approved=what == "approve",
            reason=form.get("reason", ""),
        )
        await person.ask(coaching.ReviewPlan, order)
    elif what in ("edit", "drop"):
        change = action_pb2.ActionChange(
            kind=action_pb2.CHANGE_KIND_EDIT if what == "edit" else action_pb2.CHANGE_KIND_DROP,
            action_id=form.get("action", ""),
            etag=form.get("etag", ""),
        )
        if what == "edit":
            for name in _FIELDS:
                setattr(change.fields, name, form.get(name, "").strip())
            change.set.extend(_FIELDS)
        else:
            change.reason = form.get("reason", "")
        order = plan_pb.EditPlanRequest(request_id=request_id, plan_id=plan_id, changes=[change])
        await person.ask(neighbours.plans.EditPlan, order)
    elif what == "comment":
        order = plan_pb.CommentOnPlanRequest(
            request_id=request_id, plan_id=plan_id, action_id=form.get("action", ""), text=form.get("text", "").strip()
        )
        await person.ask(neighbours.plans.CommentOnPlan, order)
    elif what == "resolve":
        order = plan_pb.ResolveCommentRequest(request_id=request_id, comment_id=form.get("comment", ""))
        await person.ask(neighbours.plans.ResolveComment, order)
    else:
        raise invalid_field("what", "is nothing that can be done with a plan")
