"""A plan is made theirs by many hands at once: nothing is lost, every state is kept, what is refused is not stored."""

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import pytest
from livinglab.assessment.v1 import evaluation_pb2, evidence_events_pb2
from livinglab.assessment.v1 import events_pb2 as assessment_pb
from livinglab.coaching.v1 import action_pb2, coaching_pb2, plan_events_pb2
from livinglab.coaching.v1 import plan_service_pb2 as pb
from livinglab.coaching.v1 import service_pb2 as rpc
from livinglab.coaching.v1.plan_service_pb2_grpc import PlanServiceStub

from chassis.errors import Kind
from stack.issuer import Issuer
from tests.harness.coaching import BANDUNG, COHORT, SUMEDANG, called_by, count, published, request_id
from tests.harness.plans import PLAN, coached, drafted, evaluated, handed_in, in_a_cohort, known, review, submitted
from tests.harness.servers import Servers
from tests.harness.service import Running, refusal, running_service
from tests.harness.waiting import eventually

if TYPE_CHECKING:
    from livinglab.coaching.v1.plan_service_pb2_grpc import PlanServiceAsyncStub


@pytest.fixture
async def coaching(servers: Servers, issuer: Issuer, nats_url: str) -> AsyncIterator[Running]:
    """With a plan that was drafted in a program of three months."""
    async with running_service("coaching", servers, issuer, nats_url) as running:
        await coached(running)
        await in_a_cohort(running)
        await evaluated(running)
        await known(running)
        await drafted(running)
        yield running


def plans(coaching: Running, role: str, institution: str = SUMEDANG, subject: str = "") -> "PlanServiceAsyncStub":
    return coaching.as_role(PlanServiceStub, role, institution, subject)


async def now(coaching: Running) -> coaching_pb2.Plan:
    request = rpc.GetPlanRequest(plan_id=PLAN)
    return (await called_by(coaching, "manager").GetPlan(request)).plan


def edit(action: coaching_pb2.Action, **fields: Any) -> action_pb2.ActionChange:
    return action_pb2.ActionChange(
        kind=action_pb2.CHANGE_KIND_EDIT,
        action_id=action.id,
        etag=action.etag,
        fields=action_pb2.ActionFields(**fields),
        set=list(fields),
    )


def editing(*changes: action_pb2.ActionChange) -> pb.EditPlanRequest:
    return pb.EditPlanRequest(request_id=request_id(), plan_id=PLAN, changes=changes)


async def approve(coaching: Running) -> None:
    await handed_in(coaching)
    await called_by(coaching, "coach", subject="coach-1").ReviewPlan(review(approved=True))


async def test_many_who_edit_at_once_lose_nothing(coaching: Running) -> None:
    read = await now(coaching)
    hands = [plans(coaching, "operator", subject=f"operator-{n}") for n in range(len(read.actions))]
    await asyncio.gather(
        *(
            hand.EditPlan(editing(edit(action, owner=f"Dinas {n}")))
            for n, (hand, action) in enumerate(zip(hands, read.actions, strict=True))
        )
    )
    after = await now(coaching)
    assert [action.owner for action in after.actions] == [f"Dinas {n}" for n in range(len(read.actions))]
    assert int(after.etag) == 1 + len(read.actions)
    # Everybody read the same item: one of them is taken, each other is told what stands there now.
    first = after.actions[0]
    answers = await asyncio.gather(
        *(hand.EditPlan(editing(edit(first, person=f"Kepala {n}"))) for n, hand in enumerate(hands[:6])),
        return_exceptions=True,
    )
    taken = [answer for answer in answers if isinstance(answer, pb.EditPlanResponse)]
    assert len(taken) == 1
    person = (await now(coaching)).actions[0].person
    assert taken[0].plan.actions[0].person == person
    late = await refusal(hands[0].EditPlan(editing(edit(first, person="Terlambat"))))
    assert (late.kind, late.reason) == (Kind.ABORTED, "STALE_ETAG")
    [told] = late.violations
    assert (told.field, f"person is {person}" in told.description) == ("changes[0]", True)
    facts = await published(coaching, plan_events_pb2.PlanEdited, len(read.actions) + 1)
    assert sorted(fact.meta.version for fact in facts) == list(range(2, len(read.actions) + 3))


