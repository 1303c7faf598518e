"""An agency sees and works on the actions that it owns, and nothing else of its institution's plan."""

from datetime import UTC, datetime

import pytest
from livinglab.coaching.v1 import action_pb2
from livinglab.coaching.v1 import coaching_pb2 as pb

from chassis.errors import Kind, Refused
from services.coaching.model import agencies

DISKOMINFO, BAPPEDA = "DISKOMINFO-SMD", "BAPPEDA-SMD"


def plan() -> pb.Plan:
    """Two actions of one agency, one of another, one of nobody."""
    return pb.Plan(
        id="plan:c:32.11",
        cohort_id="c",
        institution="32.11",
        coach_id="ani",
        state=pb.PLAN_STATE_DRAFT,
        actions=[
            pb.Action(id="1", owner=DISKOMINFO),
            pb.Action(id="2", owner=BAPPEDA),
            pb.Action(id="3"),
            pb.Action(id="4", owner=DISKOMINFO),
        ],
        from_index="2.00",
        to_index="2.60",
        reason="too few actions",
        evaluation_id="e",
        rehearsal="r",
        etag="7",
        order_etag="2",
        amendment=action_pb2.Amendment(reason="a new decree"),
        written_by=["budi"],
    )


def test_an_agency_is_shown_its_own_actions_in_the_order_of_the_plan() -> None:
    assert [action.id for action in agencies.part_of(plan(), DISKOMINFO).actions] == ["1", "4"]
    assert [action.id for action in agencies.part_of(plan(), BAPPEDA).actions] == ["2"]


def test_an_agency_is_shown_no_index_no_amendment_and_no_name_of_who_wrote_the_plan() -> None:
    shown = {field.name for field, _ in agencies.part_of(plan(), DISKOMINFO).ListFields()}
    assert shown & {"from_index", "to_index", "evaluation_id", "reason", "amendment", "written_by"} == set()


def test_an_agency_is_shown_which_plan_it_is_and_how_far() -> None:
    shown, whole = agencies.part_of(plan(), DISKOMINFO), plan()
    for field in ("id", "cohort_id", "institution", "coach_id", "state", "rehearsal", "etag"):
        assert getattr(shown, field) == getattr(whole, field), field


def test_a_plan_that_nobody_has_approved_has_no_day_of_it() -> None:
    whole = plan()
    assert not agencies.part_of(whole, DISKOMINFO).HasField("approve_time")
    whole.approve_time.FromDatetime(datetime(2022, 12, 1, tzinfo=UTC))
    assert agencies.part_of(whole, DISKOMINFO).approve_time == whole.approve_time


def test_what_an_agency_is_shown_leaves_the_plan_as_it_is() -> None:
    whole = plan()
    agencies.part_of(whole, DISKOMINFO).actions[0].owner = BAPPEDA
    assert whole == plan()


def test_an_agency_without_an_action_does_not_see_the_plan() -> None:
    with pytest.raises(Refused) as refused:
        agencies.part_of(plan(), "DINKES-SMD")
    assert (refused.value.kind, refused.value.reason) == (Kind.PERMISSION_DENIED, "NOT_GIVEN")
    assert refused.value.message == "plan plan:c:32.11 is not in the care of DINKES-SMD"


def test_an_agency_may_work_on_what_it_owns() -> None:
    agencies.require_owned(plan(), "4", DISKOMINFO)


@pytest.mark.parametrize("action", ["2", "3", "99", ""])
def test_an_action_of_another_and_one_that_there_is_not_are_refused_alike(action: str) -> None:
    with pytest.raises(Refused) as refused:
        agencies.require_owned(plan(), action, DISKOMINFO)
    assert (refused.value.kind, refused.value.reason) == (Kind.PERMISSION_DENIED, "NOT_GIVEN")
    assert refused.value.message == f"action {action} of plan plan:c:32.11 is not in the care of DISKOMINFO-SMD"
