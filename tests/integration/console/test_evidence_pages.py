"""Evidence through the browser, and an assessor at the desk."""

import urllib.parse
import uuid
from typing import Any

from livinglab.assessment.v1 import evaluation_pb2, service_pb2, service_pb2_grpc, verification_pb2_grpc
from livinglab.assessment.v1 import verification_pb2 as pb

from tests.harness.browsing import Got, get
from tests.integration.console.conftest import BANDUNG, INDICATORS, SUMEDANG, Console
from tests.integration.console.test_sign_in import SAME, form, opened, signed_in

EDGE = "edge-of-a-part"
SENT = {**SAME, "content-type": f"multipart/form-data; boundary={EDGE}"}


def multipart(fields: dict[str, str], name: str, content: bytes) -> bytes:
    """A form with a file, as a browser sends it."""
    parts = [
        f'--{EDGE}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
        for key, value in fields.items()
    ]
    head = f'--{EDGE}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
    parts.append(head.encode() + b"Content-Type: text/plain\r\n\r\n" + content + b"\r\n")
    return b"".join(parts) + f"--{EDGE}--\r\n".encode()


def of_file(page: Got) -> dict[str, str]:
    """The hidden fields of the form for files."""
    start = page.text.index('enctype="multipart/form-data"')
    return form(Got(page.status, page.headers, page.text[start:].encode(), 0))


async def test_evidence_comes_in_by_a_form_and_out_as_a_file_that_can_do_nothing(console: Console) -> None:
    evaluation = await opened(console)
    me = await signed_in(console, "operator", SUMEDANG)
    page = f"{console.url}/en/work/assessment/{evaluation}/1"
    fields = of_file(await get(page, me)) | {"date": "2025-03-01", "level": "0", "pages": "2"}
    content = b"Peraturan Bupati, isi.\n" * 60_000
    body = multipart(fields, "<b>perbup.txt", content)
    # Another site, and a form of nobody's session.
    assert (await get(f"{page}/evidence", me | SENT | {"sec-fetch-site": "cross-site"}, body)).status == 403
    stolen = multipart(fields | {"csrf": "x"}, "perbup.txt", content)
    assert (await get(f"{page}/evidence", me | SENT, stolen)).status == 403
    for _ in range(2):
        # Sent twice, it is there once.
        stored = await get(f"{page}/evidence", me | SENT, body)
        assert stored.status == 303, stored.text
        assert stored.headers["location"].endswith("?attached=1"), stored.headers["location"]
    shown = await get(page, me)
    assert shown.text.count("/work/evidence/") == 1
    assert "&lt;b&gt;perbup.txt" in shown.text
    place = shown.text.split("/work/evidence/")[1].split('"')[0]
    fetched = await get(f"{console.url}/work/evidence/{place}", me)
    assert fetched.body == content
    assert fetched.headers["content-disposition"].startswith("attachment;")
    assert "sandbox" in fetched.headers["content-security-policy"]
    assert fetched.headers["cache-control"] == "no-store"
    other = await signed_in(console, "operator", BANDUNG)
    assert (await get(f"{console.url}/work/evidence/{place}", other)).status == 403
    # What is no document is refused, and the page says why.
    again = of_file(await get(page, me)) | {"date": "2025-03-01", "level": "0"}
    wrong = await get(f"{page}/evidence", me | SENT, multipart(again, "x.exe", b"MZ\x00\x01\x02" * 100))
    assert "refused=" in wrong.headers["location"]
    # It can be taken away again.
    detach = form(Got(200, shown.headers, shown.text[: shown.text.index("Take away")].encode(), 0))
    gone = await get(f"{page}/evidence/detach", me | SAME, urllib.parse.urlencode(detach).encode())
    assert gone.headers["location"].endswith("?detached=1")
    assert "/work/evidence/" not in (await get(page, me)).text


async def test_an_assessor_finds_what_is_assigned_and_saves_a_value_with_its_note(console: Console) -> None:
    evaluation = await opened(console)
    assessment = console.services["assessment"]
    operator: Any = assessment.as_role(service_pb2_grpc.AssessmentServiceStub, "operator", SUMEDANG)
    head: Any = assessment.as_role(service_pb2_grpc.AssessmentServiceStub, "head", SUMEDANG)
    answers = [evaluation_pb2.Answer(indicator=str(n), value="3", note="ada") for n in range(1, INDICATORS + 1)]
    await operator.SaveAnswers(
        service_pb2.SaveAnswersRequest(request_id=uuid.uuid4().hex, evaluation_id=evaluation, answers=answers)
    )
    await head.SubmitEvaluation(
        service_pb2.SubmitEvaluationRequest(request_id=uuid.uuid4().hex, evaluation_id=evaluation)
    )
    me = await signed_in(console, "assessor")
    nothing = await get(f"{console.url}/en/work", me)
    assert "No evaluation is assigned to you yet." in nothing.text
    subject = nothing.text.split("Signed in as ")[1].split("<")[0].strip()
    manager: Any = assessment.as_role(verification_pb2_grpc.VerificationServiceStub, "manager")
    await manager.AssignAssessor(
        pb.AssignAssessorRequest(
            request_id=uuid.uuid4().hex,
            evaluation_id=evaluation,
            assessor=subject,
            duty=evaluation_pb2.DUTY_ASSESS,
            institution="UNIV-1",
        )
    )
    assert f"/work/dossier/{evaluation}" in (await get(f"{console.url}/en/work", me)).text
    page = f"{console.url}/en/work/dossier/{evaluation}/1"
    desk = await get(page, me)
    assert "What the region says" in desk.text
    fields = form(desk) | {"value": "2", "fact": "<i>seen</i>", "analysis": "weak", "justification": "no decree"}
    saved = await get(page, me | SAME, urllib.parse.urlencode(fields).encode())
    assert saved.status == 303, saved.text
    beside = await get(f"{console.url}/en/work/dossier/{evaluation}", me)
    assert '<td class="r">3</td><td class="r">2</td>' in beside.text
    assert "&lt;i&gt;seen&lt;/i&gt;" in (await get(page, me)).text
    done = urllib.parse.urlencode(form(beside) | {"remark": ""}).encode()
    concluded = await get(f"{console.url}/en/work/dossier/{evaluation}", me | SAME, done)
    assert concluded.headers["location"].endswith("?saved=1"), concluded.text
    assert "Interview" in (await get(f"{console.url}/en/work/dossier/{evaluation}", me)).text
    # The same stage once more: refused, and said.
    stale = urllib.parse.urlencode(form(beside) | {"remark": "", "request_id": uuid.uuid4().hex}).encode()
    assert (await get(f"{console.url}/en/work/dossier/{evaluation}", me | SAME, stale)).status == 409
    # The region may read what belongs to a concluded stage, and set nothing.
    region = await get(page, await signed_in(console, "operator", SUMEDANG))
    assert "My finding" not in region.text
