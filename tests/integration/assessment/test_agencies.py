"""An agency answers, shows and sees what its institution has given to it, and nothing of the rest."""

import hashlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from livinglab.assessment.v1 import (
    evaluation_pb2,
    evidence_events_pb2,
    evidence_service_pb2,
    guidance_pb2,
    service_pb2,
    understanding_pb2,
)
from livinglab.assessment.v1.evidence_service_pb2_grpc import EvidenceServiceStub
from livinglab.assessment.v1.service_pb2_grpc import AssessmentServiceStub
from livinglab.assessment.v1.understanding_pb2_grpc import UnderstandingServiceStub

from chassis.errors import Kind
from stack.issuer import Issuer
from tests.harness.evaluation import SUMEDANG, People, answers, request_id
from tests.harness.servers import Servers
from tests.harness.service import refusal, running_service

HEALTH, ROADS = "Dinas Kesehatan", "Dinas Pekerjaan Umum"
PDF = b"%PDF-1.7\n" + bytes(range(256)) * 4


@pytest.fixture
async def region(servers: Servers, issuer: Issuer, nats_url: str) -> AsyncIterator[People]:
    """Indicators 12 and 13 are given to health, 14 to roads; all three are answered by the operator."""
    async with running_service("assessment", servers, issuer, nats_url) as running:
        people = People(running)
        await people.open()
        await people.answer(answers("1", (12, 13, 14)))
        given = [
            evaluation_pb2.Delegation(indicator=code, agency=agency, due_date="2022-09-01")
            for code, agency in (("12", HEALTH), ("13", HEALTH), ("14", ROADS))
        ]
        request = understanding_pb2.DelegateIndicatorsRequest(delegations=given, **people.about())
        await people.understanding("head").DelegateIndicators(request)
        yield people


def agency(region: People, kind: Any, name: str = HEALTH, institution: str = SUMEDANG) -> Any:
    return region.running.as_agency(kind, institution, name)


def saving(region: People, *codes: int) -> service_pb2.SaveAnswersRequest:
    return service_pb2.SaveAnswersRequest(answers=answers("3", codes), **region.about())


async def sent(stub: Any, content: bytes) -> str:
    """The id of a file that this person uploads."""
    request = evidence_service_pb2.StartUploadRequest(
        request_id=request_id(),
        institution=SUMEDANG,
        file_name="bukti.pdf",
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        document_date="2022-03-01",
    )
    upload = (await stub.StartUpload(request)).upload
    part = evidence_service_pb2.SendUploadRequest(upload_id=upload.id, offset=0, data=content)
    return str((await stub.SendUpload(iter([part]))).upload.evidence.id)


def attaching(region: People, evidence_id: str, *codes: str) -> evidence_service_pb2.AttachEvidenceRequest:
    return evidence_service_pb2.AttachEvidenceRequest(
        evidence_id=evidence_id, indicators=codes, level=2, **region.about()
    )


async def test_an_agency_sees_its_indicators_and_answers_them(region: People) -> None:
    health = agency(region, AssessmentServiceStub)
    asked = service_pb2.GetEvaluationRequest(evaluation_id=region.evaluation_id)
    seen = (await health.GetEvaluation(asked)).evaluation
    assert [one.indicator for one in seen.answers] == ["12", "13"]
    assert {one.agency for one in seen.delegations} == {HEALTH}
    assert (seen.missing, seen.HasField("score"), len(seen.results)) == ([], False, 0)
    saved = (await health.SaveAnswers(saving(region, 12))).evaluation
    assert [(one.indicator, one.value) for one in saved.answers] == [("12", "3"), ("13", "1")]
    whole = (await region.basic("head").GetEvaluation(asked)).evaluation
    assert {one.indicator: one.value for one in whole.answers} == {"12": "3", "13": "1", "14": "1"}
    assert next(one for one in whole.answers if one.indicator == "12").answered_by == f"{HEALTH}@{SUMEDANG}"


async def test_what_is_not_given_is_refused_by_name_and_nothing_is_stored(region: People) -> None:
    health = agency(region, AssessmentServiceStub)
    refused = await refusal(health.SaveAnswers(saving(region, 12, 14, 15)))
    assert (refused.kind, refused.reason) == (Kind.PERMISSION_DENIED, "NOT_GIVEN")
    assert "14, 15 of evaluation" in refused.message
    asked = service_pb2.GetEvaluationRequest(evaluation_id=region.evaluation_id)
    whole = (await region.basic("head").GetEvaluation(asked)).evaluation
    assert {one.value for one in whole.answers} == {"1"}
    needs = understanding_pb2.ListNeedsRequest(evaluation_id=region.evaluation_id, indicators=["12", "14"])
    assert (await refusal(agency(region, UnderstandingServiceStub).ListNeeds(needs))).reason == "NOT_GIVEN"
    for stub, why in (
        (agency(region, AssessmentServiceStub, "Dinas Pariwisata"), "NOT_GIVEN"),
        (agency(region, AssessmentServiceStub, HEALTH, "32.04"), "OTHER_INSTITUTION"),
        (region.running.as_role(AssessmentServiceStub, "agency", SUMEDANG), "NO_AGENCY"),
    ):
        assert (await refusal(stub.GetEvaluation(asked))).reason == why


