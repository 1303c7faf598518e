"""Wiring of the notify process."""

from livinglab.notify.v1 import service_pb2, service_pb2_grpc

from chassis import runtime
from chassis.rpc import Served
from services.notify import reactions
from services.notify.delivery import Delivery
from services.notify.postman import PostOffice
from services.notify.service import NotifyService
from services.notify.store import Store
from services.notify.texts import Texts


async def main(process: runtime.Process) -> None:
    """Serves, and delivers what waits."""
    store = Store(await process.database())
    await store.prepare()
    delivery = Delivery(store, PostOffice(process.settings))
    await process.relay(store.db)
    await process.consume(store.db, reactions.TABLE)
    process.background("delivery", delivery.run())
    descriptor = service_pb2.DESCRIPTOR.services_by_name["NotifyService"]
    add = service_pb2_grpc.add_NotifyServiceServicer_to_server
    await process.serve(Served(descriptor, NotifyService(store, Texts(), delivery.wake), add))


if __name__ == "__main__":
    runtime.run("notify", main)
