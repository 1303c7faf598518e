"""Wiring of the notify process."""

from pathlib import Path

from livinglab.coaching.v1.service_pb2_grpc import CoachingServiceStub
from livinglab.notify.v1 import (
    address_service_pb2,
    address_service_pb2_grpc,
    inbox_service_pb2,
    inbox_service_pb2_grpc,
    service_pb2,
    service_pb2_grpc,
    subscription_service_pb2,
    subscription_service_pb2_grpc,
    template_service_pb2,
    template_service_pb2_grpc,
    webhook_service_pb2,
    webhook_service_pb2_grpc,
)
from livinglab.program.v1.recipient_service_pb2_grpc import RecipientServiceStub

from chassis import runtime, telemetry
from chassis.rpc import Served
from directory.assignments import Assignments
from directory.projection import Institutions
from services.notify.delivery import Delivery
from services.notify.gateway import Gateway
from services.notify.model import rules
from services.notify.model.destinations import Destinations
from services.notify.model.sealing import Seal, keys_of
from services.notify.model.subscriptions import Addresses
from services.notify.posting import Poster, resolved
from services.notify.postman import PostOffice
from services.notify.reactions.people import People
from services.notify.reactions.telling import Telling
from services.notify.screen import Screen
from services.notify.service.addresses import AddressService
from services.notify.service.inbox import InboxService
from services.notify.service.messages import NotifyService
from services.notify.service.subscriptions import SubscriptionService
from services.notify.service.templates import TemplateService
from services.notify.service.webhooks import WebhookService
from services.notify.store.addresses import AddressStore
from services.notify.store.deliveries import DeliveryStore
from services.notify.store.figures import Figures
from services.notify.store.inbox import Arrivals, InboxStore
from services.notify.store.keys import key
from services.notify.store.messages import Store
from services.notify.store.preferences import PreferenceStore
from services.notify.store.templates import TemplateStore
from services.notify.store.waits import WaitStore
from services.notify.store.webhooks import WebhookStore
from services.notify.texts import Texts
from services.notify.webhooks.desk import Desk
from services.notify.webhooks.feed import Feed
from services.notify.webhooks.sending import Sending
from services.notify.writing.digests import Digests
from services.notify.writing.editions import Editions
from services.notify.writing.writer import Writer


async def main(process: runtime.Process) -> None:
    """Serves, hears what people are told of, and delivers what waits."""
    texts = Texts()
    book = rules.shipped(texts.needed)
    store = Store(await process.database())
    await store.prepare()
    assignments, institutions = Assignments(store.db), Institutions(store.db)
    await assignments.prepare()
    await institutions.prepare()
    process.background("institutions", institutions.follow())
    addresses = Addresses(process.settings.console_url, await key(store.db, "unsubscribe"))
    undeliverable = AddressStore(store.db)
    delivery = Delivery(store, Screen(PostOffice(process.settings, addresses.of), undeliverable))
    template_store = TemplateStore(store.db)
    editions = Editions(template_store, texts)
    wishes, arrivals = PreferenceStore(store.db), Arrivals(store.db)
    destinations = Destinations(process.settings.webhook_networks)
    poster = Poster(destinations, process.settings.webhook_seconds, process.settings.webhook_authorities)
    file = process.settings.gateway_file
    gateway = Gateway(file, destinations, poster) if file else None
    short = Delivery(store, gateway, short=True) if gateway else None

    def wake() -> None:
        delivery.wake()
        if short:
            short.wake()

    writer = Writer(store, wishes, texts, wake, process.settings.console_url, editions, phones=bool(gateway))
    people = People(
        RecipientServiceStub(process.channel("program")), CoachingServiceStub(process.channel("coaching")), assignments
    )
    telling = Telling(book, people, writer, WaitStore(store.db), institutions.known)
    process.figures(Figures(store.db).look)
    await process.relay(store.db)
    await process.consume(store.db, telling.table(assignments, institutions))
    process.background("delivery", delivery.run())
    if short:
        process.background("short messages", short.run())
    process.background("telling", telling.run())
    process.background("digests", Digests(store, writer).run())
    process.background("arrivals", arrivals.run())
    webhooks = await _webhooks(process, store, writer, destinations, poster)
    await process.serve(
        Served(
            service_pb2.DESCRIPTOR.services_by_name["NotifyService"],
            NotifyService(store, writer, book),
            service_pb2_grpc.add_NotifyServiceServicer_to_server,
        ),
        Served(
            inbox_service_pb2.DESCRIPTOR.services_by_name["InboxService"],
            InboxService(InboxStore(store), wishes, arrivals),
            inbox_service_pb2_grpc.add_InboxServiceServicer_to_server,
        ),
        Served(
            template_service_pb2.DESCRIPTOR.services_by_name["TemplateService"],
            TemplateService(template_store, texts, editions),
            template_service_pb2_grpc.add_TemplateServiceServicer_to_server,
        ),
        Served(
            subscription_service_pb2.DESCRIPTOR.services_by_name["SubscriptionService"],
            SubscriptionService(store, wishes, addresses),
            subscription_service_pb2_grpc.add_SubscriptionServiceServicer_to_server,
        ),
        Served(
            address_service_pb2.DESCRIPTOR.services_by_name["AddressService"],
            AddressService(undeliverable),
            address_service_pb2_grpc.add_AddressServiceServicer_to_server,
        ),
        webhooks,
    )


async def _webhooks(
    process: runtime.Process, store: Store, writer: Writer, destinations: Destinations, poster: Poster
) -> Served:
    """Facts go out to other systems from here on."""
    settings = process.settings
    webhook_store, log = WebhookStore(store.db, _seal(settings.webhook_keys)), DeliveryStore(store.db)
    sending = Sending(webhook_store, log, store, writer, poster, settings.webhook_seconds)
    desk = Desk(webhook_store, Feed(await process.nats(), webhook_store, log), sending)
    process.background("webhooks", desk.run())
    return Served(
        webhook_service_pb2.DESCRIPTOR.services_by_name["WebhookService"],
        WebhookService(webhook_store, log, destinations, resolved, desk.wake),
        webhook_service_pb2_grpc.add_WebhookServiceServicer_to_server,
    )


def _seal(keys: Path | None) -> Seal:
    """ValueError, of the setting, where the file cannot be used: to go on in plain would be worse."""
    if keys is None:
        telemetry.log.warning("secrets of webhooks are kept in plain", because="LIVINGLAB_WEBHOOK_KEYS is not set")
        return Seal()
    try:
        return Seal(keys_of(keys.read_text()))
    except (OSError, ValueError) as error:
        raise ValueError(f"LIVINGLAB_WEBHOOK_KEYS: {error}") from error


if __name__ == "__main__":
    runtime.run("notify", main)
