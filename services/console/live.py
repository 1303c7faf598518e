"""Answers that many visitors ask for are remembered for a moment, and all who watch the same thing share one stream."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Coroutine, Hashable
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar, cast

import grpc
import grpc.aio

T = TypeVar("T")
# Opens the stream of a topic as the person behind a token.
Open = Callable[[str], AsyncIterator[Any]]

_LARGEST = 512
_RETRY_SECONDS, _LONGEST_PAUSE = 0.5, 8.0


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


class Topic:
    """One stream for all who look at the same: what it said last, and who is told."""

    def __init__(self) -> None:
        self.latest: Any = None
        # Counts what was said; what a page made of it is kept by language.
        self.revision = 0
        self.made: dict[str, Any] = {}
        self.tokens: dict[object, Callable[[], str]] = {}
        self.task: asyncio.Task[None] | None = None
        self._news = asyncio.Event()

    def say(self, value: Any) -> None:
        """Told to everybody."""
        self.latest = value
        self.revision += 1
        self.made = {}
        self._news.set()
        self._news = asyncio.Event()

    async def after(self, revision: int, seconds: float) -> bool:
        """Waits for something newer; False when there was none for so long."""
        news = self._news
        if self.revision != revision:
            return True
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await news.wait()
        return self.revision != revision


class Watches:
    """Topics by name. The stream of one is opened as somebody who looks at it, and by another when that one may no
    longer; it ends with the last of them."""

    def __init__(self) -> None:
        self._topics: dict[Hashable, Topic] = {}

    @asynccontextmanager
    async def watching(self, name: Hashable, token: Callable[[], str], open_: Open) -> AsyncIterator[Topic]:
        """The topic for as long as the block lasts. Whoever comes has shown before that they may see it; `token` gives
        the one that they have now."""
        topic = self._topics.setdefault(name, Topic())
        me = object()
        topic.tokens[me] = token
        if topic.task is None:
            topic.task = asyncio.create_task(self._follow(topic, open_))
        try:
            yield topic
        finally:
            del topic.tokens[me]
            if not topic.tokens:
                self._topics.pop(name, None)
                topic.task.cancel()

    async def _follow(self, topic: Topic, open_: Open) -> None:
        turn, pause = 0, _RETRY_SECONDS
        while topic.tokens:
            tokens = list(topic.tokens.values())
            try:
                async for value in open_(tokens[turn % len(tokens)]()):
                    pause = _RETRY_SECONDS
                    if value != topic.latest:
                        topic.say(value)
            except grpc.aio.AioRpcError:
                turn += 1
            # Ended in order, or the service is being started anew: looked at again in a while.
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
