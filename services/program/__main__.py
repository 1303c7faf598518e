"""Wiring of the program process: its API, its reactions and its relay. The workflows run in services.program.worker."""

from livinglab.program.v1 import (
    audit_service_pb2,
    audit_service_pb2_grpc,
    directory_service_pb2,
    directory_service_pb2_grpc,
    duty_service_pb2,
    duty_service_pb2_grpc,
    overview_service_pb2,
    overview_service_pb2_grpc,
    recipient_service_pb2,
    recipient_service_pb2_grpc,
    release_service_pb2,
    release_service_pb2_grpc,
    report_service_pb2,
    report_service_pb2_grpc,
    schedule_service_pb2,
    schedule_service_pb2_grpc,
    service_pb2,
    service_pb2_grpc,
    steering_service_pb2,
    steering_service_pb2_grpc,
)

from chassis import runtime
from chassis.rpc import Served
from chassis.temporal import sdk_figures
from chassis.temporal.client import connect, tls
from directory.projection import Institutions
from instruments import instrument_files
from services.program.engine.client import Engine
from services.program.engine.releases import Releases
from services.program.engine.schedules import Schedules
from services.program.engine.visibility import NotRegistered, ensure_namespace, register_search_attributes
from services.program.reactions.ledger import Reactions
from services.program.service.access import Access
from services.program.service.audit import AuditService
from services.program.service.cohorts import ProgramService
from services.program.service.directory import DirectoryService
from services.program.service.duties import DutyService
from services.program.service.overview import OverviewService
from services.program.service.recipients import RecipientService
from services.program.service.releases import ReleaseService
from services.program.service.report import ReportService
from services.program.service.schedules import ScheduleService
from services.program.service.steering import SteeringService
from services.program.store.cohorts import Store
from services.program.store.directory import DirectoryStore
from services.program.store.figures import Figures
from services.program.store.schedules import ScheduleStore
from services.program.store.watched import Watched


async def main(process: runtime.Process) -> None:
    """Serves once MongoDB, NATS and Temporal are there."""
    store = Store(await process.database())
    await store.prepare()
    settings = process.settings
    client = await process.wait_for(
        "Temporal",
        lambda: connect(
            settings.temporal_address, settings.temporal_namespace, tls(settings), runtime=sdk_figures.runtime()
        ),
        RuntimeError,
    )
    if settings.prepare_only:
        await process.wait_for("its namespace of Temporal", lambda: ensure_namespace(client), NotRegistered)
    await process.wait_for("search attributes", lambda: register_search_attributes(client), NotRegistered)
    engine, access = Engine(client), Access(store)
    await access.assignments.prepare()
    directory_store, institutions = DirectoryStore(store.db), Institutions(store.db)
    await directory_store.prepare()
    process.background("imports", directory_store.writes.run())
    await institutions.prepare()
    process.background("institutions", institutions.follow())
    regions, instruments = institutions.known, instrument_files()
    watched = Watched(store)
    process.background("watched", watched.run())
    schedule_store = ScheduleStore(store.db)
    await schedule_store.prepare()
    schedules = Schedules(schedule_store, client)
    process.background("schedules", schedules.run())
    process.figures(Figures(store.db).look)
    await process.relay(store.db)
    await process.consume(store.db, Reactions(store, engine).table(access.assignments))
    await process.serve(
        Served(
            service_pb2.DESCRIPTOR.services_by_name["ProgramService"],
            ProgramService(store, access, engine, watched, regions, instruments),
            service_pb2_grpc.add_ProgramServiceServicer_to_server,
        ),
        Served(
            steering_service_pb2.DESCRIPTOR.services_by_name["SteeringService"],
            SteeringService(store, engine, regions),
            steering_service_pb2_grpc.add_SteeringServiceServicer_to_server,
        ),
        Served(
            schedule_service_pb2.DESCRIPTOR.services_by_name["ScheduleService"],
            ScheduleService(schedule_store, schedules, regions, instruments),
            schedule_service_pb2_grpc.add_ScheduleServiceServicer_to_server,
        ),
        Served(
            audit_service_pb2.DESCRIPTOR.services_by_name["AuditService"],
            AuditService(store, access),
            audit_service_pb2_grpc.add_AuditServiceServicer_to_server,
        ),
        Served(
            directory_service_pb2.DESCRIPTOR.services_by_name["DirectoryService"],
            DirectoryService(directory_store, institutions.known),
            directory_service_pb2_grpc.add_DirectoryServiceServicer_to_server,
        ),
        Served(
            duty_service_pb2.DESCRIPTOR.services_by_name["DutyService"],
            DutyService(store),
            duty_service_pb2_grpc.add_DutyServiceServicer_to_server,
        ),
        Served(
            recipient_service_pb2.DESCRIPTOR.services_by_name["RecipientService"],
            RecipientService(store, institutions.known),
            recipient_service_pb2_grpc.add_RecipientServiceServicer_to_server,
        ),
        Served(
            overview_service_pb2.DESCRIPTOR.services_by_name["OverviewService"],
            OverviewService(store),
            overview_service_pb2_grpc.add_OverviewServiceServicer_to_server,
        ),
        Served(
            release_service_pb2.DESCRIPTOR.services_by_name["ReleaseService"],
            ReleaseService(Releases(client)),
            release_service_pb2_grpc.add_ReleaseServiceServicer_to_server,
        ),
        Served(
            report_service_pb2.DESCRIPTOR.services_by_name["ReportService"],
            ReportService(store, access),
            report_service_pb2_grpc.add_ReportServiceServicer_to_server,
        ),
    )


if __name__ == "__main__":
    runtime.run("program", main)
