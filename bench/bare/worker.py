"""The bare worker as a process, set up as ours is: the same loop, the same runner, as much at once."""

import argparse
import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc.aio
import uvloop
from livinglab.assessment.v1.service_pb2_grpc import AssessmentServiceStub
from livinglab.notify.v1.service_pb2_grpc import NotifyServiceStub
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from bench.bare.workflows import TASK_QUEUE, BareActivities, BareParticipant, BareProgram
from stack.process import Process, python_argv
from stack.system import System

_AT_ONCE = 50
_CACHED = 2_000


@asynccontextmanager
async def bare_worker(system: System) -> AsyncIterator[Process]:
    """Runs for as long as the block lasts; the process can be killed and started again in it."""
    servers = system.platform.addresses
    argv = python_argv("bench.bare.worker", "--temporal", servers.temporal)
    for peer in ("assessment", "notify"):
        argv += [f"--{peer}", system.fleet.address(peer)]
    argv += ["--token-file", str(system.home.folder / "system.token")]
    process = Process("bare-worker", argv, log_path=system.home.logs / "bare-worker.log")
    await process.start()
    try:
        await process.wait_for_line("ready", timeout=30)
        yield process
    finally:
        await process.stop()


async def _work(given: argparse.Namespace) -> None:
    """Until SIGTERM."""
    client = await Client.connect(given.temporal)
    metadata = (("authorization", f"Bearer {Path(given.token_file).read_text()}"),)
    async with (
        grpc.aio.insecure_channel(given.assessment) as assessment,
        grpc.aio.insecure_channel(given.notify) as notify,
    ):
        bare = BareActivities(
            client,
            AssessmentServiceStub(assessment),
            NotifyServiceStub(notify),
            metadata,
        )
        worker = Worker(
            client,
            task_queue=TASK_QUEUE,
            workflows=[BareProgram, BareParticipant],
            activities=bare.all(),
            max_concurrent_activities=_AT_ONCE,
            max_concurrent_workflow_tasks=_AT_ONCE,
            max_cached_workflows=_CACHED,
            workflow_runner=UnsandboxedWorkflowRunner(),
        )
        stopping = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
        async with worker:
            print("ready", flush=True)
            await stopping.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for name in ("temporal", "assessment", "notify", "token-file"):
        parser.add_argument(f"--{name}", required=True)
    uvloop.run(_work(parser.parse_args()))
