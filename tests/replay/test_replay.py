"""Histories of every released version replay, and a change of order does not go unnoticed."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from livinglab.program.v1 import workflow_pb2 as pb
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from chassis.temporal import payloads
from services.program.model import letter_steps
from services.program.model.agenda import Step
from services.program.workflows.cohort import ProgramWorkflow
from services.program.workflows.participant import ParticipantWorkflow
from services.program.workflows.registered import WORKFLOWS

HISTORIES = sorted(Path(__file__).with_name("histories").glob("*.json"))


def recorded(path: Path) -> WorkflowHistory:
    """A history from its file."""
    kept = json.loads(path.read_text())
    return WorkflowHistory.from_json(kept["workflowId"], {"events": kept["events"]})


def replayer(*workflows: type) -> Replayer:
    """Reads histories as the worker does."""
    return Replayer(workflows=workflows, data_converter=payloads.CONVERTER)


def test_there_are_histories_of_every_way_a_cohort_ends() -> None:
    names = {path.stem.split("-", 1)[1].rsplit("-", 2)[0] for path in HISTORIES}
    assert {"all-graduate", "one-misses-a-duty", "stopped", "one-withdraws", "cancelled"} <= names


def test_there_are_histories_of_every_way_it_is_steered() -> None:
    names = {path.stem.split("-", 1)[1].rsplit("-", 2)[0] for path in HISTORIES}
    assert {"paused-and-resumed", "held-and-overridden", "reopened", "rescheduled", "enrolled", "split"} <= names
    assert {"conditional", "parallel"} <= names


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
async def test_a_recorded_history_replays(path: Path) -> None:
    await replayer(*WORKFLOWS).replay_workflow(recorded(path))


@workflow.defn(name="ProgramWorkflow", sandboxed=False)
class SleepsBeforeItStarts(ProgramWorkflow):
    """The same workflow, with a timer where there was none."""

    @workflow.init
    def __init__(self, start: pb.ProgramInput) -> None:
        super().__init__(start)

    @workflow.run
    async def run(self, start: pb.ProgramInput) -> pb.ProgramResult:
        """As before, a minute later."""
        await workflow.sleep(timedelta(minutes=1))
        return await super().run(start)


@workflow.defn(name="ParticipantWorkflow", sandboxed=False)
class WritesOnceMore(ParticipantWorkflow):
    """The same workflow, with an activity where there was none."""

    @workflow.init
    def __init__(self, start: pb.ParticipantInput) -> None:
        super().__init__(start)

    @workflow.run
    async def run(self, start: pb.ParticipantInput) -> pb.ParticipantResult:
        """As before."""
        return await super().run(start)

    async def _prepare(self, open_phase: pb.OpenPhase) -> None:
        await self._calls.write(letter_steps.invitation(open_phase.opening, []), open_phase.opening)
        await super()._prepare(open_phase)


@workflow.defn(name="ProgramWorkflow", sandboxed=False)
class AnswersBeforeItRecords(ProgramWorkflow):
    """The same workflow, whose story does not wait until a command is recorded."""

    @workflow.init
    def __init__(self, start: pb.ProgramInput) -> None:
        super().__init__(start)

    @workflow.run
    async def run(self, start: pb.ProgramInput) -> pb.ProgramResult:
        """As before."""
        return await super().run(start)

    def _next_step(self) -> Step | None:
        return self._cohort.next_step(workflow.now())

    async def _rest(self) -> None:
        await self._wait(lambda: self._next_step() is not None, timedelta(days=1))


@pytest.mark.parametrize(
    ("kind", "changed"),
    [
        ("program-0", SleepsBeforeItStarts),
        ("participant-0", WritesOnceMore),
        ("enrolled-program-0", AnswersBeforeItRecords),
    ],
)
async def test_a_change_of_order_makes_the_replay_fail(kind: str, changed: type) -> None:
    path = next(path for path in HISTORIES if path.stem.endswith(kind))
    with pytest.raises(NondeterminismError):
        await replayer(changed).replay_workflow(recorded(path))
