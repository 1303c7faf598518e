"""With what a cohort begins that is split off another one. Pure."""

from collections.abc import Collection, MutableSequence

from livinglab.program.v1 import cohort_pb2
from livinglab.program.v1 import workflow_pb2 as pb

from services.program.agenda import Cohort


def split_state(cohort: Cohort, going: Collection[str]) -> pb.ProgramState:
    """The state of the new cohort: the same phases with the same dates, of their counts only what is of those who go.
    Phases that are open are told to them once more, by the new cohort."""
    state = pb.ProgramState(revision=1)
    if cohort.paused:
        state.pause_time.CopyFrom(cohort.state.pause_time)
    for record in cohort.state.phases:
        kept = state.phases.add()
        kept.CopyFrom(record)
        _keep(kept.done, going)
        _keep(kept.quorum, going)
        _keep(kept.addressed, going)
        kept.announced = False
        if kept.state == cohort_pb2.PHASE_STATE_OPEN:
            kept.invited = len(kept.addressed or going)
    return state


def _keep(institutions: MutableSequence[str], going: Collection[str]) -> None:
    kept = [institution for institution in institutions if institution in going]
    del institutions[:]
    institutions.extend(kept)
