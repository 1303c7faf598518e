"""The bare engine: a workflow per participant with the same two activities as ours, and nothing else around them."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from livinglab.assessment.v1 import service_pb2 as assessment
from livinglab.notify.v1 import service_pb2 as notify
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy

TASK_QUEUE = "bare"
# The signal that stands beside a fact of ours.
FACT = "heard"
# What our participants do when their first phase opens.
_ACTIVITIES = ("invite", "open_evaluation")
_AT_ONCE = 20
_SHORT = timedelta(seconds=60)


@workflow.defn
class BareParticipant:
    """Its activities side by side; then it keeps what it hears until it is told to end."""

    def __init__(self) -> None:
        self._over = False
        self._heard: list[str] = []

    @workflow.run
    async def run(self, cohort: str, institution: str) -> None:
        """Until the signal `over`."""
        await asyncio.gather(
            *(
                workflow.execute_activity(name, args=[cohort, institution], start_to_close_timeout=_SHORT)
                for name in _ACTIVITIES
            )
        )
        await workflow.wait_condition(lambda: self._over)

    @workflow.signal
    def heard(self, fact: str) -> None:
        """Something was done."""
        self._heard.append(fact)

    @workflow.signal
    def over(self) -> None:
        """Ends it."""
        self._over = True

    @workflow.query
    def facts(self) -> list[str]:
        """What it has heard."""
        return self._heard


@workflow.defn
class BareProgram:
    """Starts its participants from one activity."""

    @workflow.run
    async def run(self, cohort: str, institutions: list[str]) -> None:
        """Ends when they have started."""
        await workflow.execute_activity("start_all", args=[cohort, institutions], start_to_close_timeout=_SHORT * 10)


class BareActivities:
    """The calls that ours make, to the same services, with nothing between."""

    def __init__(self, client: Client, assessment: Any, notify: Any, metadata: Any) -> None:
        """Stubs, and the token that goes with each call."""
        self._client = client
        self._assessment = assessment
        self._notify = notify
        self._metadata = metadata

    def all(self) -> list[Callable[..., Awaitable[None]]]:
        """For the worker."""
        return [self.invite, self.open_evaluation, self.start_all]

    @activity.defn
    async def open_evaluation(self, cohort: str, institution: str) -> None:
        """One call to assessment."""
        request = assessment.OpenEvaluationRequest(
            request_id=f"{cohort}:{institution}:open",
            institution=institution,
            instrument="spbe-59-2020",
            period="2022",
            cohort_id=cohort,
            rehearsal=cohort,
        )
        await self._assessment.OpenEvaluation(request, metadata=self._metadata, timeout=30)

    @activity.defn
    async def invite(self, cohort: str, institution: str) -> None:
        """One letter, by one call to notify."""
        person = notify.Recipient(
            name=f"Regent of {institution}",
            email=f"regent@{institution}.example",
            language="id",
            institution=institution,
        )
        values = dict.fromkeys(("name", "institution_name", "cohort_title", "phase_title"), "Launch")
        values |= dict.fromkeys(("sessions", "missing", "reason", "deadline", "days"), "")
        request = notify.SendMessagesRequest(
            request_id=f"{cohort}:{institution}:invite",
            drafts=[notify.Draft(template="invitation", recipient=person, values=values)],
            cohort_id=cohort,
            rehearsal=cohort,
        )
        await self._notify.SendMessages(request, metadata=self._metadata, timeout=30)

    @activity.defn
    async def start_all(self, cohort: str, institutions: list[str]) -> None:
        """Starts the participants, some at once."""
        slots = asyncio.Semaphore(_AT_ONCE)

        async def start(institution: str) -> None:
            async with slots:
                await self._client.start_workflow(
                    BareParticipant.run,
                    args=[cohort, institution],
                    id=f"{cohort}/{institution}",
                    task_queue=TASK_QUEUE,
                    id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                )

        await asyncio.gather(*(start(institution) for institution in institutions))
