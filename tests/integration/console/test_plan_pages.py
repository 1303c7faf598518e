"""A plan is made one's own in the browser, and talked about; practices are there for everybody."""

import uuid
from typing import Any

from livinglab.assessment.v1 import evaluation_pb2, service_pb2, service_pb2_grpc
from livinglab.coaching.v1 import practice_pb2, practice_service_pb2, practice_service_pb2_grpc

from tests.harness.browsing import form, get, post
from tests.harness.coaching import COHORT, SUMEDANG, count
from tests.harness.plans import PLAN, SPBE, coached, drafted, in_a_cohort
from tests.harness.waiting import eventually
from tests.integration.console.conftest import HOSTILE, INDICATORS, Console, signed_in


async def assessed(console: Console) -> None:
    """Sumedang has handed in level 2 for every indicator."""
    assessment = console.services["assessment"]
    manager: Any = assessment.as_role(service_pb2_grpc.AssessmentServiceStub, "manager")
    operator: Any = assessment.as_role(service_pb2_grpc.AssessmentServiceStub, "operator", SUMEDANG)
    head: Any = assessment.as_role(service_pb2_grpc.AssessmentServiceStub, "head", SUMEDANG)
    opening = service_pb2.OpenEvaluationRequest(
        request_id=uuid.uuid4().hex,
        institution=SUMEDANG,
        instrument=SPBE,
        period="2022",
        cohort_id=COHORT,
    )
    evaluation = (await manager.OpenEvaluation(opening)).evaluation.id
    answers = [evaluation_pb2.Answer(indicator=str(n), value="2") for n in range(1, INDICATORS + 1)]
    saving = service_pb2.SaveAnswersRequest(request_id=uuid.uuid4().hex, evaluation_id=evaluation, answers=answers)
    await operator.SaveAnswers(saving)
    handing = service_pb2.SubmitEvaluationRequest(request_id=uuid.uuid4().hex, evaluation_id=evaluation)
    await head.SubmitEvaluation(handing)


async def ready(console: Console) -> None:
    """A plan of Sumedang with a coach."""
    coaching = console.services["coaching"]
    await coached(coaching)
    await in_a_cohort(coaching)
    await assessed(console)

    async def arrived() -> bool:
        return await count(coaching, "evaluations") == 1

    await eventually(arrived)
    await drafted(coaching)


async def test_a_plan_is_changed_and_talked_about_item_by_item(console: Console) -> None:
    await ready(console)
    me = await signed_in(console, "head", SUMEDANG)
    page = f"{console.url}/en/work/plan/{PLAN}"
    before = await get(page, me)
    assert before.status == 200, before.text
    start = before.text.index('name="what" value="edit"')
    first = before.text[: start + 1]
    hidden = form(first[first.rindex("<form") :])
    changed = {
        "what": "edit",
        "description": HOSTILE,
        "owner": "Diskominfo",
        "person": "Ibu Rina",
        "start_date": "2022-11-15",
        "due_date": "2022-12-20",
        "cost": "25000000",
    }
    saved = await post(page, me, hidden | changed)
    assert saved.status == 303, saved.text
    shown = await get(page, me)
    assert "<script>alert" not in shown.text
    assert "Diskominfo" in shown.text
    # Somebody read it before: their change names what was changed meanwhile, and is not stored.
    stale = hidden | changed | {"owner": "Bappeda", "request_id": uuid.uuid4().hex}
    refused = await post(page, me, stale)
    assert refused.status == 409
    assert "Bappeda" not in (await get(page, me)).text
    word = {"csrf": hidden["csrf"], "request_id": uuid.uuid4().hex, "what": "comment", "action": hidden["action"]}
    said = await post(page, me, word | {"text": "Who pays?"})
    assert said.status == 303, said.text
    talked = await get(page, me)
    assert "Who pays?" in talked.text
    part = talked.text[talked.text.index("Who pays?") :]
    settle = form(part[: part.index("</form>")])
    assert (await post(page, me, settle)).status == 303
    assert "dealt with" in (await get(page, me)).text


async def test_practices_are_for_everybody_and_drafts_are_not(console: Console) -> None:
    stub: Any = console.services["coaching"].as_role(practice_service_pb2_grpc.PracticeServiceStub, "head", SUMEDANG)
    practice = practice_service_pb2.SavePracticeRequest(
        request_id=uuid.uuid4().hex,
        institution=SUMEDANG,
        title="Satu data desa",
        summary="Data desa dalam satu tempat.",
        kind=practice_pb2.SERVICE_KIND_G2C,
        instrument=SPBE,
        levels=[practice_pb2.PracticeLevel(indicator="3", level="4")],
        steps=["Tetapkan wali data", HOSTILE],
        contact_name="Dinas Kominfo",
        contact="kominfo@sumedang.example",
    )
    saved = await stub.SavePractice(practice)
    assert "Satu data desa" not in (await console.get("/practices")).text
    assert (await console.get(f"/practices/{saved.practice.id}")).status == 404
    publish = practice_service_pb2.PublishPracticeRequest(request_id=uuid.uuid4().hex, practice_id=saved.practice.id)
    await stub.PublishPractice(publish)

    async def told() -> bool:
        return "Satu data desa" in (await console.get("/en/practices?kind=2&indicator=3")).text

    await eventually(told)
    assert "Satu data desa" not in (await console.get("/practices?kind=4")).text
    page = await console.get(f"/en/practices/{saved.practice.id}")
    assert "Tetapkan wali data" in page.text
    assert "<script>" not in page.text
