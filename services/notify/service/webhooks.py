"""Webhooks as managers and the platform team keep them: who gets which facts, and what became of each."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from livinglab.common.v1 import options_pb2
from livinglab.notify.v1 import webhook_pb2, webhook_service_pb2_grpc
from livinglab.notify.v1 import webhook_service_pb2 as pb

from chassis import auth, mongo, naming
from chassis.errors import Kind, Refused, Violation, denied, invalid
from chassis.events import facts
from services.notify.model import signatures, webhooks
from services.notify.model.destinations import Address, Destinations
from services.notify.model.sealing import CannotBeOpened
from services.notify.store.deliveries import DeliveryStore
from services.notify.store.webhooks import WebhookStore

# What a host's name means now.
Resolve = Callable[[str], Awaitable[Sequence[Address]]]
_ACTIVE, _PAUSED = webhook_pb2.WEBHOOK_STATE_ACTIVE, webhook_pb2.WEBHOOK_STATE_PAUSED


class WebhookService(webhook_service_pb2_grpc.WebhookServiceServicer):
    """The contract, on both stores. `wake` is told of every change."""

    def __init__(
        self,
        store: WebhookStore,
        log: DeliveryStore,
        destinations: Destinations,
        resolve: Resolve,
        wake: Callable[[str], None],
    ) -> None:
        self._store = store
        self._log = log
        self._destinations = destinations
        self._resolve = resolve
        self._wake = wake

    async def CreateWebhook(self, request: pb.CreateWebhookRequest, context: Any) -> pb.CreateWebhookResponse:
        _require_platform(request.everything)
        await self._require_sound(request.url, request.subjects)
        now = datetime.now(UTC)
        webhook = webhook_pb2.Webhook(
            id=naming.new_id(),
            url=request.url,
            subjects=request.subjects,
            institution=request.institution,
            everything=request.everything,
            rehearsals=request.rehearsals,
            description=request.description,
            state=_ACTIVE,
            created_by=auth.caller().subject,
            create_time=mongo.timestamp(now),
        )
        since = request.since.ToDatetime(UTC) if request.HasField("since") else now
        secret, key = signatures.new_secret(), signatures.new_key()

        async def decide(tx: mongo.Tx) -> pb.CreateWebhookResponse:
            await self._store.add(tx, webhook, since, [secret, key])
            # The answer is kept for its repetition: sealed like the webhook's own record.
            kept = self._store.seal.seal(secret, webhook.id)
            return pb.CreateWebhookResponse(webhook=await self._store.get(webhook.id, tx), secret=kept)

        answer = await self._store.db.once(request, decide, pb.CreateWebhookResponse)
        answer.secret = self._opened(answer)
        self._wake(answer.webhook.id)
        return answer

    async def GetWebhook(self, request: pb.GetWebhookRequest, context: Any) -> pb.GetWebhookResponse:
        [webhook] = await self._counted([await self._store.get(request.webhook_id)])
        return pb.GetWebhookResponse(webhook=webhook)

    async def ListWebhooks(self, request: pb.ListWebhooksRequest, context: Any) -> pb.ListWebhooksResponse:
        return pb.ListWebhooksResponse(webhooks=await self._counted(await self._store.all()))

    async def UpdateWebhook(self, request: pb.UpdateWebhookRequest, context: Any) -> pb.UpdateWebhookResponse:
        before = await self._held(request.webhook_id)
        if request.state not in (webhook_pb2.WEBHOOK_STATE_UNSPECIFIED, _ACTIVE, _PAUSED):
            raise invalid([Violation("state", "must be ACTIVE or PAUSED")])
        await self._require_sound(request.url or before.url, request.subjects)
        change: dict[str, Any] = {"url": request.url} if request.url else {}
        if request.subjects:
            change["subjects"] = list(request.subjects)
        if request.HasField("description"):
            change["description"] = request.description
        if request.state == _PAUSED:
            change["state"] = _PAUSED

        async def decide(tx: mongo.Tx) -> pb.UpdateWebhookResponse:
            await self._store.get(request.webhook_id, tx)
            changed = await self._store.change(tx, request.webhook_id, change)
            if request.state == _ACTIVE:
                changed = await self._store.start(tx, request.webhook_id)
                await self._log.hurry(tx, request.webhook_id)
            return pb.UpdateWebhookResponse(webhook=changed)

        answer = await self._store.db.once(request, decide, pb.UpdateWebhookResponse)
        self._wake(request.webhook_id)
        return answer

    async def RotateWebhookSecret(
        self, request: pb.RotateWebhookSecretRequest, context: Any
    ) -> pb.RotateWebhookSecretResponse:
        await self._held(request.webhook_id)
        secret, key = signatures.new_secret(), signatures.new_key()
        until = datetime.now(UTC) + timedelta(hours=request.overlap_hours)

        async def decide(tx: mongo.Tx) -> pb.RotateWebhookSecretResponse:
            webhook = await self._store.rotate(tx, request.webhook_id, [secret, key], until)
            kept = self._store.seal.seal(secret, webhook.id)
            return pb.RotateWebhookSecretResponse(webhook=webhook, secret=kept)

        answer = await self._store.db.once(request, decide, pb.RotateWebhookSecretResponse)
        answer.secret = self._opened(answer)
        self._wake(request.webhook_id)
        return answer

    async def DeleteWebhook(self, request: pb.DeleteWebhookRequest, context: Any) -> pb.DeleteWebhookResponse:
        async def decide(tx: mongo.Tx) -> pb.DeleteWebhookResponse:
            _require_platform((await self._store.get(request.webhook_id, tx)).everything)
            await self._store.remove(tx, request.webhook_id)
            return pb.DeleteWebhookResponse()

        answer = await self._store.db.once(request, decide, pb.DeleteWebhookResponse)
        # Too much for one transaction perhaps; whoever finds a record of it later has nobody to send it to.
        await self._log.remove(request.webhook_id)
        self._wake(request.webhook_id)
        return answer

    async def ReplayWebhook(self, request: pb.ReplayWebhookRequest, context: Any) -> pb.ReplayWebhookResponse:
        await self._store.get(request.webhook_id)
        if faults := list(_replay_violations(request)):
            raise invalid(faults)
        since = request.since.ToDatetime(UTC) if request.HasField("since") else None
        places = {request.stream: request.after} if request.stream else {}

        async def decide(tx: mongo.Tx) -> pb.ReplayWebhookResponse:
            await self._store.replay(tx, request.webhook_id, places, since)
            return pb.ReplayWebhookResponse(webhook=await self._store.get(request.webhook_id, tx))

        answer = await self._store.db.once(request, decide, pb.ReplayWebhookResponse)
        self._wake(request.webhook_id)
        return answer

    async def ListDeliveries(self, request: pb.ListDeliveriesRequest, context: Any) -> pb.ListDeliveriesResponse:
        await self._store.get(request.webhook_id)
        found, token = await self._log.page(request)
        return pb.ListDeliveriesResponse(deliveries=found, next_page_token=token)

    async def GetDelivery(self, request: pb.GetDeliveryRequest, context: Any) -> pb.GetDeliveryResponse:
        found = await self._log.get(request.delivery_id)
        await self._held(found.webhook_id)
        return pb.GetDeliveryResponse(delivery=found)

    async def RetryDeliveries(self, request: pb.RetryDeliveriesRequest, context: Any) -> pb.RetryDeliveriesResponse:
        await self._store.get(request.webhook_id)
        if bool(request.delivery_ids) == request.failed:
            raise invalid([Violation("delivery_ids", "name some, or ask for all that failed")])

        async def decide(tx: mongo.Tx) -> pb.RetryDeliveriesResponse:
            return pb.RetryDeliveriesResponse(count=await self._log.again(tx, request.webhook_id, request.delivery_ids))

        answer = await self._store.db.once(request, decide, pb.RetryDeliveriesResponse)
        self._wake(request.webhook_id)
        return answer

    async def _held(self, webhook_id: str) -> webhook_pb2.Webhook:
        """The webhook, where the caller may change it."""
        found = await self._store.get(webhook_id)
        _require_platform(found.everything)
        return found

    def _opened(self, answer: pb.CreateWebhookResponse | pb.RotateWebhookSecretResponse) -> str:
        """A repetition may come after its key was taken out of use."""
        try:
            return self._store.seal.open(answer.secret, answer.webhook.id)
        except CannotBeOpened as error:
            message = f"the first answer cannot be repeated: {error}; rotate the secret"
            raise Refused(Kind.FAILED_PRECONDITION, "SECRET_NOT_READABLE", message) from error

    async def _require_sound(self, url: str, subjects: Sequence[str]) -> None:
        faults = list(webhooks.subject_violations(subjects, facts.services()))
        if fault := self._destinations.fault_of(url):
            raise invalid([Violation("url", fault), *faults])
        try:
            resolved = await self._resolve(urlsplit(url).hostname or "")
        except OSError:
            # Nobody knows it yet: it is asked again for each try.
            resolved = []
        faults = [*self._destinations.violations(url, resolved), *faults]
        if faults:
            raise invalid(faults)

    async def _counted(self, found: Sequence[webhook_pb2.Webhook]) -> list[webhook_pb2.Webhook]:
        counts = await self._log.counts([one.id for one in found])
        for one in found:
            one.waiting = counts.get((one.id, webhook_pb2.DELIVERY_STATE_WAITING), 0)
            one.failed = counts.get((one.id, webhook_pb2.DELIVERY_STATE_FAILED), 0)
        return list(found)


def _require_platform(everything: bool) -> None:
    if everything and auth.caller().role != options_pb2.ROLE_PLATFORM:
        raise denied("NOT_FOR_EVERYBODY", "facts that are the platform's alone are the platform team's to give")


def _replay_violations(request: pb.ReplayWebhookRequest) -> Iterator[Violation]:
    streams = [naming.stream(one) for one in facts.services()]
    if bool(request.stream) == request.HasField("since"):
        yield Violation("since", "give a stream with a place, or a time")
    elif request.stream and request.stream not in streams:
        yield Violation("stream", f"is not one of {', '.join(streams)}")
