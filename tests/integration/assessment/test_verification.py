"""The whole course of an evaluation on a real database and broker, and every refusal on its way."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from livinglab.assessment.v1 import cycle_pb2, evaluation_pb2, events_pb2
from livinglab.assessment.v1 import verification_pb2 as pb

from chassis.errors import Kind
from stack.issuer import Issuer
from tests.harness.evaluation import (
    BANDUNG,
    DOCUMENT,
    INTERVIEW,
    REVIEW,
    SPBE,
    SUMEDANG,
    VISIT,
    People,
    answers,
    request_id,
)
from tests.harness.servers import Servers
from tests.harness.service import refusal, running_service
from tests.harness.waiting import eventually

Stage = evaluation_pb2.Stage


@pytest.fixture
async def people(servers: Servers, issuer: Issuer, nats_url: str) -> AsyncIterator[People]:
    async with running_service("assessment", servers, issuer, nats_url) as running:
        yield People(running)


async def test_an_evaluation_goes_all_the_way_to_its_published_index(people: People) -> None:
    await people.submitted()
    for subject in ("ani", "budi"):
        await people.assign(subject)
    await people.assign("citra", "DUTY_REVIEW")
    await people.assess("ani", {"1": "2", "2": "4"})
    await people.assess("budi", {"1": "2", "2": "2"})
    decision = pb.Decision(indicator="2", value="2", justification="the policy is a draft")
    after = await people.conclude(DOCUMENT, "assessor", "ani", decisions=[decision])
    assert (after.stage, after.next_stage, after.score.index) == (DOCUMENT, INTERVIEW, "2.97")

    await people.object_to({"1": "3", "2": "3"})
    said = {"1": cycle_pb2.OBJECTION_OUTCOME_ACCEPTED, "2": cycle_pb2.OBJECTION_OUTCOME_REJECTED}
    replies = [
        cycle_pb2.ObjectionAnswer(indicator=code, outcome=outcome, explanation="as seen in the interview")
        for code, outcome in said.items()
    ]
    await people.verifying("assessor", "ani").AnswerObjections(
        pb.AnswerObjectionsRequest(answers=replies, **people.about())
    )
    visit = evaluation_pb2.Visit(reason="the data centre is to be seen", indicators=["29"])
    after = await people.conclude(INTERVIEW, visit=visit)
    assert (after.next_stage, after.score.index) == (VISIT, "2.99")

    await people.assess("budi", {"29": "5"}, VISIT)
    await people.conclude(VISIT)
    await people.review_all("assessor", "citra", but=["29"])
    await people.verifying("assessor", "citra").SaveVerdicts(
        pb.SaveVerdictsRequest(
            verdicts=[
                cycle_pb2.ReviewVerdict(
                    indicator="29", verdict=cycle_pb2.VERDICT_NOT_VALID, note="no certificate", value="4"
                )
            ],
            **people.about(),
        )
    )
    await people.conclude(REVIEW, "assessor", "citra")
    await people.determine()
    final = await people.publish("3.00")
    assert (final.state, final.published_index, final.revision) == (
        evaluation_pb2.EVALUATION_STATE_PUBLISHED,
        "3.00",
        1,
    )
    # 3 - 1.3% (indicator 2 at level 2) + the weight of 29, raised by one level
    assert [(Stage.Name(r.stage)[6:], [(v.indicator, v.value) for v in r.values]) for r in final.results] == [
        ("SELF_ASSESSMENT", []),
        ("DOCUMENT", [("1", "2"), ("2", "2")]),
        ("INTERVIEW", [("1", "3")]),
        ("VISIT", [("29", "5")]),
        ("REVIEW", [("29", "4")]),
        ("DETERMINATION", []),
        ("PUBLICATION", []),
    ]

    async def out() -> list[events_pb2.EvaluationPublished]:
        return await people.running.published(events_pb2.EvaluationPublished)

    [fact] = await eventually(out)
    assert (fact.published, fact.computed, fact.values["29"], fact.values["1"]) == (
        "3.00",
        final.score.index,
        "4",
        "3",
    )
    [own] = await people.running.published(events_pb2.EvaluationSubmitted)
    concluded: list[Any] = [own, *await people.running.published(events_pb2.StageConcluded), fact]
    assert [one.stage for one in concluded] == [1, 2, 3, 4, 5, 6, 7]
    assert [one.meta.version for one in concluded] == sorted(one.meta.version for one in concluded)
    for kind in (
        events_pb2.AssessorAssigned,
        events_pb2.AssessmentsSaved,
        events_pb2.ObjectionsRaised,
        events_pb2.ObjectionsAnswered,
        events_pb2.VisitAsked,
        events_pb2.VerdictsSaved,
        events_pb2.EvaluationDetermined,
    ):
        assert await people.running.published(kind), kind


async def test_a_stage_that_is_not_due_is_refused_naming_what_comes_first(people: People) -> None:
    await people.open()
    refused = await refusal(people.determine())
    assert (refused.kind, refused.reason) == (Kind.FAILED_PRECONDITION, "OUT_OF_TURN")
    named = ["self-assessment", "document", "interview", "review"]
    assert [v.field for v in refused.violations] == [f"stages[{name}]" for name in named]
    await people.answer(answers("3"))
    await people.submit()
    refused = await refusal(people.publish())
    assert [v.field for v in refused.violations] == [
        f"stages[{name}]" for name in ["document", "interview", "review", "determination"]
    ]
    assert (await refusal(people.conclude(VISIT))).reason == "NOT_IN_CYCLE"


async def test_a_stage_cannot_be_concluded_twice(people: People) -> None:
    await people.submitted()
    await people.assign("ani")
    await people.conclude(DOCUMENT)
    refused = await refusal(people.conclude(DOCUMENT))
    assert (refused.reason, "document stage is concluded" in refused.message) == ("OUT_OF_TURN", True)
    assert (await refusal(people.assess("ani", {"1": "2"}))).reason == "OUT_OF_TURN"


async def test_without_an_assessor_the_document_stage_stays_open(people: People) -> None:
    await people.submitted()
    refused = await refusal(people.conclude(DOCUMENT))
    assert (refused.reason, [v.field for v in refused.violations]) == ("INCOMPLETE", ["assessors"])


async def test_where_assessors_differ_somebody_decides(people: People) -> None:
    await people.submitted()
    for subject in ("ani", "budi"):
        await people.assign(subject)
    await people.assess("ani", {"1": "2", "7": "4"})
    await people.assess("budi", {"1": "4", "7": "4"})
    refused = await refusal(people.conclude(DOCUMENT))
    assert [v.field for v in refused.violations] == ["decisions[1]"]
    assert "ani 2, budi 4" in refused.violations[0].description
    seen = await people.verifying("manager").GetCalibration(
        pb.GetCalibrationRequest(evaluation_id=people.evaluation_id)
    )
    assert (seen.compared, seen.agreed, [(d.indicator, d.spread) for d in seen.differences]) == (2, 1, [("1", "2")])
    stray = pb.Decision(indicator="9", value="3", justification="never assessed")
    refused = await refusal(people.conclude(DOCUMENT, decisions=[stray]))
    assert (refused.kind, refused.violations[0].field) == (Kind.INVALID_ARGUMENT, "decisions[0].indicator")


async def test_a_stage_does_not_end_over_the_head_of_an_assessor_who_has_saved_nothing(people: People) -> None:
    await people.submitted()
    await people.assign("asr-1")
    await people.assign("asr-2")
    await people.assess("asr-1", {"1": "4"})
    refused = await refusal(people.conclude(DOCUMENT, "assessor", "asr-1", force=False))
    assert (refused.kind, refused.reason) == (Kind.FAILED_PRECONDITION, "INCOMPLETE")
    [missing] = refused.violations
    assert missing.field == "assessors[asr-2]"
    assert "force" in missing.description
    # Whoever ends it themselves need not have found anything; nor is force needed once both have spoken.
    await people.assess("asr-2", {"2": "2"})
    concluded = await people.conclude(DOCUMENT, "assessor", "asr-1", force=False)
    assert {one.indicator: one.value for one in concluded.results[-1].values} == {"1": "4", "2": "2"}


async def test_nobody_assesses_their_own_institution(people: People) -> None:
    await people.submitted()
    for assessor, institution in (("ani", SUMEDANG), ("operator", "")):
        request = pb.AssignAssessorRequest(
            assessor=assessor, duty=evaluation_pb2.DUTY_ASSESS, institution=institution, **people.about()
        )
        refused = await refusal(people.verifying("manager").AssignAssessor(request))
        assert (refused.kind, refused.reason) == (Kind.FAILED_PRECONDITION, "OWN_INSTITUTION")
    # Said to work elsewhere, but the token knows better.
    await people.assign("dewi", institution=BANDUNG)
    request_ = pb.SaveAssessmentsRequest(
        stage=DOCUMENT, assessments=[pb.AssessedLevel(indicator="1", value="5")], **people.about()
    )
    refused = await refusal(people.verifying("assessor", "dewi", SUMEDANG).SaveAssessments(request_))
    assert (refused.kind, refused.reason) == (Kind.PERMISSION_DENIED, "OWN_INSTITUTION")


async def test_only_assigned_assessors_assess_and_only_reviewers_review(people: People) -> None:
    await people.submitted()
    assert (await refusal(people.assess("ani", {"1": "2"}))).reason == "NOT_ASSIGNED"
    await people.assign("ani", "DUTY_REVIEW")
    assert (await refusal(people.assess("ani", {"1": "2"}))).reason == "NOT_ASSIGNED"
    await people.assign("ani")
    await people.assess("ani", {"1": "2"})
    await people.conclude(DOCUMENT)
    await people.conclude(INTERVIEW)
    assert (await refusal(people.review_all("assessor", "ani"))).reason == "NOT_ASSIGNED"
    await people.assign("ani", "DUTY_REVIEW")
    assert (await refusal(people.review_all("assessor", "ani"))).reason == "OWN_ASSESSMENT"
    withdraw = pb.WithdrawAssessorRequest(assessor="ani", reason="moved on", **people.about())
    await people.verifying("manager").WithdrawAssessor(withdraw)
    withdraw.request_id = request_id()
    assert (await refusal(people.verifying("manager").WithdrawAssessor(withdraw))).reason == "NOT_ASSIGNED"
    await people.running.published(events_pb2.AssessorWithdrawn)


async def test_the_interview_ends_only_when_every_objection_is_answered(people: People) -> None:
    await people.submitted()
    await people.assign("ani")
    assert (await refusal(people.object_to({"1": "4"}))).reason == "OUT_OF_TURN"
    await people.conclude(DOCUMENT)
    await people.object_to({"1": "4", "2": "5"})
    refused = await refusal(people.conclude(INTERVIEW))
    assert [v.field for v in refused.violations] == ["objections[1]", "objections[2]"]
    reply = cycle_pb2.ObjectionAnswer(
        indicator="1", outcome=cycle_pb2.OBJECTION_OUTCOME_REJECTED, explanation="not in force"
    )
    ani = people.verifying("assessor", "ani")
    await ani.AnswerObjections(pb.AnswerObjectionsRequest(answers=[reply], **people.about()))
    assert (await refusal(people.object_to({"1": "5"}))).reason == "ANSWERED"
    reply.indicator = "3"
    refused = await refusal(ani.AnswerObjections(pb.AnswerObjectionsRequest(answers=[reply], **people.about())))
    assert (refused.reason, refused.violations[0].field) == ("NO_OBJECTION", "objections[3]")


async def test_tidak_valid_needs_a_note_and_is_set_right_before_the_review_ends(people: People) -> None:
    await people.submitted()
    await people.assign("ani")
    await people.conclude(DOCUMENT)
    await people.conclude(INTERVIEW)
    refused = await refusal(people.conclude(REVIEW))
    assert (refused.reason, len(refused.violations)) == ("INCOMPLETE", 47)

    async def verdict(**more: Any) -> None:
        one = cycle_pb2.ReviewVerdict(indicator="5", verdict=cycle_pb2.VERDICT_NOT_VALID, **more)
        request = pb.SaveVerdictsRequest(verdicts=[one], **people.about())
        await people.verifying("manager").SaveVerdicts(request)

    assert [v.field for v in (await refusal(verdict())).violations] == ["verdicts[0].note"]
    await people.review_all(but=["5"])
    await verdict(note="the decree is a draft")
    refused = await refusal(people.conclude(REVIEW))
    assert [v.field for v in refused.violations] == ["verdicts[5]"]
    refused = await refusal(people.assess("ani", {"6": "1"}, REVIEW))
    assert refused.kind == Kind.INVALID_ARGUMENT
    await people.assess("ani", {"5": "2"}, REVIEW)
    refused = await refusal(people.conclude(REVIEW))
    assert [v.description for v in refused.violations] == ["is not reviewed yet"]
    await people.review_all()
    after = await people.conclude(REVIEW)
    assert [(v.indicator, v.value) for v in after.results[-1].values] == [("5", "2")]


async def test_a_cycle_is_data_and_running_evaluations_keep_theirs(people: People) -> None:
    manager = people.verifying("manager")
    wanted = cycle_pb2.Cycle(
        instrument=SPBE,
        period="2022",
        stages=[
            evaluation_pb2.CycleStage(stage=evaluation_pb2.STAGE_SELF_ASSESSMENT, due_date="2022-11-30"),
            evaluation_pb2.CycleStage(stage=evaluation_pb2.STAGE_DETERMINATION),
            evaluation_pb2.CycleStage(stage=evaluation_pb2.STAGE_PUBLICATION),
        ],
    )
    kept = (await manager.SetCycle(pb.SetCycleRequest(request_id=request_id(), cycle=wanted))).cycle
    after = await people.submitted()
    assert after.results[0].late
    assert after.next_stage == evaluation_pb2.STAGE_DETERMINATION
    assert (await refusal(people.assess("ani", {"1": "2"}))).reason in ("NOT_ASSIGNED", "NOT_IN_CYCLE")
    wanted.stages.insert(1, evaluation_pb2.CycleStage(stage=evaluation_pb2.STAGE_DOCUMENT))
    wanted.etag = kept.etag
    await manager.SetCycle(pb.SetCycleRequest(request_id=request_id(), cycle=wanted))
    refused = await refusal(manager.SetCycle(pb.SetCycleRequest(request_id=request_id(), cycle=wanted)))
    assert refused.kind == Kind.ABORTED
    read = await manager.GetCycle(pb.GetCycleRequest(instrument=SPBE, period="2022"))
    assert [one.stage for one in read.cycle.stages] == [1, 2, 6, 7]
    await people.determine()
    assert (await people.publish()).published_index == "3.00"


async def test_stages_that_make_no_course_are_refused_with_every_fault(people: People) -> None:
    stages = [evaluation_pb2.STAGE_VISIT, evaluation_pb2.STAGE_INTERVIEW, evaluation_pb2.STAGE_PUBLICATION]
    wanted = cycle_pb2.Cycle(
        instrument=SPBE, period="2022", stages=[evaluation_pb2.CycleStage(stage=stage) for stage in stages]
    )
    refused = await refusal(
        people.verifying("manager").SetCycle(pb.SetCycleRequest(request_id=request_id(), cycle=wanted))
    )
    assert refused.kind == Kind.INVALID_ARGUMENT
    assert sorted({v.field for v in refused.violations}) == [
        "cycle.stages",
        "cycle.stages[0].stage",
        "cycle.stages[1].stage",
    ]


async def test_a_second_writer_with_an_old_etag_is_told_so_in_every_stage(people: People) -> None:
    after = await people.submitted()
    await people.assign("ani")
    request = pb.ConcludeStageRequest(stage=DOCUMENT, etag=after.etag, **people.about())
    assert (await refusal(people.verifying("manager").ConcludeStage(request))).kind == Kind.ABORTED
