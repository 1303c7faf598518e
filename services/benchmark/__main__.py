"""Wiring of the benchmark process."""

from livinglab.benchmark.v1 import service_pb2, service_pb2_grpc

from chassis import runtime
from chassis.rpc import Served
from directory import official_regions
from services.benchmark import reactions
from services.benchmark.service import BenchmarkService
from services.benchmark.store import Store


async def main(process: runtime.Process) -> None:
    """Builds its projections from facts and serves what they show."""
    store = Store(await process.database())
    await store.prepare()
    service = BenchmarkService(store, official_regions())
    await process.relay(store.db)
    await process.consume(store.db, reactions.table(store))
    descriptor = service_pb2.DESCRIPTOR.services_by_name["BenchmarkService"]
    add = service_pb2_grpc.add_BenchmarkServiceServicer_to_server
    await process.serve(Served(descriptor, service, add))


if __name__ == "__main__":
    runtime.run("benchmark", main)
