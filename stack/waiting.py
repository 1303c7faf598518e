"""Waiting for a condition: the only way that tests, rehearsals and benches wait."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar, overload

T = TypeVar("T")
POLL_SECONDS = 0.02


@overload
async def eventually(
    condition: Callable[[], Coroutine[Any, Any, T]],
    *,
    timeout: float = ...,
    ignoring: tuple[type[Exception], ...] = ...,
) -> T: ...


@overload
async def eventually(
    condition: Callable[[], T], *, timeout: float = ..., ignoring: tuple[type[Exception], ...] = ...
) -> T: ...


async def eventually(
    condition: Callable[[], Any],
    *,
    timeout: float = 10.0,
    ignoring: tuple[type[Exception], ...] = (AssertionError,),
) -> Any:
    """The first true value of `condition`, a function or coroutine function called again and again.

    AssertionError, with the last value or the last ignored exception, once `timeout` seconds have passed.
    """
    last = "it never answered"
    try:
        async with asyncio.timeout(timeout) as deadline:
            while True:
                try:
                    answer = condition()
                    value = await answer if inspect.isawaitable(answer) else answer
                    if value:
                        return value
                    last = f"its last value was {value!r}"
                except ignoring as refused:
                    last = f"it last raised {refused!r}"
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        if not deadline.expired():
            raise  # the condition's own
    name = getattr(condition, "__qualname__", repr(condition))
    raise AssertionError(f"{name} did not hold within {timeout:g} s: {last}")


async def advancing(
    count: Callable[[], Awaitable[int]], goal: int, *, patience: float = 60.0, pause: float = POLL_SECONDS
) -> None:
    """Until what is counted has come to `goal`, however long it takes while it moves; looked at again after `pause`
    seconds.

    AssertionError once it has stood still for `patience` seconds.
    """
    name = getattr(count, "__qualname__", repr(count))
    last, moved = await count(), time.monotonic()
    while last < goal:
        await asyncio.sleep(pause)
        now = await count()
        if now != last:
            last, moved = now, time.monotonic()
        elif time.monotonic() - moved > patience:
            raise AssertionError(f"{name} stands at {last} of {goal} for {patience:g} s")
