"""One child process: its log file, readiness, stop and kill; a child never outlives the process that started it."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

POLL_SECONDS = 0.02
STOP_SECONDS = 10.0
LEASH = Path(__file__).with_name("leash.py")

T = TypeVar("T")


class ProcessFailed(Exception):
    """A process that ended or was not ready in time; the message shows the last lines of its log."""

    def __init__(self, name: str, reason: str, log_path: Path, log_tail: str) -> None:
        shown = log_tail or "(the log is empty)"
        super().__init__(f"{name} {reason}; last lines of {log_path}:\n{shown}")
        self.name = name
        self.reason = reason
        self.log_path = log_path


def python_argv(module: str, *arguments: str) -> list[str]:
    """The command line that runs `module` of this project with the Python that runs us."""
    return [sys.executable, "-m", module, *arguments]


def _leashed(argv: Sequence[str]) -> list[str]:
    """`argv` behind the leash on Linux, where the kernel can end a child with its parent; elsewhere unchanged.

    The kernel watches the *thread* that started the child: start processes from a thread that lives on (the main one).
    """
    if sys.platform != "linux":
        return list(argv)
    return [sys.executable, "-I", "-S", str(LEASH), str(os.getpid()), *argv]


class Process:
    """A child process in a process group of its own, so that Ctrl-C in the terminal reaches only the supervisor.

    Polls instead of using asyncio's child watchers, so that one object serves several event loops in turn.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        log_path: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        """`env` is laid over this process's environment; the output of every run is appended to `log_path`."""
        self.name = name
        self.argv = list(argv)
        self.log_path = log_path
        self.env = dict(env or {})
        self.cwd = cwd
        self._child: subprocess.Popen[bytes] | None = None
        self._run_offset = 0

    @property
    def pid(self) -> int:
        """The id of the last started process; an error when there was none."""
        if self._child is None:
            raise RuntimeError(f"{self.name} has not been started")
        return self._child.pid

    @property
    def returncode(self) -> int | None:
        """Exit code of the last run (negative: the signal that ended it); None while running or never started."""
        return None if self._child is None else self._child.poll()

    @property
    def running(self) -> bool:
        """Whether there is a started process that has not ended."""
        return self._child is not None and self._child.poll() is None

    async def start(self) -> None:
        """Start the program, again if it ended before; returns at once, see `wait_ready`."""
        if self.running:
            raise RuntimeError(f"{self.name} is running already (pid {self.pid})")
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        with self.log_path.open("ab") as log:
            self._run_offset = log.tell()
            self._child = subprocess.Popen(
                _leashed(self.argv),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.env},
                cwd=self.cwd,
                start_new_session=True,
            )

    async def wait(self) -> int:
        """Wait until the process has ended, this run of it: another may have begun meanwhile. Its exit code."""
        child = self._child
        if child is None:
            raise RuntimeError(f"{self.name} has not been started")
        while (code := child.poll()) is None:
            await asyncio.sleep(POLL_SECONDS)
        return code

    async def wait_ready(self, ready: Coroutine[Any, Any, T], *, timeout: float) -> T:
        """The result of `ready`, awaited while the process lives; ProcessFailed when it ends first or time runs out."""
        condition = asyncio.ensure_future(ready)
        ended = asyncio.ensure_future(self.wait())
        try:
            await asyncio.wait({condition, ended}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            if condition.done():
                return condition.result()
            if ended.done():
                raise self._failure(f"ended with exit code {ended.result()} before it was ready")
            raise self._failure(f"was not ready within {timeout:g} s")
        finally:
            condition.cancel()
            ended.cancel()
            await asyncio.gather(condition, ended, return_exceptions=True)

    async def wait_for_line(self, pattern: str, *, timeout: float) -> re.Match[str]:
        """The first match of the regular expression in what this run has logged."""
        return await self.wait_ready(self.logged(pattern), timeout=timeout)

    async def logged(self, pattern: str) -> re.Match[str]:
        """As `wait_for_line`, without a deadline: a part of larger readiness conditions."""
        expression = re.compile(pattern, re.MULTILINE)
        while True:
            lines = self._run_log().rpartition("\n")[0]
            if found := expression.search(lines):
                return found
            await asyncio.sleep(POLL_SECONDS)

    async def stop(self, *, grace: float = STOP_SECONDS) -> int | None:
        """Ask it to end (SIGTERM), and end it (SIGKILL) after `grace` seconds. Its exit code; None if never started."""
        if self._child is None or not self.running:
            return self.returncode
        child = self._child
        child.terminate()
        give_up = time.monotonic() + grace
        while child.poll() is None and time.monotonic() < give_up:
            await asyncio.sleep(POLL_SECONDS)
        return child.returncode if child is not self._child or not self.running else await self.kill()

    async def kill(self) -> int | None:
        """End the process and its group at once (SIGKILL), as a crash would."""
        if self._child is None or not self.running:
            return self.returncode
        os.killpg(self._child.pid, signal.SIGKILL)
        return await self.wait()

    def log_tail(self, lines: int = 15) -> str:
        """The last lines of what this run has logged."""
        return "\n".join(self._run_log().splitlines()[-lines:])

    def _run_log(self) -> str:
        with self.log_path.open("rb") as log:
            log.seek(self._run_offset)
            return log.read().decode(errors="replace")

    def _failure(self, reason: str) -> ProcessFailed:
        return ProcessFailed(self.name, reason, self.log_path, self.log_tail())
