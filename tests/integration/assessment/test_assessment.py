"""Assessment alone, on a real database and broker, called as its users call it."""

import uuid
from collections.abc import AsyncIterator, Awaitable

import pytest
from livinglab.assessment.v1 import evaluation_pb2, events_pb2
from livinglab.assessment.v1 import service_pb2 as pb
from livinglab.assessment.v1.service_pb2_grpc import AssessmentServiceStub

from chassis.errors import Kind
from stack.issuer import Issuer
from tests.harness.servers import Servers
from tests.harness.service import Running, refusal, running_service
from tests.harness.waiting import eventually

SUMEDANG, BANDUNG = "32.11", "32.04"
SPBE = "spbe-59-2020"


@pytest.fixture
async def assessment(servers: Servers, issuer: Issuer, nats_url: str) -> AsyncIterator[Running]:
    async with running_service("assessment", servers, issuer, nats_url) as running:
        yield running


def request_id() -> str:
    return uuid.uuid4().hex


async def opened(assessment: Running, institution: str = SUMEDANG, **more: str) -> evaluation_pb2.Evaluation:
    operator = assessment.as_role(AssessmentServiceStub, "operator", institution)
    request = pb.OpenEvaluationRequest(
        request_id=request_id(), institution=institution, instrument=SPBE, period="2022", **more
    )
    return (await operator.OpenEvaluation(request)).evaluation


def answers(level: str, *codes: int) -> list[evaluation_pb2.Answer]:
    return [evaluation_pb2.Answer(indicator=str(code), value=level) for code in codes or range(1, 48)]


async def test_a_complete_evaluation_is_submitted_with_its_exact_index(assessment: Running) -> None:
    evaluation = await opened(assessment)
    assert len(evaluation.missing) == 47
    operator = assessment.as_role(AssessmentServiceStub, "operator", SUMEDANG)
    head = assessment.as_role(AssessmentServiceStub, "head", SUMEDANG)
    for request in (
        pb.SaveAnswersRequest(request_id=request_id(), evaluation_id=evaluation.id, answers=answers("2")),
        pb.SaveAnswersRequest(request_id=request_id(), evaluation_id=evaluation.id, answers=answers("4", 1, 47)),
    ):
        saved = (await operator.SaveAnswers(request)).evaluation
    assert not saved.missing
    submitted = (
        await head.SubmitEvaluation(pb.SubmitEvaluationRequest(request_id=request_id(), evaluation_id=evaluation.id))
    ).evaluation
    # 2 + 2 * (1.3 + 3) / 100
    assert submitted.score.index == "2.09"
    assert submitted.score.predicate == "Cukup"
    facts = await eventually(lambda: assessment.published(events_pb2.EvaluationSubmitted))
    assert [(f.institution, f.score.index, f.values["47"], f.meta.version) for f in facts] == [
        (SUMEDANG, "2.09", "4", 4)
    ]


async def test_facts_of_one_evaluation_come_in_the_order_of_its_versions(assessment: Running) -> None:
    evaluation = await opened(assessment)
    operator = assessment.as_role(AssessmentServiceStub, "operator", SUMEDANG)
    for code in range(1, 21):
        await operator.SaveAnswers(
            pb.SaveAnswersRequest(request_id=request_id(), evaluation_id=evaluation.id, answers=answers("3", code))
        )

    async def all_out() -> list[events_pb2.AnswersSaved]:
        found = await assessment.published(events_pb2.AnswersSaved)
        return found if len(found) == 20 else []

    assert [fact.meta.version for fact in await eventually(all_out)] == list(range(2, 22))


async def test_a_repeated_request_returns_the_first_answer_and_has_no_second_effect(assessment: Running) -> None:
    evaluation = await opened(assessment)
    operator = assessment.as_role(AssessmentServiceStub, "operator", SUMEDANG)
    request = pb.SaveAnswersRequest(request_id=request_id(), evaluation_id=evaluation.id, answers=answers("2", 1))
    first = await operator.SaveAnswers(request)
    await operator.SaveAnswers(
        pb.SaveAnswersRequest(request_id=request_id(), evaluation_id=evaluation.id, answers=answers("5", 1))
    )
    assert await operator.SaveAnswers(request) == first
    now = (await operator.GetEvaluation(pb.GetEvaluationRequest(evaluation_id=evaluation.id))).evaluation
    assert [(a.indicator, a.value) for a in now.answers] == [("1", "5")]


