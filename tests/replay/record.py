"""Records the histories that later versions must replay: `python -m tests.replay.record`, on the time-skipping server.

A change of the workflows that is released comes with a patch and new histories beside the old ones.
"""

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine, Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

from livinglab.program.v1 import cohort_pb2, command_pb2, definition_pb2
from temporalio.client import WorkflowHistory
from temporalio.testing import WorkflowEnvironment

from chassis.temporal import bridge_exit
from programs import phases
from tests.harness.cohorts.cohort import (
    ALL_DUTIES,
    RunningCohort,
    Script,
    codes,
    everything,
    living_lab,
    running_cohort,
)
from tests.harness.skipping import time_skipping

HISTORIES = Path(__file__).with_name("histories")
# Told apart by the contract of the workflows, not by our releases.
VERSION = "v1"
Act = Callable[[RunningCohort, WorkflowEnvironment], Coroutine[Any, Any, None]]


def lacking(institution: str, duty: str) -> Script:
    """Everybody does everything but one."""

    def does(code: str, phase: str) -> Iterable[str]:
        return [d for d in ALL_DUTIES[phase] if (code, d) != (institution, duty)]

    return does


async def nothing(_: RunningCohort, __: WorkflowEnvironment) -> None:
    """Nobody steers."""


async def someone_withdraws(cohort: RunningCohort, env: WorkflowEnvironment) -> None:
    """After the governance meeting."""
    await cohort.withdraw(cohort.played.institutions[0])


async def everything_is_cancelled(cohort: RunningCohort, env: WorkflowEnvironment) -> None:
    """By the manager."""
    await cohort.cancel()


def stopping() -> definition_pb2.Definition:
    """The living lab with a governance meeting that stops the cohort."""
    definition = living_lab()
    definition.phases[0].gate.on_miss = definition_pb2.ON_MISS_STOP
    return definition


async def paused_and_resumed(cohort: RunningCohort, env: WorkflowEnvironment) -> None:
    """A day later."""
    await cohort.steer("pause", pause=command_pb2.PauseOrder())
    await env.sleep(timedelta(days=1))
    await cohort.steer("resume", resume=command_pb2.ResumeOrder())


async def overridden(cohort: RunningCohort, env: WorkflowEnvironment) -> None:
    """Who lacks a duty of the workshop, which is held, is excused."""
    order = command_pb2.OverrideOrder(phase="workshop", action=cohort_pb2.GATE_ACTION_EXCUSE)
    await cohort.steer("excuse", override=order)


async def reopened(cohort: RunningCohort, env: WorkflowEnvironment) -> None:
    """The workshop has closed; who failed at it is in again and does what was missing."""
    failed = list(cohort.played.outcomes)
    order = command_pb2.ReopenOrder(phase="workshop", days=5, readmit=True, institutions=failed)
    await cohort.steer("reopen", reopen=order)
    cohort.played.does = everything
    for institution in failed:
        await cohort.played.fact(institution, *ALL_DUTIES["workshop"])


async def enrolled(cohort: RunningCohort, env: WorkflowEnvironment) -> None:
    """One more."""
    participant = definition_pb2.Participant(institution="99.01")
    await cohort.steer("enrol", enrol=command_pb2.EnrolOrder(participant=participant))


async def moved(cohort: RunningCohort, env: WorkflowEnvironment) -> None:
    """The workshop, which is open, closes later."""
    order = command_pb2.RescheduleOrder(phase="workshop", deadline_days=2)
    await cohort.steer("reschedule", reschedule=order)


async def split(cohort: RunningCohort, env: WorkflowEnvironment) -> None:
    """One goes on elsewhere."""
    order = command_pb2.SplitOrder(cohort_id="second", title="Second", institutions=codes(1))
    await cohort.steer("split", split=order)


