"""HTTP in: one ASGI application served beside the process's gRPC health, and ended in order with it."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from chassis.runtime import Process

# Of one request's head; the largest body is the application's to refuse.
_LARGEST_HEAD = 32 * 1024
_KEEP_ALIVE_SECONDS = 20


class Server(uvicorn.Server):
    """Signals belong to the process, which stops what it runs in its own order."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(process: Process, application: Any) -> None:
    """Answers at `http_listen` until the process stops; calls under way get its grace. OSError where it cannot
    listen."""
    host, _, port = process.settings.http_listen.rpartition(":")
    config = uvicorn.Config(
        application,
        host=host,
        port=int(port),
        lifespan="off",
        ws="none",
        http="h11",
        loop="none",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=int(process.settings.grace_seconds),
        h11_max_incomplete_event_size=_LARGEST_HEAD,
    )
    # uvicorn would end the interpreter where it cannot listen; whoever runs a process wants the error.
    listening = _bound(host, int(port))
    server = Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listening]))

    async def end() -> None:
        server.should_exit = True
        await serving
        listening.close()

    process.at_end(end)
    process.background("http", _watched(serving))
    while not server.started and not serving.done():
        await asyncio.sleep(0.01)


def _bound(host: str, port: int) -> socket.socket:
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((host, port))
    listening.setblocking(False)
    return listening


async def _watched(serving: "asyncio.Task[None]") -> None:
    """Ends with an error when the server ends by itself; being cancelled leaves it alone."""
    await asyncio.shield(serving)
    raise RuntimeError("the HTTP server has ended by itself")
