"""What a coach sees of its regions, and what a manager's choice of coaches must say."""

from datetime import date
from typing import Any, TypeAlias

import pytest
from livinglab.coaching.v1 import action_pb2, coaching_pb2
from livinglab.coaching.v1 import assignment_pb2 as pb
from livinglab.coaching.v1 import service_pb2 as rpc

from chassis.errors import Refused
from services.coaching.model.pairing import assigning, coached

PLANNED, DONE = coaching_pb2.ACTION_STATE_PLANNED, coaching_pb2.ACTION_STATE_DONE
DROPPED = coaching_pb2.ACTION_STATE_DROPPED
TODAY = "2022-11-10"
Acted: TypeAlias = tuple[coaching_pb2.ActionState.ValueType, str]


def plan(state: str, *actions: Acted, **more: Any) -> coaching_pb2.Plan:
    listed = [coaching_pb2.Action(state=one, due_date=due) for one, due in actions]
    value = coaching_pb2.PlanState.Value(f"PLAN_STATE_{state}")
    return coaching_pb2.Plan(id="plan:c:32.11", state=value, actions=listed, **more)


def region(index: str | None, found: coaching_pb2.Plan | None, rehearsal: str = "") -> pb.CoachedRegion:
    return coached.region("c", "32.11", rehearsal, index, found, date.fromisoformat(TODAY))


@pytest.mark.parametrize(
    ("index", "found", "behind", "waits"),
    [
        (None, None, ["no_evaluation"], []),
        ("2.10", None, ["no_plan"], []),
        ("2.10", plan("SUBMITTED"), [], ["review_plan"]),
        ("2.10", plan("RETURNED"), ["returned"], []),
        ("2.10", plan("APPROVED", (PLANNED, "2022-11-09")), ["overdue"], []),
        ("2.10", plan("APPROVED", (PLANNED, TODAY)), [], []),
        ("2.10", plan("APPROVED", (DONE, "2022-11-01")), [], []),
        ("2.10", plan("APPROVED", amendment=action_pb2.Amendment(id="a1")), [], ["decide_amendment"]),
    ],
)
def test_who_is_behind_and_what_waits_for_the_coach(
    index: str | None, found: coaching_pb2.Plan | None, behind: list[str], waits: list[str]
) -> None:
    seen = region(index, found)
    assert (list(seen.behind), list(seen.waits_for_me)) == (behind, waits)


def test_nothing_is_overdue_in_a_rehearsal() -> None:
    late = plan("APPROVED", (PLANNED, "2020-01-01"), (DONE, ""))
    assert region("2.10", late, rehearsal="trial").overdue == 0
    seen = region("2.10", late)
    assert (seen.overdue, seen.done, seen.actions, seen.index) == (1, 1, 2, "2.10")


def test_a_dropped_action_is_no_action_any_more() -> None:
    seen = region("2.10", plan("IN_PROGRESS", (DONE, "2022-11-01"), (PLANNED, "2022-12-01"), (DROPPED, "2022-11-01")))
    assert (seen.done, seen.actions, seen.overdue) == (1, 2, 0)


def test_what_waits_for_the_coach_comes_first_then_who_is_furthest_behind() -> None:
    waits = region("1", plan("SUBMITTED"))
    late = region("1", plan("APPROVED", (PLANNED, "2022-01-01")))
    fine = region("1", plan("APPROVED"))
    assert sorted([fine, late, waits], key=coached.urgency) == [waits, late, fine]


def coach(coach_id: str, capacity: int = 1, **more: Any) -> coaching_pb2.Coach:
    return coaching_pb2.Coach(id=coach_id, capacity=capacity, **more)


def test_every_fault_of_a_choice_of_coaches_is_named_at_once() -> None:
    coaches = {"ani": coach("ani"), "budi": coach("budi", conflicts=["32.04"]), "cici": coach("cici")}
    choices = [
        pb.Choice(institution="32.11", coach_id="ani"),
        pb.Choice(institution="32.04", coach_id="budi"),
        pb.Choice(institution="32.73", coach_id="nobody"),
        pb.Choice(institution="33.74", coach_id="cici"),
        pb.Choice(institution="32.11", coach_id="ani"),
    ]
    found = assigning.faults(["32.11", "32.04", "32.04", "99.99"], choices, {"32.11", "32.04"}, coaches, gone={"cici"})
    told = {violation.field: violation.description for violation in found}
    assert "named 2 times" in told["institutions[1]"]
    assert "not a known institution" in told["institutions[3]"]
    assert "not among the institutions" in told["choices[2].institution"]
    assert "chosen 2 times, for 1" in told["choices[0].coach_id"]
    assert "conflict" in told["choices[1].coach_id"]
    assert "not a registered coach" in told["choices[2].coach_id"]
    assert "left the cohort" in told["choices[3].coach_id"]
    assert "chosen for twice" in told["choices[4].institution"]
    assert assigning.faults(["32.11"], choices[:1], {"32.11"}, coaches, gone=()) == []


def test_an_aspect_is_named_once_and_a_conflict_is_an_institution() -> None:
    expertise = [pb.Expertise(instrument="spbe-59-2020", aspect="1") for _ in range(2)]
    request = rpc.RegisterCoachRequest(conflicts=["99.99", "32.11"], expertise=expertise)
    found = [violation.field for violation in assigning.coach_faults(request, {"32.11"})]
    assert found == ["conflicts[0]", "expertise[0].aspect", "expertise[1].aspect"]


def test_a_cohort_gets_its_coaches_only_if_nobody_stays_alone() -> None:
    placed = pb.Pair(institution="32.11", coach_id="ani")
    alone = pb.Pair(institution="32.04", reason="no place is left")
    assigning.require_placed([placed], "c")
    with pytest.raises(Refused) as refused:
        assigning.require_placed([placed, alone], "c")
    assert [violation.field for violation in refused.value.violations] == ["32.04"]
    fact = assigning.assigned("c", "", placed, 3)
    assert (fact.meta.aggregate_id, fact.meta.version, fact.coach_id) == ("assignment:c/32.11", 3, "ani")


def test_a_plan_goes_along_with_its_institution() -> None:
    plan_of = coaching_pb2.Plan(id="plan:c:32.11", cohort_id="c", institution="32.11", coach_id="ani", etag="4")
    fact = assigning.handed_over(plan_of, "budi")
    assert (plan_of.coach_id, plan_of.etag, fact.coach_id, fact.meta.version) == ("budi", "5", "budi", 5)
    gone = assigning.left("c", "", "ani", "on leave", 2)
    assert (gone.coach_id, gone.moved, gone.reason) == ("ani", 2, "on leave")
