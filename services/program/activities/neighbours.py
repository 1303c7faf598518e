"""Calls to other services. Each service has its own limit of calls at once, so one that hangs does not hold up the
others."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import grpc
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from chassis import telemetry
from chassis.errors import Kind, Refused
from chassis.status import from_rpc_error
from services.program.activities.refusals import PERMANENT, REFUSALS, note_problem
from services.program.model.course import Course
from services.program.store.cohorts import Store

Q = TypeVar("Q")
A = TypeVar("A")

# So many calls to one service at once: a part of what a worker does at once, so that all of them may hang.
_UNDER_WAY = 50
# Who has waited this long for a turn leaves its place in the worker to others, and comes again as after any failure.
_PATIENCE_SECONDS = 1.0


class Neighbour:
    """One service."""

    def __init__(self, name: str, store: Store) -> None:
        self._name = name
        self._store = store
        self._turns = asyncio.Semaphore(_UNDER_WAY)

    async def ask(
        self, method: Callable[[Q], Awaitable[A]], request: Q, what: str, course: Course, institution: str = ""
    ) -> A:
        """The answer. What is refused for good is noted where a manager sees it, and not tried again."""
        async with self.heeded(what, course, institution), self._turn():
            return await method(request)

    @asynccontextmanager
    async def heeded(self, what: str, course: Course, institution: str = "") -> AsyncIterator[None]:
        """Turns a refusal within the block into the activity's failure, as above."""
        try:
            yield
        except grpc.RpcError as error:
            refused = from_rpc_error(error)
        except Refused as error:
            refused = error
        else:
            return
        final = refused.kind in PERMANENT
        REFUSALS.labels(activity.info().activity_type, refused.kind.value, str(final).lower()).inc()
        if final:
            telemetry.log.info("refused for good", cohort=course.cohort_id, what=what, reason=refused.reason)
            await note_problem(self._store, course.cohort_id, institution, f"{what}: {refused}")
        # What a person caused is no trouble of the worker: the manager reads it, the log need not shout it.
        category = ApplicationErrorCategory.BENIGN if final else ApplicationErrorCategory.UNSPECIFIED
        raise ApplicationError(str(refused), type=refused.kind.value, non_retryable=final, category=category)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._turns.acquire()
        except TimeoutError:
            message = f"{self._name} has enough to answer"
            raise ApplicationError(message, type=Kind.RESOURCE_EXHAUSTED.value) from None
        try:
            yield
        finally:
            self._turns.release()
