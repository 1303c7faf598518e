"""The life of an action plan: drafted, handed in, sent back or approved, done by actions. Decisions return facts."""

from collections.abc import Container, Iterator
from datetime import datetime
from urllib.parse import urlsplit

from livinglab.coaching.v1 import coaching_pb2 as pb
from livinglab.coaching.v1 import events_pb2, plan_events_pb2
from livinglab.coaching.v1 import service_pb2 as rpc
from livinglab.common.v1.meta_pb2 import Meta

from chassis.errors import Refused, Violation, denied, invalid, not_found, precondition
from services.coaching.model import versions

AGREED = (pb.PLAN_STATE_APPROVED, pb.PLAN_STATE_IN_PROGRESS, pb.PLAN_STATE_DONE)
_OPEN = (pb.ACTION_STATE_PLANNED, pb.ACTION_STATE_IN_PROGRESS)
IN_OWN_HANDS = (pb.PLAN_STATE_DRAFT, pb.PLAN_STATE_RETURNED)


def plan_id(cohort_id: str, institution: str) -> str:
    """One plan a cohort and institution."""
    return f"plan:{cohort_id}:{institution}"


def live(plan: pb.Plan) -> list[pb.Action]:
    """The actions that were not dropped."""
    return [action for action in plan.actions if action.state != pb.ACTION_STATE_DROPPED]


def drafted(plan: pb.Plan) -> events_pb2.PlanDrafted:
    """The fact of a new plan."""
    return events_pb2.PlanDrafted(
        meta=meta(plan), institution=plan.institution, plan_id=plan.id, actions=len(plan.actions)
    )


def submit(plan: pb.Plan, etag: str, author: str = "") -> events_pb2.PlanSubmitted:
    """Hands the plan to its coach, for the first time or again."""
    versions.require_current(plan, etag, "plan")
    if plan.state not in IN_OWN_HANDS:
        raise in_state(plan, "only a draft or a plan that was sent back is handed in")
    if plan.actions and not live(plan):
        raise precondition("EMPTY_PLAN", f"every action of plan {plan.id} was dropped: add one")
    plan.reason = ""
    wrote(plan, author)
    advance(plan, pb.PLAN_STATE_SUBMITTED)
    return events_pb2.PlanSubmitted(
        meta=meta(plan), institution=plan.institution, plan_id=plan.id, coach_id=plan.coach_id
    )


def review(
    plan: pb.Plan, request: rpc.ReviewPlanRequest, coach_id: str, acts_for: str = "", now: datetime | None = None
) -> events_pb2.PlanApproved | events_pb2.PlanReturned:
    """Its own coach approves it, or sends it back and says why, item by item or as a whole. `acts_for` is the
    institution of who reviews, where it is one's."""
    require_coach(plan, coach_id, acts_for)
    if faults := list(_review_faults(plan, request)):
        raise invalid(faults)
    versions.require_current(plan, request.etag, "plan")
    if plan.state != pb.PLAN_STATE_SUBMITTED:
        raise in_state(plan, "only a plan that was handed in is reviewed")
    if request.approved:
        if now is not None:
            plan.approve_time.FromDatetime(now)
        advance(plan, pb.PLAN_STATE_APPROVED)
        return events_pb2.PlanApproved(
            meta=meta(plan),
            institution=plan.institution,
            plan_id=plan.id,
            to_index=plan.to_index,
            actions=len(live(plan)),
        )
    plan.reason = request.reason or "; ".join(f"{one.action_id}: {one.text}" for one in request.remarks)[:4000]
    advance(plan, pb.PLAN_STATE_RETURNED)
    return events_pb2.PlanReturned(meta=meta(plan), institution=plan.institution, plan_id=plan.id, reason=plan.reason)


def _review_faults(plan: pb.Plan, request: rpc.ReviewPlanRequest) -> Iterator[Violation]:
    if not request.approved and not request.reason.strip() and not request.remarks:
        yield Violation("reason", "is required when a plan is sent back, or remarks on its actions")
    if request.approved and request.remarks:
        yield Violation("remarks", "are asked of a plan that is sent back, not of one that is approved")
    ids = {action.id for action in plan.actions}
    for n, one in enumerate(request.remarks):
        if one.action_id not in ids:
            yield Violation(f"remarks[{n}].action_id", f"{one.action_id} is no action of this plan")


def require_coach(plan: pb.Plan, coach_id: str, acts_for: str) -> None:
    """Whoever decides on a plan is its coach, and had no hand in it."""
    if coach_id != plan.coach_id:
        raise denied("OTHER_COACH", f"{coach_id} is not the coach of {plan.institution}")
    if coach_id in plan.written_by or acts_for == plan.institution:
        raise denied(
            "OWN_PLAN", f"{coach_id} wrote plan {plan.id} or acts for {plan.institution}: another coach decides"
        )


