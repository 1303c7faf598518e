"""A manager's pages of a cohort: who takes part, audit, report, messages; two managers at once."""

import asyncio
import re
from collections.abc import AsyncIterator

import pytest

from tests.harness.browsing import browser, faults, form, get, post
from tests.harness.cohorts.program import working
from tests.harness.waiting import eventually
from tests.integration.console.conftest import SUMEDANG, Console, signed_in
from tests.integration.console.test_program_pages import launched

PLACE = "/en/cohorts/real-1"


@pytest.fixture
async def steered(console: Console) -> AsyncIterator[Console]:
    """A cohort with its worker."""
    async with working(console.services["program"]):
        await launched(console, "real-1")
        yield console


async def test_two_managers_at_once_one_order_counts_and_the_other_is_told_why(steered: Console) -> None:
    first, second = [await signed_in(steered, "manager", subject=name) for name in ("ana", "budi")]
    order = f"{steered.url}{PLACE}/order/pause"
    pages = [await get(order, me) for me in (first, second)]
    sent = [
        post(order, me, form(page.text) | {"reason": "an election", "confirmed": "1"})
        for me, page in zip((first, second), pages, strict=True)
    ]
    answers = sorted(await asyncio.gather(*sent), key=lambda answer: answer.status)
    # The second comes either upon a form that stands no more, or upon the cohort's own refusal.
    assert (answers[0].status, answers[1].status in (404, 409)) == (303, True), answers[1].text

    async def paused() -> bool:
        return "paused" in (await get(steered.url + PLACE, second)).text

    await eventually(paused)
    audit = await get(f"{steered.url}{PLACE}/audit", first)
    assert len(re.findall(r'scope="row">pause<', audit.text)) == 1


async def test_records_are_accessible_fit_a_phone_and_are_for_those_who_look_after_it(steered: Console) -> None:
    found = []
    pages = ("", "?view=room", "/participants", "/audit", "/report", "/messages", "/order/extend")
    async with browser(bypass_csp=True) as context:
        page = await context.new_page()
        await page.goto(f"{steered.url}/sign-in?next=/work")
        await page.get_by_label("Peran").select_option("manager")
        await page.get_by_role("button", name="Masuk").click()
        await page.wait_for_url("**/work")
        # By keyboard from the list of cohorts to the meeting-room view.
        await page.get_by_role("link", name="Small cohort").press("Enter")
        await page.get_by_role("link", name="Tampilan ruang rapat").press("Enter")
        await page.locator("#hidup").wait_for()
        for width in (1280, 320):
            await page.set_viewport_size({"width": width, "height": 740})
            for start in ("", "/en"):
                for path in pages:
                    await page.goto(f"{steered.url}{start}/cohorts/real-1{path}")
                    found += [f"{start}{path} at {width}: {fault}" for fault in await faults(page)]
                    if await page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                        found.append(f"{start}{path} at {width}: wider than the screen")
    assert not found, "\n".join(found)
    for role, closed in (("operator", ("audit", "report", "messages")), ("coach", ("messages",))):
        other = await signed_in(steered, role, SUMEDANG)
        statuses = [(await get(f"{steered.url}/cohorts/real-1/{path}", other)).status for path in closed]
        assert statuses == [403] * len(closed)
