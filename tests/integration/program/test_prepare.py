"""What a job makes before a roll-out, and a namespace of Temporal that has no room."""

import asyncio
import os
import secrets
import sys
import uuid
from typing import Any

import pytest
from nats.aio.client import Client as Nats
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client

from chassis import mongo, naming
from chassis.temporal.client import connect
from services.program.engine.visibility import (
    MOST_KEYWORDS,
    NAMES,
    NotRegistered,
    addition,
    ensure_namespace,
    register_search_attributes,
)
from stack.issuer import Issuer
from stack.ports import free_ports
from tests.harness.namespace import new_namespace
from tests.harness.servers import Servers
from tests.harness.waiting import eventually


async def prepared(environment: dict[str, str]) -> None:
    ran = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.program", env={**os.environ, **environment}, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await asyncio.wait_for(ran.communicate(), 90)
    assert ran.returncode == 0, out.decode()[-2000:]
    assert b"prepared" in out
    assert b'"serving"' not in out


async def test_a_process_that_only_prepares_makes_what_it_needs_and_ends_and_again_changes_nothing(
    servers: Servers, issuer: Issuer, nats_url: str
) -> None:
    namespace, prefix = f"test-{uuid.uuid4().hex[:12]}", f"t{secrets.token_hex(4)}_"
    listen, metrics = free_ports(2)
    environment = {
        "LIVINGLAB_PREPARE_ONLY": "true",
        "LIVINGLAB_MONGO_URI": servers.mongo_uri,
        "LIVINGLAB_DATABASE_PREFIX": prefix,
        "LIVINGLAB_NATS_URL": nats_url,
        "LIVINGLAB_TEMPORAL_ADDRESS": servers.temporal_address,
        "LIVINGLAB_TEMPORAL_NAMESPACE": namespace,
        "LIVINGLAB_JWKS_URL": issuer.jwks_url,
        "LIVINGLAB_LISTEN": f"127.0.0.1:{listen}",
        "LIVINGLAB_METRICS_LISTEN": f"127.0.0.1:{metrics}",
    }
    await prepared(environment)
    client, nc = mongo.connect(servers.mongo_uri), Nats()
    db = client[f"{prefix}program"]
    await nc.connect(nats_url)
    js = nc.jetstream()

    async def made() -> Any:
        indexes = {name: await db[name].index_information() for name in await db.list_collection_names()}
        durables = {
            (info.stream_name, info.name): info.push_bound
            for stream in await js.streams_info()
            for info in await js.consumers_info(stream.config.name or "")
        }
        return indexes, durables

    indexes, durables = await made()
    assert len(indexes["cohorts"]) == 3
    assert {"participants", "outbox", "inbox"} <= indexes.keys()
    assert naming.stream("program") in {stream.config.name for stream in await js.streams_info()}
    # They stand where the process will go on, and nobody takes from them yet.
    assert len(durables) >= 5
    assert not any(durables.values())
    temporal = await connect(servers.temporal_address, namespace)
    await temporal.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=namespace))
    await register_search_attributes(temporal)
    await prepared(environment)
    assert await made() == (indexes, durables)
    await nc.close()
    await client.drop_database(db.name)
    client.close()


async def test_a_namespace_takes_ten_keywords_and_is_told_to_be_full(servers: Servers) -> None:
    client: Client = await new_namespace(servers)
    await ensure_namespace(client)
    others = [f"Other{n}" for n in range(MOST_KEYWORDS - len(NAMES) + 1)]

    async def taken() -> bool:
        await client.operator_service.add_search_attributes(addition(client.namespace, others))
        return True

    await eventually(taken, ignoring=(Exception,), timeout=60)

    async def refused() -> bool:
        with pytest.raises(NotRegistered) as told:
            await register_search_attributes(client)
        return f"takes {MOST_KEYWORDS}" in str(told.value)

    await eventually(refused, timeout=60)
