"""Waiting for a condition, the only way a test waits."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
POLL_SECONDS = 0.02


async def eventually(
    condition: Callable[[], T | Awaitable[T]],
    *,
    timeout: float = 10.0,
    ignoring: tuple[type[Exception], ...] = (AssertionError,),
) -> T:
    """The first true value of `condition`, a function or coroutine function called again and again.

    AssertionError, with the last value or the last ignored exception, once `timeout` seconds have passed.
    """
    last = "it never answered"
    try:
        async with asyncio.timeout(timeout) as deadline:
            while True:
                try:
                    answer = condition()
                    value: T = await answer if inspect.isawaitable(answer) else answer
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
