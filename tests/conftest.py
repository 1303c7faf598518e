"""Fixtures only: the real servers, once a session; a broker of its own for each test; a mark by folder."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from stack import ports
from stack.issuer import Issuer
from stack.servers import nats
from tests.harness.servers import Servers, start_servers

_OWN_SOCKETS = ("integration", "workflow", "replay", "e2e", "chaos")
# The longest first, so that no worker is left with one of them at the end.
_ORDER = ("e2e", "chaos", "workflow", "integration", "replay", "contract", "unit")


# What decides on a change draws the same examples each time, on a slow machine too; PROPERTIES=drawn draws others.
settings.register_profile(
    "same", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("drawn", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("PROPERTIES", "same"))
# A worker of xdist is told of a terminal of 80 columns; commands are to write as they do into a file.
os.environ.pop("COLUMNS", None)
# Each worker of xdist has ports of its own: one that is free now may be listened on by the other a moment later.
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_SHARE = len(ports.RANGE) // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
ports.RANGE = range(ports.RANGE.start + _WORKER * _SHARE, ports.RANGE.start + (_WORKER + 1) * _SHARE)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks each test by its folder, the longest first; what needs no server must open no socket."""
    root = Path(__file__).parent
    for item in items:
        folder = item.path.relative_to(root).parts[0]
        item.add_marker(folder)
        if folder not in _OWN_SOCKETS:
            item.add_marker(pytest.mark.disable_socket)
    items.sort(key=lambda item: _ORDER.index(item.path.relative_to(root).parts[0]))


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """mongod, nats-server, Temporal and the mailbox."""
    started = asyncio.run(start_servers(tmp_path_factory.mktemp("servers")))
    yield started
    asyncio.run(started.stop())


@pytest.fixture(scope="session")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Issuer:
    """Signs the tokens of the tests."""
    return Issuer(tmp_path_factory.mktemp("issuer"))


@pytest.fixture
async def nats_url(tmp_path: Path) -> AsyncIterator[str]:
    """A broker with empty streams."""
    server = nats(tmp_path / "nats")
    await server.start()
    yield server.uri
    await server.stop()
