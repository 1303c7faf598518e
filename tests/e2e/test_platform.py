"""The embedded platform as its users start and stop it: `livinglab up`, `down`, a crash, two clones side by side."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from stack.home import Home, is_running
from tests.harness.waiting import eventually

PROJECT = Path(__file__).resolve().parents[2]


def livinglab(home: Path, *arguments: str, **told: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        env={**os.environ, "LIVINGLAB_HOME": str(home), **told},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def addresses(home: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads(livinglab(home, "addresses", "--json").stdout)
    return found


def family(home: Path) -> list[psutil.Process]:
    """The supervisor and all that it started."""
    supervisor = psutil.Process(int(Home(home).lock.read_text()))
    return [supervisor, *supervisor.children(recursive=True)]


def none_left(processes: list[psutil.Process]) -> bool:
    return not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes)


@pytest.fixture
def homes(tmp_path: Path) -> Iterator[list[Path]]:
    made = [tmp_path / "one", tmp_path / "two"]
    yield made
    for home in made:
        if is_running(Home(home)):
            livinglab(home, "down")


async def test_two_clones_run_side_by_side_and_down_leaves_nothing(homes: list[Path]) -> None:
    one, two = homes
    for home in homes:
        started = livinglab(home, "up", "--json")
        assert started.returncode == 0, started.stderr
        assert json.loads(started.stdout)["assessment"].startswith("127.0.0.1:")
    first, second = addresses(one), addresses(two)
    assert not set(first.values()) & set(second.values())
    assert {"assessment", "benchmark", "coaching", "notify", "program", "mongodb", "nats", "temporal"} <= first.keys()
    processes = [*family(one), *family(two)]
    assert livinglab(one, "up").returncode == 0
    assert family(one)[0].pid == processes[0].pid
    for home in homes:
        assert livinglab(home, "down").returncode == 0
    await eventually(lambda: none_left(processes))
    assert livinglab(one, "addresses").returncode == 1


async def test_a_supervisor_that_is_killed_leaves_no_process_and_the_next_start_mends_it(homes: list[Path]) -> None:
    home = homes[0]
    assert livinglab(home, "up").returncode == 0
    before = addresses(home)
    processes = family(home)
    os.kill(processes[0].pid, signal.SIGKILL)
    await eventually(lambda: none_left(processes))
    told = livinglab(home, "addresses")
    assert (told.returncode, told.stdout) == (1, "")
    again = livinglab(home, "up")
    assert again.returncode == 0, again.stderr
    assert addresses(home) == before


async def test_a_process_that_ends_by_itself_is_started_again(homes: list[Path]) -> None:
    home = homes[0]
    assert livinglab(home, "up").returncode == 0

    def member() -> Any:
        return next((p for p in family(home) if "services.coaching" in " ".join(p.cmdline())), None)

    first = member().pid
    os.kill(first, signal.SIGKILL)
    await eventually(lambda: (found := member()) and found.pid != first, ignoring=(psutil.Error, AssertionError))


async def test_a_supervisor_that_can_write_no_log_still_starts_again_what_ends(homes: list[Path]) -> None:
    home = Home(homes[0])
    home.folder.mkdir()
    # A full disk is the usual cause.
    with open("/dev/full", "wb") as full:
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "stack"],
            env={**os.environ, "LIVINGLAB_HOME": str(home.folder)},
            cwd=PROJECT,
            stdout=full,
            stderr=full,
        )
    await eventually(home.addresses.exists, timeout=100)
    notify = next(one for one in family(home.folder) if "services.notify" in " ".join(one.cmdline()))
    notify.kill()

    def replaced() -> bool:
        found = [one for one in family(home.folder) if "services.notify" in " ".join(one.cmdline())]
        return bool(found) and found[0].pid != notify.pid

    await eventually(replaced, timeout=30, ignoring=(psutil.Error, AssertionError))
    assert livinglab(home.folder, "down").returncode == 0
    assert supervisor.wait(60) == 0


def test_a_server_that_is_not_there_yet_is_waited_for_and_named(homes: list[Path]) -> None:
    home, told = homes[0], {"LIVINGLAB_MONGO_URI": "mongodb://127.0.0.1:9/?replicaSet=rs0"}
    started = livinglab(home, "up", "--wait", "15", **told)
    assert started.returncode == 1
    assert "it still starts, after 15 s" in started.stderr
    assert "assessment waits for MongoDB" in started.stderr
    # Nobody has been ended for it.
    assert is_running(Home(home))
    assert all(process.is_running() for process in family(home))
    assert livinglab(home, "down").returncode == 0
