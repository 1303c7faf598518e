"""Facts that assessment hears: institutions that were registered, and who coaches them. The table is at the end."""

from livinglab.assessment.v1 import events_pb2
from livinglab.coaching.v1 import events_pb2 as coaching_pb
from livinglab.program.v1 import directory_events_pb2 as directory_pb

from chassis.events.stream import Reaction
from directory.assignments import Assignments
from directory.projection import Institutions


def table(institutions: Institutions, assignments: Assignments) -> tuple[Reaction, ...]:
    """Everything that assessment listens to."""
    return (
        Reaction(directory_pb.InstitutionRegistered, institutions.keep),
        Reaction(coaching_pb.CoachAssigned, assignments.on_coach_assigned),
        # Its own facts: lists by institution ask the same collection.
        Reaction(events_pb2.AssessorAssigned, assignments.on_assessor_assigned),
        Reaction(events_pb2.AssessorWithdrawn, assignments.on_assessor_withdrawn),
    )
