"""From a fact to its effect in a workflow: ours by the call of the fact's owner, the bare one by a signal."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from stack.process import Process

_SIGNALED = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED
_TASK_DONE = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED


@dataclass(frozen=True)
class Side:
    """One of the two kinds of cohort. Each of its participants hears of one fact, once."""

    temporal: Client
    worker: Process
    # By institution: makes its fact known; the id of its workflow; what that knows, asked by a query.
    tell: Callable[[str], Awaitable[object]]
    workflow_id: Callable[[str], str]
    known: Callable[[str], Awaitable[Sequence[str]]]
    # The name of the signal that brings the fact.
    signal: str

    async def fact(self, institution: str) -> float:
        """Seconds from the call that makes a fact known until the workflow has taken it in."""
        started = time.time()
        await self.tell(institution)
        return await self._taken_in(institution) - started

    async def revival(self, institution: str) -> float:
        """Seconds from the start of a worker, after the last one was killed, until a workflow has taken a fact in."""
        await self.worker.kill()
        started = time.time()
        await self.worker.start()
        await self.tell(institution)
        return await self._taken_in(institution) - started

    async def _taken_in(self, institution: str) -> float:
        """When, by the server's clock, the workflow task ended that followed the signal. Waiting for it costs one call
        that the server holds."""
        handle = self.temporal.get_workflow_handle(self.workflow_id(institution))
        heard = False
        async for event in handle.fetch_history_events(wait_new_event=True, skip_archival=True):
            if event.event_type == _SIGNALED:
                heard = heard or event.workflow_execution_signaled_event_attributes.signal_name == self.signal
            elif event.event_type == _TASK_DONE and heard:
                assert await self.known(institution), f"{institution} has heard of nothing"
                return event.event_time.ToNanoseconds() / 1e9
        raise AssertionError(f"the workflow of {institution} ended before it heard of the fact")


async def in_turn(
    sides: tuple[Side, Side], institutions: Sequence[str], measure: Callable[[Side, str], Awaitable[float]]
) -> tuple[list[float], list[float]]:
    """For one institution after the other: ours, then the bare one."""
    pairs = [(await measure(sides[0], code), await measure(sides[1], code)) for code in institutions]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]
