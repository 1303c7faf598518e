"""A platform of some revision, run as people run it and looked at from outside: its addresses, its processes' CPU."""

import json
import resource
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.against.tree import Tree
from stack.issuer import Issuer
from stack.process import Process
from stack.system import empty
from stack.waiting import eventually

# Of everything that is measured: what is written down of a call is not the call.
QUIET = {"LIVINGLAB_TRACE_RATIO": "0", "LIVINGLAB_TRACE_FILE": "", "LIVINGLAB_LOG_LEVEL": "WARNING"}
# Those that both revisions have.
SIX = ("assessment", "benchmark", "coaching", "notify", "program", "program.worker")
_PATIENCE = 120.0
_SERVERS = ("mongod", "nats-server", "temporal", "mailbox")


@dataclass(frozen=True)
class Running:
    """What a measurement needs of it."""

    addresses: Mapping[str, str]
    issuer: Issuer
    supervisor: int
    # From nothing to serving.
    ready_seconds: float
    # Of a process of the same revision.
    environment: Mapping[str, str]
    folder: Path

    def cpu(self) -> dict[str, float]:
        """Seconds that each process has computed so far, by its name."""
        used: defaultdict[str, float] = defaultdict(float)
        for name, process in self._processes():
            times = process.cpu_times()
            used[name] += times.user + times.system
        return used

    def memory(self) -> dict[str, float]:
        """MiB of each process that no other process shares with it."""
        held: defaultdict[str, float] = defaultdict(float)
        for name, process in self._processes():
            held[name] += process.memory_full_info().uss / 2**20
        return held

    def asked(self, *command: str) -> float:
        """Seconds that a command computes to ask a server as a manager; RuntimeError where it fails."""
        told = {**self.environment, "LIVINGLAB_TOKEN": self.issuer.token("manager")}
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        argv = [sys.executable, "-m", "cli", *command]
        done = subprocess.run(argv, env=told, cwd=self.folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr}")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    def _processes(self) -> list[tuple[str, psutil.Process]]:
        children = psutil.Process(self.supervisor).children(recursive=True)
        return [(_name(child.cmdline()), child) for child in children if child.status() != psutil.STATUS_ZOMBIE]


@asynccontextmanager
async def running(tree: Tree, home: Path) -> AsyncIterator[Running]:
    """Started anew on an empty folder, stopped with the block."""
    empty(home)
    home.mkdir(parents=True)
    argv = [sys.executable, "-m", "stack"]
    env = {**tree.environment(home), **QUIET}
    supervisor = Process("supervisor", argv, log_path=home / "supervisor.log", env=env, cwd=tree.folder)
    started = time.perf_counter()
    await supervisor.start()
    try:
        told = home / "addresses.json"
        await supervisor.wait_ready(eventually(told.exists, timeout=_PATIENCE), timeout=_PATIENCE)
        ready = time.perf_counter() - started
        issuer = Issuer(home / "issuer")
        yield Running(json.loads(told.read_text()), issuer, supervisor.pid, ready, env, tree.folder)
    finally:
        await supervisor.stop(grace=30)


def _name(argv: list[str]) -> str:
    if "-m" in argv[:-1]:
        return argv[argv.index("-m") + 1].removeprefix("services.")
    program = Path(argv[0]).name if argv else ""
    return next((server for server in _SERVERS if server in program), program)
