"""The whole embedded platform: every server that has no configured address, started together and stopped together."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from stack import access, servers
from stack.servers import Server


@dataclass(frozen=True)
class Addresses:
    """How clients reach each server. As a configuration, an empty one means: start an embedded server."""

    mongodb: str = ""  # mongodb:// URI
    nats: str = ""  # nats:// URL
    temporal: str = ""  # host:port of the gRPC frontend
    temporal_ui: str = ""  # http:// URL; stays empty for an outside Temporal whose pages are unknown
    smtp: str = ""  # host:port
    # Where the mail of rehearsals goes; never to the people of a roster unless it is given that address.
    rehearsal_smtp: str = ""  # host:port


@dataclass(frozen=True)
class Ports:
    """The port of each embedded server; 0 chooses a free one."""

    mongodb: int = 0
    nats: int = 0
    temporal: int = 0
    temporal_ui: int = 0
    smtp: int = 0


@dataclass(frozen=True)
class Platform:
    """All addresses, and the servers that were started here by name: mongod, nats-server, temporal, mailbox."""

    addresses: Addresses
    servers: Mapping[str, Server]

    async def stop(self) -> None:
        """Stop what was started here, all at once."""
        await asyncio.gather(*(server.stop() for server in self.servers.values()))


async def start_embedded(
    data_dir: Path, *, addresses: Addresses = Addresses(), ports: Ports = Ports(), test_commands: bool = False
) -> Platform:
    """Start every server without a configured address, in parallel; all are ready, or none is left running.

    Each has a folder below `data_dir`. Raises ServerMissing before anything is started, ProcessFailed for a server that
    does not come up.
    """
    chosen = _servers(data_dir, addresses, ports, test_commands)
    try:
        async with asyncio.TaskGroup() as starting:
            for server in chosen.values():
                starting.create_task(server.start())
    except BaseException as failed:
        await asyncio.gather(*(server.stop() for server in chosen.values()))
        if isinstance(failed, BaseExceptionGroup):
            raise failed.exceptions[0] from None
        raise
    return Platform(_reached(addresses, chosen), chosen)


@asynccontextmanager
async def embedded(
    data_dir: Path, *, addresses: Addresses = Addresses(), ports: Ports = Ports(), test_commands: bool = False
) -> AsyncIterator[Platform]:
    """`start_embedded`, and everything started is stopped at the end."""
    platform = await start_embedded(data_dir, addresses=addresses, ports=ports, test_commands=test_commands)
    try:
        yield platform
    finally:
        await platform.stop()


def _servers(data_dir: Path, addresses: Addresses, ports: Ports, test_commands: bool) -> dict[str, Server]:
    chosen: list[Server] = []
    if not addresses.mongodb:
        chosen.append(servers.mongod(data_dir / "mongod", ports.mongodb, test_commands=test_commands))
    if not addresses.nats:
        chosen.append(servers.nats(data_dir / "nats-server", ports.nats, access.local_accounts()))
    if not addresses.temporal:
        chosen.append(servers.temporal(data_dir / "temporal", ports.temporal, ports.temporal_ui))
    if not (addresses.smtp and addresses.rehearsal_smtp):
        chosen.append(servers.mailbox(data_dir / "mailbox", ports.smtp))
    return {server.name: server for server in chosen}


def _reached(configured: Addresses, started: Mapping[str, Server]) -> Addresses:
    def uri(address: str, name: str) -> str:
        return address or started[name].uri

    ui = started["temporal"].ui if "temporal" in started else configured.temporal_ui
    return Addresses(
        mongodb=uri(configured.mongodb, "mongod"),
        nats=uri(configured.nats, "nats-server"),
        temporal=uri(configured.temporal, "temporal"),
        temporal_ui=ui,
        smtp=uri(configured.smtp, "mailbox"),
        rehearsal_smtp=uri(configured.rehearsal_smtp, "mailbox"),
    )
