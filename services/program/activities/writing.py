"""Letters to the people of participants. Letters of one cohort that are written at the same time go to notify in one
call, and each of them once, however often it is asked for."""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import grpc
from livinglab.notify.v1 import service_pb2 as notify
from livinglab.program.v1 import definition_pb2
from livinglab.program.v1 import workflow_pb2 as pb

from chassis.status import from_rpc_error
from directory import Institution
from programs import clock, phases
from programs.rules import shapes
from services.program.activities import letters
from services.program.activities.neighbours import Neighbour
from services.program.activities.refusals import PERMANENT, note_problem
from services.program.activities.together import Together
from services.program.model.course import Course
from services.program.store import documents
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
        self._together: Together[str, notify.Draft, str] = Together(self._send, _MOST, is_refusal=_is_refusal)

    async def write(self, step: pb.LetterStep) -> None:
        """To the people whom a phase invites, or at the end to all, each in their language. An address that notify
        does not take is a problem of the participant; the others are written to."""
        course = await self._store.known_course(step.cohort_id)
        phase = phases.find_phase(course.definition, step.phase) if step.phase else None
        people = await self._store.participants.people(step.cohort_id, step.institution)
        invited = [person for person in people if _is_meant(step, phase, person)]
        if not invited:
            return
        occasion = await self._occasion(course, step, phase)
        async with self._calls.heeded(step.template, course, step.institution):
            sending = [self._together.do(course.cohort_id, _draft(occasion, step, person)) for person in invited]
            answers = await asyncio.gather(*sending, return_exceptions=True)
            # What may pass comes first: another try writes to those who were not.
            for error in sorted((a for a in answers if isinstance(a, BaseException)), key=_is_refusal):
                raise error
        for person, why in zip(invited, answers, strict=True):
            if why:
                await self._note(course, step.institution, step.template, person, why)

    async def write_many(self, course: Course, steps: Mapping[str, pb.LetterStep]) -> set[str]:
        """The same letter to the people of many participants, in as few calls as it takes; answers which of them have
        all of theirs. The others are to be written to one by one."""
        first = next(iter(steps.values()))
        phase = phases.find_phase(course.definition, first.phase) if first.phase else None
        occasion = await self._occasion(course, first, phase)
        everybody = await self._store.participants.people_of(course.cohort_id, list(steps))
        letters: list[tuple[str, definition_pb2.Person, notify.Draft]] = []
        for institution, step in steps.items():
            if first.HasField("deadline_time"):
                step.deadline_time.CopyFrom(first.deadline_time)
            about = replace(occasion, institution_name=self._name(institution), step=step)
            meant = [person for person in everybody.get(institution, ()) if _is_meant(step, phase, person)]
            letters += [(institution, person, _draft(about, step, person)) for person in meant]
        lacking: set[str] = set()
        for place in range(0, len(letters), _MOST):
            chunk = letters[place : place + _MOST]
            lacking |= await self._send_some(course, first.template, chunk)
        return set(steps) - lacking

    async def _send_some(
        self, course: Course, template: str, chunk: Sequence[tuple[str, definition_pb2.Person, notify.Draft]]
    ) -> set[str]:
        """Participants who are not written to by it; an address that is not taken is a problem, and no reason."""
        try:
            answers = await self._send(course.cohort_id, [draft for _, _, draft in chunk])
        except grpc.RpcError:
            return {institution for institution, _, _ in chunk}
        for (institution, person, _), why in zip(chunk, answers, strict=True):
            if why:
                await self._note(course, institution, template, person, why)
        return set()

    async def _note(
        self, course: Course, institution: str, template: str, person: definition_pb2.Person, why: object
    ) -> None:
        told = f"{template} to {shapes.role_name(person.role)} {person.name}: {why}"
        await note_problem(self._store, course.cohort_id, institution, told)

    def _name(self, institution: str) -> str:
        known = self._institutions.get(institution)
        return known.name if known else institution

    async def _occasion(
        self, course: Course, step: pb.LetterStep, phase: definition_pb2.Phase | None
    ) -> letters.Occasion:
        """What a letter tells, as it stands now: its phase may have moved since the letter was asked for."""
        name = self._name(step.institution)
        if phase is None:
            return letters.Occasion(course.title, course.cohort_id, course.definition, course.clock, name, step=step)
        if step.HasField("deadline_time"):
            stands = await self._store.meetings.deadline(course.cohort_id, phase.id)
            if stands and stands != documents.in_milliseconds(clock.moment(step.deadline_time)):
                step.deadline_time.CopyFrom(clock.stamp(stands))
        sessions = await self._store.meetings.of_phase(course, phase)
        return letters.Occasion(
            course.title, course.cohort_id, course.definition, course.clock, name, phase, step, sessions
        )

    async def _send(self, cohort_id: str, drafts: Sequence[notify.Draft]) -> Sequence[str]:
        """Why notify refused each of them; empty where it was written."""
        course = await self._store.known_course(cohort_id)
        names = "\n".join(draft.key for draft in drafts)
        request = notify.SendMessagesRequest(
            request_id=hashlib.sha256(f"{cohort_id}\n{names}".encode()).hexdigest(),
            drafts=drafts,
            cohort_id=course.cohort_id,
            rehearsal=course.mark,
        )
        answer = await self._stub.SendMessages(request)
        why = {refused.draft: f"{refused.field} {refused.reason}" for refused in answer.refused}
        return [why.get(place, "") for place in range(len(drafts))]


def _is_refusal(error: BaseException) -> bool:
    return isinstance(error, grpc.RpcError) and from_rpc_error(error).kind in PERMANENT


def _is_meant(step: pb.LetterStep, phase: definition_pb2.Phase | None, person: definition_pb2.Person) -> bool:
    if step.email and person.email != step.email:
        return False
    roles = step.roles or (phase.invites if phase else ())
    return not roles or person.role in roles


def _draft(occasion: letters.Occasion, step: pb.LetterStep, person: definition_pb2.Person) -> notify.Draft:
    recipient = notify.Recipient(
        name=person.name,
        email=person.email,
        language=person.language,
        institution=step.institution,
        role=person.role,
    )
    values = letters.values(occasion, person)
    return notify.Draft(
        template=step.template,
        recipient=recipient,
        values=values,
        key=_key(step, person),
        events=letters.meetings(occasion),
    )


def _key(step: pb.LetterStep, person: definition_pb2.Person) -> str:
    """Tells the letters of a cohort apart: who is written to, of what, and in which of the participant's lives."""
    told = (step.institution, step.template, step.occasion, step.readmissions, person.role, person.email)
    return hashlib.sha256(repr(told).encode()).hexdigest()
