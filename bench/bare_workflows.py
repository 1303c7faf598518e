"""The bare limit of a launch: a workflow per participant that does nothing, with as many activities as ours."""

import asyncio
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy

TASK_QUEUE = "bare"
# What our participants do when their first phase opens: read the ledger, invite, open the evaluation.
ACTIVITIES_EACH = 3
_AT_ONCE = 20
_SHORT = timedelta(seconds=60)


@workflow.defn
class BareParticipant:
    """Its activities side by side, then waits to be told to end."""

    def __init__(self) -> None:
        self._over = False

    @workflow.run
    async def run(self, cohort: str) -> None:
        """Until the signal `over`."""
        await asyncio.gather(
            *(
                workflow.execute_activity("nothing", cohort, start_to_close_timeout=_SHORT)
                for _ in range(ACTIVITIES_EACH)
            )
        )
        await workflow.wait_condition(lambda: self._over)

    @workflow.signal
    def over(self) -> None:
        """Ends it."""
        self._over = True


@workflow.defn
class BareProgram:
    """Starts its participants from one activity."""

    @workflow.run
    async def run(self, cohort: str, participants: int) -> None:
        """Ends when they have started."""
        await workflow.execute_activity("start_all", args=[cohort, participants], start_to_close_timeout=_SHORT * 10)


class BareActivities:
    """Counts what ran, by cohort."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.done: dict[str, int] = {}

    @activity.defn
    async def nothing(self, cohort: str) -> None:
        """The activity of a participant."""
        self.done[cohort] = self.done.get(cohort, 0) + 1

    @activity.defn
    async def start_all(self, cohort: str, participants: int) -> None:
        """Starts the participants, some at once."""
        slots = asyncio.Semaphore(_AT_ONCE)

        async def start(number: int) -> None:
            async with slots:
                await self._client.start_workflow(
                    BareParticipant.run,
                    cohort,
                    id=f"{cohort}/{number}",
                    task_queue=TASK_QUEUE,
                    id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                )

        await asyncio.gather(*(start(number) for number in range(participants)))
