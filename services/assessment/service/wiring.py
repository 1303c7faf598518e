"""The services on evidence and earlier results, put together; `__main__` serves them beside the others."""

from livinglab.assessment.v1 import (
    comment_service_pb2,
    comment_service_pb2_grpc,
    evidence_care_service_pb2,
    evidence_care_service_pb2_grpc,
    evidence_service_pb2,
    evidence_service_pb2_grpc,
    results_service_pb2,
    results_service_pb2_grpc,
)

from chassis import runtime
from chassis.rpc import Served
from directory.known import Directory
from instruments import crosswalk_files
from services.assessment.model import crosswalk
from services.assessment.service.access import Access
from services.assessment.service.comments import CommentService
from services.assessment.service.evidence import EvidenceService
from services.assessment.service.evidence_care import EvidenceCareService
from services.assessment.service.results import ResultService
from services.assessment.store.comments import Comments
from services.assessment.store.editions import Editions
from services.assessment.store.evaluations import Store
from services.assessment.store.evidence import EvidenceStore
from services.assessment.store.files import EvidenceFiles
from services.assessment.store.results import ResultStore


async def evidence_and_results(
    process: runtime.Process, store: Store, access: Access, editions: Editions, institutions: Directory
) -> list[Served]:
    """Prepares their collections, and returns what to serve."""
    results = ResultStore(store.db)
    evidence, files, said = EvidenceStore(store.db), EvidenceFiles(store.db), Comments(store.db)
    for one in (results, evidence, files, said):
        await one.prepare()
    process.background("imports", results.writes.run())
    crosswalks = crosswalk.Crosswalks(crosswalk.load(path.read_text()) for path in crosswalk_files().values())
    pieces = EvidenceService(evidence, files, store, access, editions, crosswalks)
    care = EvidenceCareService(evidence, pieces.require_reader)
    process.background("validity", care.look_out())
    return [
        Served(
            comment_service_pb2.DESCRIPTOR.services_by_name["CommentService"],
            CommentService(said, evidence, access, editions),
            comment_service_pb2_grpc.add_CommentServiceServicer_to_server,
        ),
        Served(
            evidence_care_service_pb2.DESCRIPTOR.services_by_name["EvidenceCareService"],
            care,
            evidence_care_service_pb2_grpc.add_EvidenceCareServiceServicer_to_server,
        ),
        Served(
            evidence_service_pb2.DESCRIPTOR.services_by_name["EvidenceService"],
            pieces,
            evidence_service_pb2_grpc.add_EvidenceServiceServicer_to_server,
        ),
        Served(
            results_service_pb2.DESCRIPTOR.services_by_name["ResultService"],
            ResultService(results, access, editions, institutions),
            results_service_pb2_grpc.add_ResultServiceServicer_to_server,
        ),
    ]
