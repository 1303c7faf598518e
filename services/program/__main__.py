"""Wiring of the program process: its API, its reactions and its relay. The workflows run in services.program.worker."""

from livinglab.program.v1 import service_pb2, service_pb2_grpc

from chassis import runtime
from chassis.rpc import Served
from directory import official_regions
from instruments import instrument_files
from services.program.engine import Engine, connect
from services.program.reactions import Reactions
from services.program.service import ProgramService
from services.program.store import Store
from services.program.visibility import NotRegistered, register_search_attributes


async def main(process: runtime.Process) -> None:
    """Serves once MongoDB, NATS and Temporal are there."""
    store = Store(await process.database())
    await store.prepare()
    settings = process.settings
    client = await process.wait_for(
        "Temporal", lambda: connect(settings.temporal_address, settings.temporal_namespace), RuntimeError
    )
    await process.wait_for("search attributes", lambda: register_search_attributes(client), NotRegistered)
    engine = Engine(client)
    service = ProgramService(store, engine, official_regions(), instrument_files())
    await process.relay(store.db)
    await process.consume(store.db, Reactions(store, engine).table())
    descriptor = service_pb2.DESCRIPTOR.services_by_name["ProgramService"]
    await process.serve(Served(descriptor, service, service_pb2_grpc.add_ProgramServiceServicer_to_server))


if __name__ == "__main__":
    runtime.run("program", main)
