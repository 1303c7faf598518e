"""Temporal as this service uses it: workflows started once by their id, signals to them, and nothing more."""

import asyncio
from collections.abc import Awaitable, Coroutine
from datetime import timedelta
from typing import Any, TypeVar

from livinglab.program.v1 import command_pb2
from livinglab.program.v1 import workflow_pb2 as pb
from temporalio.api.errordetails.v1 import NamespaceNotFoundFailure
from temporalio.client import Client, WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from chassis.errors import Kind, Refused, precondition, unavailable
from programs import names
from services.program.engine import search_attributes, versions
from services.program.model import identity
from services.program.model.course import Course

A = TypeVar("A")

# A command that no worker has taken up by then is answered with UNAVAILABLE; its request_id still stands.
_STEERING_TIMEOUT = timedelta(seconds=20)
_FOR_GOOD = (RPCStatusCode.INVALID_ARGUMENT, RPCStatusCode.FAILED_PRECONDITION)
# Well within the ten seconds that our clients wait. A start is idempotent: whoever is refused asks again.
_START_SECONDS = 6.0
# After that, and for that long, Temporal is asked whether it is there at all.
_AWAY_SECONDS = 3.0
# CANCELLED is what its client says where the time of a call is over.
_NO_ANSWER = (
    RPCStatusCode.UNAVAILABLE,
    RPCStatusCode.DEADLINE_EXCEEDED,
    RPCStatusCode.RESOURCE_EXHAUSTED,
    RPCStatusCode.CANCELLED,
)


