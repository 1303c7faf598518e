"""When a phase closes: the rule for when all are done, and what happens at the deadline. Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from livinglab.program.v1 import definition_pb2, workflow_pb2

from programs import clock
from programs.phases import required


class Decision(Enum):
    """What a gate says now."""

    WAIT = "wait"
    CLOSE = "close"
    EXTEND = "extend"
    HOLD = "hold"
    STOP = "stop"


@dataclass(frozen=True)
class Standing:
    """Participants whom a phase is for and who are in the cohort still; of them, those done with its required duties,
    and those done with the duties that count for its quorum."""

    active: int
    done: int
    quorum: int


def decide(
    phase: definition_pb2.Phase, record: workflow_pb2.PhaseRecord, standing: Standing, now: datetime
) -> Decision:
    """What becomes of an open phase. It closes early when everybody has done its required duties or nobody is left;
    one that requires nothing lasts until its deadline. Then the quorum counts, and without it the definition says
    what to do; a deadline moves by itself only once. A manager's override comes before everything."""
    if record.overridden:
        return Decision.STOP if record.stopped else Decision.CLOSE
    if standing.active == 0:
        return Decision.CLOSE
    everybody = bool(required(phase)) and standing.done >= standing.active
    due = now >= clock.moment(record.deadline_time)
    if phase.gate.decision:
        return Decision.HOLD if (due or everybody) and not record.HasField("held_time") else Decision.WAIT
    if everybody:
        return Decision.CLOSE
    if not due:
        return Decision.WAIT
    counts = bool(required(phase) or phase.gate.quorum_of)
    if not counts or standing.quorum * 100 >= phase.gate.quorum_percent * standing.active:
        return Decision.CLOSE
    return _missed(phase, record)


def _missed(phase: definition_pb2.Phase, record: workflow_pb2.PhaseRecord) -> Decision:
    on_miss = phase.gate.on_miss
    if on_miss == definition_pb2.ON_MISS_EXTEND and not record.extended:
        return Decision.EXTEND
    if on_miss == definition_pb2.ON_MISS_STOP:
        return Decision.STOP
    if on_miss == definition_pb2.ON_MISS_HOLD:
        return Decision.WAIT if record.HasField("held_time") else Decision.HOLD
    return Decision.CLOSE
