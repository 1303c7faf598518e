"""Small disks of their own for the servers, so that one can be full and nothing else on the machine is."""

import os
import resource
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

_FILLER = "full"
_MIB, _PAGE = 2**20, 4096
# More than each needs for a cohort: mongod alone sets 200 MiB aside for its journal.
SIZES_MIB = {"mongod": 700, "nats-server": 200, "temporal": 200}


class Disks:
    """Each server's folder in memory, where this user may mount one; `are_own` says whether. Elsewhere a full disk is
    a limit on the size of a file, which ends the server that meets it."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._mounted: list[Path] = []
        self.are_own = all(self._mount(data / name, size) for name, size in SIZES_MIB.items())

    def _mount(self, folder: Path, size: int) -> bool:
        folder.mkdir(parents=True, exist_ok=True)
        mount = shutil.which("mount")
        if mount is None or os.geteuid() != 0:
            return False
        asked = [mount, "-t", "tmpfs", "-o", f"size={size}m,mode=0700", "livinglab-chaos", str(folder)]
        done = subprocess.run(asked, check=False, capture_output=True)
        if done.returncode == 0:
            self._mounted.append(folder)
        return done.returncode == 0

    def fill(self, name: str, pid: int) -> None:
        """No room is left for that server."""
        if not self.are_own:
            _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (_PAGE, hard))
            return
        with (self._data / name / _FILLER).open("wb", buffering=0) as file:
            for chunk in (_MIB, _PAGE):
                with suppress(OSError):
                    while file.write(bytes(chunk)):
                        pass

    def free(self, name: str, pid: int | None) -> None:
        """There is room again."""
        (self._data / name / _FILLER).unlink(missing_ok=True)
        if not self.are_own and pid is not None:
            _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))

    def unmount(self) -> None:
        """Gives the memory back; nothing runs in them any more."""
        for folder in self._mounted:
            subprocess.run(["umount", str(folder)], check=True)
        self._mounted.clear()