class Engine:
    """Every start is idempotent by the workflow's id, for good: a workflow that has ended is not started again."""

    def __init__(
        self,
        client: Client,
        task_queue: str = names.TASK_QUEUE,
        task_timeout: timedelta | None = None,
        build_id: str = "",
    ) -> None:
        """`build_id` is the worker's own, where it is one: an activity runs on the build of its cohort."""
        self._client = client
        self._task_queue = task_queue
        self._task_timeout = task_timeout
        self._build_id = build_id

    async def start_program(self, course: Course) -> None:
        """Starts the cohort's workflow, unless it runs or has run. Its first task decides on its build. NOT_STARTED
        where Temporal refuses it for good."""
        try:
            await self._start("ProgramWorkflow", course.cohort_id, course.program_input())
        except RPCError as error:
            if error.status not in _FOR_GOOD:
                raise
            raise precondition("NOT_STARTED", f"Temporal does not take the cohort: {error.message}") from error

    async def start_participant(self, start: pb.ParticipantInput, readmissions: int = 0) -> None:
        """Starts a participant's workflow on its cohort's build, unless it runs or has run; one that is taken in again
        may have run, or be about to end: that one is told."""
        start.readmissions = readmissions
        reuse = WorkflowIDReusePolicy.ALLOW_DUPLICATE if readmissions else WorkflowIDReusePolicy.REJECT_DUPLICATE
        signal = ("taken_in", start) if readmissions else None
        phase = start.state.open[0].opening.phase.id if start.state.open else ""
        how: dict[str, Any] = {"signal": signal, "build_id": self._build_id, "reuse": reuse, "phase": phase}
        await self._start("ParticipantWorkflow", start.cohort_id, start, start.institution, **how)

    async def signal(self, cohort_id: str, institution: str, signal: str, news: Any) -> bool:
        """Tells a participant's workflow something; False when there is none that runs."""
        handle = self._client.get_workflow_handle(names.workflow_id(cohort_id, institution))
        try:
            await _in_time(handle.signal(signal, news), _START_SECONDS)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                _require_namespace(error)
                return False
            raise
        return True

    async def progress(self, cohort_id: str) -> pb.ProgramState:
        """A cohort as its workflow sees it now. COHORT_ENDED where it runs no more; UNAVAILABLE where no worker
        answers."""
        handle = self._client.get_workflow_handle(names.workflow_id(cohort_id))
        try:
            patience = timedelta(seconds=_START_SECONDS)
            query = handle.query("progress", result_type=pb.ProgramState, rpc_timeout=patience)
            return await self._while_there(query)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                _require_namespace(error)
                raise precondition("COHORT_ENDED", f"cohort {cohort_id} has ended already") from error
            if error.status is RPCStatusCode.FAILED_PRECONDITION:
                # Temporal itself answers like this where it has seen no worker of that queue lately.
                raise unavailable("the cohort's worker") from error
            raise

    async def steer(self, cohort_id: str, command: command_pb2.Command) -> command_pb2.CommandAnswer:
        """Has a cohort carry out a command. A repeat has the first answer. FAILED_PRECONDITION and
        the like as the cohort says; UNAVAILABLE where no worker takes it up in time: it may come to count later."""
        handle = self._client.get_workflow_handle(names.workflow_id(cohort_id))
        try:
            return await self._while_there(
                handle.execute_update(
                    "steer",
                    command,
                    id=identity.key(command),
                    result_type=command_pb2.CommandAnswer,
                    rpc_timeout=_STEERING_TIMEOUT,
                )
            )
        except WorkflowUpdateFailedError as error:
            raise _refusal(error) from error
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                _require_namespace(error)
                raise precondition("COHORT_ENDED", f"cohort {cohort_id} has ended already") from error
            raise

    async def _start(
        self,
        kind: str,
        cohort_id: str,
        start: Any,
        institution: str = "",
        *,
        signal: tuple[str, Any] | None = None,
        build_id: str = "",
        phase: str = "",
        reuse: WorkflowIDReusePolicy = WorkflowIDReusePolicy.REJECT_DUPLICATE,
    ) -> None:
        try:
            # Not eagerly: that would pass over the choice of the build.
            await _in_time(
                self._client.start_workflow(
                    kind,
                    start,
                    id=names.workflow_id(cohort_id, institution),
                    task_queue=self._task_queue,
                    task_timeout=self._task_timeout,
                    id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                    id_reuse_policy=reuse,
                    search_attributes=search_attributes.at_start(cohort_id, institution, phase),
                    versioning_override=versions.pinned(build_id),
                    start_signal=signal[0] if signal else None,
                    start_signal_args=signal[1:] if signal else [],
                ),
                _START_SECONDS,
            )
        except WorkflowAlreadyStartedError:
            # It has run to its end.
            return

    async def _while_there(self, call: Coroutine[Any, Any, A]) -> A:
        """As `_in_time`, for what a worker answers in its own time: UNAVAILABLE soon where Temporal itself is away."""
        task = asyncio.create_task(call)
        try:
            done, _ = await asyncio.wait({task}, timeout=_AWAY_SECONDS)
            if not done and not await self._is_there():
                raise unavailable("Temporal")
            return await _in_time(task)
        finally:
            task.cancel()

    async def _is_there(self) -> bool:
        try:
            return await self._client.service_client.check_health(timeout=timedelta(seconds=_AWAY_SECONDS))
        except RPCError:
            return False


async def _in_time(call: Awaitable[A], seconds: float | None = None) -> A:
    """UNAVAILABLE where Temporal, or the worker behind it, does not answer; `seconds` where that is to be told sooner
    than Temporal's client gives up, which is later than our callers wait."""
    try:
        async with asyncio.timeout(seconds):
            return await call
    except (WorkflowUpdateRPCTimeoutOrCancelledError, TimeoutError) as error:
        raise unavailable("the cohort's workflow" if seconds is None else "Temporal") from error
    except RPCError as error:
        if error.status in _NO_ANSWER:
            raise unavailable("Temporal") from error
        raise


def _require_namespace(error: RPCError) -> None:
    """UNAVAILABLE where a server does not know our namespace, as one that has just started may not: that says nothing
    of a workflow."""
    if any(detail.Is(NamespaceNotFoundFailure.DESCRIPTOR) for detail in error.grpc_status.details):
        raise unavailable("Temporal's namespace") from error


def _refusal(error: WorkflowUpdateFailedError) -> Refused:
    """What the workflow refused with: its type is a kind, its first detail the reason."""
    cause = error.cause
    if isinstance(cause, ApplicationError) and (kind := Kind.__members__.get(cause.type or "")):
        return Refused(kind, str(cause.details[0]) if cause.details else kind.value, cause.message)
    return precondition("COHORT_ENDED", f"the cohort does not take it any more: {cause}")
