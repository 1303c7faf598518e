"""The course of one participant through a cohort: told of phases, waiting for facts, reporting what is done."""

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from livinglab.program.v1 import cohort_pb2, definition_pb2
    from livinglab.program.v1 import workflow_pb2 as pb

    from services.program import clock, model
    from services.program.activities import Activities
    from services.program.workflows import ONE_CALL

_FAREWELL = {
    cohort_pb2.PARTICIPANT_STATE_GRADUATED: "graduation",
    cohort_pb2.PARTICIPANT_STATE_WITHDRAWN: "withdrawal",
}
