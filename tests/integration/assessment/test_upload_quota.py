"""Twenty files of an institution may be under way, however many are announced at once."""

import asyncio
import uuid
from collections.abc import AsyncIterator

import grpc
import grpc.aio
import pytest
from livinglab.assessment.v1 import evidence_service_pb2 as pb
from livinglab.assessment.v1.evidence_service_pb2_grpc import EvidenceServiceStub

from chassis.status import from_rpc_error
from services.assessment.service.uploads import MOST_UPLOADS
from stack.issuer import Issuer
from tests.harness.servers import Servers
from tests.harness.service import Running, running_service

SUMEDANG = "32.11"


@pytest.fixture
async def assessment(servers: Servers, issuer: Issuer, nats_url: str) -> AsyncIterator[Running]:
    async with running_service("assessment", servers, issuer, nats_url) as running:
        yield running


async def test_many_announcements_at_once_are_counted_one_after_the_other(assessment: Running) -> None:
    async def announced(n: int) -> str:
        # Different people, so that their calls do not wait for each other.
        stub = assessment.as_role(EvidenceServiceStub, "operator", SUMEDANG, f"operator-{n}")
        request = pb.StartUploadRequest(
            request_id=uuid.uuid4().hex,
            institution=SUMEDANG,
            file_name=f"bukti-{n}.pdf",
            size=9,
            sha256=f"{n:064d}",
            title="Bukti",
            document_date="2022-03-01",
        )
        try:
            await stub.StartUpload(request)
        except grpc.aio.AioRpcError as error:
            return from_rpc_error(error).reason
        return "OK"

    ends = await asyncio.gather(*(announced(n) for n in range(MOST_UPLOADS + 13)))
    assert await assessment.db["uploads"].count_documents({"institution": SUMEDANG}) == MOST_UPLOADS
    assert ends.count("OK") == MOST_UPLOADS
    assert set(ends) == {"OK", "TOO_MANY_UPLOADS"}
