"""Wiring of the notify process."""

from livinglab.coaching.v1.service_pb2_grpc import CoachingServiceStub
from livinglab.notify.v1 import service_pb2, service_pb2_grpc
from livinglab.program.v1.recipient_service_pb2_grpc import RecipientServiceStub

from chassis import runtime
from chassis.rpc import Served
from directory.assignments import Assignments
from directory.projection import Institutions
from services.notify.delivery import Delivery
from services.notify.model import rules
from services.notify.postman import PostOffice
from services.notify.reactions.people import People
from services.notify.reactions.telling import Telling
from services.notify.service import NotifyService
from services.notify.store.messages import Store
from services.notify.store.waits import WaitStore
from services.notify.texts import Texts
from services.notify.writing import Writer


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
    delivery = Delivery(store, PostOffice(process.settings))
    writer = Writer(store, texts, delivery.wake)
    people = People(
        RecipientServiceStub(process.channel("program")), CoachingServiceStub(process.channel("coaching")), assignments
    )
    telling = Telling(book, people, writer, WaitStore(store.db), institutions.known)
    await process.relay(store.db)
    await process.consume(store.db, telling.table(assignments, institutions))
    process.background("delivery", delivery.run())
    process.background("telling", telling.run())
    descriptor = service_pb2.DESCRIPTOR.services_by_name["NotifyService"]
    add = service_pb2_grpc.add_NotifyServiceServicer_to_server
    await process.serve(Served(descriptor, NotifyService(store, writer, book), add))


if __name__ == "__main__":
    runtime.run("notify", main)
