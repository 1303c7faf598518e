"""A manager's pages of a cohort: who takes part and orders for several of them, audit, report, messages; two managers
at once."""

import asyncio
import re
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.harness.browsing import browser, cut, faults, form, get, post
from tests.harness.cohorts.program import working
from tests.harness.system import REGIONS
from tests.harness.waiting import eventually
from tests.integration.console.conftest import SUMEDANG, Console, signed_in
from tests.integration.console.test_program_pages import launched

PLACE = "/en/cohorts/real-1"
SEMARANG = "33.74"
ROLES = ("secretary", "head", "operator", "regent")


@pytest.fixture
async def steered(console: Console) -> AsyncIterator[Console]:
    """A cohort with its worker."""
    async with working(console.services["program"]):
        await launched(console, "real-1")
        yield console


async def test_orders_for_several_at_once_are_told_first_and_done_once(steered: Console) -> None:
    me = await signed_in(steered, "manager", subject="ana")
    place = steered.url + PLACE
    page = await get(f"{place}/participants", me)
    assert "4 of 4" in page.text
    one = await get(f"{place}/participants?find=sumedang", me)
    assert ("1 of 4" in one.text, "Semarang" in one.text) == (True, False)
    assert "0 of 4" in (await get(f"{place}/participants?state=3", me)).text
    chosen = {f"one.{SUMEDANG}": "1", f"one.{SEMARANG}": "1", "order": "withdraw", "reason": "an election"}
    fields = form(page.text) | chosen
    # Nothing ticked, or no reason: each fault is named, and nothing happens.
    bare = await post(f"{place}/participants", me, form(page.text))
    assert (bare.status, "Tick 1 to 100" in bare.text, "Choose the order" in bare.text) == (409, True, True)
    told = await post(f"{place}/participants", me, fields)
    assert told.text.count("people are told") == 2
    assert "0 of 4" in (await get(f"{place}/participants?state=3", me)).text
    done = await post(f"{place}/participants", me, fields | {"confirmed": "1"})
    assert done.text.count("done: Withdraw") == 2
    # The same form once more is the same answer, not two refusals.
    again = await post(f"{place}/participants", me, fields | {"confirmed": "1"})
    assert again.text.count("done: Withdraw") == 2

    async def left() -> bool:
        return "2 of 4" in (await get(f"{place}/participants?state=3", me)).text

    await eventually(left)
    # A new form for who has left already is refused by name, and the others are served.
    late = await get(f"{place}/participants", me)
    fields = form(late.text) | chosen | {"confirmed": "1", "request_id": uuid.uuid4().hex}
    assert (await post(f"{place}/participants", me, fields)).text.count("refused:") == 2
    audit = await get(f"{place}/audit", me)
    assert audit.text.count("an election") == 2
    assert "ana" in audit.text
    coach = await signed_in(steered, "coach", subject="c-1")
    assert "For those that are ticked" not in (await get(f"{place}/participants", coach)).text
    assert (await post(f"{place}/participants", coach, fields)).status == 403


async def test_a_cohort_is_launched_from_files_after_each_fault_was_named(console: Console, tmp_path: Path) -> None:
    """In a browser, as files are chosen there: first with a fault, then as a rehearsal, by the form that told what
    starts; a reload of that form starts nothing twice."""
    cohort, roster = tmp_path / "pilot.yaml", tmp_path / "people.csv"
    cohort.write_text("id: pilot\ntitle: Pilot\ndefinition: living-lab-2022\nroster_file: people.csv\n")
    roster.write_text(
        "institution,role,name,email\n32.11,head,Ibu Sari,sari@r3211.example\n99.99,head,X,not an address\n"
    )
    found = []
    async with browser(bypass_csp=True, viewport={"width": 320, "height": 740}) as context:
        page = await context.new_page()
        await page.goto(f"{console.url}/sign-in?next=/en/launch")
        await page.get_by_label("Peran").select_option("manager")
        await page.get_by_role("button", name="Masuk").click()
        await page.wait_for_url("**/launch")

        async def checked() -> None:
            await page.get_by_label("Files").set_input_files([str(cohort), str(roster)])
            await page.get_by_label("As a rehearsal").check()
            await page.get_by_role("button", name="Check").press("Enter")
            await page.wait_for_load_state()

        await checked()
        told = await page.get_by_role("alert").inner_text()
        assert "people.csv: line 3" in told
        found += await faults(page)
        assert await page.get_by_role("button", name="Launch").count() == 0
        people = "".join(f"{code},{role},P,p@r{code}.example\n" for code in REGIONS for role in ROLES)
        roster.write_text("institution,role,name,email\n" + people)
        await checked()
        assert "starts with 4 participants" in await page.locator("main").inner_text()
        found += await faults(page)
        found += await cut(page)
        await page.get_by_role("button", name="Launch").press("Enter")
        await page.wait_for_url("**/cohorts/pilot")
        assert "rehearsal" in await page.locator("main").inner_text()
    assert not found, "\n".join(found)
    assert (await get(f"{console.url}/launch", await signed_in(console, "coach"))).status == 403


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