async def test_a_request_id_does_not_stand_for_two_requests(assessment: Running) -> None:
    evaluation = await opened(assessment)
    operator = assessment.as_role(AssessmentServiceStub, "operator", SUMEDANG)
    request = pb.SaveAnswersRequest(request_id=request_id(), evaluation_id=evaluation.id, answers=answers("2", 1))
    await operator.SaveAnswers(request)
    request.answers[0].value = "3"
    refused = await refusal(operator.SaveAnswers(request))
    assert (refused.kind, refused.reason) == (Kind.ALREADY_EXISTS, "REQUEST_ID_REUSED")


async def test_every_bad_answer_is_named_and_nothing_is_stored(assessment: Running) -> None:
    evaluation = await opened(assessment)
    operator = assessment.as_role(AssessmentServiceStub, "operator", SUMEDANG)
    bad = [("1", "3"), ("48", "3"), ("2", "9"), ("3", "2.5"), ("1-2", "1"), ("1", "4")]
    refused = await refusal(
        operator.SaveAnswers(
            pb.SaveAnswersRequest(
                request_id=request_id(),
                evaluation_id=evaluation.id,
                answers=[evaluation_pb2.Answer(indicator=code, value=value) for code, value in bad],
            )
        )
    )
    assert refused.kind == Kind.INVALID_ARGUMENT
    assert {v.field.split(".")[0] for v in refused.violations} == {f"answers[{i}]" for i in range(1, 6)}
    now = (await operator.GetEvaluation(pb.GetEvaluationRequest(evaluation_id=evaluation.id))).evaluation
    assert not now.answers
    assert now.etag == evaluation.etag


async def test_an_incomplete_evaluation_is_refused_naming_each_missing_indicator(assessment: Running) -> None:
    evaluation = await opened(assessment)
    operator = assessment.as_role(AssessmentServiceStub, "operator", SUMEDANG)
    head = assessment.as_role(AssessmentServiceStub, "head", SUMEDANG)
    await operator.SaveAnswers(
        pb.SaveAnswersRequest(request_id=request_id(), evaluation_id=evaluation.id, answers=answers("2", *range(1, 46)))
    )
    refused = await refusal(
        head.SubmitEvaluation(pb.SubmitEvaluationRequest(request_id=request_id(), evaluation_id=evaluation.id))
    )
    assert refused.reason == "INCOMPLETE"
    assert [v.field for v in refused.violations] == ["answers[46]", "answers[47]"]


async def test_a_region_neither_sees_nor_changes_another_one(assessment: Running) -> None:
    evaluation = await opened(assessment)
    stranger = assessment.as_role(AssessmentServiceStub, "operator", BANDUNG)
    calls: list[Awaitable[object]] = [
        stranger.GetEvaluation(pb.GetEvaluationRequest(evaluation_id=evaluation.id)),
        stranger.ListEvaluations(pb.ListEvaluationsRequest(institution=SUMEDANG)),
        stranger.ListEvaluations(pb.ListEvaluationsRequest()),
        stranger.SaveAnswers(
            pb.SaveAnswersRequest(request_id=request_id(), evaluation_id=evaluation.id, answers=answers("5"))
        ),
        stranger.OpenEvaluation(
            pb.OpenEvaluationRequest(request_id=request_id(), institution=SUMEDANG, instrument=SPBE, period="2023")
        ),
    ]
    assert {(await refusal(call)).kind for call in calls} == {Kind.PERMISSION_DENIED}
    assert await assessment.db["evaluations"].count_documents({}) == 1


