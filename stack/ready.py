"""When an embedded server is ready: each coroutine returns once the server does its work and retries until then.

None has a deadline of its own; `Process.wait_ready` gives it one and ends it when the process ends.
"""

import asyncio
from typing import Any

import grpc
import nats
import nats.errors
import nats.js.errors
from google.protobuf.wrappers_pb2 import StringValue
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import ConnectionFailure, OperationFailure

POLL_SECONDS = 0.02
_MONITOR_SECONDS = 5.0
REPLICA_SET = "rs0"
TEMPORAL_FRONTEND = "temporal.api.workflowservice.v1.WorkflowService"

# MongoDB error codes: https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml
_NOT_YET_INITIALIZED = 94


async def accepts_connections(host: str, port: int) -> None:
    """Something listens on the port."""
    while True:
        try:
            _, writer = await asyncio.open_connection(host, port)
        except OSError:
            await asyncio.sleep(POLL_SECONDS)
            continue
        writer.close()
        await writer.wait_closed()
        return


async def mongod_is_primary(host: str, port: int) -> None:
    """mongod is primary of its one-node replica set under its present address and acknowledges a majority write."""
    await accepts_connections(host, port)
    # A client of its own: one that met the server before it was in a set takes long to notice that it is in one.
    async with AsyncMongoClient[dict[str, Any]](host, port, directConnection=True) as client:
        admin = client.admin
        while not await _is_primary(admin, f"{host}:{port}"):
            await asyncio.sleep(POLL_SECONDS)
        await admin.command("appendOplogNote", 1, data={"ready": True}, writeConcern={"w": "majority", "j": True})


async def _is_primary(admin: AsyncDatabase[dict[str, Any]], member: str) -> bool:
    try:
        hello = await admin.command("hello")
        if hello.get("isWritablePrimary") and hello.get("me") == member:
            return True
        await _join_replica_set(admin, member)
    except (ConnectionFailure, OperationFailure):
        return False  # starting, recovering or electing
    return False


async def _join_replica_set(admin: AsyncDatabase[dict[str, Any]], member: str) -> None:
    """Create the set on a new data directory; after a change of port force the set to the new address."""
    members = [{"_id": 0, "host": member}]
    try:
        config = (await admin.command("replSetGetConfig"))["config"]
    except OperationFailure as refused:
        if refused.code != _NOT_YET_INITIALIZED:
            raise
        await admin.command("replSetInitiate", {"_id": REPLICA_SET, "members": members})
        return
    if [known["host"] for known in config["members"]] != [member]:
        changed = {**config, "members": members, "version": config["version"] + 1}
        await admin.command("replSetReconfig", changed, force=True)


async def jetstream_answers(url: str, host: str, port: int) -> None:
    """A client connects and JetStream tells about its account."""
    await accepts_connections(host, port)
    while True:
        try:
            client = await nats.connect(url, allow_reconnect=False, error_cb=_ignore)
        except (OSError, nats.errors.Error):
            await asyncio.sleep(POLL_SECONDS)
            continue
        try:
            await client.jetstream().account_info()
            return
        except (nats.errors.Error, nats.js.errors.Error):
            await asyncio.sleep(POLL_SECONDS)
        finally:
            await client.close()


async def jetstream_ails(host: str, port: int) -> str:
    """The write error that nats-server keeps for a stream since the disk was full, also once there is room again: it
    refuses all that the stream is given until it is started anew. A publish into another stream tells nothing of it."""
    try:
        async with asyncio.timeout(_MONITOR_SECONDS):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(f"GET /healthz HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
            answer = (await reader.read()).decode(errors="replace")
            writer.close()
            await writer.wait_closed()
    except (OSError, TimeoutError):
        return ""
    body = answer.partition("\r\n\r\n")[2]
    return body.strip() if "write error" in body else ""


async def _ignore(_: Exception) -> None:
    """What the client reports here is also raised."""


async def temporal_serves(address: str) -> None:
    """The frontend says SERVING and the namespace `default` is there."""
    options = [
        ("grpc.enable_http_proxy", 0),
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.initial_reconnect_backoff_ms", 50),
        ("grpc.min_reconnect_backoff_ms", 50),
        ("grpc.max_reconnect_backoff_ms", 100),
    ]
    async with grpc.aio.insecure_channel(address, options=options) as channel:
        while not await _temporal_answers(channel):
            await asyncio.sleep(POLL_SECONDS)


async def _temporal_answers(channel: grpc.aio.Channel) -> bool:
    # Spelled without Temporal's own client, which loads its native library: a StringValue has the same bytes as a
    # DescribeNamespaceRequest (field 1: the name), and only the status of the answer matters.
    describe = channel.unary_unary(
        f"/{TEMPORAL_FRONTEND}/DescribeNamespace",
        request_serializer=StringValue.SerializeToString,
        response_deserializer=bytes,
    )
    try:
        health = await health_pb2_grpc.HealthStub(channel).Check(
            health_pb2.HealthCheckRequest(service=TEMPORAL_FRONTEND), wait_for_ready=True
        )
        if health.status != health_pb2.HealthCheckResponse.SERVING:
            return False
        await describe(StringValue(value="default"))
    except grpc.aio.AioRpcError:
        return False
    return True
