"""An agency reports on the actions that it owns, and sees nothing of the rest of the plan."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from livinglab.assessment.v1 import evidence_events_pb2
from livinglab.coaching.v1 import action_pb2, coaching_pb2, plan_service_pb2
from livinglab.coaching.v1 import service_pb2 as pb
from livinglab.coaching.v1.plan_service_pb2_grpc import PlanServiceStub
from livinglab.coaching.v1.service_pb2_grpc import CoachingServiceStub

from chassis.errors import Kind
from services.coaching.store.documents import fields
from stack.issuer import Issuer
from tests.harness.coaching import COHORT, SUMEDANG, called_by, request_id
from tests.harness.plans import PLAN
from tests.harness.servers import Servers
from tests.harness.service import Running, refusal, running_service
from tests.harness.waiting import eventually

HEALTH, ROADS = "Dinas Kesehatan", "Dinas Pekerjaan Umum"
LINK = action_pb2.ActionEvidence(link="https://jdih.example.go.id/12")


@pytest.fixture
async def coaching(servers: Servers, issuer: Issuer, nats_url: str) -> AsyncIterator[Running]:
    """With an approved plan: two actions of health, one of roads."""
    async with running_service("coaching", servers, issuer, nats_url) as running:
        plan = coaching_pb2.Plan(
            cohort_id=COHORT,
            institution=SUMEDANG,
            coach_id="coach-1",
            state=coaching_pb2.PLAN_STATE_APPROVED,
            from_index="2.00",
            to_index="2.40",
            written_by=["dewi"],
            actions=[
                coaching_pb2.Action(id=f"a{n}", indicator=str(n), from_value="1", to_value="2", owner=owner)
                for n, owner in ((12, HEALTH), (13, ROADS), (14, HEALTH))
            ],
        )
        await running.db["plans"].insert_one({"_id": PLAN, "version": 1, **fields(plan)})
        yield running


def health(coaching: Running, kind: Any, institution: str = SUMEDANG) -> Any:
    return coaching.as_agency(kind, institution, HEALTH)


def reporting(action_id: str) -> plan_service_pb2.ReportProgressRequest:
    return plan_service_pb2.ReportProgressRequest(
        request_id=request_id(), plan_id=PLAN, action_id=action_id, note="Rancangan peraturan dibahas"
    )


def completing(action_id: str) -> pb.CompleteActionRequest:
    return pb.CompleteActionRequest(request_id=request_id(), plan_id=PLAN, action_id=action_id, evidence=[LINK])


async def test_an_agency_sees_its_actions_and_reports_on_them(coaching: Running) -> None:
    stub = health(coaching, CoachingServiceStub)
    seen = (await stub.GetPlan(pb.GetPlanRequest(plan_id=PLAN))).plan
    assert [one.id for one in seen.actions] == ["a12", "a14"]
    assert (seen.to_index, list(seen.written_by)) == ("", [])
    listed = await stub.ListPlans(pb.ListPlansRequest(cohort_id=COHORT, institution=SUMEDANG))
    assert [[one.id for one in plan.actions] for plan in listed.plans] == [["a12", "a14"]]
    # It need not know in which cohort its institution is.
    assert await stub.ListPlans(pb.ListPlansRequest(institution=SUMEDANG)) == listed
    nobodys = coaching.as_role(CoachingServiceStub, "manager").ListPlans(pb.ListPlansRequest())
    assert (await refusal(nobodys)).kind is Kind.INVALID_ARGUMENT
    reported = (await health(coaching, PlanServiceStub).ReportProgress(reporting("a12"))).plan
    assert reported.actions[0].state == coaching_pb2.ACTION_STATE_IN_PROGRESS
    done = (await stub.CompleteAction(completing("a12"))).plan
    assert (done.actions[0].state, done.actions[0].reported_by) == (
        coaching_pb2.ACTION_STATE_DONE,
        f"{HEALTH}@{SUMEDANG}",
    )
    assert [one.id for one in done.actions] == ["a12", "a14"]


async def test_actions_of_others_are_refused_and_stay_as_they_are(coaching: Running) -> None:
    before = await coaching.db["plans"].find_one({"_id": PLAN})
    for call in (
        health(coaching, PlanServiceStub).ReportProgress(reporting("a13")),
        health(coaching, CoachingServiceStub).CompleteAction(completing("a13")),
        health(coaching, CoachingServiceStub).CompleteAction(completing("a99")),
        coaching.as_agency(CoachingServiceStub, SUMEDANG, "Dinas Pariwisata").GetPlan(pb.GetPlanRequest(plan_id=PLAN)),
    ):
        refused = await refusal(call)
        assert (refused.kind, refused.reason) == (Kind.PERMISSION_DENIED, "NOT_GIVEN")
    other = health(coaching, CoachingServiceStub, "32.04").GetPlan(pb.GetPlanRequest(plan_id=PLAN))
    assert (await refusal(other)).reason == "OTHER_INSTITUTION"
    assert await coaching.db["plans"].find_one({"_id": PLAN}) == before


async def test_an_agency_reports_with_evidence_that_it_has_brought_itself(coaching: Running) -> None:
    brought = {"piece-health": HEALTH, "piece-roads": ROADS, "piece-region": ""}
    for piece, agency in brought.items():
        event = evidence_events_pb2.EvidenceUploaded(institution=SUMEDANG, evidence_id=piece, agency=agency)
        await coaching.hear(event, aggregate_id=f"evidence:{piece}")

    async def arrived() -> bool:
        return int(await coaching.db["pieces"].count_documents({})) == len(brought)

    await eventually(arrived)

    def claim(*pieces: str) -> pb.CompleteActionRequest:
        request = completing("a12")
        request.evidence.extend(action_pb2.ActionEvidence(evidence_id=piece) for piece in pieces)
        return request

    stub = health(coaching, CoachingServiceStub)
    refused = await refusal(stub.CompleteAction(claim(*brought)))
    assert [v.field for v in refused.violations] == ["evidence[2].evidence_id", "evidence[3].evidence_id"]
    done = (await stub.CompleteAction(claim("piece-health"))).plan.actions[0]
    assert (done.state, done.evidence[1].evidence_id) == (coaching_pb2.ACTION_STATE_DONE, "piece-health")
    # The institution's own people name whatever is the institution's.
    operator = called_by(coaching, "operator", SUMEDANG)
    own = completing("a14")
    own.evidence.extend(action_pb2.ActionEvidence(evidence_id=piece) for piece in brought)
    assert len((await operator.CompleteAction(own)).plan.actions[2].evidence) == 4


async def test_a_plan_is_edited_handed_in_and_printed_by_its_institution_alone(coaching: Running) -> None:
    plans, stub = health(coaching, PlanServiceStub), health(coaching, CoachingServiceStub)
    for call in (
        plans.EditPlan(plan_service_pb2.EditPlanRequest(request_id=request_id(), plan_id=PLAN)),
        plans.ExportPlan(plan_service_pb2.ExportPlanRequest(plan_id=PLAN, format=plan_service_pb2.PAPER_FORMAT_HTML)),
        plans.ListPlanRevisions(plan_service_pb2.ListPlanRevisionsRequest(plan_id=PLAN)),
        stub.SubmitPlan(pb.SubmitPlanRequest(request_id=request_id(), plan_id=PLAN)),
    ):
        assert (await refusal(call)).reason == "ROLE"
