"""Program and coaching as notify sees them: they know people, and answer who they are."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc.aio
from livinglab.coaching.v1 import coaching_pb2, service_pb2_grpc
from livinglab.coaching.v1 import service_pb2 as coaching
from livinglab.common.v1 import options_pb2
from livinglab.program.v1 import definition_pb2, recipient_service_pb2_grpc
from livinglab.program.v1 import recipient_service_pb2 as pb

from directory import official_regions

COHORT, TITLE = "ll-2022", "Living Lab 2022"


def person(role: str, email: str, language: str = "id") -> definition_pb2.Person:
    """Of a participant; named for the role."""
    number = options_pb2.Role.Value(f"ROLE_{role.upper()}")
    return definition_pb2.Person(role=number, name=f"Ibu {role.title()}", email=email, language=language)


@dataclass
class Known(recipient_service_pb2_grpc.RecipientServiceServicer, service_pb2_grpc.CoachingServiceServicer):
    """People by institution, coaches, and the problems that were noted."""

    address: str = ""
    people: dict[str, list[definition_pb2.Person]] = field(default_factory=dict)
    coaches: list[coaching_pb2.Coach] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    away: bool = False

    async def ListRecipients(self, request: pb.ListRecipientsRequest, context: Any) -> pb.ListRecipientsResponse:
        if self.away:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "away")
        answer = pb.ListRecipientsResponse(institution_name=official_regions()[request.institution].name)
        if request.institution in self.people:
            answer.cohort_id, answer.cohort_title, answer.rehearsal = COHORT, TITLE, request.rehearsal
            answer.people.extend(self.people[request.institution])
        return answer

    async def NoteProblem(self, request: pb.NoteProblemRequest, context: Any) -> pb.NoteProblemResponse:
        self.problems.append(request.problem)
        return pb.NoteProblemResponse()

    async def ListCoaches(self, request: coaching.ListCoachesRequest, context: Any) -> coaching.ListCoachesResponse:
        return coaching.ListCoachesResponse(coaches=self.coaches)


@asynccontextmanager
async def knowing() -> AsyncIterator[Known]:
    """Both, at one address, until the block ends."""
    known = Known()  # type: ignore[abstract]  # no other call of coaching's is made here
    server = grpc.aio.server()
    recipient_service_pb2_grpc.add_RecipientServiceServicer_to_server(known, server)
    service_pb2_grpc.add_CoachingServiceServicer_to_server(known, server)
    known.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    try:
        yield known
    finally:
        await server.stop(None)
