"""Comments on a plan or its actions, asked and resolved. Decisions return facts."""

from collections.abc import Iterable
from datetime import datetime

from livinglab.coaching.v1 import coaching_pb2 as pb
from livinglab.coaching.v1 import plan_events_pb2, service_pb2
from livinglab.coaching.v1 import plan_service_pb2 as rpc
from livinglab.common.v1.meta_pb2 import Meta

from chassis.errors import invalid_field


def comment(
    plan: pb.Plan, request: rpc.CommentOnPlanRequest, comment_id: str, author: str, role: str, now: datetime
) -> rpc.PlanComment:
    """A new word on a plan. INVALID_ARGUMENT for an action that it does not have, or for nothing said."""
    if request.action_id and request.action_id not in {action.id for action in plan.actions}:
        raise invalid_field("action_id", f"{request.action_id} is no action of this plan")
    if not request.text.strip():
        raise invalid_field("text", "says nothing")
    made = rpc.PlanComment(
        id=comment_id, plan_id=plan.id, action_id=request.action_id, text=request.text, author=author, role=role
    )
    made.time.FromDatetime(now)
    return made


def asked(
    plan: pb.Plan, request: service_pb2.ReviewPlanRequest, ids: Iterable[str], author: str, now: datetime
) -> list[rpc.PlanComment]:
    """What a coach asks to be changed, item by item; an id for each."""
    found = []
    for one, comment_id in zip(request.remarks, ids, strict=True):
        made = rpc.PlanComment(
            id=comment_id,
            plan_id=plan.id,
            action_id=one.action_id,
            text=one.text,
            author=author,
            role="coach",
            revision_asked=True,
        )
        made.time.FromDatetime(now)
        found.append(made)
    return found


def commented(plan: pb.Plan, made: rpc.PlanComment) -> plan_events_pb2.PlanCommented:
    """The fact of a new comment."""
    return plan_events_pb2.PlanCommented(
        meta=_meta(plan, made, 1),
        institution=plan.institution,
        plan_id=plan.id,
        comment_id=made.id,
        action_id=made.action_id,
        revision_asked=made.revision_asked,
    )


def resolve(
    plan: pb.Plan, known: rpc.PlanComment, answer: str, author: str, now: datetime
) -> plan_events_pb2.CommentResolved | None:
    """It is dealt with; no fact where it was before, and the first answer stays."""
    if known.resolved_by:
        return None
    known.resolved_by, known.answer = author, answer
    known.resolve_time.FromDatetime(now)
    return plan_events_pb2.CommentResolved(
        meta=_meta(plan, known, 2),
        institution=plan.institution,
        plan_id=plan.id,
        comment_id=known.id,
        action_id=known.action_id,
    )


def _meta(plan: pb.Plan, made: rpc.PlanComment, version: int) -> Meta:
    return Meta(aggregate_id=f"comment:{made.id}", version=version, cohort_id=plan.cohort_id, rehearsal=plan.rehearsal)
