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

from livinglab.program.v1 import definition_pb2, workflow_pb2
from temporalio.client import WorkflowHistory

from tests.harness.cohort import (
    ALL_DUTIES,
    RunningCohort,
    Script,
    codes,
    everything,
    living_lab,
    running_cohort,
    time_skipping,
)

HISTORIES = Path(__file__).with_name("histories")
# Told apart by the contract of the workflows, not by our releases.
VERSION = "v1"
Act = Callable[[RunningCohort], Coroutine[Any, Any, None]]


def lacking(institution: str, duty: str) -> Script:
    """Everybody does everything but one."""

    def does(code: str, phase: str) -> Iterable[str]:
        return [d for d in ALL_DUTIES[phase] if (code, d) != (institution, duty)]

    return does


async def nothing(_: RunningCohort) -> None:
    """Nobody steers."""


async def someone_withdraws(cohort: RunningCohort) -> None:
    """After the governance meeting."""
    reason = workflow_pb2.Withdrawal(reason="no budget", actor="manager")
    await cohort.played.engine.withdraw(cohort.played.course, cohort.played.institutions[0], reason)


async def everything_is_cancelled(cohort: RunningCohort) -> None:
    """By the manager."""
    cancellation = workflow_pb2.Cancellation(reason="an election", actor="manager")
    await cohort.played.engine.cancel(cohort.played.course, cancellation)


def stopping() -> definition_pb2.Definition:
    """The living lab with a governance meeting that stops the cohort."""
    definition = living_lab()
    definition.phases[0].gate.on_miss = definition_pb2.ON_MISS_STOP
    return definition


# Name, participants, definition, script, days before somebody steers, how.
SCENES: list[tuple[str, int, definition_pb2.Definition, Script, int, Act]] = [
    ("all-graduate", 3, living_lab(), everything, 0, nothing),
    ("one-misses-a-duty", 5, living_lab(), lacking(codes(5)[1], "plan-approved"), 0, nothing),
    ("quorum-missed-twice", 3, living_lab(), lacking(codes(3)[0], "commitment-signed"), 0, nothing),
    ("stopped", 3, stopping(), lacking(codes(3)[0], "governance-attended"), 0, nothing),
    ("one-withdraws", 3, living_lab(), lacking(codes(3)[0], "plan-approved"), 12, someone_withdraws),
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
                await act(cohort)
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
    asyncio.run(record(Path(sys.argv[1]) if len(sys.argv) > 1 else HISTORIES))
