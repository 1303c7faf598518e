"""The RPCs for managers' orders. What needs the database is checked here; the workflow of the cohort decides, one order
at a time, and has the order recorded before it answers."""

from collections.abc import Collection
from typing import Any

from livinglab.program.v1 import cohort_pb2, command_pb2, definition_pb2, steering_service_pb2_grpc
from livinglab.program.v1 import steering_service_pb2 as pb

from chassis.errors import Kind, Refused, Violation, invalid, invalid_field, precondition
from chassis.forms.addresses import mailbox
from programs.rules import cohort as cohort_rules
from programs.rules import shapes
from services.program.engine.client import Engine
from services.program.model import identity, states
from services.program.service.ordering import Ordering, command_of
from services.program.store.cohorts import Store
from services.program.store.documents import Row
from services.program.store.names import split_owner
from services.program.store.participants import require_active

# Refusals that leave open whether the workflow has the order.
_UNSURE = (Kind.UNAVAILABLE, Kind.DEADLINE_EXCEEDED, Kind.INTERNAL)


class SteeringService(steering_service_pb2_grpc.SteeringServiceServicer):
    """The contract, on one store, the workflows and the regions that are known."""

    def __init__(self, store: Store, engine: Engine, regions: Collection[str]) -> None:
        self._store = store
        self._orders = Ordering(store, engine)
        self._regions = regions

    async def PauseCohort(self, request: pb.PauseCohortRequest, context: Any) -> pb.PauseCohortResponse:
        given = await self._orders.give(request, pause=command_pb2.PauseOrder())
        return pb.PauseCohortResponse(cohort=given.cohort, preview=given.preview)

    async def ResumeCohort(self, request: pb.ResumeCohortRequest, context: Any) -> pb.ResumeCohortResponse:
        given = await self._orders.give(request, resume=command_pb2.ResumeOrder())
        return pb.ResumeCohortResponse(cohort=given.cohort, preview=given.preview)

    async def ReschedulePhase(self, request: pb.ReschedulePhaseRequest, context: Any) -> pb.ReschedulePhaseResponse:
        if not request.open_days and not request.deadline_days:
            raise invalid_field("deadline_days", "says, like open_days, that nothing moves")
        order = command_pb2.RescheduleOrder(
            phase=request.phase, open_days=request.open_days, deadline_days=request.deadline_days
        )
        given = await self._orders.give(request, reschedule=order)
        return pb.ReschedulePhaseResponse(cohort=given.cohort, preview=given.preview)

    async def ReopenPhase(self, request: pb.ReopenPhaseRequest, context: Any) -> pb.ReopenPhaseResponse:
        order = command_pb2.ReopenOrder(phase=request.phase, days=request.days, readmit=request.readmit)
        if request.readmit:
            order.institutions.extend(await self._store.participants.failed_at(request.cohort_id, request.phase))
        given = await self._orders.give(request, reopen=order)
        return pb.ReopenPhaseResponse(cohort=given.cohort, preview=given.preview)

    async def OverrideGate(self, request: pb.OverrideGateRequest, context: Any) -> pb.OverrideGateResponse:
        order = command_pb2.OverrideOrder(phase=request.phase, action=request.action)
        given = await self._orders.give(request, override=order)
        return pb.OverrideGateResponse(
            cohort=given.cohort, awaiting_second=given.awaiting_second, preview=given.preview
        )

    async def ReadmitParticipant(
        self, request: pb.ReadmitParticipantRequest, context: Any
    ) -> pb.ReadmitParticipantResponse:
        async def check(cohort: cohort_pb2.Cohort) -> None:
            row = await self._store.participants.standing(cohort.id, request.institution)
            if row.get("moved_to"):
                raise _ended(f"{request.institution} went on in cohort {row['moved_to']}")
            if row["state"] == states.GRADUATED:
                raise _ended(f"{request.institution} has graduated")
            if row["state"] == states.ACTIVE:
                raise precondition("PARTICIPANT_ACTIVE", f"{request.institution} is in the cohort")

        order = command_pb2.ReadmitOrder(institution=request.institution)
        given = await self._orders.give(request, check, readmit=order)
        return pb.ReadmitParticipantResponse(cohort=given.cohort, preview=given.preview)

    async def EnrolParticipant(self, request: pb.EnrolParticipantRequest, context: Any) -> pb.EnrolParticipantResponse:
        async def check(cohort: cohort_pb2.Cohort) -> None:
            code = request.participant.institution
            if await self._store.participants.known(cohort.id, code):
                name = f"{cohort.id}/{code}"
                message = f"{code} is in the cohort, or was: readmit it"
                raise Refused(Kind.ALREADY_EXISTS, "PARTICIPANT_EXISTS", message, resource=("participant", name))
            if cohort.participants >= cohort_rules.MOST_PARTICIPANTS:
                raise precondition("COHORT_FULL", f"at most {cohort_rules.MOST_PARTICIPANTS} participants are taken")
            definition = (await self._store.known_course(cohort.id)).definition
            if faults := self._faults(definition, request.participant):
                raise invalid(faults)

        order = command_pb2.EnrolOrder(participant=request.participant)
        given = await self._orders.give(request, check, enrol=order)
        return pb.EnrolParticipantResponse(cohort=given.cohort, preview=given.preview)

    async def ReplacePerson(self, request: pb.ReplacePersonRequest, context: Any) -> pb.ReplacePersonResponse:
        async def check(cohort: cohort_pb2.Cohort) -> None:
            row = await self._store.participants.standing(cohort.id, request.institution)
            _require_staying(row)
            if faults := self._person_faults(cohort.id, request):
                raise invalid(faults)
            _require_replaceable(row, request)

        order = command_pb2.ReplaceOrder(institution=request.institution, person=request.person, email=request.email)
        given = await self._orders.give(request, check, replace=order)
        return pb.ReplacePersonResponse(cohort=given.cohort, preview=given.preview)

    async def SplitCohort(self, request: pb.SplitCohortRequest, context: Any) -> pb.SplitCohortResponse:
        async def check(cohort: cohort_pb2.Cohort) -> None:
            _require_distinct(request)
            for institution in request.institutions:
                _require_staying(await self._store.participants.standing(cohort.id, institution))
            if len(request.institutions) >= len(await self._store.participants.active(cohort.id)):
                raise precondition("NOBODY_STAYS", "every participant would go: nothing would be split")
            if not request.validate_only:
                await self._store.names.reserve(request.new_cohort_id, owner)

        owner = split_owner(request.cohort_id, identity.key(command_of(request, split=command_pb2.SplitOrder())))
        order = command_pb2.SplitOrder(
            cohort_id=request.new_cohort_id, title=request.title, institutions=request.institutions
        )
        try:
            given = await self._orders.give(request, check, split=order)
        except Refused as refused:
            # Without an answer it may come to count later: then the id stays reserved.
            if refused.kind not in _UNSURE:
                await self._store.names.release(request.new_cohort_id, owner)
            raise
        return pb.SplitCohortResponse(cohort=given.cohort, preview=given.preview)

    async def ResolveProblems(self, request: pb.ResolveProblemsRequest, context: Any) -> pb.ResolveProblemsResponse:
        async def check(cohort: cohort_pb2.Cohort) -> None:
            problems = list(cohort.problems)
            if request.institution:
                row = await self._store.participants.standing(cohort.id, request.institution)
                problems = row["problems"]
            if not problems:
                raise precondition("NO_PROBLEM", f"{request.institution or cohort.id} has no problem to resolve")

        order = command_pb2.ResolveOrder(institution=request.institution, retry=request.retry)
        given = await self._orders.give(request, check, resolve=order)
        return pb.ResolveProblemsResponse(cohort=given.cohort, preview=given.preview)

    def _faults(
        self, definition: definition_pb2.Definition, participant: definition_pb2.Participant
    ) -> list[Violation]:
        """What a launch with this participant would find wrong with it."""
        roster = definition_pb2.CohortSpec(roster=[participant])
        found = cohort_rules.validate(definition, roster, self._regions)
        at = "cohort.roster[0]"
        return [Violation("participant" + v.field.removeprefix(at), v.description) for v in found if at in v.field]

    def _person_faults(self, cohort_id: str, request: pb.ReplacePersonRequest) -> list[Violation]:
        """What a launch with this person would find wrong with them."""
        alone = definition_pb2.Participant(institution=request.institution, people=[request.person])
        at = "participant.people[0]."
        found = self._faults(definition_pb2.Definition(), alone)
        return [Violation("person." + v.field.removeprefix(at), v.description) for v in found if at in v.field]


