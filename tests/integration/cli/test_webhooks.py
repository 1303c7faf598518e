"""`livinglab webhook` as people and scripts run it, with a receiver beside."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from stack.issuer import Issuer
from tests.harness.command import answered, livinglab
from tests.harness.hooks.facts import result_withdrawn, tell
from tests.harness.hooks.receiver import Receiver, receiving
from tests.harness.servers import Servers
from tests.harness.service import Running, running_service
from tests.harness.waiting import eventually


@pytest.fixture
async def notify(servers: Servers, issuer: Issuer, nats_url: str) -> AsyncIterator[Running]:
    async with running_service("notify", servers, issuer, nats_url, webhook_networks=["127.0.0.0/8"]) as running:
        yield running


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as found:
        yield found


async def test_a_webhook_is_added_looked_at_mended_and_taken_away(notify: Running, receiver: Receiver) -> None:
    here: dict[str, Any] = {"token": notify.issuer.token("manager", subject="m1"), "notify": notify.address}
    made = await answered("webhook", "add", receiver.url, "--subject", "assessment.v1.>", **here)
    receiver.answer(503)
    [event_id] = await tell(notify.nats_url, result_withdrawn())
    await eventually(lambda: receiver.received, timeout=30)
    Webhook(made["secret"]).verify(receiver.received[0].body, dict(receiver.received[0].headers))

    async def tried() -> list[Any]:
        return [one for one in await answered("webhook", "log", made["id"], **here) if one["tries"]]

    [line] = await eventually(tried, timeout=30) or []
    assert (line["event_id"], line["state"], line["tries"][0]["status"]) == (event_id, "waiting", 503)
    [listed] = await answered("webhook", "list", **here)
    assert (listed["id"], listed["waiting"], listed["last_error"]) == (made["id"], 1, "HTTP 503")
    code, out, _ = await livinglab("webhook", "delivery", line["id"], **here)
    assert (code, '"result_id":"r"' in out, "503" in out) == (0, True, True)
    receiver.answer(200)
    assert await answered("webhook", "retry", made["id"], line["id"], **here) == {"count": 1}

    async def accepted() -> bool:
        return bool(await answered("webhook", "log", made["id"], "--state", "accepted", **here))

    await eventually(accepted, timeout=30)
    code, out, _ = await livinglab("webhook", "rotate", made["id"], "--overlap", "1", **here)
    assert (code, out.count("whsec_"), out.count("whpk_")) == (0, 1, 2)
    before = len(receiver.received)
    await answered("webhook", "replay", made["id"], "--after", f"{line['place'].split(':')[0]}:0", **here)
    await eventually(lambda: len(receiver.received) > before, timeout=30)
    assert (await answered("webhook", "pause", made["id"], **here))["state"] == "paused"
    assert (await answered("webhook", "resume", made["id"], **here))["state"] == "active"
    changed = await answered("webhook", "change", made["id"], "--description", "portal", **here)
    assert (changed["description"], changed["subjects"]) == ("portal", ["assessment.v1.>"])
    code, out, _ = await livinglab("webhook", "show", made["id"], **here)
    assert (code, "description: portal" in out, "ASSESSMENT:1" in out) == (0, True, True)
    assert (await livinglab("webhook", "remove", made["id"], **here))[0] == 0
    assert await answered("webhook", "list", **here) == []
    for wrong in (("retry", "w"), ("replay", "w", "--after", "here"), ("log", "w", "--state", "lost")):
        assert (await livinglab("webhook", *wrong, **here))[0] == 2
