"""The search attributes by which cohorts and participants are found in Temporal's lists and UI. Pure: it also runs
inside the workflows."""

from livinglab.program.v1 import cohort_pb2
from temporalio import workflow
from temporalio.common import SearchAttributeKey, SearchAttributePair, SearchAttributeUpdate, TypedSearchAttributes

from programs import names
from services.program.model import states

COHORT = SearchAttributeKey.for_keyword(names.COHORT_ATTRIBUTE)
PHASE = SearchAttributeKey.for_keyword(names.PHASE_ATTRIBUTE)
INSTITUTION = SearchAttributeKey.for_keyword(names.INSTITUTION_ATTRIBUTE)
STATE = SearchAttributeKey.for_keyword(names.STATE_ATTRIBUTE)
KEYS = (COHORT, PHASE, INSTITUTION, STATE)


def at_start(cohort: str, institution: str = "", phase: str = "") -> TypedSearchAttributes:
    """For the workflow of a cohort, or of one of its participants, which may start in a phase. They go along when it
    continues as new."""
    if institution:
        state = states.participant_state(cohort_pb2.PARTICIPANT_STATE_ACTIVE)
        pairs = [
            SearchAttributePair(COHORT, cohort),
            SearchAttributePair(INSTITUTION, institution),
            SearchAttributePair(STATE, state),
        ]
        return TypedSearchAttributes([*pairs, *([SearchAttributePair(PHASE, phase)] if phase else [])])
    state = states.cohort_state(cohort_pb2.COHORT_STATE_RUNNING)
    return TypedSearchAttributes([SearchAttributePair(COHORT, cohort), SearchAttributePair(STATE, state)])


def upsert(*, phase: str | None = None, state: str | None = None) -> None:
    """From inside a workflow: the phase and the state that it is in now; an empty phase is none, what is not given
    stays. One event in the history where something changes, nothing where it does not. A workflow that was recorded
    without the call only replays when the call stands behind a patch."""
    known = workflow.info().typed_search_attributes
    changes: list[SearchAttributeUpdate[str]] = []
    for key, value in ((PHASE, phase), (STATE, state)):
        if value is not None and value != (known.get(key) or ""):
            changes.append(key.value_set(value) if value else key.value_unset())
    if changes:
        workflow.upsert_search_attributes(changes)
