"""One seed: a cohort of twenty on a platform of its own, the faults of the seed, and what must hold at its end."""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from livinglab.program.v1 import cohort_pb2

from directory import official_regions
from stack.home import Home
from stack.rehearsal import invariants
from stack.rehearsal.conductor import Conductor
from stack.rehearsal.stage import Stage
from stack.servers import mails_folder
from stack.waiting import eventually
from tests.chaos.seeds.draw import Fault, faults
from tests.chaos.seeds.shaken import Shaken, shaken
from tests.harness import system as small

COHORT = 20
# Acknowledged writes of an undisturbed cohort, near enough: a fault's moment is a share of them.
_WRITES = 480
_STILL_SECONDS = 150.0
_SETTLE_SECONDS = 120.0


@dataclass
class Outcome:
    """What came of a seed."""

    seed: int
    faults: list[Fault]
    broken: list[str] = field(default_factory=list)
    seconds: float = 0.0
    # Faults that began before the cohort had ended.
    begun: int = 0
    writes: int = 0

    @property
    def held(self) -> bool:
        """Everything that must hold did."""
        return not self.broken

    def __str__(self) -> str:
        word = "held" if self.held else "BROKEN"
        told = "; ".join(map(str, self.faults))
        lines = [
            f"seed {self.seed}: {word}, {self.seconds:.0f} s, "
            f"{self.writes} writes, "
            f"{self.begun} of {len(self.faults)} faults: {told}"
        ]
        return "\n".join([*lines, *(f"    {broken}" for broken in self.broken)])


async def run(seed: int, folder: Path) -> Outcome:
    """Everything of it stays in the folder."""
    outcome, started = Outcome(seed, faults(seed)), time.monotonic()
    try:
        async with shaken(Home(folder)) as platform:
            await _carried_through(platform, outcome)
    except Exception as error:
        outcome.broken.append(f"{type(error).__name__}: {error}"[:2_000])
    outcome.seconds = time.monotonic() - started
    return outcome


async def _carried_through(platform: Shaken, outcome: Outcome) -> None:
    system, cohort_id = platform.system, f"seed-{outcome.seed}"
    stage = Stage(system.addresses(), system.fleet.issuer, cohort_id)
    spec = small.spec(cohort_id, _regions())
    conductor = Conductor(stage, small.definition(), spec, str(outcome.seed), small.HASTE)
    disturbing = asyncio.create_task(_disturb(platform, outcome, stage.writes.acknowledged.total))
    try:
        cohort = await _while_it_moves(conductor, stage)
        outcome.writes = stage.writes.acknowledged.total()
        # What has begun goes on to its end; what would begin now has nothing to disturb.
        await disturbing if outcome.begun == len(outcome.faults) else disturbing.cancel()
        await asyncio.gather(disturbing, return_exceptions=True)
        outcome.broken += await _broken(platform, cohort, stage)
    finally:
        disturbing.cancel()
        await asyncio.gather(disturbing, return_exceptions=True)
        await stage.close()


async def _while_it_moves(conductor: Conductor, stage: Stage) -> cohort_pb2.Cohort:
    """The cohort as it ended; where nobody has got anything done for longer than any fault lasts, it never will."""
    running = asyncio.create_task(conductor.run(lambda _: None))
    done, moved = -1, time.monotonic()
    try:
        while not (await asyncio.wait({running}, timeout=1))[0]:
            if stage.writes.acknowledged.total() != done:
                done, moved = stage.writes.acknowledged.total(), time.monotonic()
            elif time.monotonic() - moved > _STILL_SECONDS:
                raise AssertionError(f"the cohort stands still after {done} writes")
        return running.result()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def _disturb(platform: Shaken, outcome: Outcome, acknowledged: Callable[[], int]) -> None:
    """Each fault at its moment, side by side with those that last."""
    async with asyncio.TaskGroup() as lasting:
        for number, fault in enumerate(outcome.faults):
            await eventually(partial(_reached, acknowledged, fault.after), timeout=3_600)
            outcome.begun += 1
            dice = random.Random(f"{outcome.seed} {number}")
            lasting.create_task(platform.undergo(fault, dice))


def _reached(acknowledged: Callable[[], int], share: float) -> bool:
    return acknowledged() >= share * _WRITES


async def _broken(platform: Shaken, cohort: cohort_pb2.Cohort, stage: Stage) -> list[str]:
    system = platform.system
    folder = mails_folder(system.platform.servers["mailbox"].data_dir)
    last: list[str] = []

    async def all_hold() -> bool:
        findings = await invariants.check(system.servers(), folder, cohort, stage.writes)
        last[:] = [f"{finding.what}: {finding.found}" for finding in findings if not finding.holds]
        return not last

    try:
        await eventually(all_hold, timeout=_SETTLE_SECONDS, ignoring=(Exception,))
    except AssertionError as error:
        last = last or [str(error)]
    if cohort.state != cohort_pb2.COHORT_STATE_COMPLETED or cohort.failed:
        refused = ", ".join(f"{count} {reason}" for reason, count in stage.refused.items())
        last.append(f"the cohort ended {cohort.state} with {cohort.failed} failed; refused: {refused or 'nothing'}")
    return last


def _regions() -> list[str]:
    """The role model among them."""
    others = [code for code, region in official_regions().items() if region.kind != "provinsi"]
    return [*small.REGIONS, *[code for code in others if code not in small.REGIONS][: COHORT - len(small.REGIONS)]]
