"""What is said of an indicator or a piece of evidence waits until somebody has dealt with it; who reads what."""

import hashlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from livinglab.assessment.v1 import (
    comment_events_pb2,
    evaluation_pb2,
    evidence_service_pb2,
    understanding_pb2,
)
from livinglab.assessment.v1 import comment_service_pb2 as pb
from livinglab.assessment.v1.comment_service_pb2_grpc import CommentServiceStub
from livinglab.assessment.v1.evidence_service_pb2_grpc import EvidenceServiceStub

from chassis.errors import Kind
from stack.issuer import Issuer
from tests.harness.evaluation import BANDUNG, SUMEDANG, People, answers, request_id
from tests.harness.servers import Servers
from tests.harness.service import refusal, running_service
from tests.harness.waiting import eventually

HEALTH = "Dinas Kesehatan"
PDF = b"%PDF-1.7\n" + bytes(range(256)) * 4


@pytest.fixture
async def people(servers: Servers, issuer: Issuer, nats_url: str) -> AsyncIterator[People]:
    """Indicators 12 and 13 are answered; 12 is in the care of health; ani assesses."""
    async with running_service("assessment", servers, issuer, nats_url) as running:
        found = People(running)
        await found.open()
        await found.answer(answers("1", (12, 13)))
        given = [evaluation_pb2.Delegation(indicator="12", agency=HEALTH)]
        request = understanding_pb2.DelegateIndicatorsRequest(delegations=given, **found.about())
        await found.understanding("head").DelegateIndicators(request)
        await found.assign("ani")
        yield found


def talking(people: People, role: str, subject: str = "", institution: str | None = None) -> Any:
    return people.stub(CommentServiceStub, role, subject, institution)


def health(people: People) -> Any:
    return people.running.as_agency(CommentServiceStub, SUMEDANG, HEALTH)


async def said(people: People, stub: Any, text: str, **about: Any) -> pb.EvaluationComment:
    request = pb.CommentOnEvaluationRequest(text=text, **about, **people.about())
    found: pb.EvaluationComment = (await stub.CommentOnEvaluation(request)).comment
    return found


async def read(people: People, stub: Any, **about: Any) -> list[str]:
    request = pb.ListEvaluationCommentsRequest(evaluation_id=people.evaluation_id, **about)
    return [one.text for one in (await stub.ListEvaluationComments(request)).comments]


async def resolved(stub: Any, comment_id: str, answer: str) -> pb.EvaluationComment:
    request = pb.ResolveEvaluationCommentRequest(request_id=request_id(), comment_id=comment_id, answer=answer)
    found: pb.EvaluationComment = (await stub.ResolveEvaluationComment(request)).comment
    return found


async def shown(people: People, *indicators: str) -> str:
    """The id of a file that the operator shows for these, as a draft."""
    stub = people.stub(EvidenceServiceStub, "operator")
    announced = evidence_service_pb2.StartUploadRequest(
        request_id=request_id(),
        institution=SUMEDANG,
        file_name="bukti.pdf",
        size=len(PDF),
        sha256=hashlib.sha256(PDF).hexdigest(),
        document_date="2022-03-01",
    )
    upload = (await stub.StartUpload(announced)).upload
    part = evidence_service_pb2.SendUploadRequest(upload_id=upload.id, offset=0, data=PDF)
    await stub.SendUpload(iter([part]))
    attach = evidence_service_pb2.AttachEvidenceRequest(evidence_id=upload.id, indicators=indicators, **people.about())
    await stub.AttachEvidence(attach)
    return str(upload.id)


