"""Puts requests of the same kind together: the first runs at once and alone, and all that arrive meanwhile run together
next."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
Q = TypeVar("Q")
A = TypeVar("A")


@dataclass
class _Asked(Generic[Q, A]):
    what: Q
    answer: "asyncio.Future[A]" = field(default_factory=asyncio.Future)


class Together(Generic[K, Q, A]):
    """One of a worker. `work` answers what it is given, in order. What is refused together, as `is_refusal` tells of
    the error, is tried by halves, so that one does not make the others fail. `pause` is waited between two turns
    only where more than one was there: while nobody else asks, nobody waits."""

    def __init__(
        self,
        work: Callable[[K, Sequence[Q]], Awaitable[Sequence[A]]],
        most: int,
        *,
        pause: float = 0,
        is_refusal: Callable[[Exception], bool] = lambda _: False,
    ) -> None:
        self._work = work
        self._is_refusal = is_refusal
        self._most = most
        self._pause = pause
        # There while something of the key is being done.
        self._waiting: dict[K, list[_Asked[Q, A]]] = {}
        self._running: set[asyncio.Task[None]] = set()

    async def do(self, key: K, what: Q) -> A:
        """Its answer, or its error."""
        asked: _Asked[Q, A] = _Asked(what)
        if key in self._waiting:
            self._waiting[key].append(asked)
        else:
            self._waiting[key] = [asked]
            running = asyncio.create_task(self._run(key))
            self._running.add(running)
            running.add_done_callback(self._running.discard)
        # Who is cancelled leaves the others theirs.
        return await asyncio.shield(asked.answer)

    async def _run(self, key: K) -> None:
        while turn := self._waiting[key][: self._most]:
            del self._waiting[key][: len(turn)]
            await self._do(key, turn)
            if len(turn) > 1 and self._pause:
                await asyncio.sleep(self._pause)
        del self._waiting[key]

    async def _do(self, key: K, turn: Sequence[_Asked[Q, A]]) -> None:
        try:
            answers = await self._work(key, [asked.what for asked in turn])
        except Exception as error:
            if len(turn) > 1 and self._is_refusal(error):
                half = len(turn) // 2
                await self._do(key, turn[:half])
                await self._do(key, turn[half:])
                return
            for asked in turn:
                asked.answer.set_exception(error)
                # Whether or not anybody is left to hear it.
                asked.answer.exception()
            return
        for asked, answer in zip(turn, answers, strict=True):
            asked.answer.set_result(answer)
