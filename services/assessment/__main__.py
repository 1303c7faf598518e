"""Wiring of the assessment process."""

from livinglab.assessment.v1 import (
    service_pb2,
    service_pb2_grpc,
    understanding_pb2,
    understanding_pb2_grpc,
    verification_pb2,
    verification_pb2_grpc,
)

from chassis import runtime
from chassis.rpc import Served
from directory.assignments import Assignments
from directory.projection import Institutions
from instruments import instrument_files
from instruments.file import load
from services.assessment import reactions
from services.assessment.service.access import Access
from services.assessment.service.evaluations import AssessmentService
from services.assessment.service.understanding import UnderstandingService
from services.assessment.service.verification import VerificationService
from services.assessment.service.wiring import evidence_and_results
from services.assessment.store.editions import Editions
from services.assessment.store.evaluations import Store


async def main(process: runtime.Process) -> None:
    """Publishes the official instruments, then serves."""
    store = Store(await process.database())
    await store.prepare()
    for path in instrument_files().values():
        await store.publish_instrument(load(path.read_bytes()))
    institutions = Institutions(store.db)
    await institutions.prepare()
    process.background("institutions", institutions.follow())
    assignments = Assignments(store.db)
    await assignments.prepare()
    access = Access(store, assignments)
    editions = Editions(store)
    await process.relay(store.db)
    await process.consume(store.db, reactions.table(institutions, assignments))
    await process.serve(
        Served(
            service_pb2.DESCRIPTOR.services_by_name["AssessmentService"],
            AssessmentService(store, access, editions, institutions.known),
            service_pb2_grpc.add_AssessmentServiceServicer_to_server,
        ),
        Served(
            verification_pb2.DESCRIPTOR.services_by_name["VerificationService"],
            VerificationService(store, access, editions),
            verification_pb2_grpc.add_VerificationServiceServicer_to_server,
        ),
        Served(
            understanding_pb2.DESCRIPTOR.services_by_name["UnderstandingService"],
            UnderstandingService(store, access, editions),
            understanding_pb2_grpc.add_UnderstandingServiceServicer_to_server,
        ),
        *await evidence_and_results(store, access, editions, institutions.known),
    )


if __name__ == "__main__":
    runtime.run("assessment", main)
