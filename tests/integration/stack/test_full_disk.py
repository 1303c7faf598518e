"""A broker that met a full disk takes facts again once there is room: it is started anew, and only then."""

import asyncio
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import nats
import pytest
from nats.errors import Error as NatsError

from stack import servers
from stack.__main__ import _heal
from stack.embedded import Addresses, Platform
from tests.harness.waiting import eventually


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("a file system can be mounted by root only")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def fill(path: Path) -> None:
    with suppress(OSError), path.open("wb", buffering=0) as file:
        while file.write(bytes(4096)) == 4096:
            pass


async def published(uri: str) -> bool:
    client = await nats.connect(uri, allow_reconnect=False)
    try:
        await client.jetstream().publish("a.1", b"x" * 1_000, timeout=0.5)
    except NatsError:
        return False
    finally:
        await client.close()
    return True


async def test_a_broker_that_met_a_full_disk_is_started_anew_once_there_is_room(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = servers.nats(small_disk)
    config = small_disk / "nats-server.conf"
    # More than there is: the server believes in room that somebody else takes.
    config.write_text(config.read_text().replace("  sync_interval", "  max_file_store: 1GB\n  sync_interval"))
    await server.start()
    async with await nats.connect(server.uri) as client:
        await client.jetstream().add_stream(name="A", subjects=["a.>"])
    assert await published(server.uri)
    rest = small_disk / "rest"
    fill(rest)
    while await published(server.uri):
        pass
    # No room: a new start would not help.
    assert await server.ails() == ""
    rest.unlink()
    assert not await published(server.uri)
    assert "no space left" in await server.ails()
    monkeypatch.setattr("stack.__main__._EXAMINE_SECONDS", 0.05)
    platform = Platform(Addresses("", server.uri, "", "", ""), {server.name: server})
    healing = asyncio.create_task(_heal(platform))
    await eventually(lambda: not server.running)
    healing.cancel()
    await asyncio.gather(healing, return_exceptions=True)
    await server.start()
    assert await published(server.uri)
    assert await server.ails() == ""
    await server.stop()
