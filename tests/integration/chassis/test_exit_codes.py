"""A process whose background work fails ends, with a code that says so, also while it still starts."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import pytest

from stack.ports import free_ports

ROOT = Path(__file__).parents[3]
PROGRAM = """
import asyncio
from chassis import runtime

async def fails():
    raise RuntimeError("no more")

async def returns():
    pass

async def lasts():
    await asyncio.Event().wait()

async def main(process):
    print("started", flush=True)
    process.background("work", WORK())
    process.background("other work", lasts())
    if STARTING:
        await asyncio.Event().wait()

runtime.run("test", main)
"""


async def begun(work: str, *, starting: bool) -> Process:
    [port] = free_ports(1)
    program = PROGRAM.replace("WORK", work).replace("STARTING", str(starting))
    told = {**os.environ, "LIVINGLAB_METRICS_LISTEN": f"127.0.0.1:{port}", "PYTHONPATH": f"{ROOT}:{ROOT / 'gen'}"}
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, env=told, stdout=PIPE, stderr=PIPE)
    assert process.stdout
    assert await process.stdout.readline() == b"started\n"
    return process


@pytest.mark.parametrize("starting", [True, False])
@pytest.mark.parametrize("work", ["fails", "returns"])
async def test_work_that_ends_ends_the_process_with_a_code_that_is_not_zero(work: str, starting: bool) -> None:
    process = await begun(work, starting=starting)
    out, _ = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 1
    assert b"background work failed" in out


@pytest.mark.parametrize("starting", [True, False])
async def test_an_orderly_stop_ends_with_zero(starting: bool) -> None:
    process = await begun("lasts", starting=starting)
    process.send_signal(signal.SIGTERM)
    await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 0
