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

from chassis import runtime
from chassis.events import history
from chassis.rpc import Served
from directory.projection import Institutions
from services.benchmark import reactions
from services.benchmark.service.admission import Admission
from services.benchmark.service.analysis import AnalysisService
from services.benchmark.service.race import BenchmarkService, add_to_server
from services.benchmark.service.steward import StewardService
from services.benchmark.store.live import Live
from services.benchmark.store.projections import Store


async def main(process: runtime.Process) -> None:
    """Builds its projections from facts and serves what they show."""
    store = Store(await process.database())
    await store.prepare()
    institutions, live = Institutions(store.db), Live(store)
    await institutions.prepare()
    regions = institutions.known
    regions.on_news(live.everything_moved)
    admission = Admission(store, live, regions)
    await admission.assignments.prepare()
    await process.relay(store.db)
    await process.consume(store.db, reactions.table(store, institutions))
    process.background("institutions", institutions.follow())
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
            StewardService(store, live, institutions, streams),
            steward_service_pb2_grpc.add_StewardServiceServicer_to_server,
        ),
    )


if __name__ == "__main__":
    runtime.run("benchmark", main)
