"""For how many indicators evidence stands, as assessment tells it: the fact behind a duty to submit evidence."""

import asyncio
import hashlib
import uuid
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest
from livinglab.assessment.v1 import evidence_events_pb2, evidence_pb2, service_pb2
from livinglab.assessment.v1 import evidence_service_pb2 as pb
from livinglab.assessment.v1.evidence_service_pb2_grpc import EvidenceServiceStub

from stack.issuer import Issuer
from tests.harness.evaluation import SPBE, SUMEDANG, People
from tests.harness.servers import Servers
from tests.harness.service import running_service
from tests.harness.waiting import eventually

if TYPE_CHECKING:
    from livinglab.assessment.v1.evidence_service_pb2_grpc import EvidenceServiceAsyncStub

CONTENT = b"%PDF-1.7\n" + bytes(range(256))
ACCEPTED, REVISE = evidence_pb2.EVIDENCE_STATE_ACCEPTED, evidence_pb2.EVIDENCE_STATE_REVISE


class Shown(People):
    """An evaluation and one file that may be shown in it."""

    file: str = ""

    @property
    def region(self) -> "EvidenceServiceAsyncStub":
        return self.stub(EvidenceServiceStub, "operator")

    async def begin(self, cohort: str = "", rehearsal: str = "") -> None:
        request = service_pb2.OpenEvaluationRequest(
            request_id=uuid.uuid4().hex,
            institution=SUMEDANG,
            instrument=SPBE,
            period="2022",
            cohort_id=cohort,
            rehearsal=rehearsal,
        )
        self.evaluation_id = (await self.basic("operator").OpenEvaluation(request)).evaluation.id
        start = pb.StartUploadRequest(
            request_id=uuid.uuid4().hex,
            institution=SUMEDANG,
            file_name="sk.pdf",
            size=len(CONTENT),
            sha256=hashlib.sha256(CONTENT).hexdigest(),
            document_date="2022-03-01",
        )
        upload = (await self.region.StartUpload(start)).upload
        part = pb.SendUploadRequest(upload_id=upload.id, offset=0, data=CONTENT)
        self.file = (await self.region.SendUpload(iter([part]))).upload.evidence.id

    async def attach(self, *indicators: str) -> None:
        request = pb.AttachEvidenceRequest(evidence_id=self.file, indicators=indicators, **self.about())
        await self.region.AttachEvidence(request)

    async def hand_in(self, *indicators: str) -> None:
        await self.region.HandInEvidence(pb.HandInEvidenceRequest(indicators=indicators, **self.about()))

    async def review(self, indicator: str, state: evidence_pb2.EvidenceState.ValueType, reason: str = "") -> None:
        request = pb.ReviewEvidenceRequest(
            indicator=indicator, evidence_id=self.file, state=state, reason=reason, **self.about()
        )
        await self.stub(EvidenceServiceStub, "assessor", "asesor").ReviewEvidence(request)

    async def told(self, count: int) -> list[evidence_events_pb2.EvidenceCoverageChanged]:
        """The facts, once nothing waits to be published and there are as many."""

        async def all_of_them() -> list[evidence_events_pb2.EvidenceCoverageChanged]:
            waiting = await self.running.db["outbox"].count_documents({"pending": True})
            found = await self.running.published(evidence_events_pb2.EvidenceCoverageChanged)
            return found if not waiting and len(found) >= count else []

        return await eventually(all_of_them)


@pytest.fixture
async def shown(servers: Servers, issuer: Issuer, nats_url: str) -> AsyncIterator[Shown]:
    async with running_service("assessment", servers, issuer, nats_url) as running:
        yield Shown(running)


async def test_evidence_counts_from_when_it_is_handed_in_until_it_is_sent_back_or_taken_away(shown: Shown) -> None:
    await shown.begin()
    await shown.assign("asesor")
    await shown.attach("1", "2", "3")
    await shown.hand_in("1")
    await shown.hand_in("2", "3")
    await shown.review("1", ACCEPTED)
    await shown.review("2", REVISE, "Tidak ada tanggal")
    await shown.attach("2")
    await shown.hand_in()
    await shown.region.DetachEvidence(pb.DetachEvidenceRequest(evidence_id=shown.file, indicator="3", **shown.about()))
    facts = await shown.told(5)
    assert [(f.meta.version, f.indicators_with_evidence) for f in facts] == [(1, 1), (2, 3), (3, 2), (4, 3), (5, 2)]
    assert {(f.institution, f.evaluation_id, f.instrument, f.instrument_version, f.period) for f in facts} == {
        (SUMEDANG, shown.evaluation_id, SPBE, 1, "2022")
    }
    assert {(f.meta.aggregate_id, f.meta.cohort_id, f.meta.rehearsal) for f in facts} == {
        (f"evidence-coverage:{shown.evaluation_id}", "", "")
    }


async def test_drafts_tell_nothing_and_a_second_piece_for_the_same_indicator_neither(shown: Shown) -> None:
    await shown.begin()
    await shown.attach("1", "2")
    await shown.region.DetachEvidence(pb.DetachEvidenceRequest(evidence_id=shown.file, indicator="2", **shown.about()))
    await shown.hand_in()
    await shown.region.AttachEvidence(
        pb.AttachEvidenceRequest(evidence_id=shown.file, indicators=["1"], level=2, **shown.about())
    )
    await shown.hand_in()
    [fact] = await shown.told(1)
    assert (fact.meta.version, fact.indicators_with_evidence) == (1, 1)


async def test_the_count_of_a_rehearsal_says_so(shown: Shown) -> None:
    await shown.begin("try-1", "try-1")
    await shown.attach("1")
    await shown.hand_in()
    [fact] = await shown.told(1)
    assert (fact.meta.cohort_id, fact.meta.rehearsal) == ("try-1", "try-1")


async def test_indicators_handed_in_side_by_side_are_each_counted(shown: Shown) -> None:
    await shown.begin()
    indicators = [str(n) for n in range(1, 9)]
    await shown.attach(*indicators)
    await asyncio.gather(*(shown.hand_in(indicator) for indicator in indicators))
    facts = await shown.told(8)
    assert [(f.meta.version, f.indicators_with_evidence) for f in facts] == [(n, n) for n in range(1, 9)]
