"""Whom a rule means: asked of those who know them, for facts carry no addresses."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.message import Message
from livinglab.coaching.v1 import coaching_pb2
from livinglab.coaching.v1 import service_pb2 as coaching
from livinglab.common.v1 import options_pb2
from livinglab.notify.v1 import rule_pb2
from livinglab.notify.v1 import service_pb2 as pb
from livinglab.program.v1 import recipient_service_pb2 as program

from chassis.errors import Kind, Refused
from chassis.status import from_rpc_error
from directory.assignments import Assignments
from services.notify.model import facts

if TYPE_CHECKING:
    # Only the stubs' types know that these are asynchronous.
    from livinglab.coaching.v1.service_pb2_grpc import CoachingServiceAsyncStub
    from livinglab.program.v1.recipient_service_pb2_grpc import RecipientServiceAsyncStub

_MOST_COACHES = 1_000
# Who is in no cohort is written to in the name of the program itself.
_NO_COHORT = "Living Lab"


@dataclass(frozen=True)
class Circle:
    """People who are told a fact together, and the cohort in whose name."""

    cohort_id: str
    cohort_title: str
    rehearsal: str
    institution_name: str
    people: list[pb.Recipient] = field(default_factory=list)


class People:
    """Asks program for an institution's people, coaching for a coach's address."""

    def __init__(
        self,
        program_stub: "RecipientServiceAsyncStub",
        coaching_stub: "CoachingServiceAsyncStub",
        assignments: Assignments,
    ) -> None:
        self._program = program_stub
        self._coaching = coaching_stub
        self._assignments = assignments

    async def of(self, rule: rule_pb2.Rule, event: Message) -> AsyncIterator[Circle]:
        """Those that the rule means, a circle for each of its audiences that has somebody. UNAVAILABLE while who
        knows them is away."""
        for audience in rule.to:
            place = audience.of or "institution"
            asked = await self._asked(facts.value(event, place), event.meta)  # type: ignore[attr-defined]
            found = [one async for one in self._meant(audience, asked, event)]
            if found:
                title = asked.cohort_title or _NO_COHORT
                yield Circle(asked.cohort_id, title, asked.rehearsal, asked.institution_name, found)

    async def note_problem(self, circle: Circle, institution: str, key: str, problem: str) -> None:
        """For the managers of the cohort to look at."""
        request = program.NoteProblemRequest(
            request_id=key, cohort_id=circle.cohort_id, institution=institution, problem=problem[:500]
        )
        await _answer(self._program.NoteProblem(request))

    async def _asked(self, institution: str, meta: Any) -> program.ListRecipientsResponse:
        request = program.ListRecipientsRequest(
            institution=institution, cohort_id=meta.cohort_id, rehearsal=meta.rehearsal
        )
        answer: program.ListRecipientsResponse = await _answer(self._program.ListRecipients(request))
        return answer

    async def _meant(
        self, audience: rule_pb2.Audience, asked: program.ListRecipientsResponse, event: Any
    ) -> AsyncIterator[pb.Recipient]:
        institution = facts.value(event, audience.of or "institution")
        meant = [person for person in asked.people if person.role in audience.roles]
        # Where an institution has nobody of these, all of its people are told.
        for person in meant or (asked.people if audience.roles else ()):
            yield pb.Recipient(
                name=person.name,
                email=person.email,
                language=person.language,
                institution=institution,
                role=person.role,
            )
        if audience.coach and (coach := await self._coach(event, institution)):
            yield pb.Recipient(
                name=coach.name,
                email=coach.email,
                language="id",
                institution=institution,
                role=options_pb2.ROLE_COACH,
                subject=coach.id,
            )
        if audience.assessors:
            for subject in await self._assessors(event):
                yield _unaddressed(subject, options_pb2.ROLE_ASSESSOR, institution)
        if audience.managers:
            yield _unaddressed("", options_pb2.ROLE_MANAGER, institution)

    async def _coach(self, event: Any, institution: str) -> coaching_pb2.Coach | None:
        meta = event.meta
        coach_id = getattr(event, "coach_id", "") or await self._assignments.coach_of(meta.cohort_id, institution)
        token = ""
        while coach_id:
            request = coaching.ListCoachesRequest(rehearsal=meta.rehearsal, page_size=_MOST_COACHES, page_token=token)
            answer = await _answer(self._coaching.ListCoaches(request))
            for coach in answer.coaches:
                if coach.id == coach_id:
                    return coach  # type: ignore[no-any-return]
            token = answer.next_page_token
            if not token:
                break
        return None

    async def _assessors(self, event: Any) -> list[str]:
        """Whom the fact names itself, else those that are assigned."""
        named = getattr(event, "assessor", "")
        return [named] if named else await self._assignments.assessors_of(event.evaluation_id)


def _unaddressed(subject: str, role: options_pb2.Role.ValueType, institution: str) -> pb.Recipient:
    """Somebody whose address nobody here knows: they find it in their inbox."""
    return pb.Recipient(name=subject, language="id", institution=institution, role=role, subject=subject)


async def _answer(call: Any) -> Any:
    try:
        return await call
    except grpc.RpcError as error:
        if isinstance(error, grpc.Call) and error.code() is grpc.StatusCode.UNIMPLEMENTED:
            # An older release: a newer one is on its way.
            raise Refused(Kind.UNAVAILABLE, "OLDER_RELEASE", "who knows these people is of an older release") from error
        raise from_rpc_error(error) from error
