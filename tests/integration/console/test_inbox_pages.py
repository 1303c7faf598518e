"""A person's inbox as it comes, and whom a region can learn from."""

import asyncio
import uuid
from typing import Any

from livinglab.common.v1 import options_pb2
from livinglab.notify.v1 import inbox_service_pb2
from livinglab.notify.v1 import service_pb2 as notify_pb
from livinglab.notify.v1 import service_pb2_grpc as notify_grpc
from livinglab.notify.v1.inbox_service_pb2_grpc import InboxServiceStub

from services.notify.model.subscriptions import Addresses
from tests.harness.browsing import browser, faults, form, get, post
from tests.integration.console.conftest import HOSTILE, SUMEDANG, Console, signed_in
from tests.integration.console.test_wall import until


async def written(console: Console, reason: str) -> None:
    """A letter to the head of Sumedang."""
    stub: Any = console.services["notify"].as_role(notify_grpc.NotifyServiceStub, "manager")
    values = {"name": "Ibu Sari", "institution_name": "Kabupaten Sumedang", "cohort_title": HOSTILE, "reason": reason}
    recipient = notify_pb.Recipient(
        name="Ibu Sari", email="sari@r3211.example", language="id", institution=SUMEDANG, role=options_pb2.ROLE_HEAD
    )
    draft = notify_pb.Draft(template="plan_returned", recipient=recipient, values=values)
    request = notify_pb.SendMessagesRequest(request_id=uuid.uuid4().hex, drafts=[draft], cohort_id="real-1")
    assert not (await stub.SendMessages(request)).refused


async def test_what_a_head_is_told_comes_by_itself_and_is_marked_as_read(console: Console) -> None:
    await written(console, "Biaya belum diisi.")
    me = await signed_in(console, "head", SUMEDANG)
    page = await get(f"{console.url}/en/inbox", me)
    assert ("1 unread" in page.text, "Biaya belum diisi." in page.text) == (True, True)
    assert "<script>alert" not in page.text
    hearing = asyncio.create_task(asyncio.to_thread(until, f"{console.url}/en/inbox/live", me, "2 unread"))
    await written(console, "Jadwal belum masuk akal.")
    assert "Jadwal belum masuk akal." in (await asyncio.wait_for(hearing, 60))[-1]
    marked = page.text.split('name="read" value="')[1].split('"')[0]
    answer = await post(f"{console.url}/en/inbox", me, form(page.text) | {"read": marked})
    assert answer.status == 303
    assert "1 unread" in (await get(f"{console.url}/en/inbox", me)).text
    # Each sees their own; who is not written to has none.
    other = await signed_in(console, "operator", SUMEDANG)
    assert "Biaya" not in (await get(f"{console.url}/inbox", other)).text
    assert (await get(f"{console.url}/inbox", await signed_in(console, "platform"))).status == 403


async def test_a_letter_is_left_by_its_address_alone_and_looking_at_it_ends_nothing(console: Console) -> None:
    await written(console, "Biaya belum diisi.")
    db = console.services["notify"].db
    row, key = await db["messages"].find_one({"seat": f"head@{SUMEDANG}"}), await db["keys"].find_one({})
    assert row
    assert key
    recipient = notify_pb.Recipient(language="en", institution=SUMEDANG, role=options_pb2.ROLE_HEAD)
    letter = notify_pb.Message(id=row["_id"], template=row["template"], recipient=recipient)
    place = Addresses(console.url, key["key"]).of(letter)
    head: Any = console.services["notify"].as_role(InboxServiceStub, "head", SUMEDANG)

    async def wanted() -> dict[str, int]:
        answer = await head.GetPreferences(inbox_service_pb2.GetPreferencesRequest())
        return {one.kind: one.manner for one in answer.preferences.kinds}

    page = await get(place)
    assert (page.status, page.headers["cache-control"], await wanted()) == (200, "no-store", {})
    assert ("action plans" in page.text, 'value="One-Click"' in page.text) == (True, True)
    assert (await get(f"{place}0")).status == 404
    assert (await get(f"{place[:-1]}-", data=b"List-Unsubscribe=One-Click")).status == 404
    assert await wanted() == {}
    # As a mail program does it: from no page of ours, with no cookie, twice.
    for _ in range(2):
        done = await get(place, {"origin": "https://mail.example"}, data=b"List-Unsubscribe=One-Click")
        assert (done.status, "not sent any more" in done.text) == (200, True)
        assert await wanted() == {"plans": inbox_service_pb2.MANNER_INBOX}
    assert "<form" not in (await get(place.replace("/en/", "/"))).text


async def test_both_are_accessible_and_fit_a_phone(nation: Console) -> None:
    await written(nation, "Biaya belum diisi.")
    found = []
    async with browser(bypass_csp=True) as context:
        page = await context.new_page()
        await page.goto(f"{nation.url}/sign-in?next=/inbox")
        await page.get_by_label("Peran").select_option("head")
        await page.get_by_role("button", name="Masuk").click()
        await page.wait_for_url("**/inbox")
        await page.locator("#hidup").wait_for()
        for width in (1280, 320):
            await page.set_viewport_size({"width": width, "height": 740})
            for path in ("/inbox", "/en/inbox", "/learn", "/en/learn"):
                await page.goto(nation.url + path)
                found += [f"{path} at {width}: {fault}" for fault in await faults(page)]
                if await page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                    found.append(f"{path} at {width}: wider than the screen")
        assert "What holds your index back most" in await page.locator("main").inner_text()
    assert not found, "\n".join(found)
    assert (await get(f"{nation.url}/learn", await signed_in(nation, "manager"))).status == 403
