"""Action plans in coaching alone, on a real database and broker: drafted, reviewed, done."""

from collections.abc import AsyncIterator

import pytest
from livinglab.coaching.v1 import coaching_pb2, events_pb2
from livinglab.coaching.v1 import service_pb2 as pb

from chassis.errors import Kind
from stack.issuer import Issuer
from tests.harness.coaching import BANDUNG, COHORT, SUMEDANG, called_by, count, published, request_id
from tests.harness.plans import PLAN, SPBE, coached, drafted, drafting, evaluated, handed_in, known, review
from tests.harness.servers import Servers
from tests.harness.service import Running, refusal, running_service


@pytest.fixture
async def coaching(servers: Servers, issuer: Issuer, nats_url: str) -> AsyncIterator[Running]:
    async with running_service("coaching", servers, issuer, nats_url) as running:
        yield running


async def ready(coaching: Running) -> coaching_pb2.Plan:
    """A plan as it is drafted."""
    await coached(coaching)
    await evaluated(coaching)
    await known(coaching)
    return await drafted(coaching)


async def test_a_plan_waits_for_a_coach_and_for_the_evaluation(coaching: Running) -> None:
    operator = called_by(coaching, "operator", SUMEDANG)
    assert (await refusal(operator.DraftPlan(drafting()))).reason == "NO_COACH"
    await coached(coaching)
    refused = await refusal(operator.DraftPlan(drafting()))
    assert (refused.kind, refused.reason) == (Kind.FAILED_PRECONDITION, "NO_EVALUATION")
    assert refused.retry_seconds
    await evaluated(coaching, rehearsal="try-1")
    await known(coaching)
    assert (await refusal(operator.DraftPlan(drafting()))).reason == "NO_EVALUATION"
    assert await count(coaching, "plans") == 0


async def test_a_plan_is_drafted_from_the_newest_period_or_the_evaluation_named(coaching: Running) -> None:
    await coached(coaching)
    await evaluated(coaching, 3, version=4)
    await evaluated(coaching, 2, period="2021")
    await known(coaching, 2)
    await evaluated(coaching, 1, version=3)
    operator = called_by(coaching, "operator", SUMEDANG)
    refused = await refusal(operator.DraftPlan(drafting(evaluation_id=f"{SUMEDANG}:{SPBE}:2023")))
    assert refused.reason == "NO_EVALUATION"
    plan = (await operator.DraftPlan(drafting(due_date="2023-01-21"))).plan
    assert (plan.id, plan.coach_id, plan.from_index, plan.etag) == (PLAN, "coach-1", "3.00", "1")
    assert plan.evaluation_id == f"{SUMEDANG}:{SPBE}:2022"
    assert 3 < float(plan.to_index) <= 3.6
    assert {action.due_date for action in plan.actions} == {"2023-01-21"}
    assert (await operator.DraftPlan(drafting(target="4.0"))).plan == plan
    (fact,) = await published(coaching, events_pb2.PlanDrafted, 1)
    assert (fact.actions, fact.meta.aggregate_id, fact.meta.version) == (len(plan.actions), PLAN, 1)


async def test_a_bad_draft_is_refused(coaching: Running) -> None:
    refused = await refusal(called_by(coaching, "operator", SUMEDANG).DraftPlan(drafting(institution=BANDUNG)))
    assert refused.reason == "OTHER_INSTITUTION"
    plan = await ready(coaching)
    other = called_by(coaching, "head", BANDUNG)
    for call in (
        other.GetPlan(pb.GetPlanRequest(plan_id=plan.id)),
        other.SubmitPlan(pb.SubmitPlanRequest(request_id=request_id(), plan_id=plan.id)),
        other.ListPlans(pb.ListPlansRequest(cohort_id=COHORT, institution=SUMEDANG)),
    ):
        assert (await refusal(call)).reason == "OTHER_INSTITUTION"
    assert (await refusal(other.ListPlans(pb.ListPlansRequest(cohort_id=COHORT)))).reason == "INSTITUTION_NEEDED"
    operator = called_by(coaching, "operator", SUMEDANG)
    refused = await refusal(operator.SubmitPlan(pb.SubmitPlanRequest(request_id=request_id(), plan_id=plan.id)))
    assert refused.reason == "ROLE"
    assert (await operator.GetPlan(pb.GetPlanRequest(plan_id=plan.id))).plan == plan


