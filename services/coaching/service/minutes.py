"""RPCs on what sessions lead to, and the look-out for those to which nobody of an institution came."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from livinglab.coaching.v1 import coaching_pb2, minutes_pb2, minutes_service_pb2_grpc
from livinglab.coaching.v1 import minutes_service_pb2 as pb
from livinglab.common.v1 import options_pb2

from chassis import auth, mongo, telemetry
from chassis.errors import Refused, not_found
from directory.assignments import Assignments
from directory.known import Directory
from services.coaching.model import minutes, plan
from services.coaching.store.assignments import AssignmentRows
from services.coaching.store.coaching import Store
from services.coaching.store.minutes import DatabaseFailure, MinutesStore
from services.coaching.store.plans import PlanStore

_LOOK_SECONDS = 5.0
_MOST = 100
# Who came is often noted on the day after.
_PATIENCE = timedelta(days=1)
# What is older is nobody's news.
_OLDEST = timedelta(days=60)


class MinutesService(minutes_service_pb2_grpc.MinutesServiceServicer):
    """The contract, on sessions and what is kept of them by institution."""

    def __init__(
        self, kept: MinutesStore, store: Store, plans: PlanStore, assignments: Assignments, institutions: Directory
    ) -> None:
        self._kept = kept
        self._store = store
        self._plans = plans
        self._rows = AssignmentRows(store)
        self._assignments = assignments
        self._institutions = institutions

    async def SetAgenda(self, request: pb.SetAgendaRequest, context: Any) -> pb.SetAgendaResponse:
        async def decide(tx: mongo.Tx) -> pb.SetAgendaResponse:
            session, known = await self._known(tx, request)
            asked = await self._asked(tx, session, request.institution) if request.from_plan else []
            return pb.SetAgendaResponse(
                minutes=await self._keep(tx, known, minutes.set_agenda(known, session, request, asked))
            )

        return await self._kept.db.once(request, decide, pb.SetAgendaResponse)

    async def WriteMinutes(self, request: pb.WriteMinutesRequest, context: Any) -> pb.WriteMinutesResponse:
        who, now = auth.caller().subject, datetime.now(UTC)

        async def decide(tx: mongo.Tx) -> pb.WriteMinutesResponse:
            session, known = await self._known(tx, request)
            fact = minutes.write(known, session, request, who, now)
            return pb.WriteMinutesResponse(minutes=await self._keep(tx, known, fact))

        return await self._kept.db.once(request, decide, pb.WriteMinutesResponse)

    async def CompleteNextStep(self, request: pb.CompleteNextStepRequest, context: Any) -> pb.CompleteNextStepResponse:
        who, now = auth.caller().subject, datetime.now(UTC)

        async def decide(tx: mongo.Tx) -> pb.CompleteNextStepResponse:
            _, known = await self._known(tx, request)
            fact = minutes.complete(known, request, who, now)
            return pb.CompleteNextStepResponse(minutes=await self._keep(tx, known, fact))

        return await self._kept.db.once(request, decide, pb.CompleteNextStepResponse)

    async def GiveFeedback(self, request: pb.GiveFeedbackRequest, context: Any) -> pb.GiveFeedbackResponse:
        caller, now = auth.caller(), datetime.now(UTC)
        of_coach = caller.role == options_pb2.ROLE_COACH
        side = minutes_pb2.FEEDBACK_SIDE_COACH if of_coach else minutes_pb2.FEEDBACK_SIDE_INSTITUTION

        async def decide(tx: mongo.Tx) -> pb.GiveFeedbackResponse:
            session, known = await self._known(tx, request)
            fact = minutes.feedback(known, session, request, side, caller.subject, now)
            return pb.GiveFeedbackResponse(minutes=await self._keep(tx, known, fact))

        return await self._kept.db.once(request, decide, pb.GiveFeedbackResponse)

    async def FollowUpNoShow(self, request: pb.FollowUpNoShowRequest, context: Any) -> pb.FollowUpNoShowResponse:
        who, now = auth.caller().subject, datetime.now(UTC)

        async def decide(tx: mongo.Tx) -> pb.FollowUpNoShowResponse:
            session, known = await self._known(tx, request)
            came = bool(await self._kept.seated(session.id, request.institution, tx))
            fact = minutes.made_up(known, session, request.reason, who, came=came, now=now)
            return pb.FollowUpNoShowResponse(minutes=await self._keep(tx, known, fact))

        return await self._kept.db.once(request, decide, pb.FollowUpNoShowResponse)

    async def GetMinutes(self, request: pb.GetMinutesRequest, context: Any) -> pb.GetMinutesResponse:
        async def read(tx: mongo.Tx) -> pb.GetMinutesResponse:
            session, known = await self._known(tx, request)
            seated = await self._kept.seated(session.id, request.institution, tx)
            known.seated.extend(seated.get(request.institution, ()))
            return pb.GetMinutesResponse(minutes=known)

        return await self._kept.db.transaction(read)

    async def ListMinutes(self, request: pb.ListMinutesRequest, context: Any) -> pb.ListMinutesResponse:
        await self._assignments.require(request.institution)
        found, token = await self._kept.page(request)
        return pb.ListMinutesResponse(minutes=found, next_page_token=token)

    async def look_out(self) -> None:
        """Tells of institutions of which nobody came to a session, a day after it, until cancelled. Each process looks;
        who stores it first has told it."""
        while True:
            try:
                now = datetime.now(UTC)
                for session in await self._kept.over(now - _OLDEST, now - _PATIENCE, _MOST):
                    await self._tell(session, now)
            except DatabaseFailure as error:
                telemetry.log.warning("waiting", for_="MongoDB", because=type(error).__name__)
            except Refused as error:
                # Somebody else wrote first: it is looked at again.
                telemetry.log.info("waiting", for_="a session", because=str(error)[:200])
            await asyncio.sleep(_LOOK_SECONDS)

    async def _tell(self, session: coaching_pb2.Session, now: datetime) -> None:
        async def decide(tx: mongo.Tx) -> None:
            if not await self._kept.looked(tx, session.id):
                return
            came = await self._kept.seated(session.id, tx=tx)
            for one in await self._rows.of_cohort(tx, session.cohort_id):
                if one.left or one.institution in came:
                    continue
                known = await self._kept.of(session, one.institution, tx)
                fact = minutes.missed(known, session, one.coach_id, now)
                if fact is not None:
                    await self._kept.save(tx, known)
                    tx.add(fact)

        await self._kept.db.transaction(decide)

    async def _known(self, tx: mongo.Tx, request: Any) -> tuple[coaching_pb2.Session, minutes_pb2.Minutes]:
        """The session and its minutes for an institution that the caller reaches."""
        await self._assignments.require(request.institution)
        session = await self._store.session(tx, request.session_id)
        if session is None:
            raise not_found("session", request.session_id)
        return session, await self._kept.of(session, request.institution, tx)

    async def _keep(self, tx: mongo.Tx, known: minutes_pb2.Minutes, fact: Any) -> minutes_pb2.Minutes:
        if fact is not None:
            await self._kept.save(tx, known)
            tx.add(fact)
        return known

    async def _asked(
        self, tx: mongo.Tx, session: coaching_pb2.Session, institution: str
    ) -> list[minutes_pb2.AgendaItem]:
        found = await self._plans.find(tx, plan.plan_id(session.cohort_id, institution))
        said = await self._plans.open_comments(tx, found.id) if found else []
        earlier = await self._kept.open_steps(tx, session, institution)
        zone = self._institutions.time_zone(institution)
        return list(minutes.agenda(found, said, earlier, self._institutions.now(institution).date(), zone))
