"""An answer that is saved while the line is lost waits on the device, and is stored once when it is back."""

from typing import Any

from livinglab.assessment.v1 import service_pb2, service_pb2_grpc

from tests.harness.browsing import browser, faults
from tests.harness.waiting import eventually
from tests.integration.console.conftest import SUMEDANG, Console, opened

WAITS = "menunggu di perangkat ini"


async def test_a_draft_survives_a_lost_line_and_is_stored_once(console: Console) -> None:
    evaluation = await opened(console)
    stub: Any = console.services["assessment"].as_role(service_pb2_grpc.AssessmentServiceStub, "operator", SUMEDANG)

    async def answers() -> dict[str, tuple[str, str]]:
        answer = await stub.GetEvaluation(service_pb2.GetEvaluationRequest(evaluation_id=evaluation))
        return {one.indicator: (one.value, one.note) for one in answer.evaluation.answers}

    place = f"{console.url}/work/assessment/{evaluation}"
    complaints: list[str] = []
    async with browser(viewport={"width": 320, "height": 740}) as context:
        page = await context.new_page()
        page.on("console", lambda message: complaints.append(message.text) if "olicy" in message.text else None)
        await page.goto(f"{console.url}/sign-in?next=/work/assessment/{evaluation}/1")
        await page.get_by_label("Peran").select_option("operator")
        await page.get_by_role("button", name="Masuk").click()
        await page.wait_for_url("**/1")

        # The line is cut between the request and its answer: the server has it, the browser does not know.
        async def cut(route: Any) -> None:
            if route.request.method == "POST":
                await route.fetch()
                await route.abort("connectionreset")
            else:
                await route.continue_()

        await page.route("**/*", cut)
        await page.locator("input[name=value][value='3']").check()
        await page.get_by_label("Penjelasan").fill("Ada peraturan bupati.")
        await page.get_by_role("button", name="Simpan", exact=True).click()
        await page.get_by_text(f"1 jawaban {WAITS}").wait_for()
        await page.unroute_all(behavior="wait")
        # Another one, with no line at all; the page that was open stays usable.
        await page.goto(f"{place}/2")
        await context.set_offline(True)
        await page.locator("input[name=value][value='2']").check()
        await page.get_by_label("Penjelasan").fill("Belum ada anggaran.")
        await page.get_by_role("button", name="Simpan", exact=True).click()
        await page.get_by_text(f"jawaban {WAITS}").wait_for()
        assert "2" not in await answers()
        # The browser is closed and opened again: what waits is sent, under the same request_id.
        await page.close()
        await context.set_offline(False)
        page = await context.new_page()
        await page.goto(place)

        async def stored() -> bool:
            return await answers() == {"1": ("3", "Ada peraturan bupati."), "2": ("2", "Belum ada anggaran.")}

        await eventually(stored)
        await page.locator("#draf").wait_for(state="hidden")
        assert await page.evaluate("Object.keys(localStorage).length") == 0
    assert complaints == []


async def test_a_draft_that_is_refused_is_shown_on_its_page_with_what_was_written(console: Console) -> None:
    evaluation = await opened(console)
    async with browser(bypass_csp=True, viewport={"width": 375, "height": 740}) as context:
        page = await context.new_page()
        await page.goto(f"{console.url}/sign-in?next=/en/work/assessment/{evaluation}/1")
        await page.get_by_label("Peran").select_option("operator")
        await page.get_by_role("button", name="Masuk").click()
        await page.wait_for_url("**/1")
        # Somebody else has saved meanwhile.
        await page.locator("input[name=etag]").evaluate("one => { one.value = 'stale'; }")
        await page.locator("input[name=value][value='4']").check()
        await page.get_by_label("Explanation").fill("Mine.")
        await page.get_by_role("button", name="Save", exact=True).click()
        await page.get_by_text("Somebody else has changed this assessment").wait_for()
        assert await page.get_by_label("Explanation").input_value() == "Mine."
        assert await page.locator("input[name=value][value='4']").is_checked()
        assert await page.evaluate("Object.keys(localStorage).length") == 0
        assert await faults(page) == []
