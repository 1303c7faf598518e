"""How people and their coach change a plan: edits before it is approved, amendments after. Decisions return facts."""

from datetime import datetime

from livinglab.coaching.v1 import action_pb2, plan_events_pb2
from livinglab.coaching.v1 import coaching_pb2 as pb
from livinglab.coaching.v1 import plan_service_pb2 as rpc

from chassis.errors import Kind, Refused, invalid_field, precondition
from services.coaching.model.editing import Wanted, apply
from services.coaching.model.ground import Ground
from services.coaching.model.plan import (
    IN_OWN_HANDS,
    advance,
    in_state,
    meta,
    require_coach,
    standing,
    state_of_work,
    wrote,
)

_AMENDED = (pb.PLAN_STATE_APPROVED, pb.PLAN_STATE_IN_PROGRESS)


def edit(plan: pb.Plan, request: rpc.EditPlanRequest, ground: Ground, author: str) -> plan_events_pb2.PlanEdited | None:
    """The people of the institution change their plan; no fact where all is as they want it."""
    if plan.state not in IN_OWN_HANDS:
        raise in_state(plan, "a draft or a plan that was sent back is edited, an approved one amended")
    before = plan.etag
    advance(plan, plan.state)
    done = apply(plan, Wanted(request.changes, request.order, request.order_etag), ground, author)
    if not done:
        plan.etag = before
        return None
    wrote(plan, author)
    return plan_events_pb2.PlanEdited(
        meta=meta(plan),
        institution=plan.institution,
        plan_id=plan.id,
        changed=done.changed,
        added=done.added,
        dropped=done.dropped,
    )


def propose(
    plan: pb.Plan, request: rpc.ProposeAmendmentRequest, ground: Ground, author: str, now: datetime
) -> plan_events_pb2.AmendmentProposed:
    """Changes of an approved plan, sound as it stands, are laid before its coach."""
    if plan.state not in _AMENDED:
        raise in_state(plan, "a plan that is approved and not done is amended")
    if plan.HasField("amendment"):
        raise precondition("AMENDMENT_WAITS", f"an amendment of plan {plan.id} waits for {plan.coach_id}")
    if not request.reason.strip():
        raise invalid_field("reason", "is required: say why")
    tried = pb.Plan()
    tried.CopyFrom(plan)
    if not apply(tried, Wanted(request.changes, request.order, request.order_etag), ground, author):
        raise invalid_field("changes", "would change nothing")
    advance(plan, plan.state)
    plan.amendment.CopyFrom(
        action_pb2.Amendment(
            changes=request.changes, order=request.order, reason=request.reason, proposed_by=author, id=plan.etag
        )
    )
    plan.amendment.propose_time.FromDatetime(now)
    return plan_events_pb2.AmendmentProposed(
        meta=meta(plan),
        institution=plan.institution,
        plan_id=plan.id,
        amendment_id=plan.amendment.id,
        coach_id=plan.coach_id,
        reason=request.reason,
    )


def review(
    plan: pb.Plan, request: rpc.ReviewAmendmentRequest, ground: Ground, coach_id: str, acts_for: str
) -> plan_events_pb2.PlanAmended | plan_events_pb2.AmendmentRefused:
    """The coach makes an amendment part of the plan, or refuses it and says why."""
    require_coach(plan, coach_id, acts_for)
    if not request.approved and not request.reason.strip():
        raise invalid_field("reason", "is required when an amendment is refused")
    if not plan.HasField("amendment") or plan.amendment.id != request.amendment_id:
        raise precondition("NO_AMENDMENT", f"amendment {request.amendment_id} of plan {plan.id} does not wait")
    amendment = action_pb2.Amendment()
    amendment.CopyFrom(plan.amendment)
    plan.ClearField("amendment")
    if not request.approved:
        advance(plan, plan.state)
        return plan_events_pb2.AmendmentRefused(
            meta=meta(plan),
            institution=plan.institution,
            plan_id=plan.id,
            amendment_id=amendment.id,
            reason=request.reason,
        )
    advance(plan, plan.state)
    _carry_out(plan, amendment, ground)
    wrote(plan, amendment.proposed_by)
    plan.state = state_of_work(plan)
    done, total = standing(plan)
    return plan_events_pb2.PlanAmended(
        meta=meta(plan),
        institution=plan.institution,
        plan_id=plan.id,
        amendment_id=amendment.id,
        to_index=plan.to_index,
        done=done,
        total=total,
    )


def _carry_out(plan: pb.Plan, amendment: action_pb2.Amendment, ground: Ground) -> None:
    """While it waits only work goes on: what was sound is so still, unless an action of it was reported."""
    try:
        wanted = Wanted(amendment.changes, amendment.order, plan.order_etag)
        apply(plan, wanted, ground, amendment.proposed_by)
    except Refused as refused:
        if refused.kind != Kind.INVALID_ARGUMENT:
            raise
        message = f"amendment {amendment.id} of plan {plan.id} does not fit any more: refuse it, and ask for another"
        raise precondition("ACTION_DONE", message, refused.violations) from refused
