"""The parts of a cohort that never change while it runs. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from livinglab.program.v1 import definition_pb2
from livinglab.program.v1 import workflow_pb2 as pb

from programs import clock


@dataclass(frozen=True)
class Course:
    """A cohort as its workflows and letters need it."""

    cohort_id: str
    title: str
    rehearsal: bool
    definition: definition_pb2.Definition
    clock: pb.Clock
    participants: int
    # The rehearsal that a cohort was split off; facts go on to carry that one's mark.
    realm: str = ""
    # A ProgramState: with what a cohort begins that was split off.
    start_state: bytes = b""

    @property
    def mark(self) -> str:
        """What data of a rehearsal carries in its field `rehearsal`; empty when real."""
        return (self.realm or self.cohort_id) if self.rehearsal else ""

    def program_input(self) -> pb.ProgramInput:
        """To start the cohort's workflow with."""
        if self.start_state:
            state = pb.ProgramState.FromString(self.start_state)
        else:
            state = pb.ProgramState(phases=clock.timetable(self.definition, self.clock))
        return pb.ProgramInput(
            cohort_id=self.cohort_id,
            definition=self.definition,
            clock=self.clock,
            participants=self.participants,
            state=state,
        )

    def participant_input(
        self, institution: str, openings: Iterable[pb.PhaseOpening] = (), duties: Iterable[str] = ()
    ) -> pb.ParticipantInput:
        """To start a participant's workflow with: phases that are open for it, and what it has done."""
        record = pb.ParticipantRecord(duties=duties)
        record.open.extend(pb.OpenPhase(opening=opening) for opening in openings)
        return pb.ParticipantInput(cohort_id=self.cohort_id, institution=institution, clock=self.clock, state=record)
