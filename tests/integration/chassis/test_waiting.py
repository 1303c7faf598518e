"""A process that came before its database server was set up gets a database that can do all that it needs."""

import asyncio
import logging
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from pydantic import SecretStr

from chassis import mongo
from chassis.config import Settings
from chassis.runtime import Process
from stack import ready, servers
from tests.harness.waiting import eventually


async def test_a_process_that_met_the_server_before_it_was_in_its_set_can_use_transactions(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server = servers.mongod(tmp_path)
    await server.process.start()
    await ready.accepts_connections(server.address.host, server.address.port)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(server.stop)
        process = Process(
            "early", Settings(mongo_uri=SecretStr(f"mongodb://{server.address}/?directConnection=true")), stack
        )
        with caplog.at_level(logging.INFO):
            waiting = asyncio.create_task(process.database())
            await eventually(lambda: any("NotPrimary" in str(vars(record).get("told")) for record in caplog.records))
            await ready.mongod_is_primary(server.address.host, server.address.port)
        db = await waiting
        await db.prepare({"effects": []})

        async def store(tx: mongo.Tx) -> None:
            await db["effects"].insert_one({"_id": "one"}, session=tx.session)

        await db.transaction(store)
        assert await db["effects"].count_documents({}) == 1
