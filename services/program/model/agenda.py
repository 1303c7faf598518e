"""What a cohort does next, from its state and the time. Pure: the workflow only carries it out."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum

from livinglab.program.v1 import cohort_pb2, definition_pb2
from livinglab.program.v1 import workflow_pb2 as pb

from programs import clock, phases
from services.program.model import gate

OVER = frozenset({cohort_pb2.PHASE_STATE_CLOSED, cohort_pb2.PHASE_STATE_SKIPPED})
# In `after`: waits for no other phase.
START = "start"


class Act(Enum):
    """One thing at a time, so that commands always find a state that means something."""

    ERRAND = "carry out what a command asked for"
    SETTLE = "note that a closing phase has closed"
    ANNOUNCE = "tell the participants of an open phase"
    EXTEND = "move a deadline"
    HOLD = "wait for a decision"
    CLOSE = "close a phase"
    STOP = "close a phase and the cohort with it"
    OPEN = "open a phase"
    END = "end the cohort"


@dataclass(frozen=True)
class Step:
    """What to do, and with which phase (its place in the definition)."""

    act: Act
    phase: int = -1


@dataclass(frozen=True)
class Cohort:
    """A cohort in its workflow; `state` is the one message that lasts."""

    definition: definition_pb2.Definition
    clock: pb.Clock
    # At its launch.
    participants: int
    state: pb.ProgramState
    # Place of a phase to what was found of its participants last, and of what: asked after every report, of thousands.
    _found: dict[int, tuple[object, gate.Standing]] = field(default_factory=dict, init=False, compare=False, repr=False)

    @property
    def active_count(self) -> int:
        """Participants that have not ended."""
        return self.participants + len(self.state.enrolled) - len(self.state.ended)

    @property
    def paused(self) -> bool:
        """Nothing opens or closes."""
        return self.state.HasField("pause_time")

    @property
    def running_state(self) -> cohort_pb2.CohortState.ValueType:
        """Of a cohort that has not ended."""
        return cohort_pb2.COHORT_STATE_PAUSED if self.paused else cohort_pb2.COHORT_STATE_RUNNING

    def copy(self) -> "Cohort":
        """The same, to try something on."""
        state = pb.ProgramState()
        state.CopyFrom(self.state)
        return replace(self, state=state)

    def place(self, phase: str) -> int:
        """Of a phase in the definition; KeyError where there is none."""
        for place, candidate in enumerate(self.definition.phases):
            if candidate.id == phase:
                return place
        raise KeyError(phase)

    def standing(self, place: int) -> gate.Standing:
        """Of the participants at a phase."""
        record, state = self.state.phases[place], self.state
        heard = (len(record.done), len(record.quorum), len(record.addressed), record.reopened)
        here = (self.active_count, len(state.ended), sum(state.readmissions.values()))
        if place not in self._found or self._found[place][0] != (heard, here):
            self._found[place] = ((heard, here), self._standing(place, record))
        return self._found[place][1]

    def _standing(self, place: int, record: pb.PhaseRecord) -> gate.Standing:
        phase = self.definition.phases[place]
        done = quorum = self._here(record.done)
        if phase.gate.quorum_of:
            quorum = self._here(record.quorum)
        if not phase.HasField("when"):
            return gate.Standing(self.active_count, len(done), len(quorum))
        addressed = self._here(record.addressed)
        return gate.Standing(len(addressed), len(done & addressed), len(quorum & addressed))

    def _here(self, institutions: Iterable[str]) -> set[str]:
        """Those of them that have not ended."""
        return set(institutions).difference(self.state.ended)

    def is_settled(self, place: int) -> bool:
        """Whether, once its closing was announced, each participant has either done its duties or ended: so that who
        is invited to the next phase, and how many were done, are facts."""
        record, standing = self.state.phases[place], self.standing(place)
        if record.stopped:
            return self.active_count == 0
        nothing_due = record.excused or not phases.required(self.definition.phases[place])
        return standing.active == 0 or nothing_due or standing.done >= standing.active

    def is_ready(self, place: int) -> bool:
        """Whether the phases that come before it are over."""
        after = self.definition.phases[place].after
        if not after:
            return place == 0 or self.state.phases[place - 1].state in OVER
        return all(self.state.phases[self.place(name)].state in OVER for name in after if name != START)

    def is_last(self, place: int) -> bool:
        """Whether every other phase is over: with its closing the participants end."""
        return all(record.state in OVER for at, record in enumerate(self.state.phases) if at != place)

    def next_step(self, now: datetime) -> Step | None:
        """None while there is nothing to do. While it is paused, only what had begun is brought to its end."""
        if self.state.errands:
            return Step(Act.ERRAND)
        if self._is_over():
            return Step(Act.END)
        for place, record in enumerate(self.state.phases):
            if record.HasField("close_time") and record.state == cohort_pb2.PHASE_STATE_OPEN:
                if self.is_settled(place):
                    return Step(Act.SETTLE, place)
            elif record.state == cohort_pb2.PHASE_STATE_OPEN and not record.announced:
                return Step(Act.ANNOUNCE, place)
        if self._is_still:
            return None
        return self._gate_step(now) or self._opening(now)

    def next_time(self) -> datetime | None:
        """When something is to be done if nobody does anything before; None for never."""
        return None if self._is_still else min(self._times(), default=None)

    @property
    def _is_still(self) -> bool:
        """No phase opens and no gate is asked: it is paused, for those that are left, or about to stop."""
        stopping = any(self.state.phases[place].stopped for place in self.closing())
        return stopping or (self.paused and self.active_count > 0)

    def _is_over(self) -> bool:
        stopped = any(record.stopped and record.state in OVER for record in self.state.phases)
        return stopped or (self.active_count == 0 and not self.open_places()) or not self._unfinished()

    def open_places(self) -> list[int]:
        """Phases that are open, also those that are closing."""
        return [i for i, r in enumerate(self.state.phases) if r.state == cohort_pb2.PHASE_STATE_OPEN]

    def closing(self) -> list[int]:
        """Phases whose closing was announced and that have not closed."""
        return [place for place in self.open_places() if self.state.phases[place].HasField("close_time")]

    def _unfinished(self) -> bool:
        return any(record.state not in OVER for record in self.state.phases)

    def _gate_step(self, now: datetime) -> Step | None:
        for place in self.open_places():
            record = self.state.phases[place]
            if record.HasField("close_time"):
                continue
            decision = gate.decide(self.definition.phases[place], record, self.standing(place), now)
            if decision is not gate.Decision.WAIT:
                return Step(Act[decision.name], place)
        return None

    def _opening(self, now: datetime) -> Step | None:
        if self.active_count == 0:
            return None
        for place, record in enumerate(self.state.phases):
            pending = record.state == cohort_pb2.PHASE_STATE_PENDING
            if pending and clock.moment(record.open_time) <= now and self.is_ready(place):
                return Step(Act.OPEN, place)
        return None

    def _times(self) -> Iterator[datetime]:
        for place, record in enumerate(self.state.phases):
            if record.state == cohort_pb2.PHASE_STATE_PENDING and self.is_ready(place):
                yield clock.moment(record.open_time)
            elif record.state == cohort_pb2.PHASE_STATE_OPEN and not self._is_waiting(record):
                yield clock.moment(record.deadline_time)

    def _is_waiting(self, record: pb.PhaseRecord) -> bool:
        """For its participants to settle, or for a manager, but for no time."""
        return record.HasField("close_time") or record.HasField("held_time")
