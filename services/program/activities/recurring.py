"""The activity of a schedule's workflow: it launches the cohort."""

from livinglab.program.v1 import recurrence_pb2 as pb
from livinglab.program.v1 import service_pb2
from temporalio import activity

from chassis.errors import Kind, Refused
from programs import clock, recurrence
from services.program.engine.launch import Launches
from services.program.store.schedules import ScheduleStore

# Another try may pass.
_PASSING = frozenset({Kind.UNAVAILABLE, Kind.DEADLINE_EXCEEDED, Kind.ABORTED, Kind.RESOURCE_EXHAUSTED, Kind.INTERNAL})


class RecurringActivities:
    """A cohort is launched as a manager would launch it."""

    def __init__(self, schedules: ScheduleStore, launches: Launches) -> None:
        self._schedules = schedules
        self._launches = launches

    @activity.defn
    async def launch_recurring_cohort(self, step: pb.RecurringStep) -> pb.RecurringResult:
        """Launches the cohort of one start of a schedule; again, it changes nothing. What is refused for good is noted
        where a manager sees it."""
        standing = await self._schedules.find(step.schedule_id)
        if standing is None or standing.deleted:
            return pb.RecurringResult()
        place = recurrence.zone(standing.definition, standing.cohort)
        at = clock.moment(step.start_time)
        definition, cohort = recurrence.shifted(standing.definition, standing.cohort, at.astimezone(place).date())
        cohort.id = recurrence.cohort_id(standing.id, standing.recurrence, place, at)
        request = service_pb2.LaunchCohortRequest(
            request_id=f"{cohort.id}:launch", definition=definition, cohort=cohort
        )
        try:
            await self._launches.launch(request)
        except Refused as refused:
            if refused.kind in _PASSING:
                raise
            problem = f"{cohort.id}: {' '.join(str(refused).split())}"
            await self._schedules.note_problem(standing.id, problem)
            return pb.RecurringResult(cohort_id=cohort.id, problem=problem)
        await self._schedules.note_cohort(standing.id, cohort.id)
        return pb.RecurringResult(cohort_id=cohort.id)
