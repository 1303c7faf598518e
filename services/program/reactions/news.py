"""Facts that people of an institution get a letter about. program writes these letters, since it knows the people:
facts carry no addresses."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.message import Message
from livinglab.assessment.v1 import events_pb2 as assessment
from livinglab.coaching.v1 import events_pb2 as coaching
from livinglab.common.v1 import options_pb2
from livinglab.notify.v1 import service_pb2 as notify
from livinglab.program.v1 import definition_pb2

from chassis import telemetry
from chassis.status import from_rpc_error
from directory import Institution
from programs import clock
from services.program.model.course import Course
from services.program.model.letter_steps import one_line
from services.program.store.cohorts import Store

if TYPE_CHECKING:
    from collections.abc import Mapping

    # Only the stubs' types know that these are asynchronous.
    from livinglab.notify.v1.service_pb2_grpc import NotifyServiceAsyncStub

# Of whom the work is; where an institution has nobody of these, all of its people are told.
_READERS = {options_pb2.ROLE_OPERATOR, options_pb2.ROLE_HEAD}
# A release that listens to one more kind of fact hears all of the past: that is no news.
_OLD = timedelta(days=7)

Values = dict[str, str]
_LETTERS: dict[type[Message], tuple[str, Callable[[Any], Values]]] = {
    coaching.PlanReturned: ("plan_returned", lambda fact: {"reason": one_line(fact.reason)}),
    coaching.PlanApproved: (
        "plan_approved",
        lambda fact: {"index": fact.to_index, "actions": str(fact.actions)},
    ),
    assessment.AssessorAssigned: ("assessor_assigned", lambda fact: _race(fact.evaluation_id)),
    assessment.EvaluationPublished: (
        "evaluation_published",
        lambda fact: {
            "instrument": fact.instrument,
            "period": fact.period,
            "index": fact.score.index,
            "predicate": fact.score.predicate,
        },
    ),
}


class News:
    """One letter a fact and person, however often the fact is delivered."""

    def __init__(
        self, store: Store, notify_stub: "NotifyServiceAsyncStub", institutions: "Mapping[str, Institution]"
    ) -> None:
        self._store = store
        self._notify = notify_stub
        self._institutions = institutions

    async def write(self, event: Any) -> None:
        """To those of the institution who do the work. Nobody is told of what is no news any more, nor of an
        institution that is in no cohort."""
        if datetime.now(UTC) - clock.moment(event.meta.occurred_time) > _OLD:
            return
        course = await self._course(event)
        if course is None:
            return
        people = await self._store.participants.people(course.cohort_id, event.institution)
        readers = [person for person in people if person.role in _READERS] or people
        if not readers:
            return
        template, values_of = _LETTERS[type(event)]
        known = self._institutions.get(event.institution)
        about = {
            "institution_name": known.name if known else event.institution,
            "cohort_title": course.title,
            **values_of(event),
        }
        request = notify.SendMessagesRequest(
            request_id=f"news:{template}:{_occasion(event)}",
            drafts=[_draft(template, event.institution, person, about) for person in readers],
            cohort_id=course.cohort_id,
            rehearsal=course.mark,
        )
        try:
            answer = await self._notify.SendMessages(request)
        except grpc.RpcError as error:
            # While notify is away the fact waits.
            raise from_rpc_error(error) from error
        for refused in answer.refused:
            told = f"{template} to {readers[refused.draft].name}: {refused.field} {refused.reason}"
            telemetry.log.warning("a letter was refused", cohort=course.cohort_id, reason=refused.reason)
            await self._store.participants.note_problem(course.cohort_id, event.institution, told)

    async def _course(self, event: Any) -> Course | None:
        """The cohort in whose name it is written: the fact's own, else one that the institution is in."""
        participants = self._store.participants
        if event.meta.rehearsal:
            found = await participants.rehearsed_cohorts(event.institution, event.meta.rehearsal)
        elif event.meta.cohort_id:
            found = [await participants.current_cohort(event.meta.cohort_id, event.institution)]
        else:
            found = sorted(await participants.real_cohorts(event.institution))
        return await self._store.course(found[0]) if found else None


def _draft(template: str, institution: str, person: definition_pb2.Person, about: Values) -> notify.Draft:
    recipient = notify.Recipient(
        name=person.name, email=person.email, language=person.language, institution=institution
    )
    return notify.Draft(template=template, recipient=recipient, values={"name": person.name, **about})


def _race(evaluation_id: str) -> Values:
    """Instrument and period, which the id of an evaluation is made of after its institution."""
    _, instrument, period = (*evaluation_id.split(":"), "", "")[:3]
    return {"instrument": instrument, "period": period}


def _occasion(event: Any) -> str:
    """What is written about once: each fact, but of several assessors of one evaluation the first."""
    if isinstance(event, assessment.AssessorAssigned):
        return hashlib.sha256(event.evaluation_id.encode()).hexdigest()[:32]
    return str(event.meta.event_id)