async def test_what_is_said_is_read_by_those_whom_it_concerns_and_dealt_with_once(people: People) -> None:
    piece = await shown(people, "12", "13")
    operator, manager, ani = (
        talking(people, "operator"),
        talking(people, "manager"),
        talking(people, "assessor", "ani"),
    )
    first = await said(people, operator, "Siapa pemegang SK?", indicator="12")
    await said(people, manager, "Tahun berapa?", indicator="13", to_assessors=True)
    of_piece = await said(people, operator, "Halaman 7 buram", evidence_id=piece)
    asked = await said(people, ani, "Mana lampirannya?", indicator="12")
    assert (asked.to_assessors, asked.role, first.HasField("resolve_time")) == (True, "assessor", False)
    everything = ["Siapa pemegang SK?", "Tahun berapa?", "Halaman 7 buram", "Mana lampirannya?"]
    assert await read(people, operator) == everything
    assert await read(people, operator, indicator="12") == [everything[0], everything[3]]
    assert await read(people, operator, evidence_id=piece) == [everything[2]]
    # What the institution says among its own is not for who assesses it, nor another agency's for an agency.
    assert await read(people, ani) == [everything[1], everything[3]]
    assert await read(people, health(people)) == [everything[0], everything[2], everything[3]]
    listed = await health(people).ListEvaluationComments(
        pb.ListEvaluationCommentsRequest(evaluation_id=people.evaluation_id, indicator="12")
    )
    assert [one.author for one in listed.comments] == ["operator", ""]

    done = await resolved(health(people), first.id, "SK 12/2022")
    assert (done.answer, done.resolved_by) == ("SK 12/2022", f"{HEALTH}@{SUMEDANG}")
    again = await resolved(operator, first.id, "lain")
    assert (again.answer, again.resolved_by) == (done.answer, done.resolved_by)
    await resolved(operator, asked.id, "Dilampirkan")
    assert await read(people, operator, open_only=True) == everything[1:3]
    assert (await refusal(resolved(ani, of_piece.id, ""))).kind == Kind.NOT_FOUND

    async def told() -> bool:
        events = await people.running.published(comment_events_pb2.EvaluationCommentResolved)
        return [(one.comment_id, one.meta.version) for one in events] == [(first.id, 2), (asked.id, 2)]

    await eventually(told)
    made = await people.running.published(comment_events_pb2.EvaluationCommented)
    assert [(one.indicator, one.evidence_id, one.to_assessors) for one in made] == [
        ("12", "", False),
        ("13", "", True),
        ("", piece, False),
        ("12", "", True),
    ]


async def test_what_cannot_be_said_is_refused_and_nothing_is_kept(people: People) -> None:
    piece = await shown(people, "13")
    operator, ani = talking(people, "operator"), talking(people, "assessor", "ani")
    for about, fields in (
        ({}, {"indicator"}),
        ({"indicator": "99", "evidence_id": "nothing"}, {"indicator", "evidence_id"}),
        ({"indicator": "12", "evidence_id": piece}, {"evidence_id"}),
    ):
        refused = await refusal(said(people, operator, "Apa?", **about))
        assert {v.field for v in refused.violations} == fields
    blank = await refusal(said(people, operator, "   ", indicator="12"))
    assert [v.field for v in blank.violations] == ["text"]
    # To assessors a draft is not there.
    assert [v.field for v in (await refusal(said(people, ani, "Apa?", evidence_id=piece))).violations] == [
        "evidence_id"
    ]
    for stub, about, why in (
        (health(people), {"indicator": "13"}, "NOT_GIVEN"),
        (health(people), {"evidence_id": piece}, "NOT_GIVEN"),
        (talking(people, "operator", "other", BANDUNG), {"indicator": "12"}, "OTHER_INSTITUTION"),
        (talking(people, "assessor", "budi"), {"indicator": "12"}, "NOT_ASSIGNED"),
        (talking(people, "coach", "coach-9"), {"indicator": "12"}, "NOT_ASSIGNED"),
        (talking(people, "system"), {"indicator": "12"}, "ROLE"),
    ):
        assert (await refusal(said(people, stub, "Apa?", **about))).reason == why
    assert (await refusal(read(people, health(people), indicator="13"))).reason == "NOT_GIVEN"
    await people.running.db["evaluation_comments"].insert_many(
        {"evaluation": people.evaluation_id, "open": True, "_id": f"old-{n}"} for n in range(1_000)
    )
    assert (await refusal(said(people, operator, "Apa?", indicator="12"))).reason == "TOO_MANY_COMMENTS"
    kept = people.running.db["evaluation_comments"]
    assert await kept.count_documents({}) == 1_000
    assert not await people.running.published(comment_events_pb2.EvaluationCommented)
