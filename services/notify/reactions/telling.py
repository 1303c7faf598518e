"""Facts in: told at once by the rules that say so, kept by those that wait whether something follows."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf.message import Message
from livinglab.assessment.v1 import events_pb2 as assessment
from livinglab.coaching.v1 import events_pb2 as coaching
from livinglab.notify.v1 import rule_pb2
from livinglab.notify.v1 import service_pb2 as pb
from livinglab.program.v1 import directory_events_pb2 as directory_pb

from chassis import telemetry
from chassis.errors import Refused
from chassis.events.stream import Reaction
from chassis.forms.addresses import is_address
from chassis.mongo import Tx
from directory import Institution
from directory.assignments import Assignments
from directory.projection import Institutions
from services.notify.model import facts, rules
from services.notify.model.rules import Rules
from services.notify.reactions.people import Circle, People
from services.notify.store.messages import DatabaseFailure
from services.notify.store.waits import Wait, WaitStore
from services.notify.writing.writer import Writer

# Of what is due without anybody's doing; a day more or less is none.
_LOOK_SECONDS = 5.0
_MOST = 100


class Telling:
    """One letter a rule, thing and person, however often the fact is delivered."""

    def __init__(
        self, book: Rules, people: People, writer: Writer, waits: WaitStore, institutions: Mapping[str, Institution]
    ) -> None:
        self._rules = book
        self._people = people
        self._writer = writer
        self._waits = waits
        self._institutions = institutions

    async def keep(self, tx: Tx, event: Message) -> None:
        """What is to be told later unless something follows, and what this fact has ended."""
        if event.meta.rehearsal:  # type: ignore[attr-defined]
            # A rehearsal's days are not those of the calendar: nobody waits for them there.
            return
        at = rules.occurred(event)
        for rule in self._rules.ended_by(event):
            await self._waits.end(tx, rules.tie(rule, event), at)
        for rule in self._rules.told_by(event):
            if rule.after_days:
                due = at + timedelta(days=rule.after_days)
                if not _is_old(due):
                    await self._waits.begin(tx, rules.tie(rule, event), rule.id, event.SerializeToString(), at, due)

    async def tell(self, event: Message) -> None:
        """What is told at once; what happened long ago is no news."""
        if not _is_old(rules.occurred(event)):
            for rule in self._rules.told_by(event):
                if not rule.after_days:
                    await self._write(rule, event)

    async def run(self) -> None:
        """Tells what has waited long enough, until cancelled."""
        while True:
            try:
                for wait in await self._waits.due(_MOST):
                    await self._tell_waited(wait)
            except DatabaseFailure as error:
                telemetry.log.warning("waiting", for_="MongoDB", because=type(error).__name__)
            await asyncio.sleep(_LOOK_SECONDS)

    async def _tell_waited(self, wait: Wait) -> None:
        rule = self._rules.get(wait.rule)
        try:
            if rule is not None:
                await self._write(rule, facts.FACTS[rule.fact].FromString(wait.event))
        except Refused as error:
            # It is looked at again; the others are told meanwhile.
            telemetry.log.warning("waiting", for_="who is told", rule=wait.rule, because=str(error)[:200])
        else:
            await self._waits.told(wait)

    async def _write(self, rule: rule_pb2.Rule, event: Message) -> None:
        occasion = rules.occasion(rule, event)
        about = rules.values(rule, event, self._name)
        async for circle in self._people.of(rule, event):
            drafts = [_draft(rule, occasion, circle, person, about) for person in circle.people]
            written = [one for one in drafts if not one.recipient.email or is_address(one.recipient.email)]
            for draft in drafts:
                if draft not in written:
                    await self._note(circle, draft)
            if written:
                await self._writer.write(written, circle.cohort_id, circle.rehearsal, rule.id)

    async def _note(self, circle: Circle, draft: pb.Draft) -> None:
        """An address that is none, as managers see it."""
        told = f"{draft.template} to {draft.recipient.name}: recipient.email is not an e-mail address"
        telemetry.log.warning("a letter was refused", cohort=circle.cohort_id, reason="no address")
        if circle.cohort_id:
            await self._people.note_problem(circle, draft.recipient.institution, draft.key, told)

    def _name(self, code: str) -> str:
        known = self._institutions.get(code)
        return known.name if known else code

    def table(self, assignments: Assignments, institutions: Institutions) -> list[Reaction]:
        """Every fact that notify listens to: those of the rules, and what they rest on."""
        kept: dict[type[Message], Any] = {
            coaching.CoachAssigned: assignments.on_coach_assigned,
            assessment.AssessorAssigned: assignments.on_assessor_assigned,
            assessment.AssessorWithdrawn: assignments.on_assessor_withdrawn,
            directory_pb.InstitutionRegistered: institutions.keep,
        }
        told = self._rules.facts()

        def reaction(event: type[Message]) -> Reaction:
            async def handle(tx: Tx, fact: Any) -> None:
                if event in kept:
                    await kept[event](tx, fact)
                if event in told:
                    await self.keep(tx, fact)

            return Reaction(event, handle, self.tell if event in told else None)

        return [reaction(event) for event in dict.fromkeys([*told, *kept])]


def _draft(
    rule: rule_pb2.Rule, occasion: str, circle: Circle, person: pb.Recipient, about: Mapping[str, str]
) -> pb.Draft:
    values = {
        "name": rules.one_line(person.name),
        "institution_name": circle.institution_name,
        "cohort_title": rules.one_line(circle.cohort_title),
        **about,
    }
    return pb.Draft(template=rule.template, recipient=person, values=values, key=rules.person_key(occasion, person))


def _is_old(moment: datetime) -> bool:
    return datetime.now(UTC) - moment > rules.OLD
