"""Evidence on a real database: files in by resumable uploads and out, what they are shown for, what assessors say."""

import asyncio
import hashlib
import io
import uuid
import zipfile
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
import pytest
from gridfs import GridFSBucket
from livinglab.assessment.v1 import evaluation_pb2, evidence_events_pb2, evidence_pb2, service_pb2
from livinglab.assessment.v1 import evidence_service_pb2 as pb
from livinglab.assessment.v1.evidence_service_pb2_grpc import EvidenceServiceStub
from livinglab.assessment.v1.service_pb2_grpc import AssessmentServiceStub
from pymongo import MongoClient

from chassis.errors import Kind
from chassis.status import from_rpc_error
from services.assessment.store.files import CHUNK_BYTES
from stack.issuer import Issuer
from tests.harness.evaluation import People
from tests.harness.servers import Servers
from tests.harness.service import Running, refusal, running_service
from tests.harness.waiting import eventually

SUMEDANG, BANDUNG = "32.11", "32.04"
SPBE, PEMDI = "spbe-59-2020", "pemdi-8-2026"
PDF = b"%PDF-1.7\n" + bytes(range(256)) * 40
ACCEPTED, REVISE = evidence_pb2.EVIDENCE_STATE_ACCEPTED, evidence_pb2.EVIDENCE_STATE_REVISE
DRAFT, IN_PROCESS = evidence_pb2.EVIDENCE_STATE_DRAFT, evidence_pb2.EVIDENCE_STATE_IN_PROCESS
MISSING, FALLEN = evidence_pb2.EVIDENCE_STATE_MISSING, evidence_pb2.EVIDENCE_STATE_REJECTED_LOWER_LEVEL


@pytest.fixture
async def assessment(servers: Servers, issuer: Issuer, nats_url: str) -> AsyncIterator[Running]:
    async with running_service("assessment", servers, issuer, nats_url) as running:
        yield running


def rid() -> str:
    return uuid.uuid4().hex


def operator(assessment: Running, institution: str = SUMEDANG) -> Any:
    return assessment.as_role(EvidenceServiceStub, "operator", institution)


async def announced(assessment: Running, content: bytes, dated: str = "2022-03-01", **more: Any) -> evidence_pb2.Upload:
    fields = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest(), "file_name": "a.pdf", **more}
    request = pb.StartUploadRequest(request_id=rid(), institution=SUMEDANG, document_date=dated, **fields)
    answer: pb.StartUploadResponse = await operator(assessment).StartUpload(request)
    return answer.upload


def pieces(upload: evidence_pb2.Upload, content: bytes, size: int = CHUNK_BYTES) -> Iterator[pb.SendUploadRequest]:
    for start in range(upload.offset, len(content), size):
        yield pb.SendUploadRequest(upload_id=upload.id, offset=start, data=content[start : start + size])


async def uploaded(assessment: Running, content: bytes = PDF, dated: str = "2022-03-01") -> evidence_pb2.Evidence:
    upload = await announced(assessment, content, dated)
    answer: pb.SendUploadResponse = await operator(assessment).SendUpload(pieces(upload, content))
    return answer.upload.evidence


async def downloaded(stub: Any, evidence_id: str) -> tuple[evidence_pb2.Evidence, bytes]:
    parts = [part async for part in stub.DownloadEvidence(pb.DownloadEvidenceRequest(evidence_id=evidence_id))]
    return parts[0].evidence, b"".join(part.data for part in parts[1:])


async def opened(assessment: Running, instrument: str = SPBE, period: str = "2022") -> str:
    stub = assessment.as_role(AssessmentServiceStub, "operator", SUMEDANG)
    request = service_pb2.OpenEvaluationRequest(
        request_id=rid(), institution=SUMEDANG, instrument=instrument, period=period
    )
    return (await stub.OpenEvaluation(request)).evaluation.id


async def assigned(assessment: Running, evaluation_id: str, subject: str = "asesor") -> Any:
    """An assessor of the evaluation."""
    from livinglab.assessment.v1 import verification_pb2
    from livinglab.assessment.v1.verification_pb2_grpc import VerificationServiceStub

    manager = assessment.as_role(VerificationServiceStub, "manager")
    await manager.AssignAssessor(
        verification_pb2.AssignAssessorRequest(
            request_id=rid(),
            evaluation_id=evaluation_id,
            assessor=subject,
            duty=evaluation_pb2.DUTY_ASSESS,
            institution="33.74",
        )
    )
    return assessment.as_role(EvidenceServiceStub, "assessor", "33.74", subject=subject)


