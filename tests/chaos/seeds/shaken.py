"""The whole platform with every way between its parts, every clock and every disk in our hands."""

import asyncio
import contextlib
import json
import os
import random
import signal
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager
from typing import Any

from stack import __main__ as supervisor
from stack.embedded import Ports, start_embedded
from stack.fleet import MEMBERS, Fleet, port_names
from stack.home import Home
from stack.issuer import Issuer
from stack.system import SERVER_PORTS, System
from tests.chaos.seeds.clocks import Clocks
from tests.chaos.seeds.disks import Disks
from tests.chaos.seeds.draw import Fault
from tests.chaos.seeds.network import Link

_QUIET = {"LIVINGLAB_TRACE_FILE": "", "LIVINGLAB_TRACE_RATIO": "0"}


class Shaken:
    """A platform to which things happen."""

    def __init__(self, system: System, links: dict[tuple[str, str], Link], clocks: Clocks, disks: Disks) -> None:
        self.system = system
        self._links = links
        self._clocks = clocks
        self._disks = disks

    def _one(self, name: str) -> Any:
        return self.system.platform.servers.get(name) or self.system.fleet.members[name]

    async def undergo(self, fault: Fault, dice: random.Random) -> None:
        """From its beginning to its end, after which everything is as it should be."""
        try:
            await getattr(self, f"_{fault.kind}")(fault, dice)
        finally:
            self._mend_after(fault)

    def _mend_after(self, fault: Fault) -> None:
        if link := self._links.get((fault.victim, fault.target)):
            link.restore()
        if fault.kind == "clock" and self._clocks.can_move:
            self._clocks.move(fault.victim, 0)
        if fault.kind == "fill":
            one = self._one(fault.victim)
            self._disks.free(fault.victim, one.pid if one.running else None)

    async def _kill(self, fault: Fault, _: random.Random) -> None:
        await self._one(fault.victim).kill()

    async def _stop(self, fault: Fault, _: random.Random) -> None:
        one = self._one(fault.victim)
        if not one.running:
            return
        pid = one.pid
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
            try:
                await asyncio.sleep(fault.seconds)
            finally:
                os.kill(pid, signal.SIGCONT)

    async def _cut(self, fault: Fault, _: random.Random) -> None:
        self._links[fault.victim, fault.target].cut()
        await asyncio.sleep(fault.seconds)

    async def _silence(self, fault: Fault, _: random.Random) -> None:
        self._links[fault.victim, fault.target].silence()
        await asyncio.sleep(fault.seconds)

    async def _slow(self, fault: Fault, _: random.Random) -> None:
        self._links[fault.victim, fault.target].late_seconds = fault.strength
        await asyncio.sleep(fault.seconds)

    async def _disorder(self, fault: Fault, dice: random.Random) -> None:
        link = self._links[fault.victim, fault.target]
        link.dice, link.disorder = dice, fault.strength
        await asyncio.sleep(fault.seconds)

    async def _fill(self, fault: Fault, _: random.Random) -> None:
        await asyncio.to_thread(self._disks.fill, fault.victim, self._one(fault.victim).pid)
        await asyncio.sleep(fault.seconds)

    async def _clock(self, fault: Fault, _: random.Random) -> None:
        if self._clocks.can_move:
            self._clocks.move(fault.victim, fault.strength)
            await asyncio.sleep(fault.seconds)


@asynccontextmanager
async def shaken(home: Home) -> AsyncIterator[Shaken]:
    """Started in an empty folder, with the supervisor's mending beside it; stopped at the end."""
    disks, clocks = Disks(home.data), Clocks(home.folder / "clocks")
    links: dict[tuple[str, str], Link] = {}
    try:
        ports = home.ports([*SERVER_PORTS, *port_names()])
        platform = await start_embedded(home.data, ports=Ports(**{name: ports[name] for name in SERVER_PORTS}))
        fleet = Fleet(home, platform.addresses, ports, Issuer(home.folder / "issuer"), _QUIET)
        system = System(home, platform, fleet)
        for name, process in fleet.members.items():
            process.env |= await _behind_links(system, name, links)
            clocks.give(process)
        try:
            await fleet.start_all()
            keeping = [asyncio.create_task(work) for work in _keepers(system)]
            try:
                yield Shaken(system, links, clocks, disks)
            finally:
                for keeper in keeping:
                    keeper.cancel()
                await asyncio.gather(*keeping, return_exceptions=True)
        finally:
            await asyncio.gather(*(link.stop() for link in links.values()))
            await system.stop()
    finally:
        disks.unmount()


def _keepers(system: System) -> Iterator[Coroutine[Any, Any, None]]:
    """What a supervisor does beside a running platform."""
    yield supervisor._mend(system)
    yield supervisor._heal(system.platform)


async def _behind_links(system: System, name: str, links: dict[tuple[str, str], Link]) -> dict[str, str]:
    """What the process is told instead of its servers' addresses."""
    servers, fleet = system.platform.servers, system.fleet

    async def way(target: str, host: str, port: int, *, frames: bool = False) -> str:
        link = links[name, target] = Link((host, port), frames=frames)
        return f"127.0.0.1:{await link.start()}"

    async def to(target: str, server: str, *, frames: bool = False) -> str:
        address = servers[server].address
        return await way(target, address.host, address.port, frames=frames)

    peers = {peer: await way(peer, "127.0.0.1", fleet.ports[peer]) for peer in MEMBERS}
    mailbox = await to("smtp", "mailbox")
    return {
        # Directly: the set would give its own address, which goes past the link.
        "LIVINGLAB_MONGO_URI": f"mongodb://{await to('mongodb', 'mongod')}/?directConnection=true",
        "LIVINGLAB_NATS_URL": f"nats://{await to('nats', 'nats-server', frames=True)}",
        "LIVINGLAB_TEMPORAL_ADDRESS": await to("temporal", "temporal"),
        "LIVINGLAB_SMTP_ADDRESS": mailbox,
        "LIVINGLAB_REHEARSAL_SMTP_ADDRESS": mailbox,
        "LIVINGLAB_PEERS": json.dumps(peers),
    }
