"""Documents into which a newer release has put lists and maps: this one writes over them, and they lose nothing."""

from collections.abc import AsyncIterator

import pytest
from livinglab.assessment.v1 import service_pb2
from livinglab.assessment.v1.service_pb2_grpc import AssessmentServiceStub

from stack.issuer import Issuer
from tests.harness.evaluation import SUMEDANG, answers, request_id
from tests.harness.generated import beside
from tests.harness.servers import Servers
from tests.harness.service import Running, running_service
from tests.integration.assessment.test_evidence import PDF, handed_in, opened, shown, uploaded

KEPT = ("evaluations", "indicator_evidence")


@pytest.fixture
async def assessment(servers: Servers, issuer: Issuer, nats_url: str) -> AsyncIterator[Running]:
    async with running_service("assessment", servers, issuer, nats_url) as running:
        yield running


async def test_an_evaluation_and_its_evidence_go_on_with_what_a_newer_release_keeps_in_them(
    assessment: Running,
) -> None:
    evaluation_id = await opened(assessment)
    await shown(assessment, evaluation_id, await uploaded(assessment), ["1", "2"])
    await beside.mark(assessment.db, KEPT)
    operator = assessment.as_role(AssessmentServiceStub, "operator", SUMEDANG)
    head = assessment.as_role(AssessmentServiceStub, "head", SUMEDANG)
    about = {"evaluation_id": evaluation_id}
    await operator.SaveAnswers(service_pb2.SaveAnswersRequest(request_id=request_id(), answers=answers("2"), **about))
    await shown(assessment, evaluation_id, await uploaded(assessment, PDF + b"\n% more"), ["1"])
    # What this release adds has nothing beside it.
    assert await beside.lost(assessment.db, KEPT) == [f"indicator_evidence {evaluation_id}:1.pieces[1]"]
    await handed_in(assessment, evaluation_id)
    await head.SubmitEvaluation(service_pb2.SubmitEvaluationRequest(request_id=request_id(), **about))
    assert await beside.lost(assessment.db, KEPT) == [f"indicator_evidence {evaluation_id}:1.pieces[1]"]
