"""Makes the schedules in Temporal the same as those in the store, and tries again until they are."""

import asyncio
from datetime import date, timedelta
from itertools import groupby

from livinglab.program.v1 import recurrence_pb2
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleCalendarSpec,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleRange,
    ScheduleSpec,
    ScheduleState,
    ScheduleUpdate,
)
from temporalio.service import RPCError, RPCStatusCode

from chassis import telemetry
from chassis.errors import precondition, unavailable
from programs import names, recurrence
from services.program.store.schedules import ScheduleStore, Standing

# A start that Temporal missed by more than this is left out: the first dates of the cohort would be over.
CATCH_UP = timedelta(days=30)
_LOOK_SECONDS = 15.0
# Answers of Temporal that would be the same if it were asked again.
_FOR_GOOD = (RPCStatusCode.INVALID_ARGUMENT, RPCStatusCode.FAILED_PRECONDITION)


def temporal_id(schedule_id: str) -> str:
    """The id of a schedule in Temporal, recurring/<schedule>. Temporal adds the time of a start for the workflow's
    id."""
    return f"recurring/{schedule_id}"


class Schedules:
    """Any replica may do this for any schedule at any time: in the end Temporal has the last change."""

    def __init__(self, store: ScheduleStore, client: Client, task_queue: str = names.TASK_QUEUE) -> None:
        self._store = store
        self._client = client
        self._task_queue = task_queue

    async def bring(self, schedule_id: str) -> None:
        """Creates, changes or removes the schedule in Temporal, as the store says. UNAVAILABLE while Temporal does not
        answer; SCHEDULE_REFUSED, which is also noted as a problem of the schedule, where it does not accept it."""
        while standing := await self._store.find(schedule_id):
            try:
                await (self._remove(standing) if standing.deleted else self._put(standing))
            except RPCError as error:
                if error.status not in _FOR_GOOD:
                    raise unavailable("Temporal") from error
                problem = f"Temporal does not take it: {error.message}"
                await self._store.note_problem(schedule_id, problem)
                raise precondition("SCHEDULE_REFUSED", f"schedule {schedule_id}: {problem}") from error
            # If somebody changed the schedule meanwhile, our older version may have overwritten theirs: once more.
            if await self._store.brought(standing):
                return

    async def run(self) -> None:
        """Until cancelled: brings what a crash, or a time without Temporal, has left undone."""
        while True:
            await self.bring_all()
            await asyncio.sleep(_LOOK_SECONDS)

    async def bring_all(self) -> None:
        """Brings every schedule that Temporal does not have in its last version. One that fails does not hold up the
        others."""
        try:
            behind = await self._store.behind()
        except Exception as error:
            return _tell_behind("all", error)
        for schedule_id in behind:
            try:
                await self.bring(schedule_id)
            except Exception as error:
                _tell_behind(schedule_id, error)
        return None

    async def _put(self, standing: Standing) -> None:
        wanted = _schedule(standing, self._task_queue)
        try:
            await self._client.create_schedule(temporal_id(standing.id), wanted)
        except ScheduleAlreadyRunningError:
            handle = self._client.get_schedule_handle(temporal_id(standing.id))
            await handle.update(lambda _: ScheduleUpdate(wanted))

    async def _remove(self, standing: Standing) -> None:
        try:
            await self._client.get_schedule_handle(temporal_id(standing.id)).delete()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise


def _tell_behind(schedule: str, error: Exception) -> None:
    because = f"{type(error).__name__}: {error}"[:200]
    telemetry.log.warning("a schedule is behind", schedule=schedule, because=because)


def _schedule(standing: Standing, task_queue: str) -> Schedule:
    return Schedule(
        action=ScheduleActionStartWorkflow(
            "RecurringCohortWorkflow",
            recurrence_pb2.RecurringInput(schedule_id=standing.id),
            id=temporal_id(standing.id),
            task_queue=task_queue,
        ),
        spec=_spec(standing),
        # Starts run one after the other: while one waits for a worker the next ones wait too, and none is dropped.
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.BUFFER_ALL, catchup_window=CATCH_UP),
        state=ScheduleState(note=standing.reason, paused=standing.paused),
    )


def _spec(standing: Standing) -> ScheduleSpec:
    told = standing.recurrence
    if told.every_seconds:
        return ScheduleSpec(intervals=[ScheduleIntervalSpec(timedelta(seconds=told.every_seconds))])
    first_year = recurrence.first_day(standing.definition, standing.cohort).year
    years = range(first_year, recurrence.LAST_YEAR + 1)
    days = (day for year in years for day in recurrence.start_days(told, first_year, year))
    by_day = groupby(sorted(days, key=_in_year), key=_in_year)
    return ScheduleSpec(
        calendars=[
            ScheduleCalendarSpec(
                month=[ScheduleRange(month)],
                day_of_month=[ScheduleRange(day)],
                year=[ScheduleRange(d.year) for d in same],
            )
            for (month, day), same in by_day
        ],
        time_zone_name=recurrence.zone(standing.definition, standing.cohort).key,
    )


def _in_year(day: date) -> tuple[int, int]:
    return day.month, day.day
