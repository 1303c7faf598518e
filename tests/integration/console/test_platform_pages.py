"""What the platform team sees, and what it does with facts that were set aside."""

import re
import urllib.parse
from typing import Any

import nats
from livinglab.assessment.v1 import events_pb2
from livinglab.common.v1 import dead_letter_service_pb2 as letters_pb
from livinglab.common.v1.dead_letter_service_pb2_grpc import DeadLetterServiceStub

from chassis import naming
from chassis.events import stream
from tests.harness.browsing import SAME, browser, faults, form, get
from tests.harness.service import as_published
from tests.harness.waiting import eventually
from tests.integration.console.conftest import TEMPORAL_UI, Console, signed_in
from tests.integration.console.test_program_pages import launched


async def unreadable(console: Console) -> str:
    """A fact that nobody can read comes to program; the id of its letter."""
    event = events_pb2.EvaluationSubmitted(institution="32.11")
    _, headers = as_published(event)
    nc = await nats.connect(console.nats_url)
    async with nc:
        js = nc.jetstream()
        await stream.ensure_stream(js, "assessment", 1)
        await js.publish(naming.subject(event), b"\xff\xff\xff", headers=headers)
    stub: Any = console.services["program"].as_role(DeadLetterServiceStub, "platform")

    async def there() -> str:
        letters = (await stub.ListDeadLetters(letters_pb.ListDeadLettersRequest())).letters
        return letters[0].id if letters else ""

    return await eventually(there)


async def test_the_platform_team_replays_and_gives_up_letters_and_nobody_else_does(console: Console) -> None:
    letter = await unreadable(console)
    await launched(console, "real-1")
    me = await signed_in(console, "platform")
    page = await get(f"{console.url}/en/platform", me)
    assert page.status == 200
    assert [re.findall(rf'scope="row">{name}</th>\s*<td', page.text) != [] for name in console.services] == [True] * 5
    assert "does not answer" not in page.text
    assert letter in page.text
    assert "Workers that ask for work" in page.text
    namespace = urllib.parse.quote(console.services["program"].process.settings.temporal_namespace, safe="")
    assert f'href="{TEMPORAL_UI}/namespaces/{namespace}/workflows/program%2Freal-1"' in page.text
    # The order goes to whose letters they are; nothing chosen, or no reason to give up: said so, and nothing is done.
    fields = dict(re.findall(r'<input type="hidden" name="(csrf|request_id|service)" value="([^"]*)">', page.text))

    async def sent(**more: str) -> Any:
        body = urllib.parse.urlencode(form(page.text) | fields | more).encode()
        return await get(f"{console.url}/en/platform", me | SAME, body)

    assert fields["service"] == "program"
    assert "Choose at least one fact" in (await sent(what="replay")).text
    unsaid = await sent(**{f"letter.{letter}": "1"}, what="discard", reason=" ")
    assert (unsaid.status, "needed for giving up" in unsaid.text) == (409, True)
    assert "failed again" in (await sent(**{f"letter.{letter}": "1"}, what="replay")).text
    fields["request_id"] = "given-up"
    gone = await sent(**{f"letter.{letter}": "1"}, what="discard", reason="nobody can read it")
    assert "given up (nobody can read it)" in gone.text
    assert 'name="service" value="program"' not in gone.text
    for role in ("manager", "coach"):
        other = await signed_in(console, role)
        assert (await get(f"{console.url}/platform", other)).status == 403
        assert "/platform" not in (await get(f"{console.url}/work", other)).text


async def test_a_process_that_is_away_hides_nothing_of_the_others(console: Console) -> None:
    me = await signed_in(console, "platform")
    server = console.services["coaching"].process._server
    assert server
    await server.stop(0)
    page = await get(f"{console.url}/en/platform", me)
    assert page.text.count("does not answer") == 1
    assert page.text.count("answers</span>") == 4


async def test_its_page_is_accessible_and_fits_a_phone(console: Console) -> None:
    await unreadable(console)
    await launched(console, "real-1")
    found = []
    async with browser(bypass_csp=True) as context:
        page = await context.new_page()
        await page.goto(f"{console.url}/sign-in?next=/platform")
        await page.get_by_label("Peran").select_option("platform")
        await page.get_by_role("button", name="Masuk").click()
        await page.wait_for_url("**/platform")
        for width in (1280, 320):
            await page.set_viewport_size({"width": width, "height": 740})
            for path in ("/platform", "/en/platform"):
                await page.goto(console.url + path)
                found += [f"{path} at {width}: {fault}" for fault in await faults(page)]
                if await page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                    found.append(f"{path} at {width}: wider than the screen")
    assert not found, "\n".join(found)
