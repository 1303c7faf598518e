"""The ways between the processes: each goes through a proxy that can be cut, silenced, slowed and put into disorder."""

import asyncio
import contextlib
import random
from collections.abc import Callable

from tests.chaos.seeds.disorder import Frames

_CHUNK = 65_536


class Link:
    """One way, from one process to one server or to another process."""

    def __init__(self, target: tuple[str, int], *, frames: bool = False) -> None:
        """`frames` for the broker, whose messages can be told apart."""
        self._target = target
        self._frames = frames
        self._server: asyncio.Server | None = None
        self._open = asyncio.Event()
        self._open.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._talks: set[asyncio.Task[None]] = set()
        self.is_cut = False
        self.late_seconds = 0.0
        # Share of messages that come twice or late, and who decides which.
        self.disorder = 0.0
        self.dice = random.Random(0)

    async def start(self) -> int:
        """The port on which the process finds its target."""
        self._server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def cut(self) -> None:
        """Ends every connection and takes no new one."""
        self.is_cut = True
        for writer in list(self._writers):
            writer.transport.abort()

    def silence(self) -> None:
        """Nothing comes through, and nobody is told."""
        self._open.clear()

    def restore(self) -> None:
        """As it was at first."""
        self.is_cut, self.late_seconds, self.disorder = False, 0.0, 0.0
        self._open.set()

    async def stop(self) -> None:
        """Ends every connection."""
        self.cut()
        if self._server is not None:
            self._server.close()
        for talk in list(self._talks):
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._talks.add(task)
        self._writers.add(writer)
        try:
            with contextlib.suppress(OSError, asyncio.CancelledError):
                if not self.is_cut:
                    there, back = await asyncio.open_connection(*self._target)
                    await self._both_ways(reader, writer, there, back)
        finally:
            writer.transport.abort()
            self._writers.discard(writer)
            self._talks.discard(task)

    async def _both_ways(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        there: asyncio.StreamReader,
        back: asyncio.StreamWriter,
    ) -> None:
        self._writers.add(back)
        frames = Frames(self, writer.write) if self._frames else None
        ways = [
            asyncio.create_task(self._carry(reader, back, back.write)),
            asyncio.create_task(self._carry(there, writer, frames.take if frames else writer.write)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            back.transport.abort()
            self._writers.discard(back)

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, put: Callable[[bytes], object]
    ) -> None:
        while data := await reader.read(_CHUNK):
            await self._open.wait()
            if self.late_seconds:
                await asyncio.sleep(self.late_seconds)
            put(data)
            await writer.drain()
