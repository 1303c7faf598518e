"""The services on evidence and earlier results, put together; `__main__` serves them beside the others."""

from livinglab.assessment.v1 import results_service_pb2, results_service_pb2_grpc

from chassis.rpc import Served
from directory import official_regions
from services.assessment.editions import Editions
from services.assessment.results_service import ResultService
from services.assessment.results_store import ResultStore
from services.assessment.store import Store


async def evidence_and_results(store: Store, editions: Editions) -> list[Served]:
    """Prepares their collections, and returns what to serve."""
    results = ResultStore(store.db)
    await results.prepare()
    return [
        Served(
            results_service_pb2.DESCRIPTOR.services_by_name["ResultService"],
            ResultService(results, editions, official_regions()),
            results_service_pb2_grpc.add_ResultServiceServicer_to_server,
        ),
    ]
