"""Where one clone keeps what its platform needs: data, logs, ports, tokens, addresses. Git ignores the folder."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from stack.ports import can_listen, free_port

# Longer than anybody looks.
_LOOKS = 20
_LOOK_SECONDS = 0.01
_PROJECT = Path(__file__).resolve().parents[1]


def home_folder() -> Path:
    """LIVINGLAB_HOME; else .livinglab beside the project's Makefile; else ~/.livinglab."""
    if configured := os.environ.get("LIVINGLAB_HOME"):
        return Path(configured)
    return (_PROJECT if (_PROJECT / "Makefile").exists() else Path.home()) / ".livinglab"


@dataclass(frozen=True)
class Home:
    """The folder and the names in it."""

    folder: Path

    def make(self) -> None:
        """The folder, for its owner alone: databases, mails and keys are in it. One from before is closed to others."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)

    @property
    def data(self) -> Path:
        """What the servers keep."""
        return self.folder / "data"

    @property
    def logs(self) -> Path:
        """One file a process."""
        return self.folder / "logs"

    @property
    def lock(self) -> Path:
        """Held by the supervisor for as long as it lives; holds its process id."""
        return self.folder / "lock"

    @property
    def addresses(self) -> Path:
        """Written when everything is ready, removed at the end."""
        return self.folder / "addresses.json"

    @property
    def token(self) -> Path:
        """The token of the last login."""
        return self.folder / "token"

    @property
    def traces(self) -> Path:
        """Spans of every process, a line each."""
        return self.folder / "traces.jsonl"

    def running_addresses(self) -> dict[str, str]:
        """What the platform that runs here has written; empty where none runs, or none is ready. Who was killed could
        not take the file away."""
        try:
            found: dict[str, str] = json.loads(self.addresses.read_text()) if is_running(self) else {}
        except (OSError, ValueError):
            return {}
        return found

    def ports(self, names: list[str]) -> dict[str, int]:
        """A port for each name: the last run's where it is still free, so that bookmarks and data keep theirs."""
        kept = self.folder / "ports.json"
        try:
            last = json.loads(kept.read_text())
        except (OSError, ValueError):
            last = {}
        ports = {name: last[name] if can_listen(last.get(name, 0)) else free_port() for name in names}
        self.make()
        new = kept.with_suffix(".new")
        new.write_text(json.dumps(ports, indent=2))
        new.replace(kept)
        return ports


class AlreadyRunning(Exception):
    """Somebody else runs the platform of this folder."""


@contextmanager
def held(home: Home) -> Iterator[None]:
    """Keeps others from running a platform in the same folder; AlreadyRunning where somebody does."""
    home.make()
    with home.lock.open("a+") as file:
        if not _locked(file):
            raise AlreadyRunning(f"the platform of {home.folder} runs already")
        file.seek(0)
        file.truncate()
        file.write(str(os.getpid()))
        file.flush()
        yield


def _locked(file: TextIO) -> bool:
    """Whether it is ours now; who only looks whether somebody has it holds it for a moment."""
    for _ in range(_LOOKS):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_LOOK_SECONDS)
        else:
            return True
    return False


def is_running(home: Home) -> bool:
    """Whether a supervisor holds the folder."""
    try:
        with home.lock.open("r") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False
