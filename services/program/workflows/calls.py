"""How workflows call activities, and how an order is refused."""

import asyncio
from collections.abc import Iterator, MutableSequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

from chassis.errors import Refused

# A refusal of these kinds comes again however often it is asked: it is noted for a manager to decide.
PERMANENT = ["INVALID_ARGUMENT", "PERMISSION_DENIED", "FAILED_PRECONDITION", "NOT_FOUND", "ALREADY_EXISTS"]
# Everything else is waited out, for hours if need be.
RETRY = RetryPolicy(
    initial_interval=timedelta(milliseconds=200),
    maximum_interval=timedelta(seconds=10),
    non_retryable_error_types=PERMANENT,
)
# What is let go is not called back: all of it may happen, late or twice, without harm.
ONE: dict[str, Any] = {
    "start_to_close_timeout": timedelta(seconds=30),
    "retry_policy": RETRY,
    "cancellation_type": workflow.ActivityCancellationType.ABANDON,
}
# On the worker that runs the workflow, as a part of its task.
AT_ONCE: dict[str, Any] = {"start_to_close_timeout": timedelta(seconds=30), "retry_policy": RETRY}
MANY: dict[str, Any] = {
    **ONE,
    "start_to_close_timeout": timedelta(minutes=10),
    "heartbeat_timeout": timedelta(seconds=15),
}


async def ask(activity: Any, step: Any, how: dict[str, Any], problems: MutableSequence[str]) -> Any:
    """What an activity answers; None when it was refused for good, which is noted as a problem and holds nobody up."""
    try:
        return await workflow.execute_activity_method(activity, step, **how)
    except ActivityError as error:
        if is_cancelled_exception(error):
            raise asyncio.CancelledError from error
        problems.append(f"{error.activity_type}: {error.cause}")
        workflow.logger.error("an activity was refused for good: %s", problems[-1])
        return None


@contextmanager
def refusals() -> Iterator[None]:
    """A refusal as an update answers it: its kind as the type, its reason as the detail."""
    try:
        yield
    except Refused as refused:
        raise ApplicationError(
            refused.message, refused.reason, type=refused.kind.value, non_retryable=True
        ) from refused
