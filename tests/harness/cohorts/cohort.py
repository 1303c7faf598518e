"""A cohort on a Temporal server with everything else played: its services, its read model and its people."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from livinglab.program.v1 import cohort_pb2, command_pb2, definition_pb2
from livinglab.program.v1 import workflow_pb2 as pb
from temporalio import activity
from temporalio.client import Client, WorkflowHandle, WorkflowHistory
from temporalio.exceptions import ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from programs import clock, names
from programs.files.definition import PROGRAMS, load_definition
from services.program.activities.fan_out import in_batches
from services.program.activities.reports import Reporter
from services.program.engine.client import Engine
from services.program.model import states as model
from services.program.model.course import Course
from services.program.workflows import registered
from services.program.workflows.cohort import ProgramWorkflow
from services.program.workflows.participant import ParticipantWorkflow

ALL_DUTIES = {
    "governance": ["governance-attended"],
    "workshop": ["workshop-attended", "self-assessed", "plan-approved"],
    "summit": ["commitment-signed", "summit-attended"],
    "follow-up": ["followed-up", "reassessed"],
}
# The time-skipping server gives out a workflow task again after this time by the real clock, should it refuse one.
TASK_TIMEOUT = timedelta(seconds=1)


def living_lab() -> definition_pb2.Definition:
    """The definition of the real story."""
    definition, faults = load_definition(PROGRAMS / "living-lab-2022.yaml")
    assert not faults
    return definition


def codes(count: int) -> list[str]:
    """Codes of so many institutions."""
    return [f"{10 + i // 100}.{i % 100:02d}" for i in range(count)]


Script = Callable[[str, str], Iterable[str]]


def everything(_institution: str, phase: str) -> Iterable[str]:
    """Everybody does every duty of a phase as soon as they are invited."""
    return ALL_DUTIES[phase]


@dataclass
class Played:
    """Stands for the services, the read model and the people: `does` tells which duties an invited institution does
    at once. Activities have the names of the real ones."""

    engine: Engine
    course: Course
    institutions: list[str]
    does: Script = everything
    # Activity, or activity and institution, that is refused for good.
    refused: set[str] = field(default_factory=set)
    ledger: dict[str, list[str]] = field(default_factory=dict)
    letters: list[pb.LetterStep] = field(default_factory=list)
    outcomes: dict[str, pb.OutcomeStep] = field(default_factory=dict)
    phases: list[tuple[str, cohort_pb2.PhaseState.ValueType, bool]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    completed: list[pb.CompletionStep] = field(default_factory=list)
    commands: list[pb.CommandStep] = field(default_factory=list)
    sessions: list[pb.SessionStep] = field(default_factory=list)
    # Phase with a condition to the institutions for which it holds.
    addressed: dict[str, list[str]] = field(default_factory=dict)
    # Awaited before an activity of that name answers.
    hold: dict[str, asyncio.Event] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.reporter = Reporter(self.engine)

    @activity.defn
    async def start_participants(self, step: pb.RosterStep) -> pb.Reached:
        await self._called("start_participants")
        again = step.readmissions
        for code in step.only:
            if again.get(code):
                self.outcomes.pop(code, None)
            elif code not in self.institutions:
                self.institutions.append(code)

        async def start(code: str) -> None:
            duties = self.ledger.get(code, ()) if step.openings else ()
            await self.engine.start_participant(
                self.course.participant_input(code, step.openings, duties), again.get(code, 0)
            )

        await self._each([code for code in self._named(step.only) if code not in self.outcomes], start)
        return self._reached(step.only)

    @activity.defn
    async def announce(self, announcement: pb.Announcement) -> pb.Reached:
        await self._called("announce")
        kind = announcement.WhichOneof("news") or ""

        async def tell(code: str) -> None:
            news = getattr(announcement, kind)
            if kind == "opening":
                news = pb.PhaseOpening(duties=self.ledger.get(code, ()))
                news.MergeFrom(announcement.opening)
            heard = await self.engine.signal(self.course.cohort_id, code, model.SIGNALS[kind], news)
            if kind == "withdrawal" and not heard:
                left = pb.OutcomeStep(institution=code, outcome=model.WITHDRAWN, reason=news.reason, actor=news.actor)
                self.outcomes.setdefault(code, left)

        await self._each([code for code in self._named(announcement.only) if code not in self.outcomes], tell)
        return self._reached(announcement.only)

    @activity.defn
    async def record_command(self, step: pb.CommandStep) -> None:
        await self._called("record_command")
        self.commands.append(step)

    @activity.defn
    async def choose_addressed(self, step: pb.PhaseStep) -> pb.Addressed:
        await self._called("choose_addressed")
        addressed = self.addressed.get(step.record.phase, [])
        return pb.Addressed(institutions=[code for code in addressed if code not in self.outcomes])

    @activity.defn
    async def open_phase(self, step: pb.PhaseStep) -> None:
        await self._noted("open_phase", step)

    @activity.defn
    async def extend_phase(self, step: pb.PhaseStep) -> None:
        await self._noted("extend_phase", step)

    @activity.defn
    async def close_phase(self, step: pb.PhaseStep) -> None:
        await self._noted("close_phase", step)

    @activity.defn
    async def schedule_session(self, step: pb.SessionStep) -> None:
        await self._called("schedule_session")
        self.sessions.append(step)

    @activity.defn
    async def open_evaluation(self, step: pb.DutyStep) -> pb.DutiesDone:
        await self._called("open_evaluation", step.institution)
        return pb.DutiesDone()

    @activity.defn
    async def assign_coach(self, step: pb.DutyStep) -> None:
        await self._called("assign_coach", step.institution)

    @activity.defn
    async def read_ledger(self, step: pb.LedgerStep) -> pb.DutiesDone:
        await self._called("read_ledger", step.institution)
        return pb.DutiesDone(duties=self.ledger.get(step.institution, []))

    @activity.defn
    async def notify_people(self, step: pb.LetterStep) -> None:
        await self._called("notify_people", step.institution)
        self.letters.append(step)
        if step.template == "invitation":
            await self.fact(step.institution, *self.does(step.institution, step.phase))

    @activity.defn
    async def record_outcome(self, step: pb.OutcomeStep) -> pb.ParticipantResult:
        await self._called("record_outcome", step.institution)
        stands = self.outcomes.setdefault(step.institution, step)
        end = pb.ParticipantEnd(institution=step.institution, outcome=stands.outcome, readmissions=step.readmissions)
        await self.reporter.report(pb.Reports(cohort_id=step.cohort_id, ended=[end]))
        return pb.ParticipantResult(outcome=stands.outcome, reason=stands.reason)

    @activity.defn
    async def report(self, news: pb.Reports) -> None:
        await self._called("report")
        await self.reporter.report(news)

    @activity.defn
    async def complete_cohort(self, step: pb.CompletionStep) -> None:
        await self._called("complete_cohort")
        self.completed.append(step)

    async def fact(self, institution: str, *duties: str) -> None:
        """Facts arrive: the ledger has them, and the workflow is told if it runs."""
        known = self.ledger.setdefault(institution, [])
        known.extend(duty for duty in duties if duty not in known)
        if duties:
            news = pb.DutiesDone(duties=known)
            await self.engine.signal(self.course.cohort_id, institution, "duties_done", news)

    def states(self) -> dict[str, int]:
        """How each participant ended."""
        return {code: step.outcome for code, step in self.outcomes.items()}

    async def _each(self, institutions: list[str], work: Callable[[str], Awaitable[None]]) -> None:
        async def each(batch: Sequence[str]) -> None:
            await asyncio.gather(*(work(code) for code in batch))

        await in_batches(sorted(institutions), each)

    def _named(self, only: Iterable[str]) -> list[str]:
        named = set(only)
        return [code for code in self.institutions if not named or code in named]

    def _reached(self, only: Iterable[str]) -> pb.Reached:
        named = self._named(only)
        return pb.Reached(ended={code: step.outcome for code, step in self.outcomes.items() if code in named})

    async def _noted(self, name: str, step: pb.PhaseStep) -> None:
        await self._called(name)
        self.phases.append((step.record.phase, step.record.state, step.record.extended))

    async def _called(self, name: str, institution: str = "") -> None:
        self.calls.append(name)
        if name in self.hold:
            await self.hold[name].wait()
        if {name, f"{name} {institution}"} & self.refused:
            raise ApplicationError(f"{name} is refused", type="FAILED_PRECONDITION", non_retryable=True)


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
