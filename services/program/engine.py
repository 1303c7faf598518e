"""Temporal as this service uses it: workflows started once by their id, signals to them, and nothing more."""

from collections.abc import Awaitable
from datetime import timedelta
from typing import Any

from livinglab.program.v1 import workflow_pb2 as pb
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.contrib.opentelemetry import TracingInterceptor
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from chassis.errors import unavailable
from services.program import (
    bridge_exit,  # noqa: F401  for what it does at exit
    model,
)
from services.program.course import Course

_NO_ANSWER = (RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.RESOURCE_EXHAUSTED)


async def connect(address: str, namespace: str) -> Client:
    """A client whose calls carry the trace; RuntimeError while the server is not there."""
    return await Client.connect(address, namespace=namespace, interceptors=[TracingInterceptor()])


class Engine:
    """Every start is idempotent by the workflow's id, for good: a workflow that has ended is not started again."""

    def __init__(
        self, client: Client, task_queue: str = model.TASK_QUEUE, task_timeout: timedelta | None = None
    ) -> None:
        self._client = client
        self._task_queue = task_queue
        self._task_timeout = task_timeout

    async def start_program(self, course: Course) -> None:
        """Starts the cohort's workflow, unless it runs or has run."""
        await self._start("ProgramWorkflow", model.workflow_id(course.cohort_id), course.program_input())

    async def start_participant(self, course: Course, institution: str) -> None:
        """Starts a participant's workflow, unless it runs or has run."""
        start = course.participant_input(institution)
        await self._start("ParticipantWorkflow", model.workflow_id(course.cohort_id, institution), start)

    async def cancel(self, course: Course, cancellation: pb.Cancellation) -> None:
        """Cancels the cohort, also one whose workflow has not started yet."""
        name = model.workflow_id(course.cohort_id)
        await self._start("ProgramWorkflow", name, course.program_input(), "cancelled", cancellation)

    async def withdraw(self, course: Course, institution: str, withdrawal: pb.Withdrawal) -> None:
        """Takes a participant out, also one whose workflow has not started yet."""
        name = model.workflow_id(course.cohort_id, institution)
        start = course.participant_input(institution)
        await self._start("ParticipantWorkflow", name, start, "withdrawn", withdrawal)

    async def signal(self, cohort_id: str, institution: str, signal: str, news: Any) -> bool:
        """Tells a participant's workflow something; False when there is none that runs."""
        handle = self._client.get_workflow_handle(model.workflow_id(cohort_id, institution))
        try:
            await _answered(handle.signal(signal, news))
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return False
            raise
        return True

    async def _start(self, kind: str, name: str, start: Any, signal: str | None = None, news: Any = None) -> None:
        try:
            await _answered(
                self._client.start_workflow(
                    kind,
                    start,
                    id=name,
                    task_queue=self._task_queue,
                    task_timeout=self._task_timeout,
                    id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                    id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                    start_signal=signal,
                    start_signal_args=[news] if signal else [],
                )
            )
        except WorkflowAlreadyStartedError:
            # It has run to its end.
            return


async def _answered(call: Awaitable[Any]) -> None:
    """UNAVAILABLE where Temporal does not answer; what it does answer passes."""
    try:
        await call
    except RPCError as error:
        if error.status in _NO_ANSWER:
            raise unavailable("Temporal") from error
        raise
