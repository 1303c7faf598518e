"""RPCs of schedules: one method is one use case: read, decide, one transaction, then Temporal is brought to it."""

from collections.abc import Collection
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from livinglab.program.v1 import schedule_service_pb2 as pb
from livinglab.program.v1 import schedule_service_pb2_grpc

from chassis import auth, mongo
from chassis.errors import invalid
from programs import clock, recurrence
from programs.rules import cohort as cohort_rules
from programs.rules import recurrence as recurrence_rules
from services.program.engine.schedules import Schedules
from services.program.store.schedules import ScheduleStore, Standing

_NEXT_TIMES = 5


class ScheduleService(schedule_service_pb2_grpc.ScheduleServiceServicer):
    """The contract, on one store, Temporal's schedules, and the regions and instruments that are known. A crash between
    the store and Temporal is healed by `Schedules.run`."""

    def __init__(
        self, store: ScheduleStore, schedules: Schedules, regions: Collection[str], instruments: Collection[str]
    ) -> None:
        self._store = store
        self._schedules = schedules
        self._regions = regions
        self._instruments = instruments

    async def CreateSchedule(self, request: pb.CreateScheduleRequest, context: Any) -> pb.CreateScheduleResponse:
        # Not against today: each cohort has dates of its own.
        faults = cohort_rules.validate(request.definition, request.cohort, self._regions, self._instruments)
        faults += recurrence_rules.faults(request.recurrence, request.cohort)
        if faults:
            raise invalid(faults)
        if request.validate_only:
            preview = Standing(
                id=request.cohort.id,
                version=0,
                definition=request.definition,
                cohort=request.cohort,
                recurrence=request.recurrence,
                paused=False,
                reason="",
                deleted=False,
                cohorts=(),
                problems=(),
            )
            return pb.CreateScheduleResponse(schedule=_schedule(preview))

        async def decide(tx: mongo.Tx) -> pb.CreateScheduleResponse:
            created = await self._store.create(tx, request, auth.caller().subject)
            return pb.CreateScheduleResponse(schedule=_schedule(created))

        response = await self._store.db.once(request, decide, pb.CreateScheduleResponse)
        await self._schedules.bring(request.cohort.id)
        return response

    async def ListSchedules(self, request: pb.ListSchedulesRequest, context: Any) -> pb.ListSchedulesResponse:
        found, token = await self._store.page(request)
        return pb.ListSchedulesResponse(schedules=[_schedule(s) for s in found], next_page_token=token)

    async def PauseSchedule(self, request: pb.PauseScheduleRequest, context: Any) -> pb.PauseScheduleResponse:
        async def decide(tx: mongo.Tx) -> pb.PauseScheduleResponse:
            changed = await self._store.pause(tx, request, auth.caller().subject)
            return pb.PauseScheduleResponse(schedule=_schedule(changed))

        response = await self._store.db.once(request, decide, pb.PauseScheduleResponse)
        await self._schedules.bring(request.schedule_id)
        return response

    async def DeleteSchedule(self, request: pb.DeleteScheduleRequest, context: Any) -> pb.DeleteScheduleResponse:
        async def decide(tx: mongo.Tx) -> pb.DeleteScheduleResponse:
            await self._store.delete(tx, request, auth.caller().subject)
            return pb.DeleteScheduleResponse()

        response = await self._store.db.once(request, decide, pb.DeleteScheduleResponse)
        await self._schedules.bring(request.schedule_id)
        return response


def _schedule(standing: Standing) -> pb.Schedule:
    place = recurrence.zone(standing.definition, standing.cohort)
    first_year = recurrence.first_day(standing.definition, standing.cohort).year
    coming = recurrence.start_times(standing.recurrence, first_year, place, datetime.now(UTC))
    return pb.Schedule(
        id=standing.id,
        title=standing.cohort.title,
        definition_id=standing.definition.id,
        recurrence=standing.recurrence,
        paused=standing.paused,
        reason=standing.reason,
        next_times=[] if standing.paused else [clock.stamp(at) for at in islice(coming, _NEXT_TIMES)],
        cohorts=standing.cohorts,
        problems=standing.problems,
        time_zone=place.key,
    )
