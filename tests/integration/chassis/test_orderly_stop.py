"""A process that is told to stop loses nobody's call: those under way end, those that take too long are told so in a
way that clients repeat, and those that meet the end of a server are repeated by the client's library."""

import asyncio
from collections import Counter
from typing import Any

import grpc
import grpc.aio
import pytest
from livinglab.common.v1 import dead_letter_service_pb2 as pb
from livinglab.common.v1 import dead_letter_service_pb2_grpc
from pymongo.errors import ServerSelectionTimeoutError

from chassis import rpc
from chassis.config import Settings
from chassis.errors import Kind
from chassis.status import from_rpc_error
from stack.issuer import AUDIENCE, ISSUER, Issuer
from stack.ports import free_ports

REQUEST = pb.ListDeadLettersRequest()


class Slow:
    """Answers when it is told to, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.began = asyncio.Event()
        self.go_on = asyncio.Event()
        self.fails: Exception | None = None

    async def ListDeadLetters(self, request: Any, context: Any) -> pb.ListDeadLettersResponse:
        """Once it may."""
        self.asked += 1
        self.began.set()
        if self.fails:
            raise self.fails
        await self.go_on.wait()
        return pb.ListDeadLettersResponse(next_page_token="done")

    ReplayDeadLetters = DiscardDeadLetters = ListDeadLetters


def server_on(port: int, issuer: Issuer, slow: Slow) -> rpc.Server:
    settings = Settings(
        listen=f"127.0.0.1:{port}", jwks_url=issuer.jwks_url, token_issuer=ISSUER, token_audience=AUDIENCE
    )
    descriptor = pb.DESCRIPTOR.services_by_name["DeadLetterService"]
    add = dead_letter_service_pb2_grpc.add_DeadLetterServiceServicer_to_server
    return rpc.Server(settings, [rpc.Served(descriptor, slow, add)])


def stub_of(channel: Any) -> Any:
    return dead_letter_service_pb2_grpc.DeadLetterServiceStub(channel)


def bearer(issuer: Issuer) -> str:
    return f"Bearer {issuer.token('manager')}"


async def test_a_call_under_way_ends_as_if_nothing_happened(issuer: Issuer) -> None:
    slow, [port] = Slow(), free_ports(1)
    server = server_on(port, issuer, slow)
    await server.start()
    async with rpc.channel(f"127.0.0.1:{port}", lambda: bearer(issuer)) as channel:
        call = asyncio.ensure_future(stub_of(channel).ListDeadLetters(REQUEST))
        await slow.began.wait()
        stopping = asyncio.create_task(server.stop(10))
        slow.go_on.set()
        assert (await call).next_page_token == "done"
        await stopping
    assert slow.asked == 1


async def test_a_call_that_takes_longer_than_the_grace_is_told_unavailable(issuer: Issuer) -> None:
    slow, [port] = Slow(), free_ports(1)
    server = server_on(port, issuer, slow)
    await server.start()
    # A client with the library's defaults, which repeats nothing.
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = stub_of(channel).ListDeadLetters(REQUEST, metadata=(("authorization", bearer(issuer)),))
        await slow.began.wait()
        await server.stop(0.5)
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await call
    assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
    assert from_rpc_error(raised.value).retry_seconds == 1.0


async def test_servers_that_are_replaced_under_load_lose_no_call(issuer: Issuer) -> None:
    slow, ports = Slow(), free_ports(2)
    slow.go_on.set()
    servers = {port: server_on(port, issuer, slow) for port in ports}
    for server in servers.values():
        await server.start()
    ended = Counter[str]()
    enough = asyncio.Event()
    address = "ipv4:" + ",".join(f"127.0.0.1:{port}" for port in ports)
    header = bearer(issuer)
    async with rpc.channel(address, lambda: header) as channel:

        async def ask() -> None:
            while not enough.is_set():
                try:
                    await stub_of(channel).ListDeadLetters(REQUEST)
                    ended["OK"] += 1
                except grpc.aio.AioRpcError as error:
                    ended[error.code().name] += 1

        asking = [asyncio.create_task(ask()) for _ in range(32)]
        for port in [*ports] * 3:
            before = ended.total()
            while ended.total() < before + 200:
                await asyncio.wait(asking, timeout=0.01)
            await servers[port].stop(10)
            servers[port] = server_on(port, issuer, slow)
            await servers[port].start()
        enough.set()
        await asyncio.gather(*asking)
    for server in servers.values():
        await server.stop(0)
    assert set(ended) == {"OK"}


async def test_who_waited_for_the_database_in_vain_is_told_at_once_and_does_not_wait_again(issuer: Issuer) -> None:
    slow, [port] = Slow(), free_ports(1)
    slow.fails = ServerSelectionTimeoutError("no server")
    server = server_on(port, issuer, slow)
    await server.start()
    async with rpc.channel(f"127.0.0.1:{port}", lambda: bearer(issuer)) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await stub_of(channel).ListDeadLetters(REQUEST)
    await server.stop(0)
    assert (from_rpc_error(raised.value).kind, slow.asked) == (Kind.UNAVAILABLE, 1)
