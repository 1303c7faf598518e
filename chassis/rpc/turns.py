"""Limits how many calls of one caller run at the same time: the rest wait for that caller's own calls, and hold up
nobody else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from chassis.errors import Kind, Refused


@dataclass
class _Caller:
    free: asyncio.Semaphore
    calls: int = field(default=0)


class Turns:
    """How many calls of each caller are served at once, and how many more wait."""

    def __init__(self, at_once: int, waiting: int) -> None:
        self._at_once = at_once
        self._most = at_once + waiting
        self._callers: dict[str, _Caller] = {}

    @asynccontextmanager
    async def turn(self, caller: str) -> AsyncIterator[None]:
        """Waits until fewer than `at_once` others of this caller are served; RESOURCE_EXHAUSTED where so many wait
        already."""
        known = self._callers.get(caller)
        if known is None:
            known = self._callers[caller] = _Caller(asyncio.Semaphore(self._at_once))
        if known.calls >= self._most:
            raise Refused(
                Kind.RESOURCE_EXHAUSTED,
                "TOO_MANY_CALLS",
                f"{self._most} calls of this caller are under way: wait for some of them",
                retry_seconds=1.0,
            )
        known.calls += 1
        try:
            async with known.free:
                yield
        finally:
            known.calls -= 1
            if not known.calls:
                self._callers.pop(caller, None)