async def shown(
    assessment: Running, evaluation_id: str, evidence: evidence_pb2.Evidence, indicators: list[str], level: int = 0
) -> pb.AttachEvidenceResponse:
    request = pb.AttachEvidenceRequest(
        request_id=rid(), evaluation_id=evaluation_id, evidence_id=evidence.id, indicators=indicators, level=level
    )
    answer: pb.AttachEvidenceResponse = await operator(assessment).AttachEvidence(request)
    return answer


async def handed_in(assessment: Running, evaluation_id: str) -> None:
    await operator(assessment).HandInEvidence(pb.HandInEvidenceRequest(request_id=rid(), evaluation_id=evaluation_id))


async def reviewed(
    stub: Any, evaluation_id: str, evidence: evidence_pb2.Evidence, level: int, state: int, reason: str = ""
) -> evidence_pb2.IndicatorEvidence:
    request = pb.ReviewEvidenceRequest(
        request_id=rid(), evaluation_id=evaluation_id, indicator="1", evidence_id=evidence.id, level=level
    )
    request.state, request.reason = evidence_pb2.EvidenceState.ValueType(state), reason
    answer: pb.ReviewEvidenceResponse = await stub.ReviewEvidence(request)
    return answer.indicator


async def test_a_file_comes_out_as_it_went_in_and_any_gridfs_client_reads_it(
    assessment: Running, servers: Servers
) -> None:
    content = PDF * 300
    stored = await uploaded(assessment, content)
    assert (stored.content_type, stored.size) == (evidence_pb2.CONTENT_TYPE_PDF, len(content))
    found, bytes_out = await downloaded(operator(assessment), stored.id)
    assert (found, bytes_out == content) == (stored, True)
    with MongoClient(servers.mongo_uri) as client:
        bucket = GridFSBucket(client[assessment.db.name], "evidence_files")
        assert bucket.open_download_stream(stored.id).read() == content
    facts = await eventually(lambda: assessment.published(evidence_events_pb2.EvidenceUploaded))
    assert [(f.evidence_id, f.size, f.institution) for f in facts] == [(stored.id, len(content), SUMEDANG)]


async def test_an_upload_goes_on_where_it_broke_off(assessment: Running) -> None:
    content = PDF * 500
    upload = await announced(assessment, content)
    stub = operator(assessment)

    async def stored() -> int:
        return int((await stub.GetUpload(pb.GetUploadRequest(upload_id=upload.id))).upload.offset)

    async def two_chunks_stored() -> bool:
        return await stored() == 2 * CHUNK_BYTES

    async def broken() -> AsyncIterator[pb.SendUploadRequest]:
        for n, request in enumerate(pieces(upload, content, 400_000)):
            if n == 7:
                await eventually(two_chunks_stored)
                raise ConnectionError
            yield request

    with pytest.raises(asyncio.CancelledError):
        await stub.SendUpload(broken())
    again = await announced(assessment, content)
    assert (again.id, again.offset) == (upload.id, 2 * CHUNK_BYTES)
    refused = await refusal(stub.SendUpload(pieces(upload, content)))
    assert (refused.reason, str(again.offset) in refused.message) == ("WRONG_OFFSET", True)
    half = again.offset + CHUNK_BYTES
    answer = await stub.SendUpload(pieces(again, content[:half]))
    assert (answer.upload.offset, answer.upload.HasField("evidence")) == (half, False)
    answer = await stub.SendUpload(pieces(answer.upload, content))
    assert answer.upload.evidence.sha256 == hashlib.sha256(content).hexdigest()
    assert (await downloaded(stub, upload.id))[1] == content
    # Sending again what is complete changes nothing.
    assert (await stub.SendUpload(pieces(upload, content))).upload == answer.upload


async def test_the_same_content_is_not_sent_twice(assessment: Running) -> None:
    stored = await uploaded(assessment)
    again = await announced(assessment, PDF, file_name="other name.pdf")
    assert (again.evidence, again.offset) == (stored, len(PDF))


