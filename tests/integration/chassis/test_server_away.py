"""A server that is away is told of with UNAVAILABLE, within the deadline that our callers set by themselves."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from livinglab.common.v1 import dead_letter_service_pb2 as pb
from livinglab.common.v1 import dead_letter_service_pb2_grpc
from nats.errors import NoServersError
from nats.errors import TimeoutError as NatsTimeoutError

from chassis import mongo, rpc
from chassis.config import Settings
from chassis.errors import Kind, Refused
from chassis.status import from_rpc_error
from stack import servers
from stack.issuer import AUDIENCE, ISSUER, Issuer
from stack.ports import free_ports
from tests.harness.servers import go_on, hang
from tests.harness.waiting import eventually


class Asks:
    """Does one thing whenever it is called."""

    def __init__(self) -> None:
        self.what: Callable[[], Awaitable[Any]] | None = None

    async def ListDeadLetters(self, request: Any, context: Any) -> pb.ListDeadLettersResponse:
        """Once that was done."""
        assert self.what
        await self.what()
        return pb.ListDeadLettersResponse(next_page_token="done")

    ReplayDeadLetters = DiscardDeadLetters = ListDeadLetters


@pytest.fixture
async def asks() -> Asks:
    return Asks()


@pytest.fixture
async def call(asks: Asks, issuer: Issuer) -> AsyncIterator[Callable[[], Awaitable[str | Refused]]]:
    """Calls with what our clients set by themselves; the answer or the refusal."""
    [port] = free_ports(1)
    settings = Settings(
        listen=f"127.0.0.1:{port}", jwks_url=issuer.jwks_url, token_issuer=ISSUER, token_audience=AUDIENCE
    )
    descriptor = pb.DESCRIPTOR.services_by_name["DeadLetterService"]
    add = dead_letter_service_pb2_grpc.add_DeadLetterServiceServicer_to_server
    server = rpc.Server(settings, [rpc.Served(descriptor, asks, add)])
    await server.start()
    header = f"Bearer {issuer.token('manager')}"
    async with rpc.channel(settings.listen, lambda: header) as channel:
        stub: Any = dead_letter_service_pb2_grpc.DeadLetterServiceStub(channel)

        async def asked() -> str | Refused:
            try:
                answer = await stub.ListDeadLetters(pb.ListDeadLettersRequest())
            except grpc.aio.AioRpcError as error:
                return from_rpc_error(error)
            return str(answer.next_page_token)

        yield asked
    await server.stop(0)


async def test_without_the_database_reads_and_writes_are_unavailable_before_the_callers_deadline(
    asks: Asks, call: Callable[[], Awaitable[str | Refused]], tmp_path: Path
) -> None:
    server = servers.mongod(tmp_path)
    await server.start()
    client = mongo.connect(server.uri)
    db = mongo.Database(client, "away")
    await db.prepare({"things": []})

    async def write() -> None:
        async def body(tx: mongo.Tx) -> None:
            await db["things"].insert_one({}, session=tx.session)

        await db.transaction(body)

    async def read() -> None:
        await db["things"].find_one({})

    for what, hangs in ((write, False), (read, False), (write, True), (read, True)):
        asks.what = what
        assert await call() == "done"
        # One that hangs keeps its connections open and says nothing on them.
        await (hang(server) if hangs else server.kill())
        started = time.monotonic()
        # Also those that come together.
        for refused in await asyncio.gather(call(), call(), call()):
            assert isinstance(refused, Refused)
            assert (refused.kind, refused.message) == (Kind.UNAVAILABLE, "the database does not answer: try again")
        assert time.monotonic() - started < 10
        if hangs:
            go_on(server)
        else:
            await server.start()
        # The next one finds it again.
        await eventually(lambda: _is_done(call), timeout=30)
    client.close()
    await server.stop()


async def _is_done(call: Callable[[], Awaitable[str | Refused]]) -> bool:
    return await call() == "done"


@pytest.mark.parametrize("error", [NatsTimeoutError(), NoServersError()])
async def test_without_the_broker_what_needs_it_is_unavailable(
    asks: Asks, call: Callable[[], Awaitable[str | Refused]], error: Exception
) -> None:
    async def fail() -> None:
        raise error

    asks.what = fail
    refused = await call()
    assert isinstance(refused, Refused)
    assert (refused.kind, refused.message) == (Kind.UNAVAILABLE, "the broker does not answer: try again")
