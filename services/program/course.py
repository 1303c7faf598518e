"""What does not change while a cohort runs. Pure."""

from dataclasses import dataclass

from livinglab.program.v1 import definition_pb2
from livinglab.program.v1 import workflow_pb2 as pb

from services.program import clock


@dataclass(frozen=True)
class Course:
    """A cohort as its workflows and letters need it."""

    cohort_id: str
    title: str
    rehearsal: bool
    definition: definition_pb2.Definition
    clock: pb.Clock
    participants: int

    @property
    def mark(self) -> str:
        """What data of a rehearsal carries in its field `rehearsal`; empty when real."""
        return self.cohort_id if self.rehearsal else ""

    def program_input(self) -> pb.ProgramInput:
        """To start the cohort's workflow with."""
        return pb.ProgramInput(
            cohort_id=self.cohort_id,
            definition=self.definition,
            clock=self.clock,
            participants=self.participants,
            state=pb.ProgramState(phases=clock.timetable(self.definition, self.clock)),
        )

    def participant_input(self, institution: str) -> pb.ParticipantInput:
        """To start a participant's workflow with."""
        return pb.ParticipantInput(cohort_id=self.cohort_id, institution=institution, clock=self.clock)
