"""RPCs in: one method is one use case: read, decide, one transaction, answer."""

import asyncio
import functools
from collections.abc import Container
from datetime import UTC, datetime
from typing import Any

from livinglab.coaching.v1 import coaching_pb2, service_pb2_grpc
from livinglab.coaching.v1 import service_pb2 as pb
from livinglab.common.v1 import options_pb2

from chassis import auth, mongo, naming
from chassis.errors import Kind, Refused, denied, invalid, invalid_field, not_found, precondition
from directory.assignments import Assignments
from directory.projection import require_heard
from services.coaching.model import comments, plan, planning, sessions, terms
from services.coaching.model.pairing import assigning
from services.coaching.model.pairing import coaches as model
from services.coaching.service.plans import reached, require_owned, shown
from services.coaching.store.assignments import AssignmentRows
from services.coaching.store.coaching import Store
from services.coaching.store.plans import PlanStore

# A fact takes milliseconds to arrive; who asks too early is told to ask again then.
_EVALUATION_RETRY_SECONDS = 0.2


class CoachingService(service_pb2_grpc.CoachingServiceServicer):
    """The contract, on one store and the institutions that are known."""

    def __init__(self, store: Store, plans: PlanStore, assignments: Assignments, institutions: Container[str]) -> None:
        self._store = store
        self._rows = AssignmentRows(store)
        self._plans = plans
        self._assignments = assignments
        self._institutions = institutions

    async def RegisterCoach(self, request: pb.RegisterCoachRequest, context: Any) -> pb.RegisterCoachResponse:
        coach = coaching_pb2.Coach(
            id=request.coach_id,
            name=request.name,
            email=request.email,
            capacity=request.capacity,
            rehearsal=request.rehearsal,
            expertise=request.expertise,
            institution=request.institution,
            languages=request.languages,
            time_zone=request.time_zone,
            conflicts=request.conflicts,
        )
        faults = assigning.coach_faults(request, self._institutions)
        if faults:
            raise invalid(faults)

        async def decide(tx: mongo.Tx) -> pb.RegisterCoachResponse:
            await self._store.save_coach(tx, coach)
            return pb.RegisterCoachResponse(coach=coach)

        return await self._store.db.once(request, decide, pb.RegisterCoachResponse)

    async def ListCoaches(self, request: pb.ListCoachesRequest, context: Any) -> pb.ListCoachesResponse:
        coaches, token = await self._store.coach_page(request)
        caller = auth.caller()
        for coach in coaches:
            # Their addresses are for those who write to them.
            if caller.role == options_pb2.ROLE_COACH and coach.id != caller.subject:
                coach.ClearField("email")
        return pb.ListCoachesResponse(coaches=coaches, next_page_token=token)

    async def AssignCoach(self, request: pb.AssignCoachRequest, context: Any) -> pb.AssignCoachResponse:
        self._require_sound(request)

        async def decide(tx: mongo.Tx) -> pb.AssignCoachResponse:
            assignment = await self._rows.assignment(tx, request.cohort_id, request.institution)
            if assignment is not None:
                model.require_realm(assignment.rehearsal, request.rehearsal, f"assignment {assignment.id}")
                coach = await self._store.coach(tx, assignment.rehearsal, assignment.coach_id)
                model.require_choice(request, coach)
                return pb.AssignCoachResponse(coach=coach)
            coaches = await self._store.coaches(tx, request.rehearsal)
            gone = await self._rows.gone(tx, request.cohort_id)
            coaches = [coach for coach in coaches if coach.id not in gone]
            loads = await self._rows.loads(tx, request.cohort_id)
            coach, assignment, fact = model.assigned(request, coaches, loads)
            await self._rows.assign(tx, assignment)
            tx.add(fact)
            return pb.AssignCoachResponse(coach=coach)

        # Everybody is after the coach with the most places.
        return await self._store.db.once(request, decide, pb.AssignCoachResponse, request.cohort_id)

    async def ScheduleSession(self, request: pb.ScheduleSessionRequest, context: Any) -> pb.ScheduleSessionResponse:
        self._require_sound(request)

        async def decide(tx: mongo.Tx) -> pb.ScheduleSessionResponse:
            known = await self._store.session(tx, request.session_id)
            session, fact = sessions.scheduled(request, known)
            if fact is not None:
                await self._store.save_session(tx, session)
                tx.add(fact)
            return pb.ScheduleSessionResponse(session=session)

        return await self._store.db.once(request, decide, pb.ScheduleSessionResponse)

    async def MoveSession(self, request: pb.MoveSessionRequest, context: Any) -> pb.MoveSessionResponse:
        self._require_sound(request)

        async def decide(tx: mongo.Tx) -> pb.MoveSessionResponse:
            session = await self._known_session(tx, request.session_id)
            fact = sessions.moved(request, session, datetime.now(UTC))
            if fact is not None:
                await self._store.save_session(tx, session)
                tx.add(fact)
            return pb.MoveSessionResponse(session=session)

        return await self._store.db.once(request, decide, pb.MoveSessionResponse)

    async def CancelSession(self, request: pb.CancelSessionRequest, context: Any) -> pb.CancelSessionResponse:
        self._require_sound(request)

        async def decide(tx: mongo.Tx) -> pb.CancelSessionResponse:
            session = await self._known_session(tx, request.session_id)
            fact = sessions.cancelled(session, request.reason, datetime.now(UTC))
            if fact is not None:
                await self._store.save_session(tx, session)
                tx.add(fact)
            return pb.CancelSessionResponse(session=session)

        return await self._store.db.once(request, decide, pb.CancelSessionResponse)

    async def ListSessions(self, request: pb.ListSessionsRequest, context: Any) -> pb.ListSessionsResponse:
        return pb.ListSessionsResponse(sessions=await self._store.sessions(request.cohort_id))

    async def RecordAttendance(self, request: pb.RecordAttendanceRequest, context: Any) -> pb.RecordAttendanceResponse:
        caller = auth.caller()
        caller.require_institution(request.institution)
        if caller.bound_to is not None and request.role != caller.role:
            raise denied("OTHER_SEAT", f"{caller.subject} says for itself that it was there, and for nobody else")
        self._require_sound(request)

        async def decide(tx: mongo.Tx) -> pb.RecordAttendanceResponse:
            session = await self._known_session(tx, request.session_id)
            sessions.require_on(session)
            sessions.require_begun(session, datetime.now(UTC))
            if await self._store.seat(tx, request, session):
                tx.add(sessions.attended(request, session))
            return pb.RecordAttendanceResponse()

        return await self._store.db.once(request, decide, pb.RecordAttendanceResponse)

    async def SignAgreement(self, request: pb.SignAgreementRequest, context: Any) -> pb.SignAgreementResponse:
        auth.caller().require_institution(request.institution)
        self._require_sound(request)

        async def decide(tx: mongo.Tx) -> pb.SignAgreementResponse:
            if await self._store.sign(tx, request):
                tx.add(model.signed(request))
            return pb.SignAgreementResponse()

        return await self._store.db.once(request, decide, pb.SignAgreementResponse)

    async def DraftPlan(self, request: pb.DraftPlanRequest, context: Any) -> pb.DraftPlanResponse:
        auth.caller().require_institution(request.institution)
        self._require_sound(request)

        async def decide(tx: mongo.Tx) -> pb.DraftPlanResponse:
            found = await self._plans.find(tx, plan.plan_id(request.cohort_id, request.institution))
            if found is None:
                found = await self._drafted(tx, request)
                plan.wrote(found, auth.caller().subject)
                await self._plans.save(tx, found, plan.drafted(found))
            model.require_realm(found.rehearsal, request.rehearsal, f"plan {found.id}")
            return pb.DraftPlanResponse(plan=found)

        return await self._store.db.once(request, decide, pb.DraftPlanResponse)

    async def SubmitPlan(self, request: pb.SubmitPlanRequest, context: Any) -> pb.SubmitPlanResponse:
        async def decide(tx: mongo.Tx) -> pb.SubmitPlanResponse:
            found = await self._own_plan(request.plan_id, tx)
            fact = plan.submit(found, request.etag, auth.caller().subject)
            await self._plans.save(tx, found, fact)
            return pb.SubmitPlanResponse(plan=found)

        return await self._store.db.once(request, decide, pb.SubmitPlanResponse, request.plan_id)

    async def ReviewPlan(self, request: pb.ReviewPlanRequest, context: Any) -> pb.ReviewPlanResponse:
        ids, now, who = [naming.new_id() for _ in request.remarks], datetime.now(UTC), auth.caller()

        async def decide(tx: mongo.Tx) -> pb.ReviewPlanResponse:
            found = await self._plans.plan(request.plan_id, tx)
            await self._plans.save(tx, found, plan.review(found, request, who.subject, who.identity.institution, now))
            for asked in comments.asked(found, request, ids, who.subject, now):
                await self._plans.add_comment(tx, asked)
                tx.add(comments.commented(found, asked))
            return pb.ReviewPlanResponse(plan=found)

        return await self._store.db.once(request, decide, pb.ReviewPlanResponse, request.plan_id)

    async def CompleteAction(self, request: pb.CompleteActionRequest, context: Any) -> pb.CompleteActionResponse:
        named = {one.evidence_id for one in request.evidence if one.evidence_id}

        async def decide(tx: mongo.Tx) -> pb.CompleteActionResponse:
            found = await self._own_plan(request.plan_id, tx)
            require_owned(found, request.action_id)
            pieces = await self._plans.pieces(tx, found, named, auth.caller().care())
            fact = plan.complete(found, request, auth.caller().subject, datetime.now(UTC), pieces)
            if fact is not None:
                await self._plans.save(tx, found, fact)
            return pb.CompleteActionResponse(plan=shown(found))

        return await self._store.db.once(request, decide, pb.CompleteActionResponse, request.plan_id)

    async def GetPlan(self, request: pb.GetPlanRequest, context: Any) -> pb.GetPlanResponse:
        return pb.GetPlanResponse(plan=shown(await self._own_plan(request.plan_id)))

    async def ListPlans(self, request: pb.ListPlansRequest, context: Any) -> pb.ListPlansResponse:
        caller = auth.caller()
        if caller.bound_to is not None and not request.institution:
            raise denied("INSTITUTION_NEEDED", "name your own institution")
        caller.require_institution(request.institution)
        if not request.cohort_id and not request.institution:
            raise invalid_field("cohort_id", "name a cohort, an institution, or both")
        keys: dict[str, Any] = {"cohort_id": request.cohort_id} if request.cohort_id else {}
        if request.institution:
            await self._assignments.require(request.institution)
            keys["institution"] = request.institution
        elif (reached := await self._assignments.reached(caller)) is not None:
            keys["institution"] = {"$in": sorted(reached)}
        if (agency := caller.care()) is not None:
            keys["actions.owner"] = agency
        plans, token = await self._plans.page(keys, request)
        return pb.ListPlansResponse(plans=[shown(one) for one in plans], next_page_token=token)

    async def _drafted(self, tx: mongo.Tx, request: pb.DraftPlanRequest) -> coaching_pb2.Plan:
        """A new plan from what is known here now."""
        assignment = await self._rows.assignment(tx, request.cohort_id, request.institution)
        if assignment is None:
            raise precondition("NO_COACH", f"{request.institution} has no coach in cohort {request.cohort_id} yet")
        model.require_realm(assignment.rehearsal, request.rehearsal, f"assignment {assignment.id}")
        about = (request.institution, request.rehearsal, request.evaluation_id)
        evaluation = await self._store.newest_evaluation(tx, *about)
        if evaluation is None:
            raise Refused(
                Kind.FAILED_PRECONDITION,
                "NO_EVALUATION",
                f"no submitted evaluation of {request.institution} has arrived here yet",
                retry_seconds=_EVALUATION_RETRY_SECONDS,
            )
        instrument = await self._store.instrument_of(tx, evaluation)
        if not request.HasField("terms"):
            return planning.draft(request, assignment.coach_id, evaluation, instrument)
        solver = functools.partial(terms.least_effort, today=datetime.now(UTC).date())
        # To solve takes a tenth of a second: others must not wait for it.
        return await asyncio.to_thread(planning.draft, request, assignment.coach_id, evaluation, instrument, solver)

    async def _known_session(self, tx: mongo.Tx, session_id: str) -> coaching_pb2.Session:
        """NOT_FOUND where there is none."""
        found = await self._store.session(tx, session_id)
        if found is None:
            raise not_found("session", session_id)
        return found

    async def _own_plan(self, plan_id: str, tx: mongo.Tx | None = None) -> coaching_pb2.Plan:
        """The plan, if the caller may reach its institution."""
        return await reached(self._plans, self._assignments, plan_id, tx)

    def _require_sound(self, request: Any) -> None:
        if "institution" in request.DESCRIPTOR.fields_by_name:
            require_heard(self._institutions, request.institution)
        faults = model.faults(request, self._institutions)
        if faults:
            raise invalid(faults)