def _require_staying(row: Row) -> None:
    """It is in the cohort, and has not asked to leave."""
    require_active(row)
    if row.get("leaving"):
        raise _ended(f"{row['institution']} is about to leave the cohort")


def _require_replaceable(row: Row, request: pb.ReplacePersonRequest) -> None:
    """Nobody, or more than one, whom the new person would act for."""
    code, person = request.institution, request.person
    holders = [p for p in row["people"] if p["role"] == person.role]
    leaving = [p for p in holders if not request.email or mailbox(request.email) == mailbox(p["email"])]
    if not leaving:
        raise precondition("NOBODY_LEAVES", f"nobody of {code} has that role, or that address in it")
    if len(leaving) > 1:
        raise precondition("SEVERAL_LEAVE", f"several of {code} have that role: give the address of who leaves")
    others = [p for p in holders if p is not leaving[0]]
    if any(mailbox(p["email"]) == mailbox(person.email) for p in others):
        raise invalid_field("person.email", f"{person.email} has that role already")


def _require_distinct(request: pb.SplitCohortRequest) -> None:
    faults = list(shapes.slug("new_cohort_id", request.new_cohort_id, cohort_rules.LONGEST_COHORT_ID))
    if len(set(request.institutions)) < len(request.institutions):
        faults.append(Violation("institutions", "names an institution twice"))
    if faults:
        raise invalid(faults)


def _ended(message: str) -> Refused:
    return precondition("PARTICIPANT_ENDED", message)