async def test_another_sha256_than_announced_leaves_nothing(assessment: Running) -> None:
    content = PDF * 400
    upload = await announced(assessment, content)
    changed = content[:-1] + b"?"
    refused = await refusal(operator(assessment).SendUpload(pieces(upload, changed)))
    assert [v.field for v in refused.violations] == ["sha256"]
    assert await assessment.db["evidence_files.chunks"].count_documents({}) == 0
    assert (
        await refusal(operator(assessment).GetUpload(pb.GetUploadRequest(upload_id=upload.id)))
    ).kind == Kind.NOT_FOUND


def package(*names: str, comment: bytes = b"") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, "<x/>")
        archive.comment = comment
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (PDF, "PDF"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 20, "PNG"),
        (b"\xff\xd8\xff\xe0" + b"\0" * 20, "JPEG"),
        (package("docProps/app.xml", "word/document.xml", "[Content_Types].xml"), "DOCX"),
        (package("[Content_Types].xml", "xl/workbook.xml", comment=b"c" * 500), "XLSX"),
        (package("[Content_Types].xml", "ppt/presentation.xml"), "PPTX"),
        ("kode;nilai\n1;3\n2;é\n".encode(), "CSV"),
        ("Surat keputusan.\nTentang é\n".encode(), "TEXT"),
        (package("a.txt"), None),
        (package("[Content_Types].xml", "word/document.xml", "word/vbaProject.bin"), None),
        (b"PK\x03\x04" + b"x" * 50, None),
        (b"MZ\x90\x00" + b"\0" * 20, None),
        ("naïve".encode("latin-1"), None),
        (b"\0", None),
    ],
)
async def test_what_a_file_is_follows_from_its_content(assessment: Running, content: bytes, kind: str | None) -> None:
    upload = await announced(assessment, content, file_name="looks-like.exe")
    call = operator(assessment).SendUpload(pieces(upload, content))
    if kind is None:
        assert (await refusal(call)).kind == Kind.INVALID_ARGUMENT
        assert await assessment.db["evidence_files.chunks"].count_documents({}) == 0
        assert await assessment.db["uploads"].count_documents({}) == 0
    else:
        assert (await call).upload.evidence.content_type == evidence_pb2.ContentType.Value(f"CONTENT_TYPE_{kind}")


async def test_faults_of_an_announcement_are_all_named(assessment: Running) -> None:
    request = pb.StartUploadRequest(
        request_id=rid(),
        institution=SUMEDANG,
        file_name="../etc/passwd",
        size=200 * 2**20,
        sha256="XYZ",
        document_date="2022-3-1",
    )
    refused = await refusal(operator(assessment).StartUpload(request))
    assert {v.field for v in refused.violations} == {"size", "document_date"}
    request.size, request.document_date = 10, "2999-01-01"
    refused = await refusal(operator(assessment).StartUpload(request))
    assert {v.field for v in refused.violations} == {"sha256", "file_name", "document_date"}
    for upload_id, kind in (("", Kind.INVALID_ARGUMENT), ("nobody", Kind.NOT_FOUND)):
        first = pb.SendUploadRequest(upload_id=upload_id)
        assert (await refusal(operator(assessment).SendUpload(iter([first])))).kind == kind
    too_long = pb.SendUploadRequest(upload_id="a", data=b"x" * (CHUNK_BYTES + 1))
    refused = await refusal(operator(assessment).SendUpload(iter([too_long])))
    assert [v.field for v in refused.violations] == ["messages[0].data"]


async def test_unfinished_uploads_are_limited(assessment: Running) -> None:
    for n in range(20):
        await announced(assessment, PDF + bytes([n]))
    refused = await refusal(announced(assessment, PDF))
    assert (refused.kind, refused.reason) == (Kind.RESOURCE_EXHAUSTED, "TOO_MANY_UPLOADS")


async def test_only_those_who_may_read_a_file(assessment: Running) -> None:
    evaluation_id = await opened(assessment)
    stored = await uploaded(assessment)
    assessor = await assigned(assessment, evaluation_id)
    await shown(assessment, evaluation_id, stored, ["1"])
    stranger = operator(assessment, BANDUNG)
    # Drafts are the institution's own.
    for stub in (stranger, assessor):
        assert (await refusal(downloaded(stub, stored.id))).kind == Kind.PERMISSION_DENIED
    await handed_in(assessment, evaluation_id)
    assert (await downloaded(assessor, stored.id))[1] == PDF
    assert (await downloaded(assessment.as_role(EvidenceServiceStub, "manager"), stored.id))[1] == PDF
    other = assessment.as_role(EvidenceServiceStub, "assessor", "33.74", subject="somebody else")
    for call in (
        downloaded(other, stored.id),
        downloaded(stranger, stored.id),
        stranger.ListEvidence(pb.ListEvidenceRequest(institution=SUMEDANG)),
        stranger.GetUpload(pb.GetUploadRequest(upload_id=stored.id)),
        stranger.SendUpload(iter([pb.SendUploadRequest(upload_id=stored.id)])),
        other.ListIndicatorEvidence(pb.ListIndicatorEvidenceRequest(evaluation_id=evaluation_id)),
        reviewed(other, evaluation_id, stored, 0, ACCEPTED),
    ):
        assert (await refusal(call)).kind == Kind.PERMISSION_DENIED


