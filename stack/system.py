"""The whole platform of one clone: servers and processes, started, found by their addresses and stopped together."""

import asyncio
import json
import os
import shutil
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path

from stack import sign_in
from stack.doctor.patient import Servers
from stack.embedded import Addresses, Platform, Ports, start_embedded
from stack.fleet import SIGN_IN, Fleet, port_names
from stack.home import Home
from stack.issuer import Issuer

SERVER_PORTS = list(asdict(Ports()))


def configured_addresses() -> Addresses:
    """Servers that somebody else runs, by the variables that our processes read too."""
    return Addresses(
        mongodb=os.environ.get("LIVINGLAB_MONGO_URI", ""),
        nats=os.environ.get("LIVINGLAB_NATS_URL", ""),
        temporal=os.environ.get("LIVINGLAB_TEMPORAL_ADDRESS", ""),
        smtp=os.environ.get("LIVINGLAB_SMTP_ADDRESS", ""),
        rehearsal_smtp=os.environ.get("LIVINGLAB_REHEARSAL_SMTP_ADDRESS", ""),
    )


# For the last answers of the sign-in page.
_LEAVING_SECONDS = 10.0


class System:
    """Everything that runs for one folder."""

    def __init__(self, home: Home, platform: Platform, fleet: Fleet) -> None:
        self.home = home
        self.platform = platform
        self.fleet = fleet
        self._sign_in = sign_in.server(fleet.issuer, fleet.ports[SIGN_IN], fleet.console)
        self._signing_in: threading.Thread | None = None

    async def start(self) -> None:
        """Our processes, and the page by which people of this machine sign in."""
        # In a loop of its own: a system may be started in one loop and stopped in another.
        self._signing_in = threading.Thread(target=asyncio.run, args=(self._sign_in.serve(),), daemon=True)
        self._signing_in.start()
        await self.fleet.start_all()

    def addresses(self) -> dict[str, str]:
        """What can be reached, by name: gRPC of each process, the servers, the metrics pages."""
        members = {name: self.fleet.address(name) for name in self.fleet.members}
        # First, since that is what people want to open.
        reached = {"console": self.fleet.console, **{name: a for name, a in members.items() if name != "console"}}
        servers = self.platform.addresses
        reached |= {
            "mongodb": servers.mongodb,
            "nats": servers.nats,
            "temporal": servers.temporal,
            "temporal_ui": servers.temporal_ui,
            "smtp": servers.smtp,
        }
        for name in self.fleet.members:
            reached[f"{name}_metrics"] = f"http://127.0.0.1:{self.fleet.ports[f'{name}_metrics']}/metrics"
        return {name: address for name, address in reached.items() if address}

    def servers(self) -> Servers:
        """Where a doctor looks."""
        reached = self.platform.addresses
        return Servers(reached.mongodb, reached.nats, reached.temporal)

    def tell(self) -> None:
        """Writes the addresses where commands look for them."""
        new = self.home.addresses.with_suffix(".new")
        new.write_text(json.dumps(self.addresses(), indent=2))
        new.replace(self.home.addresses)

    async def stop(self) -> None:
        """Our processes first, so that they end in order; then the servers."""
        self.home.addresses.unlink(missing_ok=True)
        await self.fleet.stop_all()
        self._sign_in.should_exit = True
        if self._signing_in:
            await asyncio.to_thread(self._signing_in.join, _LEAVING_SECONDS)
        await self.platform.stop()


async def start_system(
    home: Home,
    *,
    settings: Mapping[str, str] | None = None,
    test_commands: bool = False,
    addresses: Addresses | None = None,
) -> System:
    """Starts everything; all of it is ready, or none is left running. `addresses` instead of the configured ones."""
    ports = home.ports([*SERVER_PORTS, *port_names()])
    server_ports = Ports(**{name: ports[name] for name in SERVER_PORTS})
    platform = await start_embedded(
        home.data, addresses=addresses or configured_addresses(), ports=server_ports, test_commands=test_commands
    )
    fleet = Fleet(home, platform.addresses, ports, Issuer(home.folder / "issuer"), settings or {})
    system = System(home, platform, fleet)
    try:
        await system.start()
    except BaseException as failed:
        await system.stop()
        if isinstance(failed, BaseExceptionGroup):
            raise failed.exceptions[0] from None
        raise
    system.tell()
    return system


@asynccontextmanager
async def running_system(home: Home, *, settings: Mapping[str, str] | None = None) -> AsyncIterator[System]:
    """The platform for as long as the block lasts."""
    system = await start_system(home, settings=settings)
    try:
        yield system
    finally:
        await asyncio.shield(system.stop())


def empty(folder: Path) -> None:
    """Forgets what earlier runs left in it."""
    shutil.rmtree(folder, ignore_errors=True)
