"""PostgreSQL as Debian has it, in a folder of its own, with nothing relaxed: what it commits is on the disk."""

import asyncio
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from stack.ports import free_port
from stack.process import Process

_PATIENCE = 60.0
# It does not run as root.
_USER = "postgres"


def binaries() -> Path | None:
    """Where the newest of them lie; None where it is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    return found[-1].parent if found else None


@asynccontextmanager
async def running() -> AsyncIterator[str]:
    """Its address, for as long as the block lasts."""
    tools = binaries()
    assert tools is not None
    folder = Path(tempfile.mkdtemp(prefix="livinglab-rival-"))
    try:
        data, port = folder / "data", free_port()
        if os.geteuid() == 0:
            owner = pwd.getpwnam(_USER)
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        make = [str(tools / "initdb"), "-D", str(data), "-U", "rival", "-A", "trust", "-E", "UTF8", "--no-locale"]
        await asyncio.to_thread(subprocess.run, _as_owner(make), check=True, stdout=subprocess.DEVNULL)
        options = ["-c", f"port={port}", "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]
        process = Process(
            "postgres",
            _as_owner([str(tools / "postgres"), "-D", str(data), *options, "-c", "max_connections=200"]),
            log_path=folder / "log" / "postgres.log",
        )
        await process.start()
        try:
            await process.wait_for_line("ready to accept connections", timeout=_PATIENCE)
            yield f"postgresql://rival@127.0.0.1:{port}/postgres"
        finally:
            await process.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _as_owner(argv: Sequence[str]) -> list[str]:
    if os.geteuid() != 0:
        return list(argv)
    return ["setpriv", f"--reuid={_USER}", f"--regid={_USER}", "--clear-groups", *argv]
