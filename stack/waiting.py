"""Waiting for a condition: the only way that tests, rehearsals and benches wait."""

import asyncio
import inspect
from collections.abc import Callable, Coroutine
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
