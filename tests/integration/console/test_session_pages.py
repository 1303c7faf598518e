"""A coach's sessions: what they are about, who came, what was agreed, what came of it, in the browser."""

from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from livinglab.coaching.v1 import service_pb2 as rpc

from tests.harness.browsing import browser, faults, form, get, post
from tests.harness.coaching import COHORT, assignment, called_by, coach, request_id
from tests.harness.waiting import eventually
from tests.integration.console.conftest import HOSTILE, SUMEDANG, Console, signed_in

PAST, AHEAD = "past", "ahead"


async def scheduled(console: Console, session_id: str, begins: timedelta) -> None:
    start, end = Timestamp(), Timestamp()
    start.FromDatetime(datetime.now(UTC) + begins)
    end.FromDatetime(datetime.now(UTC) + begins + timedelta(hours=1))
    request = rpc.ScheduleSessionRequest(
        request_id=request_id(),
        session_id=session_id,
        cohort_id=COHORT,
        phase="workshop",
        title=f"Klinik {session_id}",
        place=HOSTILE,
        start_time=start,
        end_time=end,
        time_zone="Asia/Jakarta",
    )
    await called_by(console.services["coaching"], "manager").ScheduleSession(request)


async def met(console: Console) -> None:
    """Sumedang has a coach, met them two hours ago and meets them in two days."""
    coaching = console.services["coaching"]
    await coach(coaching)
    await called_by(coaching, "system").AssignCoach(assignment())
    await eventually(lambda: coaching.db["assigned"].find_one({"institution": SUMEDANG}))
    await scheduled(console, PAST, -timedelta(hours=2))
    await scheduled(console, AHEAD, timedelta(days=2))


async def fits(page: Any, url: str) -> list[str]:
    """What is wrong with a page, wide and on a phone, in both languages."""
    found = []
    for width in (1280, 320):
        await page.set_viewport_size({"width": width, "height": 740})
        for start in ("", "/en"):
            await page.goto(url.replace("{start}", start))
            # What is folded is read and filled in too.
            for fold in await page.locator("summary").all():
                await fold.press("Enter")
            found += [f"{url} {start} at {width}: {fault}" for fault in await faults(page)]
            if await page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                found.append(f"{url} {start} at {width}: wider than the screen")
    return found


async def test_a_session_is_prepared_written_down_and_followed_up_by_keyboard(console: Console) -> None:
    await met(console)
    one = f"{console.url}{{start}}/work/session/{PAST}/{SUMEDANG}"
    async with browser(bypass_csp=True) as context:
        page = await context.new_page()
        await page.goto(f"{console.url}/sign-in?next=/en/work")
        await page.get_by_label("Peran").select_option("coach")
        await page.get_by_label("Nama pengguna").fill("coach-1")
        await page.get_by_role("button", name="Masuk").press("Enter")
        await page.get_by_role("link", name="Coaching sessions").press("Enter")
        await page.get_by_role("link", name="Klinik ahead").wait_for()
        await page.get_by_role("link", name="Klinik past").press("Enter")
        # Nobody came, and why; then what it is about: of the plan that is not there yet, and of one's own.
        await page.get_by_text("Explain the absence").press("Enter")
        await page.get_by_label("Why, and how").fill("Banjir; diganti Jumat.")
        await page.get_by_role("button", name="Save", exact=True).press("Enter")
        await page.get_by_text("Banjir; diganti Jumat.").first.wait_for()
        await page.get_by_text("Set the agenda").press("Enter")
        await page.get_by_label("What else, a line each").fill(f"Anggaran\n{HOSTILE}")
        await page.get_by_role("button", name="Save", exact=True).first.press("Enter")
        await page.get_by_text("Saved.").wait_for()
        assert await page.locator("ol > li").count() == 3
        await page.get_by_label("What was said").fill("Dibahas.")
        await page.get_by_label("What was agreed").first.fill("Peraturan bupati")
        await page.get_by_label("By whom").first.fill("Bagian Hukum")
        await page.get_by_label("Due", exact=True).first.fill("2999-01-01")
        await page.get_by_role("button", name="Save the minutes").press("Enter")
        await page.get_by_label("What came of it").fill("Diundangkan.")
        await page.get_by_role("button", name="Mark as done: Peraturan bupati").press("Enter")
        await page.get_by_text("✓ done").wait_for()
        await page.get_by_text("Give feedback").press("Enter")
        await page.get_by_role("radio").nth(3).check()
        await page.get_by_role("button", name="Save", exact=True).last.press("Enter")
        await page.get_by_text("4 / 5").wait_for()
        found = await fits(page, one) + await fits(page, f"{console.url}{{start}}/work/sessions")
        found += await fits(page, one.replace(PAST, AHEAD))
        # The session to come has an agenda, and no minutes yet.
        assert await page.get_by_label("What was said").count() == 0
    assert not found, "\n".join(found)


async def test_both_sides_write_and_read_and_nobody_else(console: Console) -> None:
    await met(console)
    place = f"{console.url}/en/work/session/{PAST}/{SUMEDANG}"
    head = await signed_in(console, "head", SUMEDANG)
    page = await get(place, head)
    hidden = form(page.text) | {"request_id": request_id()}
    came = await post(place, head, hidden | {"what": "came", "name": HOSTILE})
    assert came.status == 303, came.text
    said = hidden | {"what": "notes", "notes": "Dibahas", "text.0": "Perbup", "due.0": "1999-01-01", "request_id": "n1"}
    # A step before the session: refused, and what was written stands in the form still.
    refused = await post(place, head, said)
    assert (refused.status, "Perbup" in refused.text, "1999-01-01 is before" in refused.text) == (409, True, True)
    written = await post(place, head, said | {"due.0": "2999-01-01", "request_id": "n2"})
    assert written.status == 303, written.text
    me = await signed_in(console, "coach", subject="coach-1")
    shown = (await get(place, me)).text
    assert ("Perbup" in shown, "✓" in shown, "<script>alert" in shown) == (True, True, False)
    # Read before the head wrote: their words stand.
    stale = form(page.text) | {"what": "notes", "notes": "Lain", "csrf": form(shown)["csrf"], "request_id": "n3"}
    assert (await post(place, me, stale)).status == 409
    assert "Dibahas" in (await get(place, me)).text
    assert "1 steps to be done" in (await get(f"{console.url}/en/work/sessions", me)).text
    regent = await signed_in(console, "regent", SUMEDANG)
    assert "Save the minutes" not in (await get(place, regent)).text
    bandung = await signed_in(console, "head", "32.04")
    others = await signed_in(console, "coach", subject="coach-2")
    assert [(await get(place, who)).status for who in (bandung, others)] == [403, 403]
    assert (await get(f"{console.url}/work/sessions", await signed_in(console, "manager"))).status == 403
