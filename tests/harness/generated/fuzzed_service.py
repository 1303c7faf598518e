"""One service in an event loop and thread of its own, so that hypothesis can call it from outside of any loop."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import grpc
import grpc.aio
from google.protobuf import message_factory
from google.protobuf.message import Message
from hypothesis import seed

from stack.issuer import Issuer
from stack.servers import nats
from tests.harness.servers import Servers
from tests.harness.service import Running, running_service

T = TypeVar("T")
W = TypeVar("W")
SECONDS = 10.0


@dataclass
class FuzzedService(Generic[W]):
    """The service, and what was put into it before."""

    loop: asyncio.AbstractEventLoop
    running: Running
    world: W

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """In the service's loop, with a bound on the time."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(4 * SECONDS)

    async def call(
        self, method: Any, requests: Sequence[Message | bytes], role: str, institution: str, subject: str
    ) -> str:
        """The name of the code that ends a call of any kind of method; bytes go out as they are."""
        channel = self.running.as_role(lambda channel: channel, role, institution, subject=subject)
        path = f"/{method.containing_service.full_name}/{method.name}"
        kind = ("stream" if method.client_streaming else "unary", "stream" if method.server_streaming else "unary")
        response = message_factory.GetMessageClass(method.output_type)
        stub: Any = getattr(channel, "_".join(kind))(path, _written, response.FromString)
        try:
            answer = stub(iter(requests) if method.client_streaming else requests[0], timeout=SECONDS)
            if method.server_streaming:
                async for _ in answer:
                    pass
            else:
                await answer
        except grpc.aio.AioRpcError as error:
            return str(error.code().name)
        return "OK"


def _written(request: Message | bytes) -> bytes:
    return request if isinstance(request, bytes) else request.SerializeToString()


def drawn_until(far: Callable[[], bool], check: Callable[[], None]) -> None:
    """Draws requests, the same in each run, and others where none of them got as far as the rules; AssertionError where
    none of five draws did."""
    for draw in range(1, 6):
        seed(draw)(check)()
        if far():
            return
    raise AssertionError("nothing but the field rules was tried")


@contextmanager
def fuzzed_service(
    servers: Servers,
    issuer: Issuer,
    folder: Path,
    prepare: Callable[[Running], Coroutine[Any, Any, W]],
    name: str = "assessment",
) -> Iterator[FuzzedService[W]]:
    """services.<name> with a broker of its own; `prepare` puts things into it and says what they are."""
    broker = nats(folder / "nats")
    asyncio.run(broker.start())
    loop, ready, stopping = asyncio.new_event_loop(), threading.Event(), asyncio.Event()
    started: list[FuzzedService[W]] = []

    @asynccontextmanager
    async def prepared() -> AsyncIterator[FuzzedService[W]]:
        async with running_service(name, servers, issuer, broker.uri) as running:
            yield FuzzedService(loop, running, await prepare(running))

    async def serve() -> None:
        async with prepared() as service:
            started.append(service)
            ready.set()
            await stopping.wait()

    def run() -> None:
        try:
            loop.run_until_complete(serve())
        finally:
            ready.set()

    thread = threading.Thread(target=run)
    thread.start()
    ready.wait()
    assert started, "the service did not start"
    yield started[0]
    loop.call_soon_threadsafe(stopping.set)
    thread.join()
    loop.close()
    asyncio.run(broker.stop())