async def test_its_lists_hold_its_own(region: People) -> None:
    asked = service_pb2.ListEvaluationsRequest(institution=SUMEDANG)
    listed = (await agency(region, AssessmentServiceStub).ListEvaluations(asked)).evaluations
    assert [one.id for one in listed] == [region.evaluation_id]
    assert not (await agency(region, AssessmentServiceStub, "Dinas Pariwisata").ListEvaluations(asked)).evaluations
    understanding = agency(region, UnderstandingServiceStub)
    # Whatever it asks for.
    work = understanding_pb2.ListWorkRequest(evaluation_id=region.evaluation_id, agency=ROADS)
    assert {one.indicator for one in (await understanding.ListWork(work)).items} == {"12", "13"}
    needs = await understanding.ListNeeds(understanding_pb2.ListNeedsRequest(evaluation_id=region.evaluation_id))
    assert [one.indicator for one in needs.indicators] == ["12", "13"]


async def test_it_uploads_and_shows_evidence_for_its_indicators_and_reads_no_other(region: People) -> None:
    health, operator = agency(region, EvidenceServiceStub), region.stub(EvidenceServiceStub, "operator")
    mine, theirs = await sent(health, PDF), await sent(operator, PDF + b"x")
    await health.AttachEvidence(attaching(region, mine, "12"))
    await operator.AttachEvidence(attaching(region, theirs, "14"))
    assert (await refusal(health.AttachEvidence(attaching(region, mine, "12", "14")))).reason == "NOT_GIVEN"
    assert (await refusal(health.AttachEvidence(attaching(region, theirs, "12")))).reason == "NOT_GIVEN"
    assert (await refusal(sent(health, PDF + b"x"))).reason == "HELD"
    listed = await health.ListIndicatorEvidence(
        evidence_service_pb2.ListIndicatorEvidenceRequest(evaluation_id=region.evaluation_id)
    )
    assert [one.indicator for one in listed.indicators] == ["12", "13"]
    assert [one.id for one in listed.evidence] == [mine]
    detach = evidence_service_pb2.DetachEvidenceRequest(evidence_id=theirs, indicator="14", level=2, **region.about())
    assert (await refusal(health.DetachEvidence(detach))).reason == "NOT_GIVEN"

    async def read(evidence_id: str) -> bytes:
        request = evidence_service_pb2.DownloadEvidenceRequest(evidence_id=evidence_id)
        return b"".join([part.data async for part in health.DownloadEvidence(request)])

    assert await read(mine) == PDF
    assert (await refusal(read(theirs))).reason == "NOT_GIVEN"
    await operator.AttachEvidence(attaching(region, theirs, "13"))
    assert await read(theirs) == PDF + b"x"


async def test_an_agency_meets_criteria_with_evidence_of_its_own_or_that_it_was_shown(region: People) -> None:
    health, operator = agency(region, EvidenceServiceStub), region.stub(EvidenceServiceStub, "operator")
    mine, theirs = await sent(health, PDF), await sent(operator, PDF + b"x")

    def meeting(*evidence: str) -> Any:
        met = [guidance_pb2.CriterionMet(criterion="2a", evidence=evidence)]
        given = [evaluation_pb2.Answer(indicator="12", value="2", met=met)]
        request = service_pb2.SaveAnswersRequest(answers=given, **region.about())
        return agency(region, AssessmentServiceStub).SaveAnswers(request)

    refused = await refusal(meeting(mine, theirs))
    assert [v.field for v in refused.violations] == ["answers[0].met[0].evidence[1]"]
    await meeting(mine)
    await operator.AttachEvidence(attaching(region, theirs, "12"))
    saved = (await meeting(mine, theirs)).evaluation
    assert [list(one.met[0].evidence) for one in saved.answers if one.indicator == "12"] == [[mine, theirs]]
    uploads = await region.running.published(evidence_events_pb2.EvidenceUploaded)
    assert {one.evidence_id: one.agency for one in uploads} == {mine: HEALTH, theirs: ""}


async def test_the_institution_hands_in_and_gives_away_not_its_agencies(region: People) -> None:
    hand_in = evidence_service_pb2.HandInEvidenceRequest(**region.about())
    assert (await refusal(agency(region, EvidenceServiceStub).HandInEvidence(hand_in))).reason == "ROLE"
    give = understanding_pb2.DelegateIndicatorsRequest(
        delegations=[evaluation_pb2.Delegation(indicator="14", agency=HEALTH)], **region.about()
    )
    assert (await refusal(agency(region, UnderstandingServiceStub).DelegateIndicators(give))).reason == "ROLE"