async def test_every_order_is_a_form_that_tells_first_what_it_would_do(steered: Console) -> None:
    me = await signed_in(steered, "manager", subject="ana")
    place, reason = steered.url + PLACE, {"reason": "an election"}
    board = (await get(place, me)).text
    # Of a phase that has not opened, and of nobody who has left, there is nothing to order.
    offered = set(re.findall(r"/order/(\w+)", board))
    assert offered == {"extend", "move", "pause", "enrol", "replace", "split", "withdraw", "cancel"}
    people = {f"{field}.{role}": f"{role}@bandung.example" for field in ("name", "email") for role in ROLES}
    given = {
        "extend": ({"phase": "work", "days": "-7"}, "Kerja ends: "),
        "move": ({"phase": "meeting", "days": "3"}, "Session session of Pertemuan: "),
        "enrol": ({"institution": "32.04", **people}, "Kabupaten Bandung takes part"),
        "replace": (
            {"institution": SUMEDANG, "seat": "head", "name": "Ibu Rina", "email": "rina@sumedang.example"},
            "Ibu Rina acts for Kabupaten Sumedang",
        ),
        "split": (
            {"new_id": "split-1", "title": "Kelompok dua", "institutions": f"{SUMEDANG}\n{SEMARANG}"},
            "Kelompok dua",
        ),
        "withdraw": ({"institution": SEMARANG}, "Kota Semarang leaves"),
        "pause": ({}, "Nothing opens, closes or is due"),
        "cancel": ({}, "4 active participants are withdrawn"),
    }
    hidden = form((await get(f"{place}/order/move", me)).text)
    for order, (fields, effect) in given.items():
        told = await post(f"{place}/order/{order}", me, hidden | fields | reason)
        assert told.status == 200, (order, told.text)
        assert (effect in told.text, "people are written to" in told.text) == (True, True), (order, told.text)
        # Each fault has its field, and nothing is lost of what was written.
        bare = await post(f"{place}/order/{order}", me, hidden | fields)
        assert (bare.status, "reason: " in bare.text, "Carry it out" in bare.text) == (409, True, False), order
    assert "an election" not in (await get(f"{place}/audit", me)).text
    for order in ("replace", "withdraw"):
        done = await post(
            f"{place}/order/{order}", me, hidden | given[order][0] | reason | {"confirmed": "1", "request_id": order}
        )
        assert done.status == 303, done.text

    async def left() -> bool:
        return "/order/readmit" in (await get(place, me)).text

    await eventually(left)
    back = hidden | reason | {"institution": SEMARANG}
    assert "is in again" in (await post(f"{place}/order/readmit", me, back)).text
    # What the program refuses is told as it says it.
    refused = await post(f"{place}/order/readmit", me, back | {"institution": SUMEDANG})
    assert (refused.status, "This cannot be done" in refused.text) == (409, True)
    assert (await get(f"{place}/order/reopen", me)).status == 404
    # A rehearsal is soon where a phase has closed and the next is open.
    await launched(steered, "soon-1", rehearsal=True)
    soon = f"{steered.url}/en/cohorts/soon-1"

    async def closed() -> bool:
        board = (await get(soon, me)).text
        return "/order/reopen" in board and "/order/override" in board

    await eventually(closed)
    opening = hidden | reason | {"phase": "meeting", "days": "5", "readmit": "1"}
    assert "is open again for 5 days" in (await post(f"{soon}/order/reopen", me, opening)).text
    deciding = hidden | reason | {"phase": "work", "action": "2"}
    assert "The gate of Kerja: close now" in (await post(f"{soon}/order/override", me, deciding)).text
    pages = [await get(f"{soon}/order/{order}", me) for order in ("reopen", "override")]
    assert [page.status for page in pages] == [200, 200]


async def test_records_are_accessible_fit_a_phone_and_are_for_those_who_look_after_it(steered: Console) -> None:
    found = []
    pages = (
        "",
        "?view=room",
        "/participants",
        "/audit",
        "/report",
        "/messages",
        "/order/extend",
        "/order/move",
        "/order/enrol",
        "/order/replace",
        "/order/split",
    )
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
                    found += [f"{start}{path} at {width}: {fault}" for fault in await cut(page)]
    assert not found, "\n".join(found)
    for role, closed in (("operator", ("audit", "report", "messages")), ("coach", ("messages",))):
        other = await signed_in(steered, role, SUMEDANG)
        statuses = [(await get(f"{steered.url}/cohorts/real-1/{path}", other)).status for path in closed]
        assert statuses == [403] * len(closed)