async def test_one_file_serves_many_indicators_and_a_later_evaluation(assessment: Running) -> None:
    first, later = await opened(assessment), await opened(assessment, period="2023")
    stored = await uploaded(assessment)
    answer = await shown(assessment, first, stored, ["1", "2", "47"])
    assert [(row.indicator, row.state) for row in answer.indicators] == [(code, DRAFT) for code in ("1", "2", "47")]
    await shown(assessment, later, stored, ["1"])
    assert await assessment.db["evidence"].count_documents({}) == 1
    listed = await operator(assessment).ListIndicatorEvidence(pb.ListIndicatorEvidenceRequest(evaluation_id=first))
    states = {row.indicator: row.state for row in listed.indicators}
    assert (len(states), states["1"], states["3"]) == (47, DRAFT, MISSING)
    assert [one.id for one in listed.evidence] == [stored.id]
    assessor = await assigned(assessment, first)
    listed = await assessor.ListIndicatorEvidence(pb.ListIndicatorEvidenceRequest(evaluation_id=first))
    assert {row.state for row in listed.indicators} == {MISSING}


async def test_bad_references_are_all_named(assessment: Running) -> None:
    evaluation_id, stored = await opened(assessment), await uploaded(assessment)
    request = pb.AttachEvidenceRequest(
        request_id=rid(), evaluation_id=evaluation_id, evidence_id=stored.id, indicators=["1"], level=6
    )
    request.pages, request.minutes = "seven", "25"
    refused = await refusal(operator(assessment).AttachEvidence(request))
    assert {v.field for v in refused.violations} == {"level", "pages", "minutes"}
    request.level, request.pages, request.minutes = 2, "3, 5-7", "12:30-14:05"
    request.indicators[:] = ["1", "48", "1", "2-2"]
    refused = await refusal(operator(assessment).AttachEvidence(request))
    assert [v.field for v in refused.violations] == ["indicators[1]", "indicators[2]", "indicators[3]"]
    request.indicators[:] = ["1"]
    assert (await operator(assessment).AttachEvidence(request)).indicators[0].pieces[0].pages == "3, 5-7"


async def test_the_ladder_warns_then_refuses_and_levels_above_fall_with_a_lower_one(assessment: Running) -> None:
    evaluation_id = await opened(assessment)
    low, high = await uploaded(assessment, PDF + b"2"), await uploaded(assessment, PDF + b"3")
    assessor = await assigned(assessment, evaluation_id)
    answer = await shown(assessment, evaluation_id, high, ["1"], 3)
    assert [(w.rule, w.indicator, w.level) for w in answer.warnings] == [("LADDER", "1", 3)]
    answer = await shown(assessment, evaluation_id, low, ["1"], 2)
    assert not answer.warnings
    refused = await refusal(reviewed(assessor, evaluation_id, high, 3, ACCEPTED))
    assert refused.reason == "NOT_HANDED_IN"
    await handed_in(assessment, evaluation_id)
    refused = await refusal(reviewed(assessor, evaluation_id, high, 3, ACCEPTED))
    assert (refused.kind, refused.reason) == (Kind.FAILED_PRECONDITION, "LADDER")
    await reviewed(assessor, evaluation_id, low, 2, ACCEPTED)
    both = await reviewed(assessor, evaluation_id, high, 3, ACCEPTED)
    assert (both.state, [p.state for p in both.pieces]) == (ACCEPTED, [ACCEPTED, ACCEPTED])
    assert (await refusal(reviewed(assessor, evaluation_id, low, 2, REVISE))).violations[0].field == "reason"
    fallen = await reviewed(assessor, evaluation_id, low, 2, REVISE, "not signed")
    assert {p.level: (p.state, p.reason) for p in fallen.pieces} == {
        3: (FALLEN, "level 2 is not accepted"),
        2: (REVISE, "not signed"),
    }
    again = await reviewed(assessor, evaluation_id, low, 2, ACCEPTED)
    assert {p.level: p.state for p in again.pieces} == {3: IN_PROCESS, 2: ACCEPTED}


