"""What the gate does with a caller who streams: identity first, every message by the rules, silence has an end."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from livinglab.assessment.v1 import evidence_service_pb2 as pb
from livinglab.assessment.v1 import results_service_pb2
from livinglab.assessment.v1.evidence_service_pb2_grpc import EvidenceServiceStub
from livinglab.assessment.v1.results_service_pb2_grpc import ResultServiceStub

from chassis.errors import Kind
from stack.issuer import Issuer
from tests.harness.evaluation import SUMEDANG
from tests.harness.servers import Servers
from tests.harness.service import Running, refusal, running_service

DEADLINE = 0.4


@pytest.fixture
async def assessment(servers: Servers, issuer: Issuer, nats_url: str) -> AsyncIterator[Running]:
    async with running_service("assessment", servers, issuer, nats_url, deadline_seconds=DEADLINE) as running:
        yield running


async def test_nothing_is_read_from_a_caller_who_may_not_call(assessment: Running) -> None:
    answered = asyncio.Event()

    async def unfinished() -> AsyncIterator[pb.SendUploadRequest]:
        """Without an end until the answer is there: who waited for the last message would wait for ever."""
        yield pb.SendUploadRequest(upload_id="a")
        await answered.wait()

    refused = await refusal(assessment.as_role(EvidenceServiceStub, "public").SendUpload(unfinished()))
    assert (refused.kind, refused.reason) == (Kind.PERMISSION_DENIED, "ROLE")
    refused = await refusal(assessment.with_token(EvidenceServiceStub, "").SendUpload(unfinished()))
    assert refused.kind == Kind.UNAUTHENTICATED
    answered.set()


async def test_every_message_is_checked_and_named_by_its_place(assessment: Running) -> None:
    manager = assessment.as_role(ResultServiceStub, "manager")
    sound = results_service_pb2.ImportResultsRequest(request_id="a")
    bad = results_service_pb2.ImportResultsRequest(
        request_id="a b", rows=[results_service_pb2.ImportRow(value="x" * 201)]
    )
    refused = await refusal(manager.ImportResults(iter([sound, sound, bad])))
    assert {v.field for v in refused.violations} == {"messages[2].request_id", "messages[2].rows[0].value"}


async def test_a_caller_who_falls_silent_is_let_go(assessment: Running) -> None:
    silent = asyncio.Event()

    async def request() -> AsyncIterator[results_service_pb2.ImportResultsRequest]:
        yield results_service_pb2.ImportResultsRequest(request_id="a")
        await silent.wait()

    started = time.monotonic()
    refused = await refusal(assessment.as_role(ResultServiceStub, "manager").ImportResults(request()))
    assert refused.kind == Kind.DEADLINE_EXCEEDED
    assert time.monotonic() - started >= DEADLINE
    silent.set()


async def test_a_stream_may_take_longer_than_a_call_as_long_as_messages_come(assessment: Running) -> None:
    async def slow() -> AsyncIterator[results_service_pb2.ImportResultsRequest]:
        until = time.monotonic() + 2 * DEADLINE
        while time.monotonic() < until:
            yield results_service_pb2.ImportResultsRequest(request_id="a", validate_only=True)
            await asyncio.sleep(DEADLINE / 10)

    manager = assessment.as_role(ResultServiceStub, "manager")
    answer = await manager.ImportResults(slow())
    assert answer.imported == 0
    late = await refusal(manager.ImportResults(slow(), timeout=DEADLINE))
    assert late.kind == Kind.DEADLINE_EXCEEDED


async def test_a_file_for_another_institution_is_refused(assessment: Running) -> None:
    operator = assessment.as_role(EvidenceServiceStub, "operator", SUMEDANG)
    request = pb.StartUploadRequest(
        request_id="a",
        institution="32.04",
        file_name="a.pdf",
        size=1,
        sha256="0" * 64,
        document_date="2022-01-01",
    )
    assert (await refusal(operator.StartUpload(request))).reason == "OTHER_INSTITUTION"
