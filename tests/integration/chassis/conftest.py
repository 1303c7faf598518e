"""A database and a broker of its own for each test of the chassis."""

import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from nats.aio.client import Client

from chassis import mongo
from chassis.events import stream
from stack.servers import Server
from stack.servers import nats as nats_server
from tests.harness.servers import Servers


@pytest.fixture
async def db(servers: Servers) -> AsyncIterator[mongo.Database]:
    client = mongo.connect(servers.mongo_uri)
    db = mongo.Database(client, f"events_{secrets.token_hex(4)}")
    await db.prepare({"effects": []})
    yield db
    await client.drop_database(db.name)
    client.close()


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Server]:
    server = nats_server(tmp_path / "nats")
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def nc(broker: Server) -> AsyncIterator[Client]:
    nc = await stream.connect(broker.uri, "test")
    await stream.ensure_stream(nc.jetstream(), "assessment", 1)
    yield nc
    await nc.close()
