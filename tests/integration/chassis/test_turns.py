"""Calls of one caller wait for each other, and for nobody else's."""

import asyncio

import pytest

from chassis.errors import Kind, Refused
from chassis.rpc.turns import Turns


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
