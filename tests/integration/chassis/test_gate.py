"""What a call costs before it is known to be allowed: nothing of its body is read, and then no more than may be."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
import pytest
from livinglab.assessment.v1 import evaluation_pb2, evidence_service_pb2, verification_pb2
from livinglab.assessment.v1 import service_pb2 as pb
from livinglab.assessment.v1.evidence_service_pb2_grpc import EvidenceServiceStub
from livinglab.assessment.v1.service_pb2_grpc import AssessmentServiceStub
from livinglab.assessment.v1.verification_pb2_grpc import VerificationServiceStub

from chassis.errors import Kind
from stack.issuer import Issuer
from tests.harness.servers import Servers
from tests.harness.service import Running, refusal, running_service

SUMEDANG, BANDUNG = "32.11", "32.04"
SAVE_ANSWERS = "/livinglab.assessment.v1.AssessmentService/SaveAnswers"


@pytest.fixture
async def assessment(servers: Servers, issuer: Issuer, nats_url: str) -> AsyncIterator[Running]:
    settings: dict[str, Any] = {"deadline_seconds": 1.0}
    async with running_service("assessment", servers, issuer, nats_url, **settings) as running:
        yield running


@pytest.fixture
async def channel(assessment: Running) -> AsyncIterator[Any]:
    async with grpc.aio.insecure_channel(assessment.address) as channel:
        yield channel


async def nothing() -> AsyncIterator[bytes]:
    """A body that never comes."""
    await asyncio.Event().wait()
    yield b""


def metadata(assessment: Running, role: str, institution: str = "") -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {assessment.issuer.token(role, institution=institution)}"),)


@pytest.mark.parametrize(("role", "reason"), [("", "NO_TOKEN"), ("coach", "ROLE")])
async def test_who_may_not_call_is_told_before_a_byte_of_the_body_is_read(
    assessment: Running, channel: Any, role: str, reason: str
) -> None:
    shown = metadata(assessment, role) if role else ()
    call = channel.stream_unary(SAVE_ANSWERS)(nothing(), metadata=shown)
    assert (await refusal(call)).reason == reason


async def test_who_falls_silent_is_held_for_the_deadline_and_no_longer(assessment: Running, channel: Any) -> None:
    shown = metadata(assessment, "operator", SUMEDANG)
    call = channel.stream_unary(SAVE_ANSWERS)(nothing(), metadata=shown)
    assert (await refusal(call)).kind is Kind.DEADLINE_EXCEEDED


async def test_a_message_is_as_large_as_its_method_takes(assessment: Running, channel: Any) -> None:
    shown = metadata(assessment, "operator", SUMEDANG)
    send = channel.unary_unary(SAVE_ANSWERS)
    refused = await refusal(send(bytes(2 * 2**20 + 1), metadata=shown))
    assert (refused.kind, refused.reason) == (Kind.RESOURCE_EXHAUSTED, "REQUEST_TOO_LARGE")
    # As large as may be it is read: these bytes are no message.
    refused = await refusal(send(b"\xff" * 2 * 2**20, metadata=shown))
    assert refused.kind is Kind.INVALID_ARGUMENT


async def test_a_call_without_a_message_is_refused(assessment: Running, channel: Any) -> None:
    shown = metadata(assessment, "operator", SUMEDANG)
    refused = await refusal(channel.stream_unary(SAVE_ANSWERS)(iter(()), metadata=shown))
    assert refused.kind is Kind.INVALID_ARGUMENT


async def test_an_overlong_list_is_one_fault_and_its_items_are_not_looked_at(assessment: Running) -> None:
    public = assessment.as_role(AssessmentServiceStub, "operator", SUMEDANG)
    many = [evaluation_pb2.Answer(indicator="no such", value="many") for _ in range(5_000)]
    request = pb.SaveAnswersRequest(request_id=uuid.uuid4().hex, evaluation_id="e", answers=many)
    refused = await refusal(public.SaveAnswers(request))
    assert [(v.field, v.description) for v in refused.violations] == [
        ("answers", "has 5000 items; at most 500 are taken"),
        ("", "is not looked at any further: there may be more faults"),
    ]


@pytest.mark.parametrize("other", ["assessor", "public"])
@pytest.mark.parametrize("own", ["operator", "head", "secretary", "regent"])
async def test_a_second_role_shows_nobody_the_drafts_of_another_institution(
    assessment: Running, own: str, other: str
) -> None:
    head = assessment.as_role(AssessmentServiceStub, "head", BANDUNG)
    opened = await head.OpenEvaluation(
        pb.OpenEvaluationRequest(
            request_id=uuid.uuid4().hex, institution=BANDUNG, instrument="spbe-59-2020", period="2022"
        )
    )
    asked = evidence_service_pb2.ListIndicatorEvidenceRequest(evaluation_id=opened.evaluation.id)
    both = assessment.with_token(
        EvidenceServiceStub, assessment.issuer.token(own, other, institution=SUMEDANG, subject="dewi")
    )
    refused = await refusal(both.ListIndicatorEvidence(asked))
    assert refused.kind in (Kind.PERMISSION_DENIED, Kind.NOT_FOUND)
    mine = assessment.with_token(
        EvidenceServiceStub, assessment.issuer.token(own, other, institution=BANDUNG, subject="dewi")
    )
    assert (await mine.ListIndicatorEvidence(asked)).indicators


async def test_who_moved_to_another_institution_is_not_answered_as_before(assessment: Running) -> None:
    request = pb.OpenEvaluationRequest(
        request_id=uuid.uuid4().hex, institution=BANDUNG, instrument="spbe-59-2020", period="2022"
    )
    before = assessment.as_role(AssessmentServiceStub, "head", BANDUNG, "dewi")
    first = await before.OpenEvaluation(request)
    assert (await before.OpenEvaluation(request)).evaluation.id == first.evaluation.id
    since = assessment.as_role(AssessmentServiceStub, "head", SUMEDANG, "dewi")
    assert (await refusal(since.OpenEvaluation(request))).reason == "OTHER_INSTITUTION"


@pytest.mark.parametrize("seconds", [-(2**60), 253_402_300_799, 2**60])
async def test_a_time_that_no_calendar_has_is_a_fault(assessment: Running, channel: Any, seconds: int) -> None:
    request = verification_pb2.SetCycleRequest(request_id=uuid.uuid4().hex)
    request.cycle.set_time.seconds = seconds
    manager = assessment.as_role(VerificationServiceStub, "manager")
    refused = await refusal(manager.SetCycle(request))
    assert refused.kind is Kind.INVALID_ARGUMENT
    assert "cycle.set_time" in {v.field for v in refused.violations}
