"""One process: waits for what it needs and says so, serves, relays, consumes, and ends in order."""

import asyncio
import gc
import signal
import sys
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from contextlib import AsyncExitStack
from typing import Any, TypeVar

import uvloop
from nats.aio.client import Client
from nats.errors import Error as NatsError
from pymongo.errors import PyMongoError

from chassis import auth, mongo, rpc, telemetry, tls
from chassis.config import Settings, settings
from chassis.events import dead_letter_service, flow_service, gauges, stream
from chassis.events.outbox import Publisher, Relay

T = TypeVar("T")

_WAIT_SECONDS = 0.1
_LONGEST_WAIT_SECONDS = 2.0


class Process:
    """What a `__main__` puts together. Everything opened here is closed in reverse order at the end."""

    def __init__(self, name: str, config: Settings, stack: AsyncExitStack) -> None:
        self.name = name
        self.settings = config
        self.stopping = asyncio.Event()
        self._stack = stack
        self._tasks: set[asyncio.Task[None]] = set()
        self._failed: BaseException | None = None
        self._ending = False
        self._token = auth.TokenFile(config.token_file)
        self._tls = tls.of(config)
        self._nats: Client | None = None
        self._server: rpc.Server | None = None
        # What this process serves without being asked.
        self._served: list[rpc.Served] = []

    async def wait_for(self, what: str, attempt: Callable[[], Awaitable[T]], *errors: type[Exception]) -> T:
        """Tries until it works, and says what is waited for."""
        pause = _WAIT_SECONDS
        while True:
            try:
                return await attempt()
            except errors as error:
                telemetry.log.info("waiting", waiting_for=what, because=f"{type(error).__name__}: {error}"[:200])
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, _LONGEST_WAIT_SECONDS)

    async def database(self, name: str = "") -> mongo.Database:
        """This service's own database, once the server answers; `name` where a service is two processes."""
        uri = self.settings.mongo_uri.get_secret_value()
        await self.wait_for("MongoDB", lambda: mongo.require_primary(uri), PyMongoError)
        client = mongo.connect(uri)
        self._stack.callback(client.close)
        return mongo.Database(client, self.settings.database_prefix + (name or self.name))

    async def nats(self) -> Client:
        """The broker, with JetStream ready."""
        if self._nats is None:
            url, secured = self.settings.nats_url.get_secret_value(), self._tls.context()
            self._nats = await self.wait_for(
                "NATS", lambda: stream.connect(url, self.name, secured), NatsError, OSError
            )
            self._stack.push_async_callback(self._nats.close)
            js = self._nats.jetstream()
            await self.wait_for("JetStream", js.account_info, NatsError, TimeoutError)
        return self._nats

    def channel(self, peer: str) -> Any:
        """A channel to another process. It connects when first used and again when that restarts."""
        channel = rpc.channel(self.settings.peer(peer), self._token.authorization, self._tls)
        self._stack.push_async_callback(channel.close)
        return channel

    def anonymous_channel(self, peer: str) -> Any:
        """A channel on which this process is nobody: each call carries the identity of who it is made for."""
        channel = rpc.channel(self.settings.peer(peer), lambda: "")
        self._stack.push_async_callback(channel.close)
        return channel

    async def relay(self, db: mongo.Database) -> None:
        """Publishes this service's facts."""
        nc = await self.nats()
        js = nc.jetstream()
        await stream.ensure_stream(js, self.name, self.settings.nats_replicas)
        self.background("relay", Relay(db, nc, self.name).run())
        self.background("figures", gauges.measure(db, js, self.name))

    def figures(self, look: Callable[[], Awaitable[None]]) -> None:
        """Tells, for the life of the process, figures of what the service is for; `look` reads and sets them. Every
        replica tells the same."""
        self.background("figures of the domain", gauges.keep_looking(look))

    async def consume(self, db: mongo.Database, reactions: Sequence[stream.Reaction]) -> None:
        """Reacts to the facts of others; what it sets aside can be looked at and replayed."""
        nc = await self.nats()
        consumer = stream.Consumer(db, nc, self.name, reactions, self.settings.nats_replicas)
        if self.settings.prepare_only:
            await consumer.prepare()
        self._served.append(dead_letter_service.served(db, consumer, Publisher(nc)))
        self._served.append(flow_service.served(db, nc.jetstream(), self.name))
        self.background("consumer", consumer.run())

    async def serve(self, *served: rpc.Served) -> None:
        """Starts to answer; health says SERVING from here on. Nothing where the process is only to prepare: it ends."""
        if self.settings.prepare_only:
            telemetry.log.info("prepared")
            self.stopping.set()
            return
        server = rpc.Server(self.settings, [*served, *self._served])
        await server.start()
        self._server = server
        await server.ready()
        telemetry.log.info("serving", address=self.settings.listen)

    def at_end(self, work: Callable[[], Awaitable[None]]) -> None:
        """Done when the process ends, before what was opened earlier is closed."""
        self._stack.push_async_callback(work)

    def background(self, what: str, work: Coroutine[Any, Any, None]) -> None:
        """Work for the life of the process. Should it fail, the process ends and is started anew. None where it is only
        to prepare."""
        if self.settings.prepare_only:
            work.close()
            return

        async def watched() -> None:
            try:
                await work
                if not self._ending:
                    raise RuntimeError(f"{what} ended by itself")
            except asyncio.CancelledError:
                raise
            except BaseException as error:
                telemetry.log.exception("background work failed", what=what)
                self._failed = self._failed or error
                self.stopping.set()

        self._tasks.add(asyncio.create_task(watched(), name=what))

    async def finish(self) -> int:
        """Waits for the signal to stop; returns the exit code."""
        await self.stopping.wait()
        telemetry.log.info("stopping")
        if self._server:
            await self._server.stop(self.settings.grace_seconds)
        self._ending = True
        await ended(self._tasks, self.settings.grace_seconds)
        return 1 if self._failed else 0


async def ended(tasks: Collection[asyncio.Task[None]], again_seconds: float) -> None:
    """Ends them, and waits until they have. A library that waits with a time limit loses the call to end where what it
    waits for comes in the same moment (asyncio.wait_for up to Python 3.11): who goes on is asked again."""
    pending, cancelled = set(tasks), False
    while pending:
        for task in pending:
            task.cancel()
        try:
            _, pending = await asyncio.wait(pending, timeout=again_seconds)
        except asyncio.CancelledError:
            cancelled = True
    if cancelled:
        raise asyncio.CancelledError


def run(name: str, main: Callable[[Process], Awaitable[None]]) -> None:
    """Runs a process to its end and exits with an honest code."""
    config = settings()
    stop_telemetry = telemetry.start(config, name)
    try:
        code = uvloop.run(_run(name, config, main))
    finally:
        stop_telemetry()
    sys.exit(code)


async def _run(name: str, config: Settings, main: Callable[[Process], Awaitable[None]]) -> int:
    async with AsyncExitStack() as stack:
        process = Process(name, config, stack)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, process.stopping.set)
        starting = asyncio.ensure_future(main(process))
        stopping = asyncio.create_task(process.stopping.wait())
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            # Told to stop while it still waited for something, or since background work has failed.
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
        else:
            starting.result()
            # What a process starts with stays; to look through all of it for garbage would stop calls for 30 ms.
            gc.freeze()
        stopping.cancel()
        return await process.finish()
