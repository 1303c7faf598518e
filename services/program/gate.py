"""When a phase closes: the rule that everybody waits for, and what happens at a deadline. Pure."""

from collections.abc import Collection
from enum import Enum

from livinglab.program.v1 import definition_pb2, workflow_pb2

from services.program.model import required


class Decision(Enum):
    """What a deadline brings."""

    CLOSE = "close"
    EXTEND = "extend"
    STOP = "stop"


def standing(participants: int, ended: Collection[str], record: workflow_pb2.PhaseRecord) -> tuple[int, int]:
    """Participants still in the cohort, and how many of them have done the required duties of the phase."""
    return participants - len(ended), sum(1 for institution in record.done if institution not in ended)


def gate_open(phase: definition_pb2.Phase, active_count: int, done: int) -> bool:
    """Whether the phase may close before its deadline: everybody has done its required duties, or nobody is
    left. A phase that requires nothing lasts until its deadline."""
    if active_count == 0:
        return True
    return bool(required(phase)) and done >= active_count


def on_deadline(phase: definition_pb2.Phase, active_count: int, done: int, *, extended: bool) -> Decision:
    """With the quorum met the phase closes; without it the definition says what to do. It moves once only."""
    if not required(phase) or done * 100 >= phase.gate.quorum_percent * active_count:
        return Decision.CLOSE
    if phase.gate.on_miss == definition_pb2.ON_MISS_EXTEND and not extended:
        return Decision.EXTEND
    if phase.gate.on_miss == definition_pb2.ON_MISS_STOP:
        return Decision.STOP
    return Decision.CLOSE
