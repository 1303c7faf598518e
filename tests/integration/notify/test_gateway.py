"""Short messages by a provider over HTTP: taken, refused, postponed, away; letters go out meanwhile."""

import json
import uuid
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from livinglab.common.v1 import options_pb2
from livinglab.notify.v1 import inbox_service_pb2 as inbox
from livinglab.notify.v1 import service_pb2 as pb
from livinglab.notify.v1.inbox_service_pb2_grpc import InboxServiceStub
from livinglab.notify.v1.service_pb2_grpc import NotifyServiceStub

from stack.issuer import Issuer
from stack.mailbox import mails
from tests.harness.hooks.receiver import DROP, HANG, Receiver, receiving
from tests.harness.servers import Servers
from tests.harness.service import Running, running_service
from tests.harness.waiting import eventually

SUMEDANG, PHONE = "32.11", "+6281234567890"
VALUES = {"name": "Siti", "institution_name": "Sumedang", "cohort_title": "Living Lab", "reason": "Kurang"}


@pytest.fixture
async def provider() -> AsyncIterator[Receiver]:
    async with receiving() as running:
        running.answer(200)
        yield running


@pytest.fixture
async def notify(
    servers: Servers, issuer: Issuer, nats_url: str, provider: Receiver, tmp_path: Path
) -> AsyncIterator[Running]:
    (tmp_path / "secret").write_text("s3cret\n")
    described = {
        "url": provider.url,
        "headers": {"authorization": "Bearer {secret}"},
        "secret_file": str(tmp_path / "secret"),
        "body": {"to": "{phone}", "text": "{text}", "ref": "{id}"},
        "said": [{"text": "not on WhatsApp", "means": "refused"}],
    }
    file = tmp_path / "gateway.json"
    file.write_text(json.dumps(described))
    settings: dict[str, Any] = {"webhook_networks": ["127.0.0.0/8"], "webhook_seconds": 1.0, "gateway_file": file}
    async with running_service("notify", servers, issuer, nats_url, **settings) as running:
        wished = inbox.SetPreferencesRequest(request_id=uuid.uuid4().hex, preferences=inbox.Preferences(phone=PHONE))
        await running.as_role(InboxServiceStub, "operator", SUMEDANG).SetPreferences(wished)
        yield running


async def write(notify: Running, rehearsal: str = "") -> str:
    """A returned plan, to an operator; the letter's id."""
    recipient = pb.Recipient(
        name="Siti", email="siti@g.example", language="id", institution=SUMEDANG, role=options_pb2.ROLE_OPERATOR
    )
    draft = pb.Draft(template="plan_returned", recipient=recipient, values=VALUES, key=uuid.uuid4().hex)
    request = pb.SendMessagesRequest(
        request_id=uuid.uuid4().hex, drafts=[draft], cohort_id="cohort-1", rehearsal=rehearsal
    )
    [letter] = (await notify.as_role(NotifyServiceStub, "manager").SendMessages(request)).message_ids
    return str(letter)


async def short(notify: Running, state: int, outcome: str = "") -> pb.Message:
    """The newest short message, once it is in that state and its last try has come to that."""
    manager: Any = notify.as_role(NotifyServiceStub, "manager")

    async def there() -> pb.Message | None:
        row = await notify.db["messages"].find_one({"channel": pb.CHANNEL_GATEWAY}, sort=[("_id", -1)])
        if row is None:
            return None
        found = (await manager.GetMessage(pb.GetMessageRequest(message_id=row["_id"]))).message
        told = found.tries[-1].outcome if found.tries else ""
        return found if found.state == state and outcome in ("", told) else None

    found = await eventually(there, timeout=60)
    assert found
    return found


async def delivered(notify: Running, letter: str) -> bool:
    row = await notify.db["messages"].find_one({"_id": letter})
    return bool(row and row["state"] == pb.MESSAGE_STATE_DELIVERED)


async def test_what_is_told_at_once_goes_to_the_phone_too_and_stands_in_the_inbox_once(
    notify: Running, provider: Receiver
) -> None:
    letter = await write(notify)
    found = await short(notify, pb.MESSAGE_STATE_DELIVERED)
    [came] = provider.received
    assert came.headers["authorization"] == "Bearer s3cret"
    assert json.loads(came.body) | {"text": ""} == {"to": PHONE, "text": "", "ref": found.id}
    assert "Kurang" in json.loads(came.body)["text"]
    await eventually(lambda: delivered(notify, letter), timeout=30)
    listed = await notify.as_role(InboxServiceStub, "operator", SUMEDANG).ListInbox(inbox.ListInboxRequest())
    assert [one.message_id for one in listed.entries] == [letter]


async def test_a_refusal_is_the_end_and_what_is_for_later_is_tried_again(notify: Running, provider: Receiver) -> None:
    provider.says = b'{"error": "+6281234567890 is not on WhatsApp"}'
    await write(notify)
    refused = await short(notify, pb.MESSAGE_STATE_FAILED)
    assert (refused.attempts, refused.last_error) == (1, '200 {"error": "(recipient) is not on WhatsApp"}')
    provider.says = b""
    provider.answer(503)
    await write(notify)
    await short(notify, pb.MESSAGE_STATE_QUEUED, "postponed")
    provider.answer(200)
    assert (await short(notify, pb.MESSAGE_STATE_DELIVERED)).attempts >= 2


async def test_one_that_is_away_delays_no_letter_and_gets_what_waits_when_it_is_back(
    notify: Running, provider: Receiver
) -> None:
    waiting = {"channel": pb.CHANNEL_GATEWAY, "state": {"$ne": pb.MESSAGE_STATE_DELIVERED}}
    for how in (HANG, DROP):
        provider.answer(how)
        before = len(provider.received)
        letters = [await write(notify) for _ in range(3)]
        for letter in letters:
            await eventually(partial(delivered, notify, letter), timeout=30)
        # It is asked less and less while it is away: which one it is asked about is a matter of the order.
        await eventually(partial(_asked, provider, before), timeout=120)
    provider.answer(200)

    async def all_there() -> bool:
        return bool(await notify.db["messages"].count_documents(waiting) == 0)

    await eventually(all_there, timeout=120)
    assert await notify.db["messages"].count_documents({"channel": pb.CHANNEL_GATEWAY}) == 6


async def _asked(provider: Receiver, before: int) -> bool:
    return len(provider.received) > before


async def test_a_rehearsal_reaches_no_phone(notify: Running, provider: Receiver, servers: Servers) -> None:
    letter = await write(notify, rehearsal="cohort-1")
    await eventually(lambda: delivered(notify, letter), timeout=30)
    assert mails(servers.mails)
    # What comes after it has arrived: nothing was on its way before.
    await write(notify)
    await short(notify, pb.MESSAGE_STATE_DELIVERED)
    assert len(provider.received) == 1
    assert await notify.db["messages"].count_documents({"channel": pb.CHANNEL_GATEWAY}) == 1
