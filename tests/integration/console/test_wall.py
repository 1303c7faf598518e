"""The command centre: the ladder in full at each connection, told of changes, readable without script, for those who
decide alone."""

import asyncio
import re
import urllib.request

from tests.harness.browsing import browser, faults, get
from tests.integration.console.conftest import Console, registered, signed_in
from tests.integration.console.test_program_pages import launched
from tests.integration.console.test_sign_in import first_events

STEPS = ("Policy", "Insight", "Knowledge", "Information", "Data")


def until(url: str, headers: dict[str, str], wanted: str) -> list[str]:
    """Events of a stream up to the one that says so."""
    found: list[str] = []
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=60) as stream:
        lines: list[str] = []
        while not found or wanted not in found[-1]:
            line = stream.readline().decode().rstrip("\n")
            if line:
                lines.append(line)
                continue
            found, lines = [*found, "\n".join(lines)], []
    return found


async def test_the_ladder_is_whole_at_each_connection_and_hears_of_changes(nation: Console) -> None:
    await launched(nation, "real-1")
    me = await signed_in(nation, "manager")
    page = await get(f"{nation.url}/en/wall", me)
    assert page.status == 200, page.text
    assert [re.search(rf"<summary><b>{step}</b>", page.text) is not None for step in STEPS] == [True] * 5
    # Each step is inside of the one above it.
    assert re.findall(r'<details class="step (s\d)"', page.text) == ["s5", "s4", "s3", "s2", "s1"]
    assert page.text.index("</details>") > page.text.index('class="step s1"')
    assert "No decision is waiting." in page.text
    assert "5 results: spbe-59-2020 2025" in page.text
    assert "<script>alert" not in page.text
    live = f"{nation.url}/en/wall/live"
    hearing = asyncio.create_task(asyncio.to_thread(until, live, me, "6 results: spbe-59-2020 2025"))
    [first] = await asyncio.to_thread(first_events, live, me, 1)
    assert "5 results: spbe-59-2020 2025" in first
    await registered(nation, "LATE-1", "Late")
    await nation.imported([("LATE-1", "spbe-59-2020", "2025", str(n), "4") for n in range(1, 48)])
    told = await asyncio.wait_for(hearing, 60)
    assert all(step in told[-1] for step in STEPS)
    # Whoever comes after a break has all of it at once.
    [again] = await asyncio.to_thread(first_events, live, me, 1)
    assert "6 results: spbe-59-2020 2025" in again
    for role in ("operator", "platform"):
        other = await signed_in(nation, role, "32.11")
        assert (await get(f"{nation.url}/wall", other)).status == 403


async def test_it_is_accessible_large_on_a_wall_and_usable_without_script(nation: Console) -> None:
    found = []
    async with browser(bypass_csp=True) as context:
        page = await context.new_page()
        await page.goto(f"{nation.url}/sign-in?next=/wall")
        await page.get_by_label("Peran").select_option("manager")
        await page.get_by_role("button", name="Masuk").click()
        await page.wait_for_url("**/wall")
        await page.locator("#hidup").wait_for()
        for width, height in ((1920, 1080), (320, 740)):
            await page.set_viewport_size({"width": width, "height": height})
            for path in ("/wall", "/en/wall"):
                await page.goto(nation.url + path)
                for step in await page.locator("summary").all():
                    if await step.evaluate("one => !one.parentElement.open"):
                        await step.press("Enter")
                assert await page.locator(".many li").first.is_visible()
                found += [f"{path} at {width}: {fault}" for fault in await faults(page)]
                if await page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                    found.append(f"{path} at {width}: wider than the screen")
        # Of a screen two metres wide, letters of some four centimetres: read from five metres and more.
        await page.set_viewport_size({"width": 1920, "height": 1080})
        size = await page.locator(".wall li").first.evaluate("one => parseFloat(getComputedStyle(one).fontSize)")
        assert size >= 34
        cookies = await context.cookies()
    async with browser(java_script_enabled=False) as context:
        await context.add_cookies(cookies)
        page = await context.new_page()
        await page.goto(f"{nation.url}/en/wall")
        await page.locator("summary", has_text="Insight").press("Enter")
        assert await page.locator("summary", has_text="Knowledge").is_visible()
    assert not found, "\n".join(found)
