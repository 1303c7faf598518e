"""What was made a moment ago, kept for those who ask the same now: one question to the services for all who wait."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, TypeVar, cast

T = TypeVar("T")

_LARGEST = 512


class Remembered:
    """Answers by name, each for a short while. Only what everybody may see is kept here."""

    def __init__(self) -> None:
        self._known: OrderedDict[Hashable, tuple[float, Any]] = OrderedDict()
        self._being_made: dict[Hashable, asyncio.Task[Any]] = {}

    async def get(self, name: Hashable, seconds: float, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The answer of that name, at most `seconds` old; made once for all who ask meanwhile. A failure is told to
        those who waited, and not kept."""
        known = self._known.get(name)
        if known is not None and known[0] > time.monotonic():
            return cast(T, known[1])
        making = self._being_made.get(name)
        if making is None:
            making = asyncio.create_task(self._make(name, seconds, make))
            self._being_made[name] = making
            making.add_done_callback(lambda done: self._made(name, done))
        # One who goes away leaves it to the others.
        return cast(T, await asyncio.shield(making))

    async def _make(self, name: Hashable, seconds: float, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        answer = await make()
        self._known[name] = time.monotonic() + seconds, answer
        self._known.move_to_end(name)
        while len(self._known) > _LARGEST:
            self._known.popitem(last=False)
        return answer

    def _made(self, name: Hashable, making: "asyncio.Task[Any]") -> None:
        del self._being_made[name]
        # Looked at here too, for the case that nobody waits any more.
        if not making.cancelled():
            making.exception()
