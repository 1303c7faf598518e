"""Signing in with an issuer, what a person then sees, and what another site cannot make them do."""

import asyncio
import urllib.parse
import urllib.request
import uuid
from typing import Any

from livinglab.program.v1 import service_pb2 as program_pb
from livinglab.program.v1 import service_pb2_grpc as program_grpc

from tests.harness.browsing import SAME, form, get, post
from tests.harness.system import definition, spec
from tests.integration.console.conftest import BANDUNG, SUMEDANG, Console, opened, signed_in


async def test_a_region_answers_an_indicator_and_nobody_else_does(console: Console) -> None:
    evaluation = await opened(console)
    page = f"{console.url}/work/assessment/{evaluation}/1"
    assert (await get(page)).headers["location"].startswith("/sign-in?next=")
    me = await signed_in(console, "operator", SUMEDANG)
    work = await get(f"{console.url}/work", me)
    assert work.headers["cache-control"] == "no-store"
    assert f"/work/assessment/{evaluation}" in work.text
    assert "eyJ" not in work.text
    fields = form((await get(page, me)).text) | {"value": "3", "note": '"><script>alert(1)</script>'}
    body = urllib.parse.urlencode(fields).encode()
    # Another site, an older browser's other origin, a form of nobody's session: refused, and nothing is stored.
    for headers in ({"sec-fetch-site": "cross-site"}, {"origin": "http://evil.example"}, {}):
        assert (await get(page, me | headers, body)).status == 403
    wrong = urllib.parse.urlencode(fields | {"csrf": "x"}).encode()
    assert (await get(page, me | SAME, wrong)).status == 403
    assert "– dari" not in (await get(f"{console.url}/work/assessment/{evaluation}", me)).text
    saved = await get(page, me | SAME, body)
    assert saved.status == 303
    # The same form once more is the same answer.
    assert (await get(page, me | SAME, body)).status == 303
    shown = await get(page, me)
    assert "<script>" not in shown.text
    assert 'value="3" required checked' in shown.text
    # Somebody else saved meanwhile: told, with the own answer kept.
    stale = form(shown.text) | {"value": "4", "note": "n", "etag": "stale", "request_id": uuid.uuid4().hex}
    conflict = await post(page, me, stale)
    assert conflict.status == 409
    assert 'value="4" required checked' in conflict.text
    # An operator does not hand in; another region sees nothing of it.
    assert "Serahkan penilaian" not in (await get(f"{console.url}/work/assessment/{evaluation}", me)).text
    other = await signed_in(console, "operator", BANDUNG)
    assert (await get(page, other)).status == 403
    assert evaluation not in (await get(f"{console.url}/work", other)).text


async def test_signing_out_ends_the_session(console: Console) -> None:
    me = await signed_in(console, "manager")
    page = await get(f"{console.url}/en/work", me)
    assert "Cohorts" in page.text
    body = urllib.parse.urlencode({"csrf": form(page.text)["csrf"]}).encode()
    assert (await get(f"{console.url}/sign-out", me, body)).status == 403
    out = await get(f"{console.url}/sign-out", me | SAME, body)
    assert out.status == 303
    assert (await get(f"{console.url}/work", me)).status == 303
    # A place elsewhere is none to come back to.
    begun = await console.get("/sign-in?next=//evil.example/x")
    assert "evil" not in begun.headers["location"]


async def test_what_a_role_may_not_do_is_not_shown_and_refused(console: Console) -> None:
    manager, operator = await signed_in(console, "manager"), await signed_in(console, "operator", SUMEDANG)
    assert (await get(f"{console.url}/cohorts/none", manager)).status == 404
    assert (await get(f"{console.url}/cohorts/none/order/pause", operator)).status == 403
    assert "Kohort" not in (await get(f"{console.url}/work", operator)).text
    public = await get(f"{console.url}/", manager)
    # Public pages are the same for everybody: nobody's session shows on them.
    assert "Masuk" in public.text
    assert public.headers["cache-control"] == "public, no-cache"


async def test_a_manager_watches_a_cohort_live_and_who_lacks_what(console: Console) -> None:
    program: Any = console.services["program"].as_role(program_grpc.ProgramServiceStub, "manager")
    launch = program_pb.LaunchCohortRequest(request_id="launch", definition=definition(), cohort=spec("live-1"))
    await program.LaunchCohort(launch)
    me = await signed_in(console, "manager")
    board = await get(f"{console.url}/cohorts/live-1", me)
    assert board.status == 200
    assert "Small cohort" in board.text
    assert "require-trusted-types-for 'script'" in board.headers["content-security-policy"]
    told = await asyncio.to_thread(first_events, f"{console.url}/cohorts/live-1/live", me, 2)
    # All of it at once, and again what the watch says.
    assert [one.startswith("id: ") and "Pertemuan" in one for one in told] == [True, True]
    lacking = await get(f"{console.url}/cohorts/live-1/participants", me)
    assert "Kabupaten Sumedang" in lacking.text


def first_events(url: str, headers: dict[str, str], count: int) -> list[str]:
    """The first events of a stream that have data."""
    found: list[str] = []
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=20) as stream:
        lines: list[str] = []
        while len(found) < count:
            line = stream.readline().decode().rstrip("\n")
            if line:
                lines.append(line)
                continue
            text, lines = "\n".join(lines), []
            found += [text] if "data: " in text else []
    return found
