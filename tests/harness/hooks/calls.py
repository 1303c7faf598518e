"""Webhooks as their tests ask for them, and what is waited for."""

import uuid
from typing import Any

from livinglab.notify.v1 import webhook_pb2
from livinglab.notify.v1 import webhook_service_pb2 as pb
from livinglab.notify.v1.webhook_service_pb2_grpc import WebhookServiceStub

from tests.harness.hooks.receiver import Received, Receiver
from tests.harness.service import Running
from tests.harness.waiting import eventually

RESULTS = "assessment.v1.ResultWithdrawn.>"


def hooks(notify: Running, role: str = "manager") -> Any:
    """The service as a person of that role calls it."""
    return notify.as_role(WebhookServiceStub, role)


async def made(notify: Running, url: str, role: str = "manager", **fields: Any) -> pb.CreateWebhookResponse:
    """A new one, of results unless other subjects are given."""
    request = pb.CreateWebhookRequest(
        request_id=uuid.uuid4().hex, url=url, subjects=fields.pop("subjects", [RESULTS]), **fields
    )
    answer: pb.CreateWebhookResponse = await hooks(notify, role).CreateWebhook(request)
    return answer


async def came(receiver: Receiver, count: int, timeout: float = 30) -> list[Received]:
    """What the receiver has once it is so much."""
    await eventually(lambda: len(receiver.received) >= count, timeout=timeout)
    return list(receiver.received)


async def shown(notify: Running, webhook_id: str) -> webhook_pb2.Webhook:
    """One as its manager sees it."""
    found: webhook_pb2.Webhook = (await hooks(notify).GetWebhook(pb.GetWebhookRequest(webhook_id=webhook_id))).webhook
    return found


async def log(notify: Running, webhook_id: str, state: int = 0) -> list[webhook_pb2.Delivery]:
    """Its deliveries, in one state or all."""
    request = pb.ListDeliveriesRequest(webhook_id=webhook_id, state=webhook_pb2.DeliveryState.ValueType(state))
    return list((await hooks(notify).ListDeliveries(request)).deliveries)


async def tried(notify: Running, webhook_id: str, times: int) -> webhook_pb2.Delivery:
    """The only delivery of a webhook, once it was tried so often."""

    async def there() -> webhook_pb2.Delivery | None:
        found = await log(notify, webhook_id)
        return found[0] if found and len(found[0].tries) >= times else None

    found = await eventually(there, timeout=30)
    assert found
    return found


async def retry(notify: Running, webhook_id: str, *ids: str) -> int:
    """These again, or all that failed; how many."""
    request = pb.RetryDeliveriesRequest(
        request_id=uuid.uuid4().hex, webhook_id=webhook_id, delivery_ids=ids, failed=not ids
    )
    count: int = (await hooks(notify).RetryDeliveries(request)).count
    return count
