"""Calls of one caller wait for each other, and for nobody else's; all of them together are bounded."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import grpc.aio
import pytest
from livinglab.common.v1 import dead_letter_service_pb2 as pb
from livinglab.common.v1 import dead_letter_service_pb2_grpc as grpc_pb

from chassis import rpc
from chassis.config import Settings
from chassis.errors import Kind, Refused
from chassis.rpc.turns import Turns
from stack.issuer import AUDIENCE, ISSUER, Issuer
from stack.ports import free_ports
from tests.harness.waiting import eventually


class Call:
    """One that is served until it is told to end."""

    def __init__(self, turns: Turns, caller: str) -> None:
        self.served = asyncio.Event()
        self.ending = asyncio.Event()
        self.task = asyncio.create_task(self._run(turns, caller))

    async def _run(self, turns: Turns, caller: str) -> None:
        async with turns.turn(caller):
            self.served.set()
            await self.ending.wait()


async def test_who_sends_too_much_waits_and_others_do_not() -> None:
    turns = Turns(at_once=2, waiting=1)
    first, second, third = (Call(turns, "greedy") for _ in range(3))
    await asyncio.gather(first.served.wait(), second.served.wait())
    other = Call(turns, "other")
    await other.served.wait()
    assert not third.served.is_set()
    with pytest.raises(Refused) as refused:
        async with turns.turn("greedy"):
            pass
    assert (refused.value.kind, refused.value.reason) == (Kind.RESOURCE_EXHAUSTED, "TOO_MANY_CALLS")
    first.ending.set()
    await third.served.wait()
    for call in (second, third, other):
        call.ending.set()
    await asyncio.gather(*(call.task for call in (first, second, third, other)))
    assert not turns._callers


async def test_who_gives_up_waiting_holds_nothing() -> None:
    turns = Turns(at_once=1, waiting=5)
    first, second, third = (Call(turns, "one") for _ in range(3))
    await first.served.wait()
    second.task.cancel()
    await asyncio.gather(second.task, return_exceptions=True)
    first.ending.set()
    await third.served.wait()
    third.ending.set()
    await asyncio.gather(first.task, third.task)
    assert not turns._callers


class Slow:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.begun = 0
        self.ending = asyncio.Event()

    async def ListDeadLetters(self, request: Any, context: Any) -> pb.ListDeadLettersResponse:
        self.begun += 1
        await self.ending.wait()
        return pb.ListDeadLettersResponse(next_page_token="done")

    ReplayDeadLetters = DiscardDeadLetters = ListDeadLetters


async def test_calls_beyond_those_that_a_server_takes_at_once_are_refused_at_once(issuer: Issuer) -> None:
    """Whoever they are of; the others are served to their end, and the next ones again."""
    [port] = free_ports(1)
    settings = Settings(
        listen=f"127.0.0.1:{port}",
        jwks_url=issuer.jwks_url,
        token_issuer=ISSUER,
        token_audience=AUDIENCE,
        maximum_concurrent_rpcs=6,
    )
    slow = Slow()
    descriptor = pb.DESCRIPTOR.services_by_name["DeadLetterService"]
    server = rpc.Server(settings, [rpc.Served(descriptor, slow, grpc_pb.add_DeadLetterServiceServicer_to_server)])
    await server.start()
    try:
        async with AsyncExitStack() as channels:

            async def asked(who: int) -> str:
                header = f"Bearer {issuer.token('manager', subject=f'manager-{who}')}"
                channel = await channels.enter_async_context(rpc.channel(settings.listen, lambda: header))
                stub: Any = grpc_pb.DeadLetterServiceStub(channel)
                try:
                    return str((await stub.ListDeadLetters(pb.ListDeadLettersRequest(), timeout=20)).next_page_token)
                except grpc.aio.AioRpcError as error:
                    return error.code().name

            served = [asyncio.create_task(asked(n)) for n in range(6)]
            await eventually(lambda: slow.begun == 6)
            assert await asked(7) == "RESOURCE_EXHAUSTED"
            slow.ending.set()
            assert await asyncio.gather(*served) == ["done"] * 6
            assert await asked(7) == "done"
    finally:
        await server.stop(0)
