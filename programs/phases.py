"""Phases of a definition: one by its id, what it requires, what of that is missing; when a cohort is over. Pure."""

from collections.abc import Iterable

from livinglab.program.v1 import cohort_pb2, definition_pb2

ENDED = frozenset(
    {cohort_pb2.COHORT_STATE_COMPLETED, cohort_pb2.COHORT_STATE_STOPPED, cohort_pb2.COHORT_STATE_CANCELLED}
)


def has_ended(state: int) -> bool:
    """Whether a cohort in this state is over for good; one that is paused is not."""
    return state in ENDED


def find_phase(definition: definition_pb2.Definition, phase: str) -> definition_pb2.Phase:
    """The phase of that id; KeyError if there is none."""
    for candidate in definition.phases:
        if candidate.id == phase:
            return candidate
    raise KeyError(phase)


def required(phase: definition_pb2.Phase) -> list[str]:
    """The duties without which a participant has failed when the phase closes."""
    return [duty.id for duty in phase.duties if duty.required]


def missing(phase: definition_pb2.Phase, done: Iterable[str]) -> list[str]:
    """Required duties of the phase that are not among those done."""
    met = set(done)
    return [duty for duty in required(phase) if duty not in met]
