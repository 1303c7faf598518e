"""RPCs in: one method is one use case: a launch, a look, or an order to the cohort's workflow."""

from collections.abc import AsyncIterator, Collection
from typing import Any

from livinglab.program.v1 import cohort_pb2, command_pb2, service_pb2_grpc
from livinglab.program.v1 import service_pb2 as pb

from chassis import auth
from services.program.engine.client import Engine
from services.program.engine.launch import Launches
from services.program.service.access import Access
from services.program.service.ordering import Ordering
from services.program.store.cohorts import Store
from services.program.store.participants import require_active
from services.program.store.watched import Watched


class ProgramService(service_pb2_grpc.ProgramServiceServicer):
    """The contract, on one store and its watchers, the workflows, and the regions and instruments that are known."""

    def __init__(
        self,
        store: Store,
        access: Access,
        engine: Engine,
        watched: Watched,
        regions: Collection[str],
        instruments: Collection[str],
    ) -> None:
        self._store = store
        self._access = access
        self._watched = watched
        self._orders = Ordering(store, engine)
        self._launches = Launches(store, engine, regions, instruments)

    async def LaunchCohort(self, request: pb.LaunchCohortRequest, context: Any) -> pb.LaunchCohortResponse:
        return await self._launches.launch(request)

    async def GetCohort(self, request: pb.GetCohortRequest, context: Any) -> pb.GetCohortResponse:
        return pb.GetCohortResponse(cohort=await self._access.shown(await self._store.cohort(request.cohort_id)))

    async def ListCohorts(self, request: pb.ListCohortsRequest, context: Any) -> pb.ListCohortsResponse:
        cohorts, token = await self._store.cohorts(request)
        cohorts = [await self._access.shown(cohort) for cohort in cohorts]
        return pb.ListCohortsResponse(cohorts=cohorts, next_page_token=token)

    async def WatchCohort(self, request: pb.WatchCohortRequest, context: Any) -> AsyncIterator[pb.WatchCohortResponse]:
        last = None
        async for cohort in self._watched.watch(request.cohort_id, auth.caller().subject):
            # Others are given the same one, and what this caller may see of it may be the same as before.
            mine = cohort_pb2.Cohort()
            mine.CopyFrom(cohort)
            shown = await self._access.shown(mine)
            if shown != last:
                yield pb.WatchCohortResponse(cohort=shown)
            last = shown

    async def ListParticipants(self, request: pb.ListParticipantsRequest, context: Any) -> pb.ListParticipantsResponse:
        participants, token = await self._store.participant_page(request)
        seen = await self._access.require_part(request.cohort_id)
        if seen is not None:
            participants = [one for one in participants if one.institution in seen]
        return pb.ListParticipantsResponse(participants=participants, next_page_token=token)

    async def WithdrawParticipant(
        self, request: pb.WithdrawParticipantRequest, context: Any
    ) -> pb.WithdrawParticipantResponse:
        async def check(cohort: cohort_pb2.Cohort) -> None:
            require_active(await self._store.participants.standing(cohort.id, request.institution))

        order = command_pb2.WithdrawOrder(institution=request.institution)
        given = await self._orders.give(request, check, withdraw=order)
        return pb.WithdrawParticipantResponse(preview=given.preview)

    async def CancelCohort(self, request: pb.CancelCohortRequest, context: Any) -> pb.CancelCohortResponse:
        given = await self._orders.give(request, cancel=command_pb2.CancelOrder())
        return pb.CancelCohortResponse(cohort=given.cohort, preview=given.preview)
