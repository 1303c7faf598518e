"""Wiring of the assessment process."""

from livinglab.assessment.v1 import service_pb2, service_pb2_grpc

from chassis import runtime
from chassis.rpc import Served
from directory import official_regions
from instruments import instrument_files
from services.assessment import reactions
from services.assessment.instrument_file import load
from services.assessment.service import AssessmentService
from services.assessment.store import Store


async def main(process: runtime.Process) -> None:
    """Publishes the official instruments, then serves."""
    store = Store(await process.database())
    await store.prepare()
    for path in instrument_files().values():
        await store.publish_instrument(load(path.read_bytes()))
    service = AssessmentService(store, await store.instruments(), official_regions())
    await process.relay(store.db)
    await process.consume(store.db, reactions.TABLE)
    descriptor = service_pb2.DESCRIPTOR.services_by_name["AssessmentService"]
    add = service_pb2_grpc.add_AssessmentServiceServicer_to_server
    await process.serve(Served(descriptor, service, add))


if __name__ == "__main__":
    runtime.run("assessment", main)
