"""How far a region is as its coach sees it: who falls behind, what waits for the coach."""

from datetime import date

from livinglab.coaching.v1 import assignment_pb2 as pb
from livinglab.coaching.v1 import coaching_pb2

from services.coaching.model.plan import live, standing
from services.coaching.model.plan import plan_id as plan_id
from services.coaching.model.proof import is_overdue


def region(
    cohort_id: str,
    institution: str,
    rehearsal: str,
    index: str | None,
    plan: coaching_pb2.Plan | None,
    today: date,
) -> pb.CoachedRegion:
    """From the index of the newest evaluation, where there is one, and the plan; `today` is the day there. Actions that
    were dropped do not count. The days of a rehearsal are not those of the calendar: nothing is overdue in one."""
    found = pb.CoachedRegion(cohort_id=cohort_id, institution=institution, rehearsal=rehearsal)
    if index is None:
        found.behind.append("no_evaluation")
    else:
        found.index = index
    if plan is None:
        if index is not None:
            found.behind.append("no_plan")
        return found
    state = coaching_pb2.PlanState.Name(plan.state)
    found.plan_id, found.plan_state = plan.id, state.removeprefix("PLAN_STATE_").lower()
    found.done, found.actions = standing(plan)
    found.overdue = 0 if rehearsal else sum(is_overdue(action, today) for action in live(plan))
    if plan.state == coaching_pb2.PLAN_STATE_SUBMITTED:
        found.waits_for_me.append("review_plan")
    if plan.HasField("amendment"):
        found.waits_for_me.append("decide_amendment")
    if plan.state == coaching_pb2.PLAN_STATE_RETURNED:
        found.behind.append("returned")
    if found.overdue:
        found.behind.append("overdue")
    return found


def urgency(one: pb.CoachedRegion) -> tuple[bool, int, int, str, str]:
    """What waits for the coach first, then who is furthest behind."""
    return not one.waits_for_me, -len(one.behind), -one.overdue, one.cohort_id, one.institution
