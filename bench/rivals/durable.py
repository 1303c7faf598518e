"""Participants of a cohort on DBOS and PostgreSQL, beside ours: launch, a fact's way in, kill -9, memory."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil

from bench.cohorts import Connected, OurCohort, connected
from bench.effects import Side
from bench.rivals import postgres
from bench.rows import Row, at_most, middle, percentile
from bench.signing import Signing, our_side
from stack.system import System

# `make rivals` makes it.
PYTHON = Path(__file__).resolve().parents[2] / ".livinglab" / "rivals" / "bin" / "python"
_APP = Path(__file__).with_name("dbos_app.py")
_FEW, _MANY = 62, 514
_ROUNDS = {_FEW: 3, _MANY: 1}
_WARM_UP, _FACTS, _KILLS = 10, 120, 3
_PATIENCE = 300.0


class NotInstalled(Exception):
    """What a rival needs is not there."""


async def rows(system: System) -> AsyncIterator[Row]:
    """Ours and theirs in turn, neither while the other works. NotInstalled says what is missing."""
    if not PYTHON.exists() or postgres.binaries() is None:
        raise NotInstalled("DBOS or PostgreSQL is not here: `make rivals` brings them")
    async with postgres.running() as address, connected(system.addresses(), system.fleet.issuer) as at:
        app = Rival(address)
        await app.start()
        try:
            async for row in _launches(at, app):
                yield row
            async for row in _course(system, at, app):
                yield row
        finally:
            await app.kill()


class Rival:
    """The process of the rival: asked by a line, answers by a line."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Ready when this returns: with what it had begun before."""
        pipe = asyncio.subprocess.PIPE
        argv = [str(PYTHON), str(_APP), self._address]
        self._process = await asyncio.create_subprocess_exec(*argv, stdin=pipe, stdout=pipe)
        assert await self._answer() == "ready"

    async def ask(self, *words: object) -> Any:
        """What it answers."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write((" ".join(str(word) for word in words) + "\n").encode())
        return await self._answer()

    async def kill(self) -> None:
        """As a crash would."""
        if self._process and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def _answer(self) -> Any:
        assert self._process is not None
        assert self._process.stdout is not None
        async with asyncio.timeout(_PATIENCE):
            line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError("the rival ended")
        return json.loads(line)


async def _launches(at: Connected, app: Rival) -> AsyncIterator[Row]:
    await app.ask("launch", "warm", _WARM_UP)
    for participants, rounds in _ROUNDS.items():
        ours, theirs = [], []
        for number in range(rounds):
            cohort = OurCohort(at, participants)
            ours.append(await cohort.launch())
            await cohort.end()
            theirs.append(await app.ask("launch", f"c{participants}-{number}", participants))
        what = f"launch of {participants} until all have begun, beside DBOS and PostgreSQL"
        yield at_most(f"rival-launch-{participants}", what, middle(ours), middle(theirs), "s", 1.5)


async def _course(system: System, at: Connected, app: Rival) -> AsyncIterator[Row]:
    cohort = OurCohort(at, _MANY)
    signing = Signing(at, cohort)
    await cohort.launch()
    side = our_side(at, system.fleet.members["program-worker"], cohort, signing)
    some = iter(cohort.institutions)
    ours, theirs = [], []
    for number in range(_WARM_UP + _FACTS):
        mine, other = await side.fact(next(some)), await app.ask("fact", f"c{_MANY}-0", number, "signed")
        if number >= _WARM_UP:
            ours.append(mine)
            theirs.append(other)
    for share, name in ((0.5, "p50"), (0.99, "p99")):
        figures = percentile(ours, share) * 1000, percentile(theirs, share) * 1000
        what = f"a fact, from its owner's call to its workflow, {name}, beside DBOS"
        yield at_most(f"rival-fact-{name}", what, *figures, "ms", 1.0)
    held = psutil.Process(side.worker.pid).memory_info().rss / 2**20, await app.ask("memory")
    yield at_most("rival-memory", f"memory of a worker with {_MANY} live, beside DBOS", *held, "MiB", 1.0)
    revived = await _revivals(side, [next(some) for _ in range(_KILLS)], app)
    yield at_most(
        "rival-resume", "from a new worker, after kill -9, to a fact's effect, beside DBOS", *revived, "s", 1.0
    )


async def _revivals(side: Side, institutions: list[str], app: Rival) -> tuple[float, float]:
    ours, theirs = [], []
    for number, institution in enumerate(institutions):
        ours.append(await side.revival(institution))
        await app.kill()
        started = time.perf_counter()
        await app.start()
        await app.ask("fact", f"c{_MANY}-0", _MANY - 1 - number, "signed")
        theirs.append(time.perf_counter() - started)
    return middle(ours), middle(theirs)
