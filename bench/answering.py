"""Answering and submitting an evaluation, against a bare handler that does the same transaction; memory of both."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc.aio
import psutil
from livinglab.assessment.v1 import evaluation_pb2
from livinglab.assessment.v1 import service_pb2 as pb
from livinglab.assessment.v1.service_pb2_grpc import AssessmentServiceStub

from bench.rows import Row, at_least, at_most, middle
from chassis import naming
from directory import official_regions
from stack.ports import free_port
from stack.process import Process, python_argv
from stack.system import System

IN_FLIGHT = 32
ROUNDS = 5
_SAVES = 800
_SUBMITS = 160
_PERIODS = iter(range(1901, 2000))


async def rows(system: System) -> AsyncIterator[Row]:
    """Rates at 32 in flight, rounds of ours and bare in turn, the median of each."""
    address = f"127.0.0.1:{free_port()}"
    log = system.home.logs / "bare.log"
    mongo = system.platform.addresses.mongodb
    bare = Process("bare", python_argv("bench.bare.handler", "--listen", address, "--mongo", mongo), log_path=log)
    others = [member for name, member in system.fleet.members.items() if name != "assessment"]
    # Alone, as the bare handler is: what others make of our facts is not the writer's work.
    await asyncio.gather(*(other.stop() for other in others))
    await bare.start()
    await bare.wait_for_line("ready", timeout=30)
    try:
        async with (
            grpc.aio.insecure_channel(address) as bare_channel,
            grpc.aio.insecure_channel(system.fleet.address("assessment")) as our_channel,
        ):
            ours = Load(AssessmentServiceStub(our_channel), system)
            other = Load(AssessmentServiceStub(bare_channel), system)
            saved = await _in_turn(ours.saving, other.saving)
            yield at_least("answering", f"answers saved, {IN_FLIGHT} in flight", *saved, "1/s", 0.80)
            submitted = await _in_turn(ours.submitting, other.submitting)
            yield at_least("submitting", f"evaluations submitted, {IN_FLIGHT} in flight", *submitted, "1/s", 0.80)
        memory = _memory(system.fleet.members["assessment"].pid), _memory(bare.pid)
    finally:
        await bare.stop()
        await system.fleet.start_again([other.name for other in others])
    yield at_most("memory", "memory of the assessment process after that", *memory, "MiB", 2.0)


async def _in_turn(ours: Callable[[], Awaitable[float]], bare: Callable[[], Awaitable[float]]) -> tuple[float, float]:
    await ours()
    await bare()
    pairs = [(await ours(), await bare()) for _ in range(ROUNDS)]
    return middle([pair[0] for pair in pairs]), middle([pair[1] for pair in pairs])


class Load:
    """One client; every worker has evaluations of its own, so that none waits for another's document."""

    def __init__(self, stub: Any, system: System) -> None:
        self._stub = stub
        self._regions = list(official_regions())
        self._tokens = {
            (role, code): (("authorization", f"Bearer {system.fleet.issuer.token(role, institution=code)}"),)
            for code in self._regions[:_SUBMITS]
            for role in ("operator", "head")
        }

    async def saving(self) -> float:
        """Calls to SaveAnswers a second, five answers each."""
        opened = await self._opened(IN_FLIGHT)

        async def worker(number: int) -> None:
            code, evaluation_id = opened[number]
            for call in range(_SAVES // IN_FLIGHT):
                first = (call * 5) % 45
                await self._save(code, evaluation_id, range(first + 1, first + 6), str(call % 5 + 1))

        return await _rate(_SAVES, [worker(number) for number in range(IN_FLIGHT)])

    async def submitting(self) -> float:
        """Calls to SubmitEvaluation a second."""
        opened = await self._answered(_SUBMITS)

        async def worker(number: int) -> None:
            for one in opened[number::IN_FLIGHT]:
                await self._submit(*one)

        return await _rate(_SUBMITS, [worker(number) for number in range(IN_FLIGHT)])

    async def submit_one_by_one(self, count: int) -> list[str]:
        """Ids of evaluations that were submitted one after the other."""
        opened = await self._answered(count)
        for one in opened:
            await self._submit(*one)
        return [evaluation_id for _, evaluation_id in opened]

    async def _answered(self, count: int) -> list[tuple[str, str]]:
        opened = await self._opened(count)
        for start in range(0, count, IN_FLIGHT):
            await asyncio.gather(*(self._save(*one, range(1, 48), "3") for one in opened[start : start + IN_FLIGHT]))
        return opened

    async def _submit(self, code: str, evaluation_id: str) -> None:
        request = pb.SubmitEvaluationRequest(request_id=naming.new_id(), evaluation_id=evaluation_id)
        await self._stub.SubmitEvaluation(request, metadata=self._tokens["head", code], timeout=30)

    async def _opened(self, count: int) -> list[tuple[str, str]]:
        period = str(next(_PERIODS))

        async def one(code: str) -> tuple[str, str]:
            request = pb.OpenEvaluationRequest(
                request_id=naming.new_id(), institution=code, instrument="spbe-59-2020", period=period
            )
            answer = await self._stub.OpenEvaluation(request, metadata=self._tokens["operator", code], timeout=30)
            return code, answer.evaluation.id

        return await asyncio.gather(*(one(code) for code in self._regions[:count]))

    async def _save(self, code: str, evaluation_id: str, indicators: range, value: str) -> None:
        answers = [evaluation_pb2.Answer(indicator=str(i), value=value) for i in indicators]
        request = pb.SaveAnswersRequest(request_id=naming.new_id(), evaluation_id=evaluation_id, answers=answers)
        await self._stub.SaveAnswers(request, metadata=self._tokens["operator", code], timeout=30)


async def _rate(calls: int, workers: list[Any]) -> float:
    started = time.perf_counter()
    await asyncio.gather(*workers)
    return calls / (time.perf_counter() - started)


def _memory(pid: int) -> float:
    return float(psutil.Process(pid).memory_info().rss) / 2**20
