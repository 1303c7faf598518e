"""Measures a running cohort of 514 beside 514 bare workflows: how a fact gets in, a killed worker, memory, history."""

from collections.abc import AsyncIterator, Sequence

import psutil
from temporalio.client import WorkflowExecutionStatus

from bench.bare.worker import bare_worker
from bench.bare.workflows import FACT, BareParticipant
from bench.cohorts import BareCohort, Connected, OurCohort, connected
from bench.effects import Side, in_turn
from bench.rows import Row, at_most, at_most_over, middle, percentile, within, within_beside
from bench.signing import Signing, our_side
from programs import names
from stack.process import Process
from stack.system import System
from stack.waiting import advancing, eventually

_PARTICIPANTS, _PHASES = 514, 4
_WARM_UP, _FACTS, _KILLS = 10, 120, 3
# Of a server whose lists are a little behind.
_PATIENCE = 120.0


async def rows(system: System) -> AsyncIterator[Row]:
    """One cohort of each kind, nothing else going on; at last ours goes through all of its phases."""
    worker = system.fleet.members["program-worker"]
    # A fresh one: what it holds in memory is this cohort.
    await worker.stop()
    await system.fleet.start(worker.name)
    async with (
        connected(system.addresses(), system.fleet.issuer) as at,
        bare_worker(system) as bare_process,
    ):
        cohort, bare = OurCohort(at, _PARTICIPANTS, _PHASES), BareCohort(at, _PARTICIPANTS)
        signing = Signing(at, cohort)
        sides = our_side(at, worker, cohort, signing), _bare_side(at, bare_process, bare)
        await cohort.launch()
        await bare.launch()
        some = iter(cohort.institutions)
        await in_turn(sides, [next(some) for _ in range(_WARM_UP)], Side.fact)
        for row in _fact_rows(*await in_turn(sides, [next(some) for _ in range(_FACTS)], Side.fact)):
            yield row
        memory = _memory(worker), _memory(bare_process)
        busy = {next(some): next(some) for _ in range(_KILLS)}

        async def revival(side: Side, institution: str) -> float:
            # Killed right after it worked, both: the server waits ten seconds for the cache of a worker that was just
            # there, and not at all for one that had been idle for as long.
            await side.fact(busy[institution])
            return await side.revival(institution)

        revivals = await in_turn(sides, list(busy), revival)
        for row in _worker_rows(revivals, memory):
            yield row
        await bare.end()
        for row in _history_rows(await _run_to_its_end(at, cohort, signing)):
            yield row


def _bare_side(at: Connected, worker: Process, bare: BareCohort) -> Side:
    async def tell(institution: str) -> None:
        await at.temporal.get_workflow_handle(bare.workflow_id(institution)).signal(FACT, "signed")

    async def known(institution: str) -> Sequence[str]:
        return await at.temporal.get_workflow_handle(bare.workflow_id(institution)).query(BareParticipant.facts)

    return Side(temporal=at.temporal, worker=worker, tell=tell, workflow_id=bare.workflow_id, known=known, signal=FACT)


async def _run_to_its_end(at: Connected, cohort: OurCohort, signing: Signing) -> list[int]:
    """Events of each run of the cohort's workflow."""
    await cohort.let_follow()
    await signing.everything()

    async def graduated() -> int:
        return int((await cohort.standing()).graduated)

    await advancing(graduated, _PARTICIPANTS)

    async def lengths() -> list[int]:
        runs = [run async for run in at.temporal.list_workflows(f"WorkflowId = '{names.workflow_id(cohort.id)}'")]
        over = any(run.status is WorkflowExecutionStatus.COMPLETED for run in runs)
        return [run.history_length for run in runs] if over and all(run.close_time for run in runs) else []

    return await eventually(lengths, timeout=_PATIENCE)


def _fact_rows(ours: list[float], bare: list[float]) -> list[Row]:
    def milliseconds(share: float) -> tuple[float, float]:
        return percentile(ours, share) * 1000, percentile(bare, share) * 1000

    what = "a fact, from its owner's call to its effect in the workflow"
    return [
        within_beside("fact-p50", f"{what}, median", *milliseconds(0.5), 100, "ms"),
        within_beside("fact-p99", f"the same, 99th percentile of {_FACTS}", *milliseconds(0.99), 500, "ms"),
    ]


def _worker_rows(revivals: tuple[list[float], list[float]], memory: tuple[float, float]) -> list[Row]:
    ours, bare = (middle(side) for side in revivals)
    held = f"memory of a worker with {_PARTICIPANTS} live participants"
    return [
        at_most_over("resume", "from a new worker, after kill -9, to a fact's effect", ours, bare, "s", 2.0),
        at_most("worker-memory", held, *memory, "MiB", 2.0),
    ]


def _history_rows(events: list[int]) -> list[Row]:
    what = f"history of a cohort of {_PARTICIPANTS}, {_PHASES} phases: its longest run"
    every = f"the same, all of its {len(events)} runs together"
    return [
        within("history-longest", what, max(events), 2_000, "events"),
        within("history-total", every, sum(events), 10_240, "events"),
    ]


def _memory(process: Process) -> float:
    return float(psutil.Process(process.pid).memory_info().rss) / 2**20
