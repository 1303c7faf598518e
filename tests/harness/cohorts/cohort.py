"""A cohort on a Temporal server with everything else played: its services, its read model and its people."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from livinglab.program.v1 import command_pb2, definition_pb2
from livinglab.program.v1 import workflow_pb2 as pb
from temporalio.client import Client, WorkflowHandle, WorkflowHistory
from temporalio.worker import UnsandboxedWorkflowRunner, Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from programs import clock, names
from services.program.engine.client import Engine
from services.program.model.course import Course
from services.program.workflows import registered
from services.program.workflows.cohort import ProgramWorkflow
from services.program.workflows.participant import ParticipantWorkflow
from tests.harness.cohorts.played import ALL_DUTIES as ALL_DUTIES
from tests.harness.cohorts.played import Played as Played
from tests.harness.cohorts.played import Script as Script
from tests.harness.cohorts.played import codes as codes
from tests.harness.cohorts.played import everything as everything
from tests.harness.cohorts.played import living_lab as living_lab

# The time-skipping server gives out a workflow task again after this time by the real clock, should it refuse one.
TASK_TIMEOUT = timedelta(seconds=1)


@dataclass
class RunningCohort:
    """A cohort that was started."""

    client: Client
    played: Played
    handle: WorkflowHandle[ProgramWorkflow, pb.ProgramResult]

    def participant(self, institution: str) -> WorkflowHandle[ParticipantWorkflow, pb.ParticipantResult]:
        """The workflow of a participant."""
        name = names.workflow_id(self.played.course.cohort_id, institution)
        return self.client.get_workflow_handle_for(ParticipantWorkflow.run, name)

    async def steer(
        self, request_id: str, actor: str = "m1", reason: str = "an election", **order: Any
    ) -> command_pb2.CommandAnswer:
        """Has it carry out an order: one of the fields of Command."""
        command = command_pb2.Command(request_id=request_id, actor=actor, reason=reason, **order)
        return await self.played.engine.steer(self.played.course.cohort_id, command)

    async def withdraw(self, institution: str, reason: str = "no budget", actor: str = "m1") -> None:
        """A manager takes a participant out."""
        order = command_pb2.WithdrawOrder(institution=institution)
        await self.steer(f"withdraw-{institution}", actor, reason, withdraw=order)

    async def cancel(self, reason: str = "an election", actor: str = "m1") -> None:
        """A manager ends it before its time."""
        await self.steer("cancel", actor, reason, cancel=command_pb2.CancelOrder())

    async def progress(self) -> pb.ProgramState:
        """What the cohort's workflow answers now."""
        return await self.handle.query(ProgramWorkflow.progress)

    async def histories(self) -> list[WorkflowHistory]:
        """The history of each run of the cohort's workflow, oldest first."""
        found: list[WorkflowHistory] = []
        run_id = self.handle.first_execution_run_id
        while run_id:
            history = await self.client.get_workflow_handle(self.handle.id, run_id=run_id).fetch_history()
            found.append(history)
            run_id = history.events[-1].workflow_execution_continued_as_new_event_attributes.new_execution_run_id
        return found

    async def result(self) -> pb.ProgramResult:
        """How it ended."""
        return await self.handle.result()


@asynccontextmanager
async def running_cohort(
    client: Client,
    now: datetime,
    institutions: list[str],
    *,
    does: Script = everything,
    definition: definition_pb2.Definition | None = None,
    seconds_per_day: str = clock.REAL_DAY,
    refused: Iterable[str] = (),
    workflows: list[type] | None = None,
    cohort_id: str = "cohort",
    sandboxed: bool = True,
    task_timeout: timedelta = TASK_TIMEOUT,
    split_from: Course | None = None,
    start_state: pb.ProgramState | None = None,
    play: type[Played] = Played,
    crowd: bool = False,
) -> AsyncIterator[RunningCohort]:
    """A cohort that starts now, or goes on from where it was split off, with its worker, until the block ends."""
    definition = definition or living_lab()
    spec = definition_pb2.CohortSpec(id=cohort_id, rehearsal=True, seconds_per_day=seconds_per_day)
    cohort_clock = split_from.clock if split_from else clock.cohort_clock(definition, spec, now.astimezone(UTC))
    begins = start_state.SerializeToString() if start_state else b""
    course = Course(cohort_id, "Cohort", True, definition, cohort_clock, len(institutions), start_state=begins)
    engine = Engine(client, cohort_id, task_timeout)
    played = play(engine, course, institutions, does=does, refused=set(refused))
    worker = Worker(
        client,
        task_queue=cohort_id,
        workflows=workflows or registered.WORKFLOWS,
        activities=registered.bound(registered.OF_COHORTS, played),
        max_concurrent_activities=100,
        max_cached_workflows=len(institutions) + 100 if crowd else 1_000,
        # As many at once as in the worker, and no watch on how long each takes, with thousands of them.
        max_concurrent_workflow_tasks=50 if crowd else None,
        debug_mode=crowd,
        workflow_runner=SandboxedWorkflowRunner() if sandboxed else UnsandboxedWorkflowRunner(),
    )
    async with worker:
        # Not by the engine: the time-skipping client only skips for a handle that it has made.
        handle = await client.start_workflow(
            ProgramWorkflow.run,
            course.program_input(),
            id=names.workflow_id(cohort_id),
            task_queue=cohort_id,
            task_timeout=task_timeout,
        )
        yield RunningCohort(client, played, handle)
