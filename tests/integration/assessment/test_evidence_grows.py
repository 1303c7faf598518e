"""Evidence grows: links that are noted, validity that ends, revisions of one piece."""

import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from livinglab.assessment.v1 import evidence_care_service_pb2 as pb
from livinglab.assessment.v1 import evidence_events_pb2, evidence_pb2, evidence_service_pb2
from livinglab.assessment.v1.evidence_care_service_pb2_grpc import EvidenceCareServiceStub
from livinglab.assessment.v1.evidence_service_pb2_grpc import EvidenceServiceStub

from stack.issuer import Issuer
from tests.harness.evaluation import SUMEDANG, People, request_id
from tests.harness.servers import Servers
from tests.harness.service import refusal, running_service
from tests.harness.waiting import eventually

PDF = b"%PDF-1.7\n" + bytes(range(256)) * 4
PAGE = "https://jdih.example.go.id/12"
DATED = "2022-03-01"


@pytest.fixture
async def people(servers: Servers, issuer: Issuer, nats_url: str) -> AsyncIterator[People]:
    async with running_service("assessment", servers, issuer, nats_url) as running:
        found = People(running)
        await found.open()
        yield found


def care(people: People, role: str = "operator") -> Any:
    return people.stub(EvidenceCareServiceStub, role)


def files(people: People, role: str = "operator") -> Any:
    return people.stub(EvidenceServiceStub, role)


def noting(**more: Any) -> pb.NoteLinkRequest:
    about = {"institution": SUMEDANG, "link": PAGE, "title": "Perbup SPBE", "document_date": DATED, **more}
    return pb.NoteLinkRequest(request_id=request_id(), **about)


async def sent(people: People, content: bytes, **more: Any) -> evidence_pb2.Evidence:
    request = evidence_service_pb2.StartUploadRequest(
        request_id=request_id(),
        institution=SUMEDANG,
        file_name="bukti.pdf",
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        document_date=DATED,
        **more,
    )
    upload = (await files(people).StartUpload(request)).upload
    part = evidence_service_pb2.SendUploadRequest(upload_id=upload.id, offset=0, data=content)
    answer: evidence_service_pb2.SendUploadResponse = await files(people).SendUpload(iter([part]))
    return answer.upload.evidence


async def attached(people: People, evidence_id: str, level: int = 2) -> evidence_service_pb2.AttachEvidenceResponse:
    request = evidence_service_pb2.AttachEvidenceRequest(
        evidence_id=evidence_id, indicators=["12"], level=level, **people.about()
    )
    found: evidence_service_pb2.AttachEvidenceResponse = await files(people).AttachEvidence(request)
    return found


async def test_a_link_is_noted_once_and_serves_as_evidence_without_a_file(people: People) -> None:
    noted = (await care(people).NoteLink(noting())).evidence
    assert (noted.link, noted.content_type, noted.size) == (PAGE, evidence_pb2.CONTENT_TYPE_LINK, 0)
    assert noted.sha256 == ""
    assert (await care(people).NoteLink(noting(title="Lain"))).evidence.id == noted.id
    assert [one.evidence_id for one in (await attached(people, noted.id)).indicators[0].pieces] == [noted.id]
    request = evidence_service_pb2.DownloadEvidenceRequest(evidence_id=noted.id)
    parts = [part async for part in files(people).DownloadEvidence(request)]
    assert [part.WhichOneof("part") for part in parts] == ["evidence"]
    told = await eventually(lambda: people.running.published(evidence_events_pb2.EvidenceUploaded))
    assert [(one.evidence_id, one.content_type) for one in told] == [(noted.id, evidence_pb2.CONTENT_TYPE_LINK)]


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"link": "ftp://x.example"}, "link"),
        ({"document_date": "2999-01-01"}, "document_date"),
        ({"valid_until": "2022-02-28"}, "valid_until"),
        ({"revises": "e-1"}, "change"),
        ({"change": "x"}, "change"),
    ],
)
async def test_what_is_wrong_with_a_link_is_named_and_nothing_is_noted(
    people: People, more: dict[str, str], field: str
) -> None:
    refused = await refusal(care(people).NoteLink(noting(**more)))
    assert [one.field for one in refused.violations] == [field]
    assert await people.running.db["evidence"].count_documents({}) == 0


async def test_a_revision_keeps_the_earlier_one_and_says_what_changed(people: People) -> None:
    first = await sent(people, PDF, title="SK Tim")
    await attached(people, first.id)
    second = await sent(people, PDF + b"2", title="SK Tim 2023", revises=first.id, change="Ditandatangani sekda")
    assert (second.revision, second.revises) == (2, first.id)
    # In the place of the draft, not beside it.
    assert [one.evidence_id for one in (await attached(people, second.id)).indicators[0].pieces] == [second.id]
    listed = (await care(people).ListEvidenceRevisions(pb.ListEvidenceRevisionsRequest(evidence_id=first.id))).revisions
    assert [one.evidence.id for one in listed] == [first.id, second.id]
    assert [list(one.changed) for one in listed] == [[], ["title", "size", "sha256"]]
    assert listed[0].evidence.revised_by == second.id
    assert listed[1].evidence.change == "Ditandatangani sekda"
    late = await refusal(sent(people, PDF + b"3", revises=first.id, change="Cap basah"))
    assert late.reason == "REVISED"
    same = await refusal(sent(people, PDF, revises=second.id, change="Kembali"))
    assert [one.field for one in same.violations] == ["sha256"]


async def test_what_assessors_hold_stays_the_revision_that_they_looked_at(people: People) -> None:
    first = await sent(people, PDF)
    await attached(people, first.id)
    await files(people).HandInEvidence(evidence_service_pb2.HandInEvidenceRequest(**people.about()))
    second = await sent(people, PDF + b"2", revises=first.id, change="Lengkap")
    shown = (await attached(people, second.id)).indicators[0].pieces
    assert [(one.evidence_id, one.state) for one in shown] == [
        (first.id, evidence_pb2.EVIDENCE_STATE_IN_PROCESS),
        (second.id, evidence_pb2.EVIDENCE_STATE_DRAFT),
    ]


async def test_who_shows_what_is_over_is_warned_and_what_ends_soon_is_told_once(people: People) -> None:
    over = await sent(people, PDF, valid_until="2022-03-31")
    warned = [one.rule for one in (await attached(people, over.id)).warnings]
    assert "VALIDITY" in warned
    soon = (datetime.now(UTC).date() + timedelta(days=20)).isoformat()
    lasting = (await care(people).NoteLink(noting())).evidence
    request = pb.SetEvidenceValidityRequest(request_id=request_id(), evidence_id=lasting.id, valid_until=soon)
    assert (await care(people, "head").SetEvidenceValidity(request)).evidence.valid_until == soon

    async def told() -> list[evidence_events_pb2.EvidenceExpiring] | None:
        found = await people.running.published(evidence_events_pb2.EvidenceExpiring)
        return found if len(found) >= 2 else None

    found = await eventually(told, timeout=90)
    assert found
    assert {(one.evidence_id, one.title, one.valid_until) for one in found} == {
        (over.id, "bukti.pdf", "2022-03-31"),
        (lasting.id, "Perbup SPBE", soon),
    }
    assert await people.running.db["evidence"].count_documents({"watched": True}) == 0
    early = pb.SetEvidenceValidityRequest(request_id=request_id(), evidence_id=lasting.id, valid_until="2022-01-01")
    refused = await refusal(care(people).SetEvidenceValidity(early))
    assert [one.field for one in refused.violations] == ["valid_until"]
