"""Wall clocks of single processes, moved while they run: a library that is preloaded into them reads a file."""

import shutil
import struct
import subprocess
from pathlib import Path

from stack.process import Process

_SOURCE = Path(__file__).with_name("clock.c")
_NANOSECONDS = 1_000_000_000


class Clocks:
    """One clock for each process. Where there is no C compiler they cannot be moved, and `can_move` says so."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._library = folder / "clock.so"
        self.can_move = False
        if compiler := shutil.which("cc"):
            built = [compiler, "-shared", "-fPIC", "-O2", "-o", str(self._library), str(_SOURCE), "-ldl"]
            self.can_move = subprocess.run(built, check=False).returncode == 0

    def give(self, process: Process) -> None:
        """Before it is started."""
        if self.can_move:
            self.move(process.name, 0)
            process.env |= {"LD_PRELOAD": str(self._library), "LIVINGLAB_CHAOS_CLOCK": str(self._file(process.name))}

    def move(self, name: str, seconds: float) -> None:
        """From now on its clock is off by so much; 0 is right again."""
        file = self._file(name)
        if not file.exists():
            file.write_bytes(bytes(8))
        with file.open("r+b") as opened:
            opened.write(struct.pack("q", int(seconds * _NANOSECONDS)))

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.offset"
