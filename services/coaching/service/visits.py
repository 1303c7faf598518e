"""RPCs on study visits: one method is one use case: read, decide, one transaction, answer."""

from typing import Any

from livinglab.coaching.v1 import visit_pb2, visit_service_pb2_grpc
from livinglab.coaching.v1 import visit_service_pb2 as pb
from livinglab.common.v1 import options_pb2

from chassis import auth, mongo, naming
from chassis.errors import denied, invalid, not_found
from directory.assignments import Assignments
from directory.known import Directory
from directory.projection import require_heard
from services.coaching.model import visits
from services.coaching.model.pairing import coaches
from services.coaching.store.coaching import Store
from services.coaching.store.follow_ups import FollowUps


async def known_visit(store: Store, tx: mongo.Tx, visit_id: str) -> visit_pb2.Visit:
    """The visit; NOT_FOUND where there is none."""
    visit = await store.visit(tx, visit_id)
    if visit is None:
        raise not_found("visit", visit_id)
    return visit


async def visit_of_caller(store: Store, assignments: Assignments, tx: mongo.Tx, visit_id: str) -> visit_pb2.Visit:
    """The visit, if the caller may speak for its visitor or its host."""
    visit = await known_visit(store, tx, visit_id)
    caller = auth.caller()
    caller.require_institution(visit.host if caller.bound_to == visit.host else visit.visitor)
    if not await assignments.reaches(caller, visit.visitor):
        await assignments.require(visit.host)
    return visit


class VisitService(visit_service_pb2_grpc.VisitServiceServicer):
    """The contract, on one store and the institutions that are known."""

    def __init__(self, store: Store, assignments: Assignments, institutions: Directory) -> None:
        self._store = store
        self._follow_ups = FollowUps(store.db)
        self._assignments = assignments
        self._institutions = institutions

    async def PlanVisit(self, request: pb.PlanVisitRequest, context: Any) -> pb.PlanVisitResponse:
        caller = auth.caller()
        caller.require_institution(request.visitor)
        require_heard(self._institutions, request.visitor, request.host)
        faults = visits.faults(request, self._institutions) + coaches.faults(request, self._institutions)
        if faults:
            raise invalid(faults)
        new_id = naming.new_id()

        async def decide(tx: mongo.Tx) -> pb.PlanVisitResponse:
            known = await self._store.visit(tx, request.visit_id) if request.visit_id else None
            if known is not None:
                caller.require_institution(known.visitor)
            elif request.visit_id and caller.bound_to is not None:
                # Nobody takes the ids that the program is going to give.
                raise not_found("visit", request.visit_id)
            arranged = caller.subject if caller.bound_to is None else ""
            visit, fact = visits.planned(request, request.visit_id or new_id, known, arranged)
            if fact is not None:
                await self._store.save_visit(tx, visit)
                tx.add(fact)
            return pb.PlanVisitResponse(visit=visit)

        return await self._store.db.once(request, decide, pb.PlanVisitResponse)

    async def AcceptVisit(self, request: pb.AcceptVisitRequest, context: Any) -> pb.AcceptVisitResponse:
        async def decide(tx: mongo.Tx) -> pb.AcceptVisitResponse:
            visit = await known_visit(self._store, tx, request.visit_id)
            auth.caller().require_institution(visit.host)
            fact = visits.accepted(visit, auth.caller().subject)
            if fact is not None:
                await self._store.save_visit(tx, visit)
                tx.add(fact)
            return pb.AcceptVisitResponse(visit=visit)

        return await self._store.db.once(request, decide, pb.AcceptVisitResponse)

    async def ConfirmVisitHeld(self, request: pb.ConfirmVisitHeldRequest, context: Any) -> pb.ConfirmVisitHeldResponse:
        async def decide(tx: mongo.Tx) -> pb.ConfirmVisitHeldResponse:
            visit = await visit_of_caller(self._store, self._assignments, tx, request.visit_id)
            today = self._institutions.now(visit.host).date()
            caller = auth.caller()
            by_host = caller.bound_to == visit.host or caller.role == options_pb2.ROLE_MANAGER
            fact = visits.held(visit, request, caller.subject, today, by_host=by_host)
            if fact is not None:
                await self._store.save_visit(tx, visit)
                await self._follow_ups.held(tx, visit)
                tx.add(fact)
            return pb.ConfirmVisitHeldResponse(visit=visit)

        return await self._store.db.once(request, decide, pb.ConfirmVisitHeldResponse)

    async def CancelVisit(self, request: pb.CancelVisitRequest, context: Any) -> pb.CancelVisitResponse:
        faults = coaches.faults(request, self._institutions)
        if faults:
            raise invalid(faults)

        async def decide(tx: mongo.Tx) -> pb.CancelVisitResponse:
            visit = await visit_of_caller(self._store, self._assignments, tx, request.visit_id)
            fact = visits.cancelled(visit, request.reason)
            if fact is not None:
                await self._store.save_visit(tx, visit)
                tx.add(fact)
            return pb.CancelVisitResponse(visit=visit)

        return await self._store.db.once(request, decide, pb.CancelVisitResponse)

    async def ListVisits(self, request: pb.ListVisitsRequest, context: Any) -> pb.ListVisitsResponse:
        caller = auth.caller()
        if caller.bound_to is not None and not request.institution:
            raise denied("INSTITUTION_NEEDED", "name your own institution")
        caller.require_institution(request.institution)
        # A rehearsal is a cohort: who asks for none asks for what is real.
        keys: dict[str, Any] = {"cohort_id": request.cohort_id} if request.cohort_id else {"rehearsal": ""}
        if request.institution:
            await self._assignments.require(request.institution)
            keys["parties"] = request.institution
        elif (reached := await self._assignments.reached(caller)) is not None:
            keys["parties"] = {"$in": sorted(reached)}
        found, token = await self._store.visit_page(keys, request)
        return pb.ListVisitsResponse(visits=found, next_page_token=token)
