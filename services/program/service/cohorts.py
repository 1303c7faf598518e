"""RPCs in: one method is one use case: read, decide, one transaction, then what follows from it in Temporal."""

from collections.abc import AsyncIterator, Collection
from datetime import UTC, datetime
from typing import Any

from livinglab.program.v1 import service_pb2 as pb
from livinglab.program.v1 import service_pb2_grpc, workflow_pb2

from chassis import auth, mongo
from programs.phases import has_ended
from services.program.engine.client import Engine
from services.program.engine.launch import Launches
from services.program.model import states
from services.program.service.access import Access
from services.program.store import audit, documents
from services.program.store.cohorts import Store
from services.program.store.participants import require_active


class ProgramService(service_pb2_grpc.ProgramServiceServicer):
    """The contract, on one store, the workflows, and the regions and instruments that are known."""

    def __init__(
        self, store: Store, access: Access, engine: Engine, regions: Collection[str], instruments: Collection[str]
    ) -> None:
        self._store = store
        self._access = access
        self._engine = engine
        self._launches = Launches(store, engine, regions, instruments)

    async def LaunchCohort(self, request: pb.LaunchCohortRequest, context: Any) -> pb.LaunchCohortResponse:
        return await self._launches.launch(request)

    async def GetCohort(self, request: pb.GetCohortRequest, context: Any) -> pb.GetCohortResponse:
        return pb.GetCohortResponse(cohort=await self._access.shown(await self._store.cohort(request.cohort_id)))

    async def ListCohorts(self, request: pb.ListCohortsRequest, context: Any) -> pb.ListCohortsResponse:
        cohorts, token = await self._store.cohorts(mongo.page_size(request.page_size), request.page_token)
        cohorts = [await self._access.shown(cohort) for cohort in cohorts]
        return pb.ListCohortsResponse(cohorts=cohorts, next_page_token=token)

    async def WatchCohort(self, request: pb.WatchCohortRequest, context: Any) -> AsyncIterator[pb.WatchCohortResponse]:
        last = await self._access.shown(await self._store.cohort(request.cohort_id))
        yield pb.WatchCohortResponse(cohort=last)
        if has_ended(last.state):
            return
        async for _ in self._store.changes(request.cohort_id):
            cohort = await self._access.shown(await self._store.cohort(request.cohort_id))
            if cohort != last:
                yield pb.WatchCohortResponse(cohort=cohort)
                last = cohort
            if has_ended(cohort.state):
                return

    async def ListParticipants(self, request: pb.ListParticipantsRequest, context: Any) -> pb.ListParticipantsResponse:
        size = mongo.page_size(request.page_size)
        participants, token = await self._store.participant_page(request.cohort_id, size, request.page_token)
        seen = await self._access.require_part(request.cohort_id)
        if seen is not None:
            participants = [one for one in participants if one.institution in seen]
        return pb.ListParticipantsResponse(participants=participants, next_page_token=token)

    async def WithdrawParticipant(
        self, request: pb.WithdrawParticipantRequest, context: Any
    ) -> pb.WithdrawParticipantResponse:
        course = await self._store.known_course(request.cohort_id)
        withdrawal = workflow_pb2.Withdrawal(reason=request.reason, actor=auth.caller().subject)

        async def decide(tx: mongo.Tx) -> pb.WithdrawParticipantResponse:
            cohort = await self._store.cohort(request.cohort_id, tx)
            row = await self._store.participants.standing(request.cohort_id, request.institution, tx)
            states.require_running(cohort)
            require_active(row)
            await self._store.participants.ask_to_leave(tx, request.cohort_id, withdrawal, request.institution)
            about = {"institution": request.institution, "outcome": "withdrawn"}
            await self._store.audit.add(tx, _entry(request, "withdraw", request.cohort_id, **about))
            return pb.WithdrawParticipantResponse()

        response = await self._store.db.once(request, decide, pb.WithdrawParticipantResponse)
        await self._engine.withdraw(course, request.institution, withdrawal)
        return response

    async def CancelCohort(self, request: pb.CancelCohortRequest, context: Any) -> pb.CancelCohortResponse:
        course = await self._store.known_course(request.cohort_id)

        async def decide(tx: mongo.Tx) -> pb.CancelCohortResponse:
            cohort = await self._store.cohort(request.cohort_id, tx)
            states.require_running(cohort)
            await self._store.audit.add(tx, _entry(request, "cancel", request.cohort_id, outcome="being cancelled"))
            return pb.CancelCohortResponse(cohort=cohort)

        response = await self._store.db.once(request, decide, pb.CancelCohortResponse)
        cancellation = workflow_pb2.Cancellation(reason=request.reason, actor=auth.caller().subject)
        await self._engine.cancel(course, cancellation)
        return response


def _entry(request: Any, command: str, cohort_id: str, **about: str) -> documents.Row:
    """An order as the audit keeps it."""
    actor = auth.caller().subject
    reason = getattr(request, "reason", "")
    return audit.entry(cohort_id, command, request.request_id, actor, datetime.now(UTC), reason=reason, **about)
