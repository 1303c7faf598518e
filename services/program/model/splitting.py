"""The state that a new cohort starts with when it is split off a running one. Pure."""

from collections.abc import Collection, MutableSequence
from datetime import datetime

from livinglab.program.v1 import cohort_pb2
from livinglab.program.v1 import workflow_pb2 as pb

from programs import clock
from services.program.model.agenda import Cohort


def split_state(cohort: Cohort, going: Collection[str], now: datetime) -> pb.ProgramState:
    """The state of the new cohort: the same phases with the same dates, of their counts only what is of those who go.
    Phases that are open are told to them once more, by the new cohort; one that is for none of them is skipped."""
    state = pb.ProgramState(revision=1)
    if cohort.paused:
        state.pause_time.CopyFrom(cohort.state.pause_time)
        # Their workflows are new: nothing is due for them either.
        state.errands.add(announcement=pb.Announcement(pause=pb.Pause()))
    for phase, record in zip(cohort.definition.phases, cohort.state.phases, strict=True):
        kept = state.phases.add()
        kept.CopyFrom(record)
        _keep(kept.done, going)
        _keep(kept.quorum, going)
        _keep(kept.addressed, going)
        kept.announced = False
        if kept.state == cohort_pb2.PHASE_STATE_OPEN:
            kept.invited = len(kept.addressed if phase.HasField("when") else going)
            if kept.invited and phase.sessions:
                state.errands.add(sessions_of=kept.phase)
            if not kept.invited:
                kept.state = cohort_pb2.PHASE_STATE_SKIPPED
                kept.close_time.CopyFrom(clock.stamp(now))
    return state


def _keep(institutions: MutableSequence[str], going: Collection[str]) -> None:
    kept = [institution for institution in institutions if institution in going]
    del institutions[:]
    institutions.extend(kept)
