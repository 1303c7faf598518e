"""What a cohort costs: CPU of every process from its launch to its last graduation, and what all take at rest."""

import asyncio
import time
from statistics import median

from bench.against.platform import SIX, Running
from bench.cohorts import Connected, OurCohort, connected
from bench.signing import Signing
from stack.waiting import advancing

PHASES = 4
# Our own looks are calls too: few beside what is measured.
_LOOK_SECONDS = 0.5
_WARM_UP, _AT_REST_SECONDS = 5, 5.0
_COMMANDS = 5

Figures = dict[str, float]


async def figures(platform: Running, participants: int) -> Figures:
    """Of one round on a fresh platform: seconds of CPU by process (`cpu.mongod`), `cpu`, `launch.cpu`, `launch.wall`,
    `wall`, `ready`, `command` of one that asks a server, MiB `memory.…` with all participants live and `rest.memory` of
    the six before, and CPU a second `rest`."""
    async with connected(platform.addresses, platform.issuer) as at:
        await _through(at, _WARM_UP)
        found = {"ready": platform.ready_seconds, "rest": await _at_rest(platform)}
        found["rest.memory"] = sum(held for name, held in platform.memory().items() if name in SIX)
        found["command"] = median(platform.asked("cohort", "list") for _ in range(_COMMANDS))
        cohort = OurCohort(at, participants, PHASES, _LOOK_SECONDS)
        before, started = platform.cpu(), time.perf_counter()
        found["launch.wall"] = await cohort.launch()
        found["launch.cpu"] = sum(_since(platform, before).values())
        found |= {f"memory.{name}": held for name, held in platform.memory().items()}
        found["memory"] = sum(held for name, held in found.items() if name.startswith("memory."))
        await _to_its_end(at, cohort)
        found["wall"] = time.perf_counter() - started
        used = _since(platform, before)
        return {**found, **{f"cpu.{name}": spent for name, spent in used.items()}, "cpu": sum(used.values())}


async def _through(at: Connected, participants: int) -> None:
    """What is done for the first time costs more."""
    cohort = OurCohort(at, participants, PHASES, _LOOK_SECONDS)
    await cohort.launch()
    await _to_its_end(at, cohort)


async def _to_its_end(at: Connected, cohort: OurCohort) -> None:
    await cohort.let_follow()
    await Signing(at, cohort).everything()

    async def graduated() -> int:
        return int((await cohort.standing()).graduated)

    await advancing(graduated, len(cohort.institutions), pause=_LOOK_SECONDS)


async def _at_rest(platform: Running) -> float:
    """Seconds of CPU a second while nobody asks for anything."""
    before, started = platform.cpu(), time.perf_counter()
    await asyncio.sleep(_AT_REST_SECONDS)
    return sum(_since(platform, before).values()) / (time.perf_counter() - started)


def _since(platform: Running, before: Figures) -> Figures:
    return {name: spent - before.get(name, 0.0) for name, spent in platform.cpu().items()}
