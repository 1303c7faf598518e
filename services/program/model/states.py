"""Names, states and counts of a cohort. Pure: it also runs inside the workflows."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from google.protobuf.descriptor import EnumDescriptor
from livinglab.program.v1 import cohort_pb2, workflow_pb2

from chassis.errors import precondition
from programs.phases import has_ended

# What an announcement holds, and the signal by which participants hear it.
SIGNALS = {
    "opening": "phase_opened",
    "closing": "phase_closed",
    "withdrawal": "withdrawn",
    "pause": "paused",
    "resumption": "resumed",
    "retry": "retried",
    "notice": "noticed",
}

ACTIVE = cohort_pb2.PARTICIPANT_STATE_ACTIVE
GRADUATED = cohort_pb2.PARTICIPANT_STATE_GRADUATED
WITHDRAWN = cohort_pb2.PARTICIPANT_STATE_WITHDRAWN
FAILED = cohort_pb2.PARTICIPANT_STATE_FAILED


def cohort_state(state: cohort_pb2.CohortState.ValueType) -> str:
    """running, paused ..."""
    return _name(cohort_pb2.CohortState.DESCRIPTOR, state)


def participant_state(state: cohort_pb2.ParticipantState.ValueType) -> str:
    """active, graduated ..."""
    return _name(cohort_pb2.ParticipantState.DESCRIPTOR, state)


def _name(enum: EnumDescriptor, state: int) -> str:
    """Without the enum's own name before it; the number of one that a newer release has added."""
    known = enum.values_by_number.get(state)
    prefix = "COHORT_STATE_" if enum.name == "CohortState" else "PARTICIPANT_STATE_"
    return known.name.removeprefix(prefix).lower() if known else str(state)


def require_running(cohort: cohort_pb2.Cohort) -> None:
    """COHORT_ENDED for one that is over for good."""
    if has_ended(cohort.state):
        raise precondition("COHORT_ENDED", f"cohort {cohort.id} has ended already: {cohort_state(cohort.state)}")


def occurrence(phase: str, reopened: int) -> str:
    """Tells a phase that was opened again from what it was before."""
    return f"{phase}.{reopened}" if reopened else phase


@dataclass(frozen=True)
class Counts:
    """Participants of a cohort by state; their sum is how many there are."""

    active: int = 0
    graduated: int = 0
    withdrawn: int = 0
    failed: int = 0

    @property
    def participants(self) -> int:
        """All of them."""
        return self.active + self.graduated + self.withdrawn + self.failed


def counts(states: Iterable[int]) -> Counts:
    """Each participant counted once, by its state."""
    tally = {ACTIVE: 0, GRADUATED: 0, WITHDRAWN: 0, FAILED: 0}
    for state in states:
        # What a newer release has added is no end that is known here.
        known = cohort_pb2.ParticipantState.ValueType(state)
        tally[known if known in tally else ACTIVE] += 1
    return Counts(tally[ACTIVE], tally[GRADUATED], tally[WITHDRAWN], tally[FAILED])


def result(outcome: cohort_pb2.CohortState.ValueType, ended: Mapping[str, int]) -> workflow_pb2.ProgramResult:
    """What a cohort comes to, once every participant has ended."""
    found = counts(ended.values())
    return workflow_pb2.ProgramResult(
        outcome=outcome, graduated=found.graduated, withdrawn=found.withdrawn, failed=found.failed
    )
