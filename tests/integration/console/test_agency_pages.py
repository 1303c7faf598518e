"""An agency signs in, and finds what its institution has given to it: answered, shown, reported, and nothing else."""

import uuid
from typing import Any

from livinglab.assessment.v1 import evaluation_pb2, understanding_pb2, understanding_pb2_grpc
from livinglab.coaching.v1 import coaching_pb2

from services.coaching.store.documents import fields
from tests.harness.browsing import browser, faults, get
from tests.harness.coaching import COHORT
from tests.harness.plans import PLAN
from tests.integration.console.conftest import HOSTILE, SUMEDANG, Console, opened, signed_in

HEALTH, ROADS = f"Dinas Kesehatan {HOSTILE}", "Dinas Pekerjaan Umum"
PDF = b"%PDF-1.7\n" + bytes(range(256)) * 4


async def given(console: Console) -> str:
    """Indicators 12 and 13 are health's and 14 is of roads; so are actions of an approved plan. The evaluation's id."""
    evaluation = await opened(console)
    delegations = [
        evaluation_pb2.Delegation(indicator=code, agency=agency, due_date="2024-09-01")
        for code, agency in (("12", HEALTH), ("13", HEALTH), ("14", ROADS))
    ]
    stub: Any = console.services["assessment"].as_role(
        understanding_pb2_grpc.UnderstandingServiceStub, "head", SUMEDANG
    )
    request = understanding_pb2.DelegateIndicatorsRequest(
        request_id=uuid.uuid4().hex, evaluation_id=evaluation, delegations=delegations
    )
    await stub.DelegateIndicators(request)
    plan = coaching_pb2.Plan(
        cohort_id=COHORT,
        institution=SUMEDANG,
        coach_id="coach-1",
        state=coaching_pb2.PLAN_STATE_APPROVED,
        from_index="2.00",
        to_index="2.40",
        actions=[
            coaching_pb2.Action(
                id=f"a{n}",
                indicator=str(n),
                indicator_name=name,
                from_value="1",
                to_value="2",
                gain="0.10",
                owner=owner,
            )
            for n, name, owner in ((12, "Layanan sehat", HEALTH), (13, "Jalan mulus", ROADS))
        ],
    )
    await console.services["coaching"].db["plans"].insert_one({"_id": PLAN, "version": 1, **fields(plan)})
    return evaluation


async def test_an_agency_answers_shows_and_reports_what_it_was_given_and_sees_nothing_else(console: Console) -> None:
    evaluation = await given(console)
    assessment, plan = f"/work/assessment/{evaluation}", f"/work/plan/{PLAN}"
    found = []
    async with browser(bypass_csp=True, viewport={"width": 320, "height": 740}) as context:
        page = await context.new_page()
        await page.goto(f"{console.url}/sign-in?next=/en/work")
        await page.get_by_label("Peran").select_option("agency")
        # Somebody of no agency is nobody: the page asks again.
        await page.get_by_role("button", name="Masuk").press("Enter")
        await page.get_by_label("Peran").select_option("agency")
        await page.get_by_label("OPD (agency").fill(HEALTH)
        await page.get_by_role("button", name="Masuk").press("Enter")
        await page.wait_for_url("**/en/work")
        for width in (1280, 320):
            await page.set_viewport_size({"width": width, "height": 740})
            for path in ("/work", assessment, f"{assessment}/12", plan):
                for start in ("", "/en"):
                    await page.goto(f"{console.url}{start}{path}")
                    found += [f"{start}{path} at {width}: {fault}" for fault in await faults(page)]
                    if await page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                        found.append(f"{start}{path} at {width}: wider than the screen")
        # By keyboard from what there is to do to the answer, the evidence and the report.
        await page.goto(f"{console.url}/en/work")
        assert await page.get_by_role("link", name="Inbox").count() == 0
        await page.get_by_role("link", name="spbe-59-2020 2026").press("Enter")
        await page.get_by_text("0 of 2").wait_for()
        await page.get_by_role("link", name="Answer the next open").press("Enter")
        await page.get_by_role("radio").nth(2).check()
        await page.get_by_label("Explanation").fill("Ada peraturan kepala dinas.")
        await page.get_by_role("button", name="Save and go on").press("Enter")
        await page.get_by_text("Saved.").wait_for()
        assert (await page.get_by_role("heading", level=1).inner_text()).startswith("13.")
        await page.get_by_label("File or photo").set_input_files(
            {"name": "sk.pdf", "mimeType": "application/pdf", "buffer": PDF}
        )
        await page.get_by_label("Date of the document").fill("2026-01-02")
        await page.get_by_role("button", name="Upload").press("Enter")
        await page.get_by_role("link", name="sk.pdf").wait_for()
        await page.goto(console.url + "/en" + plan)
        assert "Jalan mulus" not in await page.locator("main").inner_text()
        await page.get_by_label("How far the work is").fill("Rancangan dibahas")
        await page.get_by_role("button", name="Report progress").press("Enter")
        await page.get_by_text("Rancangan dibahas").wait_for()
        await page.get_by_label("Link to what shows").fill("https://jdih.example.go.id/12")
        await page.get_by_role("button", name="Report as done").press("Enter")
        await page.get_by_text("✓ done").wait_for()
        found += [f"{plan}: {fault}" for fault in await faults(page)]
    assert not found, "\n".join(found)
    me = await signed_in(console, "agency", SUMEDANG, agency=HEALTH)
    shown = (await get(f"{console.url}/en{assessment}", me)).text
    assert ("/14" in shown, "Hand in" in shown, "<script>alert" in shown) == (False, False, False)
    refused = {
        path: (await get(console.url + path, me)).status
        for path in (f"{assessment}/14", "/inbox", "/learn", "/wall", "/platform", f"/cohorts/{COHORT}")
    }
    assert refused == {
        f"{assessment}/14": 404, "/inbox": 403, "/learn": 403, "/wall": 403, "/platform": 403, f"/cohorts/{COHORT}": 403
    }  # fmt: skip
    tourism = await signed_in(console, "agency", SUMEDANG, agency="Dinas Pariwisata")
    nothing = (await get(f"{console.url}/en/work", tourism)).text
    assert ("spbe-59-2020" in nothing, "/work/plan/" in nothing) == (False, False)
    assert [(await get(console.url + path, tourism)).status for path in (assessment, plan)] == [403, 403]