async def test_what_is_refused_is_not_stored(coaching: Running) -> None:
    read = await now(coaching)
    operator = plans(coaching, "operator")
    one, other, third = read.actions[:3]
    wrong = editing(
        edit(one, depends_on=[other.id], owner=BANDUNG),
        edit(other, depends_on=[one.id], due_date="2023-03-01"),
        edit(third, owner="Dinas A"),
    )
    found = await refusal(operator.EditPlan(wrong))
    assert (found.kind, len(found.violations)) == (Kind.INVALID_ARGUMENT, 3)
    assert {v.field for v in found.violations} == {
        "changes[0].fields.owner",
        "changes[1].fields.due_date",
        "changes[0].fields.depends_on",
    }
    assert await now(coaching) == read
    assert await count(coaching, "plan_revisions") == 1
    stranger = plans(coaching, "operator", BANDUNG)
    assert (await refusal(stranger.EditPlan(editing(edit(third, owner="x"))))).reason == "OTHER_INSTITUTION"
    listed = stranger.ListPlanComments(pb.ListPlanCommentsRequest(plan_id=PLAN))
    assert (await refusal(listed)).reason == "OTHER_INSTITUTION"


async def test_a_returned_plan_is_changed_answered_and_handed_in_and_every_state_is_kept(coaching: Running) -> None:
    await handed_in(coaching)
    read = await now(coaching)
    own = called_by(coaching, "coach", subject="coach-1")
    asked = rpc.ReviewPlanRequest(
        request_id=request_id(),
        plan_id=PLAN,
        remarks=[action_pb2.Remark(action_id=read.actions[0].id, text="Siapa penanggung jawabnya?")],
    )
    await own.ReviewPlan(asked)
    operator, coached = plans(coaching, "operator"), plans(coaching, "coach", "", "coach-1")
    opened = await operator.ListPlanComments(pb.ListPlanCommentsRequest(plan_id=PLAN, open_only=True))
    [comment] = opened.comments
    assert (comment.action_id, comment.revision_asked, comment.author) == (read.actions[0].id, True, "coach-1")
    await operator.EditPlan(editing(edit(read.actions[0], person="Kepala Bidang Aptika")))
    answer = pb.ResolveCommentRequest(request_id=request_id(), comment_id=comment.id, answer="Sudah diisi")
    assert (await operator.ResolveComment(answer)).comment.answer == "Sudah diisi"
    assert not (await coached.ListPlanComments(pb.ListPlanCommentsRequest(plan_id=PLAN, open_only=True))).comments
    said = pb.CommentOnPlanRequest(request_id=request_id(), plan_id=PLAN, text="Terima kasih")
    assert (await coached.CommentOnPlan(said)).comment.role == "coach"
    await approve(coaching)
    kept = (await coached.ListPlanRevisions(pb.ListPlanRevisionsRequest(plan_id=PLAN))).revisions
    assert [one.what for one in kept] == [
        "PlanApproved",
        "PlanSubmitted",
        "PlanEdited",
        "PlanReturned",
        "PlanSubmitted",
        "PlanDrafted",
    ]
    compared = await coached.ComparePlanRevisions(pb.ComparePlanRevisionsRequest(plan_id=PLAN, before="3", after="4"))
    [difference] = compared.differences
    assert (difference.action_id, [(f.field, f.after) for f in difference.fields]) == (
        read.actions[0].id,
        [("person", "Kepala Bidang Aptika")],
    )
    newest = await coached.ComparePlanRevisions(pb.ComparePlanRevisionsRequest(plan_id=PLAN))
    assert (newest.before, newest.after) == ("5", "6")
    unknown = coached.ComparePlanRevisions(pb.ComparePlanRevisionsRequest(plan_id=PLAN, before="99"))
    assert (await refusal(unknown)).kind == Kind.NOT_FOUND
    assert len(await published(coaching, plan_events_pb2.CommentResolved, 1)) == 1


async def test_an_amendment_waits_for_the_coach(coaching: Running) -> None:
    await approve(coaching)
    read = await now(coaching)
    operator, coached = plans(coaching, "operator"), plans(coaching, "coach", "", "coach-1")
    assert (await refusal(operator.EditPlan(editing(edit(read.actions[0], owner="x"))))).reason == "PLAN_STATE"
    drop = action_pb2.ActionChange(
        kind=action_pb2.CHANGE_KIND_DROP, action_id=read.actions[0].id, etag=read.actions[0].etag, reason="Refocusing"
    )
    proposal = pb.ProposeAmendmentRequest(request_id=request_id(), plan_id=PLAN, changes=[drop], reason="Refocusing")
    waiting = (await operator.ProposeAmendment(proposal)).plan
    assert [action.state for action in waiting.actions] == [action.state for action in read.actions]
    decision = pb.ReviewAmendmentRequest(
        request_id=request_id(), plan_id=PLAN, amendment_id=waiting.amendment.id, approved=True
    )
    other = plans(coaching, "coach", "", "coach-2")
    assert (await refusal(other.ReviewAmendment(decision))).reason == "OTHER_COACH"
    amended = (await coached.ReviewAmendment(decision)).plan
    assert amended.actions[0].state == coaching_pb2.ACTION_STATE_DROPPED
    assert not (await now(coaching)).HasField("amendment")
    [fact] = await published(coaching, plan_events_pb2.PlanAmended, 1)
    assert (fact.done, fact.total) == (0, len(read.actions) - 1)


