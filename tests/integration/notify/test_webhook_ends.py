"""Webhooks at their bounds: receivers with certificates, all that was given up sent again, and how much may wait."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from livinglab.notify.v1 import webhook_pb2
from standardwebhooks.webhooks import Webhook

from services.notify.model import webhooks
from services.notify.store.deliveries import DeliveryStore
from services.notify.webhooks import feed
from stack.issuer import Issuer
from tests.harness.authority import Authority
from tests.harness.hooks.calls import came, log, made, retry, shown, tried
from tests.harness.hooks.facts import result_withdrawn, tell
from tests.harness.hooks.receiver import receiving
from tests.harness.servers import Servers
from tests.harness.service import Running, running_service
from tests.harness.waiting import eventually

MOST, BATCH = 3, 2


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
async def notify(
    servers: Servers, issuer: Issuer, nats_url: str, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Running]:
    monkeypatch.setattr(feed, "_LOOK_SECONDS", 0.2)
    settings: dict[str, Any] = {
        "webhook_networks": ["127.0.0.0/8"],
        "webhook_seconds": 5.0,
        "webhook_authorities": authority.file,
    }
    async with running_service("notify", servers, issuer, nats_url, **settings) as running:
        yield running


async def test_a_receiver_is_believed_by_its_certificate_alone(
    notify: Running, authority: Authority, tmp_path: Path
) -> None:
    authority.sign(tmp_path / "ours", "receiver")
    Authority(tmp_path / "elsewhere", "stranger").sign(tmp_path / "theirs", "receiver")
    async with receiving(tmp_path / "ours") as known, receiving(tmp_path / "theirs") as strange:
        answer, other = await made(notify, known.url), await made(notify, strange.url)
        [event_id] = await tell(notify.nats_url, result_withdrawn())
        [one] = await came(known, 1)
        assert one.headers["webhook-id"] == event_id
        Webhook(answer.secret).verify(one.body, dict(one.headers))
        delivery = await tried(notify, other.webhook.id, 1)
        assert "certificate verify failed" in delivery.tries[0].outcome
        assert delivery.state == webhook_pb2.DELIVERY_STATE_WAITING
        assert not strange.received


async def test_all_that_was_given_up_is_sent_again_at_once_and_what_was_accepted_is_not(
    notify: Running,
) -> None:
    async with receiving() as receiver, receiving() as another:
        webhook, other = await made(notify, receiver.url), await made(notify, another.url)
        webhook_id = webhook.webhook.id
        [accepted] = await tell(notify.nats_url, result_withdrawn())
        for host in (receiver, another):
            await came(host, 1)
            host.answer(500)
        ids = await tell(notify.nats_url, *(result_withdrawn() for _ in range(3)))
        for one in (webhook_id, other.webhook.id):
            await _give_up(notify, one, len(ids))
        assert (await shown(notify, webhook_id)).failed == len(ids)
        receiver.answer(204)
        before = len(receiver.received)
        assert await retry(notify, webhook_id) == len(ids)
        found = (await came(receiver, before + len(ids)))[before:]
        assert {one.headers["webhook-id"] for one in found} == set(ids)

        async def settled() -> bool:
            return {one.state for one in await log(notify, webhook_id)} == {webhook_pb2.DELIVERY_STATE_ACCEPTED}

        await eventually(settled, timeout=30)
        assert accepted not in {one.headers["webhook-id"] for one in receiver.received[before:]}
        # Nobody asked for those of the other.
        assert (await shown(notify, other.webhook.id)).failed == len(ids)
        assert await retry(notify, webhook_id) == 0


async def _give_up(notify: Running, webhook_id: str, count: int) -> None:
    """Each is at its last try, and fails."""
    waiting = {"webhook": webhook_id, "state": webhook_pb2.DELIVERY_STATE_WAITING, "attempts": {"$gte": 1}}

    async def all_tried() -> bool:
        return int(await notify.db["deliveries"].count_documents(waiting)) == count

    async def all_failed() -> bool:
        return len(await log(notify, webhook_id, webhook_pb2.DELIVERY_STATE_FAILED)) == count

    await eventually(all_tried, timeout=60)
    last = {"attempts": webhooks.ATTEMPTS - 1, "due_time": datetime.now(UTC)}
    await notify.db["deliveries"].update_many(waiting, {"$set": last})
    await eventually(all_failed, timeout=60)


async def test_so_many_wait_in_the_log_and_the_others_in_their_stream_until_the_receiver_is_back(
    notify: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = list[int]()
    waiting = DeliveryStore.waiting

    async def counted(self: DeliveryStore, webhook_id: str, most: int) -> int:
        looked.append(await waiting(self, webhook_id, most))
        return looked[-1]

    assert webhooks.MOST_WAITING == 1_000
    monkeypatch.setattr(webhooks, "MOST_WAITING", MOST)
    monkeypatch.setattr(DeliveryStore, "waiting", counted)
    monkeypatch.setattr("chassis.events.facts._TOGETHER", BATCH)
    async with receiving() as receiver:
        receiver.answer(503)
        webhook_id = (await made(notify, receiver.url)).webhook.id
        ids = await tell(notify.nats_url, *(result_withdrawn() for _ in range(12)))
        # It has looked for room again and again, and found none.
        await eventually(lambda: looked[-5:] == [MOST] * 5, timeout=60)
        assert MOST <= len(await log(notify, webhook_id)) < MOST + BATCH
        receiver.answer(204)
        await retry(notify, webhook_id, *[one.id for one in await log(notify, webhook_id)])

        async def all_accepted() -> bool:
            found = await log(notify, webhook_id, webhook_pb2.DELIVERY_STATE_ACCEPTED)
            return {one.event_id for one in found} == set(ids)

        await eventually(all_accepted, timeout=60)
        assert {one.headers["webhook-id"] for one in receiver.received} == set(ids)