async def test_a_document_too_old_for_its_level_is_warned_of_and_not_accepted(assessment: Running) -> None:
    evaluation_id = await opened(assessment)
    assessor = await assigned(assessment, evaluation_id)
    for level in (2, 3):
        below = await uploaded(assessment, PDF + bytes([level]))
        await shown(assessment, evaluation_id, below, ["1"], level)
        await handed_in(assessment, evaluation_id)
        await reviewed(assessor, evaluation_id, below, level, ACCEPTED)
    # On the last day of 2022 this is two years old, and the other one a day less.
    old = await uploaded(assessment, PDF + b"old", dated="2020-12-31")
    young = await uploaded(assessment, PDF + b"young", dated="2021-01-01")
    assert [w.rule for w in (await shown(assessment, evaluation_id, old, ["1"], 4)).warnings] == ["AGE"]
    assert not (await shown(assessment, evaluation_id, young, ["1"], 4)).warnings
    await handed_in(assessment, evaluation_id)
    assert (await refusal(reviewed(assessor, evaluation_id, old, 4, ACCEPTED))).reason == "AGE"
    assert (await reviewed(assessor, evaluation_id, young, 4, ACCEPTED)).pieces[-1].state == ACCEPTED


async def test_an_accepted_piece_is_neither_replaced_nor_taken_away(assessment: Running) -> None:
    evaluation_id, stored = await opened(assessment), await uploaded(assessment)
    assessor = await assigned(assessment, evaluation_id)
    await shown(assessment, evaluation_id, stored, ["1"])
    await handed_in(assessment, evaluation_id)
    found = await reviewed(assessor, evaluation_id, stored, 0, ACCEPTED)
    request = pb.DetachEvidenceRequest(
        request_id=rid(), evaluation_id=evaluation_id, indicator="1", evidence_id=stored.id
    )
    assert (await refusal(operator(assessment).DetachEvidence(request))).reason == "ACCEPTED"
    assert (await refusal(shown(assessment, evaluation_id, stored, ["1"]))).reason == "NOT_OPEN"
    stale = pb.ReviewEvidenceRequest(
        request_id=rid(), evaluation_id=evaluation_id, indicator="1", evidence_id=stored.id, state=ACCEPTED, etag="1"
    )
    assert (await refusal(assessor.ReviewEvidence(stale))).kind == Kind.ABORTED
    await reviewed(assessor, evaluation_id, stored, 0, REVISE, "the wrong year")
    request.request_id = rid()
    assert (await operator(assessment).DetachEvidence(request)).indicator.state == MISSING
    facts = await eventually(lambda: assessment.published(evidence_events_pb2.EvidenceReviewed))
    assert (facts[0].piece_state, facts[0].meta.version) == (ACCEPTED, int(found.etag))