def with_gate(phase: str, on_miss: definition_pb2.OnMiss.ValueType) -> definition_pb2.Definition:
    """The living lab with another gate."""
    definition = living_lab()
    rule = phases.find_phase(definition, phase).gate
    rule.on_miss, rule.quorum_percent = on_miss, 100
    return definition


def conditional() -> definition_pb2.Definition:
    """The summit is for those whom the test names, which is nobody."""
    definition = living_lab()
    definition.phases[2].when.done = "plan-approved"
    return definition


def parallel() -> definition_pb2.Definition:
    """The workshop does not wait for the governance meeting."""
    definition = living_lab()
    definition.phases[1].after.append("start")
    return definition


LACKS_PLAN = lacking(codes(3)[0], "plan-approved")
HOLD, GO_ON = definition_pb2.ON_MISS_HOLD, definition_pb2.ON_MISS_GO_ON
# Name, participants, definition, script, days before somebody steers, how.
SCENES: list[tuple[str, int, definition_pb2.Definition, Script, int, Act]] = [
    ("all-graduate", 3, living_lab(), everything, 0, nothing),
    ("one-misses-a-duty", 5, living_lab(), lacking(codes(5)[1], "plan-approved"), 0, nothing),
    ("quorum-missed-twice", 3, living_lab(), lacking(codes(3)[0], "commitment-signed"), 0, nothing),
    ("stopped", 3, stopping(), lacking(codes(3)[0], "governance-attended"), 0, nothing),
    ("one-withdraws", 3, living_lab(), lacking(codes(3)[0], "plan-approved"), 12, someone_withdraws),
    ("paused-and-resumed", 3, living_lab(), LACKS_PLAN, 12, paused_and_resumed),
    ("held-and-overridden", 3, with_gate("workshop", HOLD), LACKS_PLAN, 25, overridden),
    ("reopened", 3, with_gate("workshop", GO_ON), LACKS_PLAN, 21, reopened),
    ("enrolled", 3, living_lab(), LACKS_PLAN, 12, enrolled),
    ("rescheduled", 3, living_lab(), LACKS_PLAN, 12, moved),
    ("split", 3, living_lab(), LACKS_PLAN, 12, split),
    ("conditional", 3, conditional(), everything, 0, nothing),
    ("parallel", 3, parallel(), everything, 0, nothing),
    ("cancelled", 3, living_lab(), lacking(codes(3)[1], "plan-approved"), 12, everything_is_cancelled),
]


async def record(folder: Path) -> None:
    """One file for each workflow of each scene."""
    for name, count, definition, does, days, act in SCENES:
        async with await time_skipping() as env:
            start = await env.get_current_time()
            async with running_cohort(env.client, start, codes(count), does=does, definition=definition) as cohort:
                if days:
                    await env.sleep(timedelta(days=days))
                await act(cohort, env)
                await cohort.result()
                for run, history in enumerate(await cohort.histories()):
                    write(folder / f"{VERSION}-{name}-program-{run}.json", history)
                for number, code in enumerate(codes(count)[:2]):
                    participant = cohort.participant(code)
                    await participant.result()
                    write(folder / f"{VERSION}-{name}-participant-{number}.json", await participant.fetch_history())


def write(path: Path, history: WorkflowHistory) -> None:
    """A line an event, so that a change can be read. What tells of the machine it was made on stays out."""
    events = history.to_json_dict()["events"]
    for event in events:
        for attributes in event.values():
            if isinstance(attributes, dict):
                attributes.pop("identity", None)
                attributes.pop("binaryChecksum", None)
    lines = ",\n".join(json.dumps(event, separators=(",", ":")) for event in events)
    path.write_text(f'{{"workflowId":{json.dumps(history.workflow_id)},"events":[\n{lines}\n]}}\n')


if __name__ == "__main__":
    HISTORIES.mkdir(exist_ok=True)
    bridge_exit.wait_at_exit()
    asyncio.run(record(Path(sys.argv[1]) if len(sys.argv) > 1 else HISTORIES))
