"""Another system's receiver of webhooks, on loopback: keeps what comes and answers as a test says."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

# Status and headers; 0 closes the connection without an answer, -1 never answers.
Reply = tuple[int, Mapping[str, str]]
DROP, HANG = 0, -1


@dataclass(frozen=True)
class Received:
    """One request."""

    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Receiver:
    """Where it is, what has come, and how it answers: `reply` may be changed at any time."""

    port: int = 0
    scheme: str = "http"
    reply: Callable[[Received], Reply] = lambda _: (204, {})
    received: list[Received] = field(default_factory=list)
    # What it says beside the status.
    says: bytes = b""

    @property
    def url(self) -> str:
        """Its address."""
        return f"{self.scheme}://127.0.0.1:{self.port}/hook"

    def answer(self, status: int, **headers: str) -> None:
        """Everything is answered so from now on."""
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        self.reply = lambda _: (status, told)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, one request."""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:]) if name}
            body = await reader.readexactly(int(headers["content-length"]))
            received = Received(head[0].split(" ")[1], headers, body)
            self.received.append(received)
            status, told = self.reply(received)
            if status == HANG:
                await reader.read()
            elif status != DROP:
                lines = [
                    f"HTTP/1.1 {status} Whatever",
                    f"content-length: {len(self.says)}",
                    *(f"{k}: {v}" for k, v in told.items()),
                ]
                writer.write("\r\n".join([*lines, "", ""]).encode() + (b"" if status == 204 else self.says))
                await writer.drain()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


@asynccontextmanager
async def receiving(certificate: Path | None = None) -> AsyncIterator[Receiver]:
    """One that answers 204 until it is told otherwise; https with tls.crt and tls.key of a folder."""
    found, tls = Receiver(), None
    if certificate is not None:
        found.scheme = "https"
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificate / "tls.crt", certificate / "tls.key")
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0, ssl=tls)
    found.port = server.sockets[0].getsockname()[1]
    async with server:
        yield found