@pytest.mark.parametrize("role", ["operator", "coach", "public", "manager"])
async def test_only_a_head_submits(assessment: Running, role: str) -> None:
    evaluation = await opened(assessment)
    stub = assessment.as_role(AssessmentServiceStub, role, SUMEDANG)
    refused = await refusal(
        stub.SubmitEvaluation(pb.SubmitEvaluationRequest(request_id=request_id(), evaluation_id=evaluation.id))
    )
    assert (refused.kind, refused.reason) == (Kind.PERMISSION_DENIED, "ROLE")


async def test_without_a_valid_token_nothing_answers(
    assessment: Running, tmp_path_factory: pytest.TempPathFactory
) -> None:
    forged = Issuer(tmp_path_factory.mktemp("forger")).token("manager")
    tokens = {
        "NO_TOKEN": "",
        "BAD_TOKEN": forged,
        "BAD_CLAIMS": assessment.issuer.token("manager", seconds=-60),
    }
    for reason, token in tokens.items():
        stub = assessment.with_token(AssessmentServiceStub, token)
        refused = await refusal(stub.ListInstruments(pb.ListInstrumentsRequest()))
        assert (refused.kind, refused.reason) == (Kind.UNAUTHENTICATED, reason)
    elsewhere = assessment.issuer.token("manager", audience="somewhere-else")
    refused = await refusal(
        assessment.with_token(AssessmentServiceStub, elsewhere).ListInstruments(pb.ListInstrumentsRequest())
    )
    assert refused.reason == "BAD_CLAIMS"


async def test_every_fault_of_an_opening_is_named_and_nothing_is_stored(assessment: Running) -> None:
    manager = assessment.as_role(AssessmentServiceStub, "manager")
    refused = await refusal(
        manager.OpenEvaluation(
            pb.OpenEvaluationRequest(institution="32 11", instrument=SPBE, period="last year", request_id=request_id())
        )
    )
    assert {v.field for v in refused.violations} == {"institution", "period"}
    refused = await refusal(
        manager.OpenEvaluation(
            pb.OpenEvaluationRequest(institution="99.99", instrument="spbe-1", period="2022", request_id=request_id())
        )
    )
    assert {v.field for v in refused.violations} == {"institution", "instrument"}
    assert await assessment.db["evaluations"].count_documents({}) == 0


async def test_a_rehearsal_does_not_mix_with_real_evaluations(assessment: Running) -> None:
    real = await opened(assessment)
    rehearsed = await opened(assessment, cohort_id="try-1", rehearsal="try-1")
    assert real.id != rehearsed.id
    manager = assessment.as_role(AssessmentServiceStub, "manager")
    listed = await manager.ListEvaluations(pb.ListEvaluationsRequest(period="2022"))
    assert [e.id for e in listed.evaluations] == [real.id]
    listed = await manager.ListEvaluations(pb.ListEvaluationsRequest(rehearsal="try-1"))
    assert [e.id for e in listed.evaluations] == [rehearsed.id]


async def test_lists_are_paged_and_a_foreign_token_is_refused(assessment: Running) -> None:
    ids = sorted([(await opened(assessment, code)).id for code in ("32.01", "32.02", "32.03")])
    manager = assessment.as_role(AssessmentServiceStub, "manager")
    first = await manager.ListEvaluations(pb.ListEvaluationsRequest(page_size=2))
    second = await manager.ListEvaluations(pb.ListEvaluationsRequest(page_size=2, page_token=first.next_page_token))
    assert [e.id for e in [*first.evaluations, *second.evaluations]] == ids
    assert not second.next_page_token
    refused = await refusal(manager.ListEvaluations(pb.ListEvaluationsRequest(page_token="!!")))
    assert [v.field for v in refused.violations] == ["page_token"]


async def test_a_stale_etag_is_told_of_the_other_writer(assessment: Running) -> None:
    evaluation = await opened(assessment)
    operator = assessment.as_role(AssessmentServiceStub, "operator", SUMEDANG)
    request = pb.SaveAnswersRequest(
        request_id=request_id(), evaluation_id=evaluation.id, answers=answers("2", 1), etag=evaluation.etag
    )
    await operator.SaveAnswers(request)
    request.request_id = request_id()
    assert (await refusal(operator.SaveAnswers(request))).kind == Kind.ABORTED
