"""Wiring of the benchmark process."""

from functools import partial
from typing import Any

from livinglab.benchmark.v1 import (
    analysis_service_pb2,
    analysis_service_pb2_grpc,
    service_pb2,
    steward_service_pb2,
    steward_service_pb2_grpc,
)

from chassis import history, runtime
from chassis.rpc import Served
from directory import official_regions
from services.benchmark import model, reactions
from services.benchmark.admission import Admission
from services.benchmark.analysis import AnalysisService
from services.benchmark.live import Live
from services.benchmark.service import BenchmarkService, add_to_server
from services.benchmark.steward import StewardService
from services.benchmark.store import Store


async def main(process: runtime.Process) -> None:
    """Builds its projections from facts and serves what they show."""
    store, regions = Store(await process.database()), official_regions()
    await store.prepare()
    live = Live(store)
    admission = Admission(store, live, regions)
    await process.relay(store.db)
    await process.consume(store.db, reactions.table(store))
    process.background("changes", live.run())
    streams: Any = partial(history.past, (await process.nats()).jetstream())
    await process.serve(
        Served(
            service_pb2.DESCRIPTOR.services_by_name["BenchmarkService"],
            BenchmarkService(store, live, admission, regions),
            add_to_server,
        ),
        Served(
            analysis_service_pb2.DESCRIPTOR.services_by_name["AnalysisService"],
            AnalysisService(store, admission, regions),
            analysis_service_pb2_grpc.add_AnalysisServiceServicer_to_server,
        ),
        Served(
            steward_service_pb2.DESCRIPTOR.services_by_name["StewardService"],
            StewardService(store, live, model.Groups(regions), streams),
            steward_service_pb2_grpc.add_StewardServiceServicer_to_server,
        ),
    )


if __name__ == "__main__":
    runtime.run("benchmark", main)
