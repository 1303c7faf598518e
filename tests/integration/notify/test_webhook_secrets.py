"""Secrets of webhooks in notify's database: none is read there, keys change, and what stood in plain is sealed."""

import base64
import secrets
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from livinglab.notify.v1 import webhook_pb2
from livinglab.notify.v1 import webhook_service_pb2 as pb
from livinglab.notify.v1.webhook_service_pb2_grpc import WebhookServiceStub
from standardwebhooks.webhooks import Webhook

from services.notify.model.sealing import Seal, keys_of
from stack.issuer import Issuer
from tests.harness.hooks.facts import result_withdrawn, tell
from tests.harness.hooks.receiver import Receiver, receiving
from tests.harness.servers import Servers
from tests.harness.service import Running, running_service
from tests.harness.waiting import eventually

PREFIX = f"t{secrets.token_hex(4)}_"


def key_file(folder: Path, *ids: str) -> Path:
    """A key of each id is the same in every file."""
    lines = [f"{one} {base64.b64encode(one.encode().ljust(32, b'.')).decode()}" for one in ids]
    (path := folder / "-".join(ids)).write_text("\n".join(lines))
    return path


async def rotated(hooks: Any, webhook_id: str) -> pb.RotateWebhookSecretResponse:
    """Twice by one request: the first answer was lost."""
    request = pb.RotateWebhookSecretRequest(request_id=uuid.uuid4().hex, webhook_id=webhook_id, overlap_hours=1)
    first, again = [await hooks.RotateWebhookSecret(request) for _ in range(2)]
    assert first.secret == again.secret
    found: pb.RotateWebhookSecretResponse = again
    return found


async def comes_signed(notify: Running, receiver: Receiver, *believed: str) -> None:
    """The next fact, by each of these secrets."""
    count = len(receiver.received)
    await tell(notify.nats_url, result_withdrawn())
    await eventually(lambda: len(receiver.received) > count, timeout=30)
    one = receiver.received[count]
    for secret in believed:
        Webhook(secret).verify(one.body, dict(one.headers))


async def everything_kept(notify: Running) -> str:
    """Each document of the database, as text."""
    names = await notify.db["webhooks"].database.list_collection_names()
    return "".join([repr(await notify.db[name].find().to_list(None)) for name in names])


async def test_no_secret_is_read_in_the_database_and_keys_change(
    servers: Servers, issuer: Issuer, nats_url: str, tmp_path: Path
) -> None:
    @asynccontextmanager
    async def notify(*ids: str) -> AsyncIterator[Running]:
        keys: dict[str, Any] = {"webhook_keys": key_file(tmp_path, *ids)} if ids else {}
        settings = {"webhook_networks": ["127.0.0.0/8"], "webhook_seconds": 1.0, "database_prefix": PREFIX, **keys}
        async with running_service("notify", servers, issuer, nats_url, **settings) as running:
            yield running

    async def under(running: Running, key: str) -> bool:
        rows = await running.db["webhooks"].find().to_list(None)
        return all(held["secret"].startswith(f"sealed:{key}:") for row in rows for held in row["held"])

    async with receiving() as receiver, notify("a") as first:
        hooks = first.as_role(WebhookServiceStub, "manager")
        create = pb.CreateWebhookRequest(
            request_id=uuid.uuid4().hex, url=receiver.url, subjects=["assessment.v1.ResultWithdrawn.>"]
        )
        made, again = [await hooks.CreateWebhook(create) for _ in range(2)]
        assert made.secret == again.secret
        webhook_id = made.webhook.id
        second = await rotated(hooks, webhook_id)
        await comes_signed(first, receiver, made.secret, second.secret)
        kept = await everything_kept(first)
        assert "whsk_" not in kept
        assert "whsec_" not in kept
        assert made.secret.removeprefix("whsec_") not in kept
        assert webhook_id in kept

        # As an earlier release left it: still read, shown and signed with; sealed as soon as it is written.
        row = await first.db["webhooks"].find_one({"_id": webhook_id})
        seal = Seal(keys_of(key_file(tmp_path, "a").read_text()))
        plain = [{"secret": seal.open(one["secret"], webhook_id), "until": one["until"]} for one in row["held"]]
        await first.db["webhooks"].update_one({"_id": webhook_id}, {"$set": {"held": plain}})
        found = (await hooks.GetWebhook(pb.GetWebhookRequest(webhook_id=webhook_id))).webhook
        assert found.public_keys == second.webhook.public_keys
        await comes_signed(first, receiver, made.secret, second.secret)
        update = pb.UpdateWebhookRequest(request_id=uuid.uuid4().hex, webhook_id=webhook_id, description="theirs")
        assert (await hooks.UpdateWebhook(update)).webhook.public_keys == second.webhook.public_keys
        assert await under(first, "a")
        await first.db["webhooks"].update_one({"_id": webhook_id}, {"$set": {"held": plain}})

        # A new key before the old one; what nobody writes is sealed by whoever sends.
        async with notify("b", "a") as other:
            first.process.stopping.set()
            await first.process.finish()
            await eventually(lambda: under(other, "b"), timeout=30)
            await comes_signed(other, receiver, made.secret, second.secret)
            # The old key is gone: nothing needs it. One that needs what is gone is told of, by name.
            async with notify("c") as last:
                other.process.stopping.set()
                await other.process.finish()
                await tell(last.nats_url, result_withdrawn())
                delivery = await _failed(last, webhook_id)
                assert "the key b that its secrets are sealed with is not in" in delivery.tries[0].outcome
                hooks = last.as_role(WebhookServiceStub, "manager")
                found = (await hooks.GetWebhook(pb.GetWebhookRequest(webhook_id=webhook_id))).webhook
                assert found.public_keys == second.webhook.public_keys
                # What helps without the key: new secrets.
                fresh = await rotated(hooks, webhook_id)
                await comes_signed(last, receiver, fresh.secret)


async def _failed(notify: Running, webhook_id: str) -> webhook_pb2.Delivery:
    hooks = notify.as_role(WebhookServiceStub, "manager")

    async def there() -> webhook_pb2.Delivery | None:
        request = pb.ListDeliveriesRequest(webhook_id=webhook_id, state=webhook_pb2.DELIVERY_STATE_WAITING)
        found = list((await hooks.ListDeliveries(request)).deliveries)
        return found[0] if found and found[0].tries else None

    found = await eventually(there, timeout=30)
    assert found
    return found