async def test_a_plan_is_sent_back_and_approved_by_its_own_coach(coaching: Running) -> None:
    plan = await handed_in(coaching, (await ready(coaching)).etag)
    own = called_by(coaching, "coach", subject="coach-1")
    refused = await refusal(called_by(coaching, "coach", subject="coach-2").ReviewPlan(review(approved=True)))
    assert (refused.kind, refused.reason) == (Kind.PERMISSION_DENIED, "OTHER_COACH")
    refused = await refusal(own.ReviewPlan(review(approved=False)))
    assert [v.field for v in refused.violations] == ["reason"]
    assert (await own.GetPlan(pb.GetPlanRequest(plan_id=PLAN))).plan == plan
    returned = (await own.ReviewPlan(review(approved=False, reason="Sebutkan OPD"))).plan
    assert (returned.state, returned.reason) == (coaching_pb2.PLAN_STATE_RETURNED, "Sebutkan OPD")
    assert (await refusal(own.ReviewPlan(review(approved=True)))).reason == "PLAN_STATE"
    head = called_by(coaching, "head", SUMEDANG)
    stale = pb.SubmitPlanRequest(request_id=request_id(), plan_id=PLAN, etag=plan.etag)
    assert (await refusal(head.SubmitPlan(stale))).kind == Kind.ABORTED
    await head.SubmitPlan(pb.SubmitPlanRequest(request_id=request_id(), plan_id=PLAN))
    approved = (await own.ReviewPlan(review(approved=True))).plan
    assert approved.state == coaching_pb2.PLAN_STATE_APPROVED
    (fact,) = await published(coaching, events_pb2.PlanApproved, 1)
    assert (fact.to_index, fact.meta.version, fact.meta.actor) == (plan.to_index, 5, "coach-1")


async def test_an_action_is_done_once(coaching: Running) -> None:
    plan = await handed_in(coaching, (await ready(coaching)).etag)
    operator = called_by(coaching, "operator", SUMEDANG)

    def completion(action_id: str) -> pb.CompleteActionRequest:
        request = pb.CompleteActionRequest(request_id=request_id(), plan_id=PLAN, action_id=action_id)
        request.evidence.add(link="https://jdih.sumedang.example/12")
        return request

    first, second = plan.actions[0].id, plan.actions[1].id
    assert (await refusal(operator.CompleteAction(completion(first)))).reason == "PLAN_STATE"
    await called_by(coaching, "coach", subject="coach-1").ReviewPlan(review(approved=True))
    assert (await refusal(operator.CompleteAction(completion("99")))).kind == Kind.NOT_FOUND
    for action_id in (first, first, second):
        done = (await operator.CompleteAction(completion(action_id))).plan
    assert [a.state for a in done.actions][:3] == [
        coaching_pb2.ACTION_STATE_DONE,
        coaching_pb2.ACTION_STATE_DONE,
        coaching_pb2.ACTION_STATE_PLANNED,
    ]
    facts = await published(coaching, events_pb2.ActionCompleted, 2)
    told = [(f.action_id, f.done, f.total) for f in facts]
    assert told == [(first, 1, len(plan.actions)), (second, 2, len(plan.actions))]


async def test_a_repeated_request_gets_its_first_answer(coaching: Running) -> None:
    plan = await ready(coaching)
    head = called_by(coaching, "head", SUMEDANG)
    request = pb.SubmitPlanRequest(request_id=request_id(), plan_id=plan.id)
    first = await head.SubmitPlan(request)
    assert await head.SubmitPlan(request) == first
    request.etag = first.plan.etag
    refused = await refusal(head.SubmitPlan(request))
    assert (refused.kind, refused.reason) == (Kind.ALREADY_EXISTS, "REQUEST_ID_REUSED")
    assert len(await published(coaching, events_pb2.PlanSubmitted, 1)) == 1
    listed = await head.ListPlans(pb.ListPlansRequest(cohort_id=COHORT, institution=SUMEDANG))
    assert list(listed.plans) == [first.plan]
