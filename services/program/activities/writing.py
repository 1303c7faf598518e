"""Letters to participants' people: those of one cohort that are written at the same time go to notify in one call, and
each of them is written once, however often it is asked for."""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import grpc
from livinglab.notify.v1 import service_pb2 as notify
from livinglab.program.v1 import definition_pb2
from livinglab.program.v1 import workflow_pb2 as pb

from chassis.status import from_rpc_error
from directory import Institution
from programs import phases
from services.program.activities import letters
from services.program.activities.neighbours import Neighbour
from services.program.activities.refusals import PERMANENT
from services.program.activities.together import Together
from services.program.model.course import Course
from services.program.store.cohorts import Store

if TYPE_CHECKING:
    # Only the stub's type knows that it is asynchronous.
    from livinglab.notify.v1.service_pb2_grpc import NotifyServiceAsyncStub

# Letters that go in one call.
_MOST = 200


class Writing:
    """One of a worker."""

    def __init__(self, store: Store, stub: "NotifyServiceAsyncStub", institutions: Mapping[str, Institution]) -> None:
        self._store = store
        self._stub = stub
        self._institutions = institutions
        self._calls = Neighbour("notify", store)
        self._together: Together[str, notify.Draft, None] = Together(self._send, _MOST, is_refusal=_is_refusal)

    async def write(self, step: pb.LetterStep) -> None:
        """To the people whom a phase invites, or at the end to all, each in their language. An address that notify
        does not take is a problem of the participant; the others are written to."""
        course = await self._store.known_course(step.cohort_id)
        phase = phases.find_phase(course.definition, step.phase) if step.phase else None
        people = await self._store.participants.people(step.cohort_id, step.institution)
        invited = [person for person in people if _is_meant(step, phase, person)]
        if not invited:
            return
        known = self._institutions.get(step.institution)
        name = known.name if known else step.institution
        drafts = [_draft(course, step, phase, person, name) for person in invited]
        async with self._calls.heeded(step.template, course, step.institution):
            sending = [self._together.do(course.cohort_id, draft) for draft in drafts]
            failed = [error for error in await asyncio.gather(*sending, return_exceptions=True) if error]
            # What may pass comes first: another try writes to those who were not.
            for error in sorted(failed, key=_is_refusal):
                raise error

    async def _send(self, cohort_id: str, drafts: Sequence[notify.Draft]) -> Sequence[None]:
        course = await self._store.known_course(cohort_id)
        names = "\n".join(draft.key for draft in drafts)
        request = notify.SendMessagesRequest(
            request_id=hashlib.sha256(f"{cohort_id}\n{names}".encode()).hexdigest(),
            drafts=drafts,
            cohort_id=course.cohort_id,
            rehearsal=course.mark,
        )
        await self._stub.SendMessages(request)
        return [None] * len(drafts)


def _is_refusal(error: BaseException) -> bool:
    return isinstance(error, grpc.RpcError) and from_rpc_error(error).kind in PERMANENT


def _is_meant(step: pb.LetterStep, phase: definition_pb2.Phase | None, person: definition_pb2.Person) -> bool:
    if step.email and person.email != step.email:
        return False
    roles = step.roles or (phase.invites if phase else ())
    return not roles or person.role in roles


def _draft(
    course: Course, step: pb.LetterStep, phase: definition_pb2.Phase | None, person: definition_pb2.Person, name: str
) -> notify.Draft:
    occasion = letters.Occasion(course.title, course.definition, course.clock, name, phase, step)
    recipient = notify.Recipient(
        name=person.name, email=person.email, language=person.language, institution=step.institution
    )
    values = letters.values(occasion, person)
    return notify.Draft(template=step.template, recipient=recipient, values=values, key=_key(step, person))


def _key(step: pb.LetterStep, person: definition_pb2.Person) -> str:
    """Tells the letters of a cohort apart: who is written to, of what, and in which of the participant's lives."""
    told = (step.institution, step.template, step.occasion, step.readmissions, person.role, person.email)
    return hashlib.sha256(repr(told).encode()).hexdigest()
