"""RPCs on what a visit is made of and what follows it, and the look-out for visits that nothing followed."""

import asyncio
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

from livinglab.coaching.v1 import follow_up_pb2, follow_up_service_pb2_grpc
from livinglab.coaching.v1 import follow_up_service_pb2 as pb

from chassis import auth, mongo, telemetry
from chassis.errors import Refused, not_found
from directory.assignments import Assignments
from directory.known import Directory
from instruments.rounding import written
from services.coaching.model import follow_ups
from services.coaching.service.visits import known_visit, visit_of_caller
from services.coaching.store.coaching import Store
from services.coaching.store.follow_ups import DatabaseFailure, FollowUps

_LOOK_SECONDS = 5.0
_MOST = 100


class FollowUpService(follow_up_service_pb2_grpc.FollowUpServiceServicer):
    """The contract, on visits and what is kept beside them."""

    def __init__(self, kept: FollowUps, store: Store, assignments: Assignments, institutions: Directory) -> None:
        self._kept = kept
        self._store = store
        self._assignments = assignments
        self._institutions = institutions

    async def ArrangeVisit(self, request: pb.ArrangeVisitRequest, context: Any) -> pb.ArrangeVisitResponse:
        async def decide(tx: mongo.Tx) -> pb.ArrangeVisitResponse:
            visit = await known_visit(self._store, tx, request.visit_id)
            caller = auth.caller()
            caller.require_institution(visit.host if caller.bound_to == visit.host else visit.visitor)
            found, fact = follow_ups.arranged(visit, await self._kept.find(visit.id, tx), request)
            await self._kept.save(tx, found)
            tx.add(fact)
            return pb.ArrangeVisitResponse(follow_up=found)

        return await self._kept.db.once(request, decide, pb.ArrangeVisitResponse)

    async def AddVisitDuties(self, request: pb.AddVisitDutiesRequest, context: Any) -> pb.AddVisitDutiesResponse:
        async def decide(tx: mongo.Tx) -> pb.AddVisitDutiesResponse:
            visit = await known_visit(self._store, tx, request.visit_id)
            await self._assignments.require(visit.visitor)
            found, fact = follow_ups.with_duties(visit, await self._kept.find(visit.id, tx), request)
            await self._kept.save(tx, found)
            tx.add(fact)
            return pb.AddVisitDutiesResponse(follow_up=found)

        return await self._kept.db.once(request, decide, pb.AddVisitDutiesResponse)

    async def CompleteVisitDuty(
        self, request: pb.CompleteVisitDutyRequest, context: Any
    ) -> pb.CompleteVisitDutyResponse:
        async def decide(tx: mongo.Tx) -> pb.CompleteVisitDutyResponse:
            visit = await known_visit(self._store, tx, request.visit_id)
            auth.caller().require_institution(visit.visitor)
            known = await self._kept.find(visit.id, tx)
            if known is None:
                raise not_found("duty", f"{request.duty_id} of visit {visit.id}")
            fact = follow_ups.completed(known, request, auth.caller().subject, datetime.now(UTC))
            if fact is not None:
                await self._kept.save(tx, known)
                tx.add(fact)
            return pb.CompleteVisitDutyResponse(follow_up=known)

        return await self._kept.db.once(request, decide, pb.CompleteVisitDutyResponse)

    async def GetFollowUp(self, request: pb.GetFollowUpRequest, context: Any) -> pb.GetFollowUpResponse:
        async def read(tx: mongo.Tx) -> pb.GetFollowUpResponse:
            visit = await visit_of_caller(self._store, self._assignments, tx, request.visit_id)
            known = await self._kept.find(visit.id, tx)
            empty = follow_up_pb2.VisitFollowUp(id=visit.id, visitor=visit.visitor, host=visit.host)
            return pb.GetFollowUpResponse(follow_up=known or empty)

        return await self._kept.db.transaction(read)

    async def CountFollowUps(self, request: pb.CountFollowUpsRequest, context: Any) -> pb.CountFollowUpsResponse:
        counts = await self._kept.count({"cohort_id": request.cohort_id} if request.cohort_id else {"rehearsal": ""})
        answer = pb.CountFollowUpsResponse()
        for name, count in counts.items():
            setattr(answer, name, count)
        if answer.held:
            answer.share = written(Fraction(100 * answer.followed, answer.held))
        return answer

    async def look_out(self) -> None:
        """Tells of visits that nothing followed within their term, until cancelled. Each process looks; who stores it
        first has told it."""
        while True:
            try:
                # No zone is further ahead; each is looked at by its own day.
                tomorrow = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()
                for one in await self._kept.over(tomorrow, _MOST):
                    # On a copy that is thrown away: no transaction for a day that is not over there yet.
                    if follow_ups.missed(one, self._institutions.now(one.visitor)) is not None:
                        await self._escalate(one.id)
            except DatabaseFailure as error:
                telemetry.log.warning("waiting", for_="MongoDB", because=type(error).__name__)
            await asyncio.sleep(_LOOK_SECONDS)

    async def _escalate(self, visit_id: str) -> None:
        async def decide(tx: mongo.Tx) -> None:
            known = await self._kept.find(visit_id, tx)
            fact = follow_ups.missed(known, self._institutions.now(known.visitor)) if known else None
            if known is not None and fact is not None:
                await self._kept.save(tx, known)
                tx.add(fact)

        try:
            await self._kept.db.transaction(decide)
        except Refused as error:
            # Somebody else wrote first: it is looked at again.
            telemetry.log.info("waiting", for_="a visit", because=str(error)[:200])
