"""Following facts live: a durable for each filter, read side by side, settled one by one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

import nats
from livinglab.events import names
from livinglab.events.facts import Fact, decoded, services
from livinglab.events.memory import Memory
from livinglab.events.starts import start
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig
from nats.js.errors import APIError, NotFoundError

_LOCAL = "nats://127.0.0.1:4222"
_ACK_SECONDS = 30.0
_FETCH_SECONDS = 5.0
_PAUSE_SECONDS = 0.5
# A reader without a durable is forgotten by the server after this long without its program.
_IDLE_SECONDS = 300.0


class NotAllowed(Exception):
    """The broker does not let this user hear what it asks for."""


def subscribe(
    *subjects: str,
    durable: str = "",
    since: datetime | int | None = None,
    servers: str | list[str] = _LOCAL,
    memory: Memory | None = None,
    ahead: int = 1,
    api: str = "$JS.API",
    **connect: Any,
) -> "Subscription":
    """Facts of these subjects (`*` stands for one token, `>` at the end for the rest), those that there are and those
    to come. `durable` names the application: it goes on where it was, also beside other processes of that name, which
    then share the facts; without one, each run begins at `since`. A subject that is new to the application begins at
    `since` too: a time with its zone, a place in the stream, or nothing for the beginning. `memory` knows what was
    settled. `ahead` is how many facts of a subject the broker hands out before one is settled: with one, each thing's
    facts come in order whatever fails; more are faster, and after a failure an older fact may come behind a newer one
    and says so (`stale`).
    `api` is "livinglab.API" for a user of an account apart. `connect` is what nats.connect takes besides. ValueError
    where a subject or a name is none."""
    return Subscription(subjects, durable, since, servers, memory or Memory(), ahead, api, connect)


class Subscription:
    """To be read with `async for`; with `async with` around it the last fact is settled, or given back, at the end."""

    def __init__(
        self,
        subjects: tuple[str, ...],
        durable: str,
        since: datetime | int | None,
        servers: str | list[str],
        memory: Memory,
        ahead: int,
        api: str,
        connect: dict[str, Any],
    ) -> None:
        self._filters = names.filters(subjects, services())
        self._names = {one: names.durable_name(durable, one) if durable else "" for one in self._filters}
        self._durable = durable
        self._start = start(since, [names.stream_of(one) for one in self._filters])
        self._servers, self._connect, self._memory, self._ahead = servers, connect, memory, ahead
        self._api = api
        self._nc: Client | None = None
        self._come: asyncio.Queue[Msg | Exception] = asyncio.Queue(ahead)
        self._in_hand: dict[str, tuple[Msg, asyncio.Semaphore]] = {}
        self._current: tuple[Msg, Fact] | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._refusal = ""

    async def __aenter__(self) -> "Subscription":
        await self._open()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        await self.close(settled=kind is None)

    def __aiter__(self) -> AsyncIterator[Fact]:
        return self

    async def __anext__(self) -> Fact:
        """The next fact; the one before is settled by asking for it."""
        await self._open()
        await self._settle()
        while True:
            msg = await self._come.get()
            if isinstance(msg, Exception):
                raise msg
            fact = decoded(msg)
            if not self._memory.knows(fact):
                self._current = msg, fact = msg, self._placed(fact)
                return fact
            await msg.ack()
            self._let_go(msg)

    async def close(self, settled: bool = True) -> None:
        """Ends; the fact in hand is settled, or else it and what was fetched ahead come again at once."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if settled:
            await self._settle()
        if self._nc is not None:
            for msg, _ in self._in_hand.values():
                with suppress(NatsError):
                    await msg.nak()
            with suppress(NatsError):
                await self._nc.flush()
            await self._nc.close()

    async def _settle(self) -> None:
        if self._current is not None:
            msg, fact = self._current
            self._memory.keep(fact)
            self._current = None
            with suppress(NatsError):
                # Else it comes again, and the memory knows it.
                await msg.ack()
            self._let_go(msg)

    def _let_go(self, msg: Msg) -> None:
        self._in_hand.pop(msg.reply)[1].release()

    def _placed(self, fact: Fact) -> Fact:
        before = self._memory.newest(fact)
        if before is None or not fact.version:
            return fact
        return replace(fact, missed=max(0, fact.version - before - 1), stale=fact.version < before)

    async def _open(self) -> None:
        if self._nc is not None:
            return
        options = {"name": self._durable or "livinglab.events", "max_reconnect_attempts": -1, **self._connect}
        self._nc = await nats.connect(self._servers, error_cb=self._trouble, **options)
        js = self._nc.jetstream(prefix=self._api)
        self._tasks = [asyncio.create_task(self._read(js, one)) for one in self._filters]
        self._tasks.append(asyncio.create_task(self._hold()))

    async def _trouble(self, error: Exception) -> None:
        """It connects again by itself; what is not allowed stays so."""
        if "permissions violation" in str(error).lower():
            self._refusal = str(error)

    async def _read(self, js: JetStreamContext, subject: str) -> None:
        """Until cancelled: what one filter lets through goes to the loop; what cannot be mended is raised there."""
        stream, free = names.stream_of(subject), asyncio.Semaphore(self._ahead)
        while True:
            try:
                consumer = await self._consumer(js, stream, subject)
                bound = await js.pull_subscribe_bind(consumer=consumer, stream=stream)
                while True:
                    # No more is asked for than may be in hand: what the server sends to somebody who has left waits.
                    await free.acquire()
                    try:
                        msg = (await bound.fetch(1, timeout=_FETCH_SECONDS))[0]
                    except BaseException as error:
                        free.release()
                        if isinstance(error, TimeoutError):
                            continue
                        raise
                    self._in_hand[msg.reply] = msg, free
                    await self._come.put(msg)
            except NotFoundError:
                # The service has not published yet.
                await asyncio.sleep(_PAUSE_SECONDS)
            except (NatsError, APIError, OSError, TimeoutError) as error:
                if self._refusal or _hopeless(error):
                    await self._come.put(NotAllowed(self._refusal) if self._refusal else error)
                    return
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _consumer(self, js: JetStreamContext, stream: str, subject: str) -> str:
        """One that is there goes on where it stands: the platform may have made it for a user that may make none."""
        name = self._names[subject]
        if name:
            with suppress(NotFoundError):
                return str((await js.consumer_info(stream, name)).name)
        config = ConsumerConfig(
            durable_name=name or None,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=_ACK_SECONDS,
            max_deliver=-1,
            max_ack_pending=self._ahead,
            filter_subject=subject,
            inactive_threshold=None if name else _IDLE_SECONDS,
            **self._start,
        )
        return str((await js.add_consumer(stream, config)).name)

    async def _hold(self) -> None:
        """What waits in the process, or takes long, is not handed out again."""
        while True:
            await asyncio.sleep(_ACK_SECONDS / 3)
            for msg, _ in list(self._in_hand.values()):
                with suppress(NatsError):
                    await msg.in_progress()


def _hopeless(error: Exception) -> bool:
    return isinstance(error, APIError) and error.code is not None and 400 <= error.code < 500 and error.code != 408


async def forget(durable: str, *subjects: str, servers: str | list[str] = _LOCAL, **connect: Any) -> list[str]:
    """Takes the application's place away, among these subjects or all; the names of the durables that there were. What
    is subscribed to under that name again begins anew."""
    known = services()
    wanted = {names.durable_name(durable, one) for one in names.filters(subjects, known)} if subjects else None
    gone = []
    async with await nats.connect(servers, **connect) as nc:
        js = nc.jetstream()
        for stream in map(names.stream_of, known):
            with suppress(NotFoundError):
                for info in await js.consumers_info(stream):
                    mine = info.name.rpartition("_")[0] == durable
                    if info.name in wanted if wanted is not None else mine:
                        await js.delete_consumer(stream, info.name)
                        gone.append(info.name)
    return gone
