"""Evidence through the browser, and an assessor at the desk."""

import re
import uuid
from pathlib import Path
from typing import Any

from livinglab.assessment.v1 import evaluation_pb2, service_pb2, service_pb2_grpc, verification_pb2_grpc
from livinglab.assessment.v1 import verification_pb2 as pb

from instruments.file import load
from instruments.lint import leaves
from tests.harness.browsing import SAME, Got, form, get, post
from tests.integration.console.conftest import BANDUNG, INDICATORS, SUMEDANG, Console, opened, signed_in

DATA = Path(__file__).resolve().parents[2] / "data" / "instruments"
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
    return form(page.text[start:])


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
    detach = form(shown.text[: shown.text.index("Take away")])
    gone = await post(f"{page}/evidence/detach", me, detach)
    assert gone.headers["location"].endswith("?detached=1")
    assert "/work/evidence/" not in (await get(page, me)).text


async def handed_in(console: Console, instrument: str, values: dict[str, str]) -> str:
    """An evaluation that waits for its assessors; its id."""
    evaluation = await opened(console, instrument)
    assessment = console.services["assessment"]
    operator: Any = assessment.as_role(service_pb2_grpc.AssessmentServiceStub, "operator", SUMEDANG)
    head: Any = assessment.as_role(service_pb2_grpc.AssessmentServiceStub, "head", SUMEDANG)
    answers = [evaluation_pb2.Answer(indicator=code, value=value, note="ada") for code, value in values.items()]
    await operator.SaveAnswers(
        service_pb2.SaveAnswersRequest(request_id=uuid.uuid4().hex, evaluation_id=evaluation, answers=answers)
    )
    await head.SubmitEvaluation(
        service_pb2.SubmitEvaluationRequest(request_id=uuid.uuid4().hex, evaluation_id=evaluation)
    )
    return evaluation


async def assigned(console: Console, evaluation: str) -> dict[str, str]:
    """The browser of an assessor whose it is since now; nothing was before."""
    me = await signed_in(console, "assessor")
    nothing = await get(f"{console.url}/en/work", me)
    assert "No evaluation is assigned to you yet." in nothing.text
    manager: Any = console.services["assessment"].as_role(verification_pb2_grpc.VerificationServiceStub, "manager")
    await manager.AssignAssessor(
        pb.AssignAssessorRequest(
            request_id=uuid.uuid4().hex,
            evaluation_id=evaluation,
            assessor=nothing.text.split("Signed in as ")[1].split("<")[0].strip(),
            duty=evaluation_pb2.DUTY_ASSESS,
            institution="UNIV-1",
        )
    )
    return me


async def test_an_assessor_finds_what_is_assigned_and_saves_a_value_with_its_note(console: Console) -> None:
    evaluation = await handed_in(console, "spbe-59-2020", {str(n): "3" for n in range(1, INDICATORS + 1)})
    me = await assigned(console, evaluation)
    assert f"/work/dossier/{evaluation}" in (await get(f"{console.url}/en/work", me)).text
    dossier = f"{console.url}/en/work/dossier/{evaluation}"
    page = f"{dossier}/1"
    desk = await get(page, me)
    assert "What the region says" in desk.text
    assert levels_offered(desk.text) == ["1", "2", "3", "4", "5"]
    fields = form(desk.text) | {"value": "2", "fact": "<i>seen</i>", "analysis": "weak", "justification": "no decree"}
    saved = await post(page, me, fields)
    assert saved.status == 303, saved.text
    beside = await get(dossier, me)
    assert '<td class="r">3</td><td class="r">2</td>' in beside.text
    assert "&lt;i&gt;seen&lt;/i&gt;" in (await get(page, me)).text
    done = form(beside.text) | {"remark": ""}
    concluded = await post(dossier, me, done)
    assert concluded.headers["location"].endswith("?saved=1"), concluded.text
    assert "Interview" in (await get(dossier, me)).text
    # The same stage once more: refused, and said.
    assert (await post(dossier, me, done | {"request_id": uuid.uuid4().hex})).status == 409
    # The region may read what belongs to a concluded stage, and set nothing.
    region = await get(page, await signed_in(console, "operator", SUMEDANG))
    assert region.status == 200
    assert "&lt;i&gt;seen&lt;/i&gt;" in region.text
    assert "My finding" not in region.text


def levels_offered(text: str) -> list[str]:
    """What can be chosen as a value."""
    return re.findall(r'<input type="radio" name="value" value="([^"]*)"', text)


async def test_where_the_scale_has_no_levels_an_assessor_writes_a_number(console: Console) -> None:
    stub: Any = console.services["assessment"].as_role(service_pb2_grpc.AssessmentServiceStub, "manager")
    instrument = load((DATA / "four-components.yaml").read_bytes())
    await stub.PublishInstrument(
        service_pb2.PublishInstrumentRequest(request_id=uuid.uuid4().hex, instrument=instrument)
    )
    codes = [leaf.number for leaf in leaves(list(instrument.nodes))]
    evaluation = await handed_in(console, instrument.id, dict.fromkeys(codes, "0.5"))
    me = await assigned(console, evaluation)
    page = f"{console.url}/en/work/dossier/{evaluation}/{codes[0]}"
    desk = await get(page, me)
    assert levels_offered(desk.text) == []
    assert 'name="value" inputmode="decimal" required' in desk.text
    finding = form(desk.text) | {"fact": "", "analysis": "", "justification": "as measured"}
    beyond = await post(page, me, finding | {"value": "1.25"})
    assert beyond.status == 409
    assert 'name="value" inputmode="decimal" required value="1.25"' in beyond.text
    assert (await post(page, me, finding | {"value": "0.375"})).status == 303
    assert 'name="value" inputmode="decimal" required value="0.375"' in (await get(page, me)).text
