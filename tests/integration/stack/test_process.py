"""A process that is started anew while somebody still waits for its last run to end."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from stack.process import Process


async def test_who_waits_for_a_run_to_end_does_not_wait_for_the_next_one(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", "import signal; signal.pause()"]
    process = Process("sleeper", argv, log_path=tmp_path / "sleeper.log")
    await process.start()
    waiting = asyncio.create_task(process.wait())
    await asyncio.sleep(0)
    os.kill(process.pid, signal.SIGKILL)
    # A supervisor sees it first, before any other task comes to it.
    while process.running:
        pass
    await process.start()
    try:
        async with asyncio.timeout(20):
            assert await waiting == -signal.SIGKILL
        assert process.running
    finally:
        await process.kill()
