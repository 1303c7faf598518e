"""How far a region is as its coach sees it: who falls behind, what waits for the coach."""

from collections.abc import Mapping
from typing import Any

from livinglab.coaching.v1 import assignment_pb2 as pb
from livinglab.coaching.v1 import coaching_pb2

from services.coaching.model.plan import plan_id as plan_id

_SUBMITTED, _RETURNED = coaching_pb2.PLAN_STATE_SUBMITTED, coaching_pb2.PLAN_STATE_RETURNED

_OPEN = (coaching_pb2.ACTION_STATE_PLANNED, coaching_pb2.ACTION_STATE_IN_PROGRESS)


def region(
    cohort_id: str,
    institution: str,
    rehearsal: str,
    evaluation: Mapping[str, Any] | None,
    plan: Mapping[str, Any] | None,
    today: str,
) -> pb.CoachedRegion:
    """From the newest evaluation and the plan as they are kept; `today` is the day there, 2022-11-01. The days of a
    rehearsal are not those of the calendar: nothing is overdue in one."""
    found = pb.CoachedRegion(cohort_id=cohort_id, institution=institution, rehearsal=rehearsal)
    if evaluation is None:
        found.behind.append("no_evaluation")
    else:
        found.index = evaluation["index"]
    if plan is None:
        if evaluation is not None:
            found.behind.append("no_plan")
        return found
    state = coaching_pb2.PlanState.Name(plan["state"])
    found.plan_id, found.plan_state = plan["_id"], state.removeprefix("PLAN_STATE_").lower()
    actions = plan.get("actions", [])
    open_actions = [one for one in actions if one["state"] in _OPEN]
    found.actions = len(actions)
    found.done = sum(one["state"] == coaching_pb2.ACTION_STATE_DONE for one in actions)
    # Dates of this shape compare as days do.
    found.overdue = 0 if rehearsal else sum(bool(one["due_date"]) and one["due_date"] < today for one in open_actions)
    if plan["state"] == _SUBMITTED:
        found.waits_for_me.append("review_plan")
    if plan.get("amendment"):
        found.waits_for_me.append("decide_amendment")
    if plan["state"] == _RETURNED:
        found.behind.append("returned")
    if found.overdue:
        found.behind.append("overdue")
    return found


def urgency(one: pb.CoachedRegion) -> tuple[bool, int, int, str, str]:
    """What waits for the coach first, then who is furthest behind."""
    return not one.waits_for_me, -len(one.behind), -one.overdue, one.cohort_id, one.institution
