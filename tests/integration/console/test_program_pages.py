"""What everybody sees of the program, and what a region is told to do and until when."""

import re
from typing import Any

import grpc
import grpc.aio
import pytest
from livinglab.assessment.v1 import service_pb2, service_pb2_grpc
from livinglab.program.v1 import overview_service_pb2 as overview_pb
from livinglab.program.v1 import overview_service_pb2_grpc as overview_grpc
from livinglab.program.v1 import service_pb2 as program_pb
from livinglab.program.v1 import service_pb2_grpc as program_grpc

from tests.harness.browsing import form, get, post
from tests.harness.system import definition, spec
from tests.harness.waiting import eventually
from tests.integration.console.conftest import SUMEDANG, Console, opened, signed_in


async def launched(console: Console, cohort_id: str, *, rehearsal: bool = False) -> None:
    program: Any = console.services["program"].as_role(program_grpc.ProgramServiceStub, "manager")
    cohort, course = spec(cohort_id), definition()
    if not rehearsal:
        cohort.rehearsal, cohort.seconds_per_day = False, ""
        for phase in course.phases:
            phase.opens, phase.closes = _ahead(phase.opens), _ahead(phase.closes)
            for one in phase.sessions:
                one.start, one.end = _ahead(one.start), _ahead(one.end)
    request = program_pb.LaunchCohortRequest(request_id=cohort_id, definition=course, cohort=cohort)
    await program.LaunchCohort(request)


def _ahead(day: str) -> str:
    return str(int(day[:4]) + 20) + day[4:]


async def test_everybody_sees_a_cohort_and_nobody_a_rehearsal(console: Console) -> None:
    await launched(console, "real-1")
    await launched(console, "trial-1", rehearsal=True)
    public: Any = console.services["program"].as_role(overview_grpc.OverviewServiceStub, "public")
    listed = await public.ListOverviews(overview_pb.ListOverviewsRequest())
    assert [one.cohort_id for one in listed.overviews] == ["real-1"]
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await public.GetOverview(overview_pb.GetOverviewRequest(cohort_id="trial-1"))
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND
    programs = await console.get("/programs")
    assert "Small cohort" in programs.text
    assert "trial-1" not in programs.text
    page = await console.get("/en/programs/real-1")
    assert page.status == 200
    assert "Kabupaten Sumedang" in page.text
    assert "Who takes part" in page.text
    # Kept by nobody for longer than it is true, and unchanged for who has it.
    assert page.headers["cache-control"] == "public, no-cache"
    assert (await console.get("/en/programs/real-1", if_none_match=page.headers["etag"])).status == 304
    assert (await console.get("/programs/trial-1")).status == 404
    # People are nobody's business here.
    assert "@" not in re.sub(r"<style.*?</style>", "", page.text)


async def test_a_region_reads_what_to_do_and_until_when(console: Console) -> None:
    await launched(console, "real-2")
    me = await signed_in(console, "head", SUMEDANG)
    work = await get(f"{console.url}/en/work", me)
    assert "What to do, and until when" in work.text
    rows = re.findall(r"<tr><td>(.*?)</td><td>(.*?)<br>", work.text)
    assert rows, work.text
    assert any("Hand in" in what or "self-assess" in what.lower() for _, what in rows), rows


async def test_a_region_in_a_rehearsal_sees_its_evaluation_marked_as_one(console: Console) -> None:
    await launched(console, "trial-2", rehearsal=True)
    stub: Any = console.services["assessment"].as_role(service_pb2_grpc.AssessmentServiceStub, "manager")
    opening = service_pb2.OpenEvaluationRequest(
        request_id="trial-2",
        institution=SUMEDANG,
        instrument="spbe-59-2020",
        period="2022",
        cohort_id="trial-2",
        rehearsal="trial-2",
    )
    rehearsed = (await stub.OpenEvaluation(opening)).evaluation.id
    real = await opened(console)
    work = await get(f"{console.url}/en/work", await signed_in(console, "head", SUMEDANG))
    cards = re.findall(r"work/assessment/([^\"]+)\">.*?</h3>(.*?)</li>", work.text, re.DOTALL)
    assert {found: "rehearsal" in card for found, card in cards} == {rehearsed: True, real: False}


async def test_what_a_level_asks_for_is_ticked_and_kept(console: Console) -> None:
    evaluation = await opened(console)
    me = await signed_in(console, "operator", SUMEDANG)
    page = f"{console.url}/en/work/assessment/{evaluation}/1"
    before = await get(page, me)
    boxes = re.findall(r'type="checkbox" name="met\.(\w+)" value="1"( checked)?', before.text)
    assert boxes
    assert not any(checked for _, checked in boxes)
    first = boxes[0][0]
    fields = form(before.text) | {"value": "3", "note": "", f"met.{first}": "1"}
    assert (await post(page, me, fields)).status == 303
    assert re.findall(r'name="met\.(\w+)" value="1" checked', (await get(page, me)).text) == [first]
    stub: Any = console.services["assessment"].as_role(service_pb2_grpc.AssessmentServiceStub, "operator", SUMEDANG)

    async def met() -> list[str]:
        answer = await stub.GetEvaluation(service_pb2.GetEvaluationRequest(evaluation_id=evaluation))
        return [one.criterion for one in answer.evaluation.answers[0].met]

    assert await met() == [first]
    # Level 3 with what level 2 asks for left open, and without evidence: told before it is handed in.
    assert "Look at these before handing in" in (await get(f"{console.url}/en/work/assessment/{evaluation}", me)).text
    again = form((await get(page, me)).text) | {"value": "3", "note": ""}
    assert (await post(page, me, again)).status == 303

    async def forgotten() -> bool:
        return await met() == []

    await eventually(forgotten)
