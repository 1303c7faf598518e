"""The calls that are running when a server is told to stop: they may finish, and those that take too long are told
so."""

import asyncio
from typing import Any

from chassis.errors import unavailable

# Of the grace, kept for telling those who are still waiting.
_TELLING_SECONDS = 1.0


class Calls:
    """Those of one server. A call that its end cuts off is told UNAVAILABLE, which a client repeats; the library would
    say CANCELLED, which nobody can tell from a caller's own change of mind."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._cut = False

    async def end(self, grace: float) -> None:
        """Waits for most of the grace and tells the rest of them."""
        await asyncio.sleep(max(grace - _TELLING_SECONDS, grace / 2))
        self._cut = True
        for task in list(self._tasks):
            task.cancel()

    def __enter__(self) -> None:
        """The task that runs here is a call from now on."""
        if self._cut:
            raise unavailable("a process that stops")
        self._tasks.add(_current())

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        task = _current()
        self._tasks.discard(task)
        if self._cut and isinstance(error, asyncio.CancelledError):
            task.uncancel()
            raise unavailable("a process that stops") from error


def _current() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task
    return task
