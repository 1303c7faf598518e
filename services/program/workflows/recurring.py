"""The workflow of one start of a schedule: it launches the cohort, once, however long that takes."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy, SearchAttributeKey, VersioningBehavior

with workflow.unsafe.imports_passed_through():
    from livinglab.program.v1 import recurrence_pb2 as pb

    from programs import clock
    from services.program.activities.recurring import RecurringActivities

# What the calendar said, also when it is made up for later.
_SCHEDULED = SearchAttributeKey.for_datetime("TemporalScheduledStartTime")
_NAME = "RecurringCohortWorkflow"
_RETRY = RetryPolicy(initial_interval=timedelta(milliseconds=200), maximum_interval=timedelta(seconds=30))


@workflow.defn(name=_NAME)
class RecurringCohortWorkflow:
    """Waits for as long as something that the launch needs is down."""

    @workflow.run
    async def run(self, start: pb.RecurringInput) -> pb.RecurringResult:
        """The cohort that was launched, or why it was refused."""
        at = workflow.info().typed_search_attributes.get(_SCHEDULED) or workflow.info().start_time
        step = pb.RecurringStep(schedule_id=start.schedule_id, start_time=clock.stamp(at))
        return await workflow.execute_activity_method(
            RecurringActivities.launch_recurring_cohort,
            step,
            start_to_close_timeout=timedelta(seconds=60),
            retry_policy=_RETRY,
        )


# The same for a worker that names its build; Temporal takes no behaviour from one that does not.
@workflow.defn(name=_NAME, versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class UpgradingRecurringCohortWorkflow(RecurringCohortWorkflow):
    """Goes over to the build that is current, so that one that waits does not keep an old build from being drained."""

    @workflow.run
    async def run(self, start: pb.RecurringInput) -> pb.RecurringResult:
        """As above."""
        return await super().run(start)
