"""Processes start in any order, wait for what they need and say what they wait for."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from stack import servers
from stack.embedded import Addresses
from stack.fleet import Fleet, port_names
from stack.home import Home
from stack.issuer import Issuer
from stack.process import Process
from tests.harness.waiting import eventually


@pytest.fixture
async def parts(tmp_path: Path) -> AsyncIterator[tuple[Fleet, list[servers.Server]]]:
    home = Home(tmp_path)
    mongod, nats = servers.mongod(home.data / "mongod"), servers.nats(home.data / "nats")
    temporal = servers.temporal(home.data / "temporal")
    addresses = Addresses(mongodb=mongod.uri, nats=nats.uri, temporal=temporal.uri, smtp="127.0.0.1:1")
    fleet = Fleet(home, addresses, home.ports(port_names()), Issuer(tmp_path / "issuer"))
    yield fleet, [mongod, nats, temporal]
    await fleet.stop_all()
    for server in (mongod, nats, temporal):
        await server.stop()


def waits_for(what: str, process: Process) -> bool:
    return f'"waiting_for": "{what}"' in process.log_tail(50)


async def test_processes_that_come_first_wait_for_their_servers_and_say_for_which(
    parts: tuple[Fleet, list[servers.Server]],
) -> None:
    fleet, (mongod, nats, temporal) = parts
    for member in fleet.members.values():
        await member.start()
    for name, member in fleet.members.items():
        # The console keeps nothing and waits for nobody.
        if name != "console":
            await eventually(partial(waits_for, "MongoDB", member), timeout=30)
        assert member.running, name
    await mongod.start()
    await eventually(partial(waits_for, "NATS", fleet.members["benchmark"]), timeout=30)
    await nats.start()
    await fleet.wait_ready("assessment")
    await eventually(partial(waits_for, "Temporal", fleet.members["program-worker"]), timeout=30)
    await temporal.start()
    for name in fleet.members:
        await fleet.wait_ready(name)


async def test_a_process_told_to_stop_while_it_waits_ends_in_order(parts: tuple[Fleet, list[servers.Server]]) -> None:
    fleet, _ = parts
    coaching = fleet.members["coaching"]
    await coaching.start()
    await eventually(partial(waits_for, "MongoDB", coaching), timeout=30)
    assert await coaching.stop() == 0