def complete(
    plan: pb.Plan, request: rpc.CompleteActionRequest, reporter: str, now: datetime, pieces: Container[str]
) -> events_pb2.ActionCompleted | None:
    """Notes an action as reported with its evidence; no fact where it was before. `pieces` are the institution's
    own, of those that are named."""
    action = _worked_on(plan, request.action_id, "actions of an approved plan are reported")
    if action.state == pb.ACTION_STATE_DONE:
        return None
    if faults := list(_evidence_faults(request, pieces)):
        raise invalid(faults)
    waits = [one for one in plan.actions if one.id in action.depends_on and one.state in _OPEN]
    if waits:
        because = [Violation(one.id, f"comes before {action.id} and is not done") for one in waits]
        raise precondition("DEPENDS_ON", f"action {action.id} comes after others", because)
    action.state = pb.ACTION_STATE_DONE
    action.reported_by = reporter
    action.report_time.FromDatetime(now)
    action.evidence.extend(request.evidence)
    return completed(plan, action.id)


def completed(plan: pb.Plan, action_id: str) -> events_pb2.ActionCompleted:
    """The fact of one more action that is done."""
    done, total = standing(plan)
    advance(plan, state_of_work(plan))
    return events_pb2.ActionCompleted(
        meta=meta(plan), institution=plan.institution, plan_id=plan.id, action_id=action_id, done=done, total=total
    )


def _evidence_faults(request: rpc.CompleteActionRequest, pieces: Container[str]) -> Iterator[Violation]:
    if not request.evidence:
        yield Violation("evidence", "is required: show what was done, by a piece of evidence or a link")
    for n, one in enumerate(request.evidence):
        place = f"evidence[{n}]"
        if not one.evidence_id and not one.link:
            yield Violation(place, "names no piece of evidence and no link")
        if one.evidence_id and one.evidence_id not in pieces:
            yield Violation(f"{place}.evidence_id", f"{one.evidence_id} is no piece of its own, or not known here yet")
        if one.link and not _is_page(one.link):
            yield Violation(f"{place}.link", "must be the address of a page, such as https://jdih.example.go.id/12")


def _is_page(link: str) -> bool:
    try:
        parts = urlsplit(link)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and link.isprintable() and " " not in link
    except ValueError:
        return False


def progress(plan: pb.Plan, action_id: str, note: str, now: datetime) -> plan_events_pb2.ActionProgressed:
    """Work on an action goes on."""
    action = _worked_on(plan, action_id, "work on an action begins once its plan is approved")
    if action.state == pb.ACTION_STATE_DONE:
        raise precondition("ACTION_DONE", f"action {action_id} of plan {plan.id} is reported as done")
    action.state, action.progress_note = pb.ACTION_STATE_IN_PROGRESS, note
    action.progress_time.FromDatetime(now)
    advance(plan, state_of_work(plan))
    return plan_events_pb2.ActionProgressed(
        meta=meta(plan), institution=plan.institution, plan_id=plan.id, action_id=action_id
    )


def _worked_on(plan: pb.Plan, action_id: str, rule: str) -> pb.Action:
    """An action that people may report on."""
    if plan.state not in AGREED:
        raise in_state(plan, rule)
    action = next((one for one in plan.actions if one.id == action_id), None)
    if action is None:
        raise not_found("action", f"{action_id} of {plan.id}")
    if action.state == pb.ACTION_STATE_DROPPED:
        raise precondition("ACTION_DROPPED", f"action {action_id} of plan {plan.id} was dropped: {action.drop_reason}")
    return action


def standing(plan: pb.Plan) -> tuple[int, int]:
    """How many actions are reported as done, of how many that were not dropped."""
    counted = live(plan)
    return sum(action.state == pb.ACTION_STATE_DONE for action in counted), len(counted)


def state_of_work(plan: pb.Plan) -> pb.PlanState.ValueType:
    """What an approved plan is by its actions."""
    done, total = standing(plan)
    if not total:
        return pb.PLAN_STATE_DROPPED
    if done == total:
        return pb.PLAN_STATE_DONE
    begun = done or any(action.state == pb.ACTION_STATE_IN_PROGRESS for action in plan.actions)
    return pb.PLAN_STATE_IN_PROGRESS if begun else pb.PLAN_STATE_APPROVED


def wrote(plan: pb.Plan, author: str) -> None:
    """Keeps who had a hand in a plan."""
    if author and author not in plan.written_by:
        plan.written_by.append(author)


def in_state(plan: pb.Plan, rule: str) -> Refused:
    """The plan is in other hands, or not far enough."""
    state = pb.PlanState.Name(plan.state).removeprefix("PLAN_STATE_").lower().replace("_", " ")
    return precondition("PLAN_STATE", f"plan {plan.id} is {state}: {rule}")


def advance(plan: pb.Plan, state: pb.PlanState.ValueType) -> None:
    """The next version of the plan."""
    plan.state = state
    versions.advance(plan)


def meta(plan: pb.Plan) -> Meta:
    """What every fact of a plan says about itself."""
    return Meta(aggregate_id=plan.id, version=int(plan.etag), cohort_id=plan.cohort_id, rehearsal=plan.rehearsal)
