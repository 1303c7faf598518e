"""Who is to be told of something: people, with their addresses. For processes of this system alone."""

from collections.abc import Mapping
from typing import Any

from livinglab.program.v1 import recipient_service_pb2 as pb
from livinglab.program.v1 import recipient_service_pb2_grpc

from directory import Institution
from services.program.model.course import Course
from services.program.store.cohorts import Store


class RecipientService(recipient_service_pb2_grpc.RecipientServiceServicer):
    """The contract, on one store."""

    def __init__(self, store: Store, institutions: Mapping[str, Institution]) -> None:
        self._store = store
        self._institutions = institutions

    async def ListRecipients(self, request: pb.ListRecipientsRequest, context: Any) -> pb.ListRecipientsResponse:
        known = self._institutions.get(request.institution)
        answer = pb.ListRecipientsResponse(institution_name=known.name if known else request.institution)
        course = await self._course(request)
        if course is not None:
            answer.cohort_id, answer.cohort_title, answer.rehearsal = course.cohort_id, course.title, course.mark
            answer.time_zone = course.definition.time_zone
            answer.people.extend(await self._store.participants.people(course.cohort_id, request.institution))
        return answer

    async def NoteProblem(self, request: pb.NoteProblemRequest, context: Any) -> pb.NoteProblemResponse:
        await self._store.participants.note_problem(request.cohort_id, request.institution, request.problem)
        return pb.NoteProblemResponse()

    async def _course(self, request: pb.ListRecipientsRequest) -> Course | None:
        """The cohort in whose name it is written: the one asked for, else one that the institution is in."""
        participants = self._store.participants
        if request.rehearsal:
            found = await participants.rehearsed_cohorts(request.institution, request.rehearsal)
        elif request.cohort_id:
            found = [await participants.current_cohort(request.cohort_id, request.institution)]
        else:
            found = sorted(await participants.real_cohorts(request.institution))
        return await self._store.course(found[0]) if found else None
