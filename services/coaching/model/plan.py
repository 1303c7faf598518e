"""The life of an action plan: drafted, handed in, sent back or approved, done by actions. Decisions return facts."""

from livinglab.coaching.v1 import coaching_pb2 as pb
from livinglab.coaching.v1 import events_pb2
from livinglab.coaching.v1 import service_pb2 as rpc
from livinglab.common.v1.meta_pb2 import Meta

from chassis.errors import Refused, conflict, denied, invalid_field, not_found, precondition


def plan_id(cohort_id: str, institution: str) -> str:
    """One plan a cohort and institution."""
    return f"plan:{cohort_id}:{institution}"


def drafted(plan: pb.Plan) -> events_pb2.PlanDrafted:
    """The fact of a new plan."""
    return events_pb2.PlanDrafted(
        meta=_meta(plan), institution=plan.institution, plan_id=plan.id, actions=len(plan.actions)
    )


def submit(plan: pb.Plan, etag: str) -> events_pb2.PlanSubmitted:
    """Hands the plan to its coach, for the first time or again."""
    _require_current(plan, etag)
    if plan.state not in (pb.PLAN_STATE_DRAFT, pb.PLAN_STATE_RETURNED):
        raise _in_state(plan, "only a draft or a plan that was sent back is handed in")
    plan.reason = ""
    _advance(plan, pb.PLAN_STATE_SUBMITTED)
    return events_pb2.PlanSubmitted(
        meta=_meta(plan), institution=plan.institution, plan_id=plan.id, coach_id=plan.coach_id
    )


def review(
    plan: pb.Plan, request: rpc.ReviewPlanRequest, coach_id: str
) -> events_pb2.PlanApproved | events_pb2.PlanReturned:
    """Its own coach approves it, or sends it back and says why."""
    if coach_id != plan.coach_id:
        raise denied("OTHER_COACH", f"{coach_id} is not the coach of {plan.institution}")
    if not request.approved and not request.reason.strip():
        raise invalid_field("reason", "is required when a plan is sent back")
    _require_current(plan, request.etag)
    if plan.state != pb.PLAN_STATE_SUBMITTED:
        raise _in_state(plan, "only a plan that was handed in is reviewed")
    if request.approved:
        _advance(plan, pb.PLAN_STATE_APPROVED)
        return events_pb2.PlanApproved(
            meta=_meta(plan),
            institution=plan.institution,
            plan_id=plan.id,
            to_index=plan.to_index,
            actions=len(plan.actions),
        )
    plan.reason = request.reason
    _advance(plan, pb.PLAN_STATE_RETURNED)
    return events_pb2.PlanReturned(meta=_meta(plan), institution=plan.institution, plan_id=plan.id, reason=plan.reason)


def complete(plan: pb.Plan, action_id: str) -> events_pb2.ActionCompleted | None:
    """Notes an action as done; no fact where it was before."""
    if plan.state != pb.PLAN_STATE_APPROVED:
        raise _in_state(plan, "actions of an approved plan are reported")
    action = next((action for action in plan.actions if action.id == action_id), None)
    if action is None:
        raise not_found("action", f"{action_id} of {plan.id}")
    if action.state == pb.ACTION_STATE_DONE:
        return None
    action.state = pb.ACTION_STATE_DONE
    _advance(plan, pb.PLAN_STATE_APPROVED)
    return events_pb2.ActionCompleted(
        meta=_meta(plan),
        institution=plan.institution,
        plan_id=plan.id,
        action_id=action.id,
        done=sum(action.state == pb.ACTION_STATE_DONE for action in plan.actions),
        total=len(plan.actions),
    )


def _require_current(plan: pb.Plan, etag: str) -> None:
    if etag and etag != plan.etag:
        raise conflict("plan", plan.id)


def _in_state(plan: pb.Plan, rule: str) -> Refused:
    state = pb.PlanState.Name(plan.state).removeprefix("PLAN_STATE_").lower()
    return precondition("PLAN_STATE", f"plan {plan.id} is {state}: {rule}")


def _advance(plan: pb.Plan, state: pb.PlanState.ValueType) -> None:
    plan.state = state
    plan.etag = str(int(plan.etag) + 1)


def _meta(plan: pb.Plan) -> Meta:
    return Meta(aggregate_id=plan.id, version=int(plan.etag), cohort_id=plan.cohort_id, rehearsal=plan.rehearsal)
