"""Events in: the table of them at the end. Of others assessment needs to know which institutions there are."""

from livinglab.program.v1 import directory_events_pb2 as directory_pb

from chassis.stream import Reaction
from directory.projection import Institutions


def table(institutions: Institutions) -> tuple[Reaction, ...]:
    """Everything that assessment listens to."""
    return (Reaction(directory_pb.InstitutionRegistered, institutions.keep),)