async def test_an_action_is_reported_with_a_piece_of_ones_own(coaching: Running) -> None:
    await approve(coaching)
    for institution, piece in ((SUMEDANG, "piece-own"), (BANDUNG, "piece-other")):
        uploaded = evidence_events_pb2.EvidenceUploaded(institution=institution, evidence_id=piece)
        await coaching.hear(uploaded, aggregate_id=f"evidence:{piece}")

    async def arrived() -> bool:
        return await count(coaching, "pieces") == 2

    await eventually(arrived)
    first = (await now(coaching)).actions[0].id
    note = pb.ReportProgressRequest(request_id=request_id(), plan_id=PLAN, action_id=first, note="Naskah disusun")
    begun = (await plans(coaching, "operator").ReportProgress(note)).plan
    assert begun.state == coaching_pb2.PLAN_STATE_IN_PROGRESS
    operator = called_by(coaching, "operator", SUMEDANG)
    claim = rpc.CompleteActionRequest(request_id=request_id(), plan_id=PLAN, action_id=first)
    assert [v.field for v in (await refusal(operator.CompleteAction(claim))).violations] == ["evidence"]
    claim.evidence.add(evidence_id="piece-other")
    told = await refusal(operator.CompleteAction(claim))
    assert [v.field for v in told.violations] == ["evidence[0].evidence_id"]
    claim.evidence[0].evidence_id = "piece-own"
    done = (await operator.CompleteAction(claim)).plan.actions[0]
    assert (done.state, done.evidence[0].evidence_id) == (coaching_pb2.ACTION_STATE_DONE, "piece-own")
    assert done.reported_by


async def test_what_was_reported_is_proven_by_a_verified_evaluation(coaching: Running) -> None:
    await approve(coaching)
    first, second = [action.id for action in (await now(coaching)).actions][:2]
    claim = rpc.CompleteActionRequest(request_id=request_id(), plan_id=PLAN, action_id=first)
    claim.evidence.add(link="https://jdih.sumedang.example/12")
    await called_by(coaching, "operator", SUMEDANG).CompleteAction(claim)
    # Their own word proves nothing.
    again = submitted({str(n): "4" for n in range(1, 48)}, period="2023", index="4.00")
    await coaching.hear(again, aggregate_id=again.evaluation_id)
    values = {str(n): "2" for n in range(1, 48)} | {first: "3", second: "4"}
    verified = assessment_pb.StageConcluded(
        institution=SUMEDANG,
        evaluation_id=again.evaluation_id,
        instrument=again.instrument,
        instrument_version=1,
        period="2023",
        stage=evaluation_pb2.STAGE_DOCUMENT,
        score=again.score,
        values=values,
    )
    await coaching.hear(verified, aggregate_id=verified.evaluation_id, version=2)
    [fact] = await published(coaching, plan_events_pb2.ActionsProven, 1)
    assert (list(fact.proven_ids), fact.reported, fact.proven) == ([first, second], 1, 2)
    head = plans(coaching, "head")
    request = pb.GetPlanProgressRequest(plan_id=PLAN, as_of="2022-12-01")
    progress = (await head.GetPlanProgress(request)).progress
    assert (progress.reported, progress.proven, progress.on_track) == (1, 2, True)
    assert progress.from_index == "2.00" < progress.reported_index < progress.proven_index
    asked = pb.GetCohortProgressRequest(cohort_id=COHORT)
    found = await plans(coaching, "manager", "").GetCohortProgress(asked)
    assert (found.plans, found.agreed, found.reported, found.proven) == (1, 1, 1, 2)
    assert (await refusal(head.GetCohortProgress(asked))).reason == "ROLE"
    stranger = plans(coaching, "coach", "", "coach-9")
    assert (await refusal(stranger.GetCohortProgress(asked))).kind == Kind.NOT_FOUND