async def test_evidence_is_carried_to_the_next_instrument_and_scores_are_not(assessment: Running) -> None:
    earlier, later = await opened(assessment), await opened(assessment, PEMDI, "2026")
    stub = assessment.as_role(AssessmentServiceStub, "operator", SUMEDANG)
    answers = [evaluation_pb2.Answer(indicator="21", value="4")]
    await stub.SaveAnswers(service_pb2.SaveAnswersRequest(request_id=rid(), evaluation_id=earlier, answers=answers))
    reused, adapted = await uploaded(assessment, PDF + b"21"), await uploaded(assessment, PDF + b"25")
    # 21, 26 -> 2 as it is; 25 -> 3 to be adapted; 6 is new.
    await shown(assessment, earlier, reused, ["21", "26"], 2)
    await shown(assessment, earlier, adapted, ["25"])
    request = pb.CarryEvidenceRequest(request_id=rid(), from_evaluation_id=earlier, to_evaluation_id=later)
    request.validate_only = True
    planned = await operator(assessment).CarryEvidence(request)
    assert await assessment.db["indicator_evidence"].count_documents({"evaluation": later}) == 0
    request.validate_only = False
    carried = await operator(assessment).CarryEvidence(request)
    assert carried == planned
    rows = {row.indicator: row for row in carried.rows}
    statuses = evidence_pb2.CrosswalkStatus
    assert (rows["2"].status, list(rows["2"].evidence_ids)) == (statuses.CROSSWALK_STATUS_REUSE, [reused.id])
    assert (rows["3"].status, list(rows["3"].evidence_ids)) == (statuses.CROSSWALK_STATUS_UPDATE, [adapted.id])
    assert (rows["6"].status, list(rows["6"].evidence_ids)) == (statuses.CROSSWALK_STATUS_NEW, [])
    listed = await operator(assessment).ListIndicatorEvidence(pb.ListIndicatorEvidenceRequest(evaluation_id=later))
    (piece,) = listed.indicators[1].pieces
    assert (piece.state, piece.level, piece.carried_from) == (DRAFT, 0, f"{earlier}:21")
    assert listed.indicators[2].pieces[0].reason == "to be adapted to pemdi-8-2026"
    evaluation = (await stub.GetEvaluation(service_pb2.GetEvaluationRequest(evaluation_id=later))).evaluation
    assert not evaluation.answers
    request.request_id = rid()
    again = await operator(assessment).CarryEvidence(request)
    assert not any(row.evidence_ids for row in again.rows)
    request = pb.CarryEvidenceRequest(request_id=rid(), from_evaluation_id=later, to_evaluation_id=earlier)
    assert (await refusal(operator(assessment).CarryEvidence(request))).reason == "NO_CROSSWALK"


async def test_the_evidence_of_a_published_evaluation_stands(assessment: Running) -> None:
    stored = await uploaded(assessment)
    people = People(assessment)
    await people.open()
    await shown(assessment, people.evaluation_id, stored, ["1"])
    await people.published()
    evaluation_id, stub = people.evaluation_id, operator(assessment)
    assessor = assessment.as_role(EvidenceServiceStub, "assessor", subject="ani")
    for call in (
        shown(assessment, evaluation_id, stored, ["2"]),
        stub.DetachEvidence(
            pb.DetachEvidenceRequest(
                request_id=rid(), evaluation_id=evaluation_id, indicator="1", evidence_id=stored.id
            )
        ),
        stub.HandInEvidence(pb.HandInEvidenceRequest(request_id=rid(), evaluation_id=evaluation_id)),
        reviewed(assessor, evaluation_id, stored, 0, ACCEPTED),
    ):
        refused = await refusal(call)
        assert (refused.kind, refused.reason) == (Kind.FAILED_PRECONDITION, "PUBLISHED")


async def test_two_who_send_one_file_at_once_end_with_one_whole_file(assessment: Running) -> None:
    content = PDF * 300
    upload = await announced(assessment, content)
    stubs = [operator(assessment), operator(assessment)]
    answers = await asyncio.gather(
        *(stub.SendUpload(pieces(upload, content, 300_000)) for stub in stubs), return_exceptions=True
    )
    refused = [from_rpc_error(one).reason for one in answers if isinstance(one, grpc.aio.AioRpcError)]
    assert set(refused) <= {"UPLOAD_IN_USE", "WRONG_OFFSET"}
    state = (await stubs[0].GetUpload(pb.GetUploadRequest(upload_id=upload.id))).upload
    if not state.HasField("evidence"):
        await stubs[0].SendUpload(pieces(state, content))
    assert (await downloaded(stubs[0], upload.id))[1] == content
    assert await assessment.db["evidence_files.files"].count_documents({}) == 1


async def test_a_database_that_comes_back_finds_the_upload_where_it_was(assessment: Running, servers: Servers) -> None:
    content = PDF * 400
    upload = await announced(assessment, content)
    stub = operator(assessment)
    half = list(pieces(upload, content))[:2]
    state = (await stub.SendUpload(iter(half))).upload
    assert state.offset == 2 * CHUNK_BYTES
    server = servers.server("mongod")
    await server.kill()
    refused = await refusal(stub.SendUpload(pieces(state, content)))
    assert refused.kind == Kind.UNAVAILABLE
    await server.start()

    async def sent() -> evidence_pb2.Upload:
        state = (await stub.GetUpload(pb.GetUploadRequest(upload_id=upload.id))).upload
        answer: pb.SendUploadResponse = await stub.SendUpload(pieces(state, content))
        return answer.upload

    done = await eventually(sent, timeout=30, ignoring=(grpc.aio.AioRpcError,))
    assert done.evidence.size == len(content)
    assert (await downloaded(stub, upload.id))[1] == content
