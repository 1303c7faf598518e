"""The real servers for tests, in a temporary folder and on free ports.

Any event loop may start and stop them, so a session fixture is `servers = asyncio.run(start_servers(tmp))`, yield,
`asyncio.run(servers.stop())`; in the main thread, because a child ends with the thread that started it.
"""

import os
import signal
from dataclasses import dataclass
from pathlib import Path

from stack.embedded import Platform, start_embedded
from stack.servers import Server, mails_folder
from tests.harness.waiting import eventually


@dataclass(frozen=True)
class Servers:
    """Where the servers are; `mails` is the folder of the mailbox (see stack.mailbox)."""

    mongo_uri: str
    nats_url: str
    temporal_address: str
    smtp_host: str
    smtp_port: int
    mails: Path
    platform: Platform

    def server(self, name: str) -> Server:
        """The server called mongod, nats-server, temporal or mailbox, to stop, kill and start again."""
        return self.platform.servers[name]

    async def stop(self) -> None:
        """Stop them all."""
        await self.platform.stop()


async def start_servers(tmp: Path) -> Servers:
    """Start all four below `tmp`; mongod accepts `configureFailPoint`."""
    platform = await start_embedded(tmp, test_commands=True)
    mailbox = platform.servers["mailbox"]
    return Servers(
        mongo_uri=platform.addresses.mongodb,
        nats_url=platform.addresses.nats,
        temporal_address=platform.addresses.temporal,
        smtp_host=mailbox.address.host,
        smtp_port=mailbox.address.port,
        mails=mails_folder(mailbox.data_dir),
        platform=platform,
    )


async def hang(server: Server) -> None:
    """Its process keeps its connections and does nothing until `go_on`."""
    os.kill(server.pid, signal.SIGSTOP)
    await eventually(lambda: Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T")


def go_on(server: Server) -> None:
    """After `hang`."""
    os.kill(server.pid, signal.SIGCONT)
