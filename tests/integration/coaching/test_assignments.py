"""Coaches for a whole cohort on a real database and broker: previewed, stored, repaired; what a coach looks after."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import pytest
from livinglab.coaching.v1 import assignment_pb2, coach_events_pb2, events_pb2, service_pb2
from livinglab.coaching.v1 import assignment_service_pb2 as pb
from livinglab.coaching.v1.assignment_service_pb2_grpc import AssignmentServiceStub

from stack.issuer import Issuer
from tests.harness.coaching import BANDUNG, COHORT, SUMEDANG, assignment, called_by, published, request_id
from tests.harness.plans import INDICATORS, SPBE, drafted, handed_in, instrument_known, review, submitted
from tests.harness.servers import Servers
from tests.harness.service import Running, refusal, running_service
from tests.harness.waiting import eventually

if TYPE_CHECKING:
    from livinglab.coaching.v1.assignment_service_pb2_grpc import AssignmentServiceAsyncStub

CIMAHI = "32.77"


@pytest.fixture
async def coaching(servers: Servers, issuer: Issuer, nats_url: str) -> AsyncIterator[Running]:
    async with running_service("coaching", servers, issuer, nats_url) as running:
        yield running


def people(coaching: Running, role: str, subject: str = "") -> "AssignmentServiceAsyncStub":
    return coaching.as_role(AssignmentServiceStub, role, subject=subject)


async def register(coaching: Running, coach_id: str, capacity: int = 2, **more: Any) -> None:
    grades = more.pop("grades", {})
    request = service_pb2.RegisterCoachRequest(
        request_id=request_id(),
        coach_id=coach_id,
        name="Pendamping",
        email="a@coach.example",
        capacity=capacity,
        time_zone="Asia/Jakarta",
        languages=["id"],
        institution="Telkom University",
        **more,
    )
    for aspect, grade in grades.items():
        request.expertise.add(instrument=SPBE, aspect=aspect, grade=grade)
    await called_by(coaching, "manager").RegisterCoach(request)


async def evaluated(coaching: Running, institution: str, low: range) -> None:
    """At level 4, but for some indicators."""
    values = {str(n): "1" if n in low else "5" for n in INDICATORS}
    event = submitted(values, index="2.50", institution=institution)
    await coaching.hear(event, aggregate_id=event.evaluation_id)
    await eventually(lambda: coaching.db["evaluations"].find_one({"institution": institution}))


def all_of_them(*institutions: str, **more: Any) -> pb.AssignCoachesRequest:
    return pb.AssignCoachesRequest(request_id=request_id(), cohort_id=COHORT, institutions=institutions, **more)


async def stored(coaching: Running) -> dict[str, str]:
    rows = await coaching.db["assignments"].find({"cohort_id": COHORT}).to_list(None)
    return {row["institution"]: row["coach_id"] for row in rows}


async def test_everybody_gets_who_knows_what_they_lack_and_the_pair_says_why(coaching: Running) -> None:
    await instrument_known(coaching)
    await evaluated(coaching, SUMEDANG, range(1, 11))
    await evaluated(coaching, BANDUNG, range(32, 48))
    await register(coaching, "policy", grades={"1": 3})
    await register(coaching, "services", grades={"7": 3, "8": 3})
    manager = people(coaching, "manager")
    preview = pb.PreviewAssignmentsRequest(cohort_id=COHORT, institutions=[SUMEDANG, BANDUNG])
    seen = (await manager.PreviewAssignments(preview)).pairs
    assert await stored(coaching) == {}
    made = (await manager.AssignCoaches(all_of_them(SUMEDANG, BANDUNG))).pairs
    assert list(made) == list(seen)
    assert [(one.institution, one.coach_id, one.expertise) for one in made] == [
        (SUMEDANG, "policy", 1000),
        (BANDUNG, "services", 1000),
    ]
    assert made[0].aspects[0].grade == 3
    assert await stored(coaching) == {SUMEDANG: "policy", BANDUNG: "services"}
    facts = await published(coaching, events_pb2.CoachAssigned, 2)
    assert {(one.institution, one.coach_id, one.meta.version) for one in facts} == {
        (SUMEDANG, "policy", 1),
        (BANDUNG, "services", 1),
    }
    # Who has a coach keeps it, unless a manager chooses another.
    again = (await manager.AssignCoaches(all_of_them(SUMEDANG, BANDUNG))).pairs
    assert all(one.kept for one in again)
    choice = assignment_pb2.Choice(institution=BANDUNG, coach_id="policy")
    [changed] = (await manager.AssignCoaches(all_of_them(BANDUNG, choices=[choice]))).pairs
    assert (changed.coach_id, changed.chosen, changed.kept) == ("policy", True, False)
    assert len(await published(coaching, events_pb2.CoachAssigned, 3)) == 3


async def test_every_fault_is_named_and_nothing_is_stored(coaching: Running) -> None:
    manager = people(coaching, "manager")
    assert (await refusal(manager.AssignCoaches(all_of_them(SUMEDANG)))).reason == "NO_COACHES"
    await register(coaching, "barred", 1, conflicts=[SUMEDANG])
    choices = [
        assignment_pb2.Choice(institution=SUMEDANG, coach_id="barred"),
        assignment_pb2.Choice(institution=CIMAHI, coach_id="nobody"),
    ]
    refused = await refusal(manager.AssignCoaches(all_of_them(SUMEDANG, "99.99", BANDUNG, BANDUNG, choices=choices)))
    assert [v.field for v in refused.violations] == [
        "institutions[1]",
        "institutions[2]",
        "institutions[3]",
        "choices[0].coach_id",
        "choices[1].institution",
        "choices[1].coach_id",
    ]
    over = [assignment_pb2.Choice(institution=code, coach_id="barred") for code in (BANDUNG, CIMAHI)]
    refused = await refusal(manager.AssignCoaches(all_of_them(BANDUNG, CIMAHI, choices=over)))
    assert [v.field for v in refused.violations] == ["choices[0].coach_id", "choices[1].coach_id"]
    refused = await refusal(manager.AssignCoaches(all_of_them(SUMEDANG, BANDUNG, CIMAHI)))
    assert (refused.reason, [v.field for v in refused.violations]) == ("NO_CAPACITY", [SUMEDANG, CIMAHI])
    assert (await refusal(called_by(coaching, "system").AssignCoach(assignment()))).reason == "CONFLICT"
    bad = service_pb2.RegisterCoachRequest(
        request_id=request_id(), coach_id="c", name="n", email="a@b.example", capacity=1, conflicts=["99.99"]
    )
    for grade in (1, 2):
        bad.expertise.add(instrument=SPBE, aspect="1", grade=grade)
    refused = await refusal(called_by(coaching, "manager").RegisterCoach(bad))
    assert [v.field for v in refused.violations] == ["conflicts[0]", "expertise[0].aspect", "expertise[1].aspect"]
    assert await stored(coaching) == {}
    assert (await refusal(people(coaching, "coach").AssignCoaches(all_of_them(BANDUNG)))).reason == "ROLE"


async def test_a_coach_who_drops_out_is_replaced_and_the_others_keep_theirs(coaching: Running) -> None:
    for coach_id in ("a", "b", "c"):
        await register(coaching, coach_id)
    manager = people(coaching, "manager")
    choices = [
        assignment_pb2.Choice(institution=code, coach_id=coach_id)
        for code, coach_id in ((SUMEDANG, "a"), (BANDUNG, "b"), (CIMAHI, "c"))
    ]
    await manager.AssignCoaches(all_of_them(SUMEDANG, BANDUNG, CIMAHI, choices=choices))
    leaving = pb.ReplaceCoachRequest(request_id=request_id(), cohort_id=COHORT, coach_id="c", reason="Cuti")
    [moved] = (await manager.ReplaceCoach(leaving)).pairs
    assert (moved.institution, moved.coach_id in ("a", "b")) == (CIMAHI, True)
    assert await stored(coaching) == {SUMEDANG: "a", BANDUNG: "b", CIMAHI: moved.coach_id}
    [fact] = await published(coaching, coach_events_pb2.CoachLeft, 1)
    assert (fact.coach_id, fact.moved, fact.meta.cohort_id) == ("c", 1, COHORT)
    facts = await published(coaching, events_pb2.CoachAssigned, 4)
    assert {one.meta.version for one in facts if one.institution == CIMAHI} == {1, 2}
    again = pb.ReplaceCoachRequest(request_id=request_id(), cohort_id=COHORT, coach_id="c", reason="Cuti")
    assert not (await manager.ReplaceCoach(again)).pairs
    # Nobody new comes to who has left.
    for code in ("32.73", "32.74"):
        request = service_pb2.AssignCoachRequest(request_id=request_id(), cohort_id=COHORT, institution=code)
        if code == "32.73":
            given = (await called_by(coaching, "system").AssignCoach(request)).coach
            assert given.id != "c"
        else:
            assert (await refusal(called_by(coaching, "system").AssignCoach(request))).reason == "NO_CAPACITY"
    # The other regions have nowhere to go.
    last = pb.ReplaceCoachRequest(request_id=request_id(), cohort_id=COHORT, coach_id="a", reason="Pindah")
    assert (await refusal(manager.ReplaceCoach(last))).reason == "NO_CAPACITY"


async def test_a_coach_sees_their_regions_and_what_waits_for_them(coaching: Running) -> None:
    await register(coaching, "coach-1")
    await register(coaching, "coach-2")
    mine = [assignment_pb2.Choice(institution=code, coach_id="coach-1") for code in (BANDUNG, SUMEDANG)]
    await people(coaching, "manager").AssignCoaches(all_of_them(BANDUNG, SUMEDANG, choices=mine))
    await instrument_known(coaching)
    await evaluated(coaching, SUMEDANG, range(1, 40))
    plan = await drafted(coaching, due_date="2022-12-01")
    await handed_in(coaching)
    me = people(coaching, "coach", "coach-1")
    regions = (await me.ListCoachedRegions(pb.ListCoachedRegionsRequest())).regions
    told = [(one.institution, one.index, one.plan_state, list(one.waits_for_me)) for one in regions]
    assert told == [(SUMEDANG, "2.50", "submitted", ["review_plan"]), (BANDUNG, "", "", [])]
    assert list(regions[0].behind) == ["overdue"]
    assert regions[0].overdue == regions[0].actions == len(plan.actions)
    assert list(regions[1].behind) == ["no_evaluation"]
    other = pb.ListCoachedRegionsRequest(coach_id="coach-2")
    assert (await refusal(me.ListCoachedRegions(other))).reason == "OTHER_COACH"
    assert not (await people(coaching, "manager").ListCoachedRegions(other)).regions


async def test_the_plan_goes_along_with_the_new_coach(coaching: Running) -> None:
    await register(coaching, "a")
    await called_by(coaching, "system").AssignCoach(assignment())
    await instrument_known(coaching)
    await evaluated(coaching, SUMEDANG, range(1, 40))
    plan = await drafted(coaching)
    await register(coaching, "b")
    leaving = pb.ReplaceCoachRequest(request_id=request_id(), cohort_id=COHORT, coach_id="a", reason="Cuti")
    await people(coaching, "manager").ReplaceCoach(leaving)
    reading = service_pb2.GetPlanRequest(plan_id=plan.id)
    now = (await called_by(coaching, "coach", subject="b").GetPlan(reading)).plan
    assert (now.coach_id, int(now.etag)) == ("b", int(plan.etag) + 1)
    await handed_in(coaching)
    reviewing = review(approved=True)
    assert (await refusal(called_by(coaching, "coach", subject="a").ReviewPlan(reviewing))).reason == "OTHER_COACH"
    await called_by(coaching, "coach", subject="b").ReviewPlan(reviewing)
