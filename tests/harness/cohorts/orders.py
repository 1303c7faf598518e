"""Orders as a cohort's workflow would have them recorded, without a workflow."""

from datetime import UTC, datetime, timedelta
from typing import Any

from livinglab.program.v1 import cohort_pb2, command_pb2
from livinglab.program.v1 import workflow_pb2 as pb

from programs import clock
from services.program.store.cohorts import Store

OPEN, CLOSED = cohort_pb2.PHASE_STATE_OPEN, cohort_pb2.PHASE_STATE_CLOSED
NOW = datetime(2026, 11, 1, 8, tzinfo=UTC)


def phase(name: str, state: cohort_pb2.PhaseState.ValueType, days: int = 10, **fields: Any) -> pb.PhaseRecord:
    """A phase that opened at NOW and ends so many days later."""
    record = pb.PhaseRecord(
        phase=name, state=state, open_time=clock.stamp(NOW), deadline_time=clock.stamp(NOW + timedelta(days=days))
    )
    if state == CLOSED:
        record.close_time.CopyFrom(record.deadline_time)
    record.MergeFrom(pb.PhaseRecord(**fields))
    return record


def ordered(cohort_id: str, revision: int, name: str = "", *, after_hours: int = 0, **order: Any) -> pb.CommandStep:
    """What an order comes to; name is its request_id, order one of the fields of Command."""
    [kind] = order
    command = command_pb2.Command(request_id=name or kind, actor="manager-1", reason="an election", **order)
    return pb.CommandStep(
        cohort_id=cohort_id,
        command=command,
        time=clock.stamp(NOW + timedelta(hours=after_hours)),
        revision=revision,
        state=cohort_pb2.COHORT_STATE_RUNNING,
    )


async def recorded_twice(store: Store, step: pb.CommandStep) -> None:
    """Temporal may have an activity done again."""
    await store.steering.record(step)
    await store.steering.record(step)
