"""What an agency (OPD) sees and does of its institution's plan: the actions that it owns, and nothing else."""

from livinglab.coaching.v1 import coaching_pb2 as pb

from chassis.errors import Refused, denied


def part_of(plan: pb.Plan, agency: str) -> pb.Plan:
    """Which plan it is, how far, and the agency's own actions: no index, no amendment, no names of who wrote it.
    PERMISSION_DENIED (NOT_GIVEN) where it owns none."""
    own = [action for action in plan.actions if action.owner == agency]
    if not own:
        raise _not_given(agency, f"plan {plan.id}")
    return pb.Plan(
        id=plan.id,
        cohort_id=plan.cohort_id,
        institution=plan.institution,
        coach_id=plan.coach_id,
        state=plan.state,
        actions=own,
        rehearsal=plan.rehearsal,
        etag=plan.etag,
        approve_time=plan.approve_time if plan.HasField("approve_time") else None,
    )


def require_owned(plan: pb.Plan, action_id: str, agency: str) -> None:
    """PERMISSION_DENIED (NOT_GIVEN) for an action that another one owns, or that there is not."""
    if not any(action.id == action_id and action.owner == agency for action in plan.actions):
        raise _not_given(agency, f"action {action_id} of plan {plan.id}")


def _not_given(agency: str, what: str) -> Refused:
    return denied("NOT_GIVEN", f"{what} is not in the care of {agency}")
