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
from instruments import guidance_files, guidance_lint, instrument_files
from instruments.file import load
from services.assessment import reactions
from services.assessment.service.access import Access
from services.assessment.service.evaluations import AssessmentService
from services.assessment.service.understanding import UnderstandingService
from services.assessment.service.verification import VerificationService
from services.assessment.service.wiring import evidence_and_results
from services.assessment.store.editions import Editions
from services.assessment.store.evaluations import Store
from services.assessment.store.guidance import Guidances


async def main(process: runtime.Process) -> None:
    """Publishes the official instruments and what their levels ask for, then serves."""
    store = Store(await process.database())
    await store.prepare()
    official = {name: load(path.read_bytes()) for name, path in instrument_files().items()}
    for instrument in official.values():
        await store.publish_instrument(instrument)
    institutions = Institutions(store.db)
    await institutions.prepare()
    process.background("institutions", institutions.follow())
    assignments = Assignments(store.db)
    await assignments.prepare()
    access = Access(store, assignments)
    editions = Editions(store)
    guidances = Guidances(store.db, editions)
    await guidances.prepare()
    for name, path in guidance_files().items():
        await guidances.ship(guidance_lint.load(path.read_bytes(), official[name]))
    await process.relay(store.db)
    await process.consume(store.db, reactions.table(institutions, assignments))
    await process.serve(
        Served(
            service_pb2.DESCRIPTOR.services_by_name["AssessmentService"],
            AssessmentService(store, access, editions, guidances, institutions.known),
            service_pb2_grpc.add_AssessmentServiceServicer_to_server,
        ),
        Served(
            verification_pb2.DESCRIPTOR.services_by_name["VerificationService"],
            VerificationService(store, access, editions),
            verification_pb2_grpc.add_VerificationServiceServicer_to_server,
        ),
        Served(
            understanding_pb2.DESCRIPTOR.services_by_name["UnderstandingService"],
            UnderstandingService(store, access, editions, guidances),
            understanding_pb2_grpc.add_UnderstandingServiceServicer_to_server,
        ),
        *await evidence_and_results(process, store, access, editions, institutions.known),
    )


if __name__ == "__main__":
    runtime.run("assessment", main)
