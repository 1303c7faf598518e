"""What a worker runs: every workflow and every activity, listed once for the worker and for tests that play it."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from services.program.activities.all import Activities
from services.program.activities.recurring import RecurringActivities
from services.program.workflows.cohort import ProgramWorkflow
from services.program.workflows.participant import ParticipantWorkflow
from services.program.workflows.recurring import RecurringCohortWorkflow, UpgradingRecurringCohortWorkflow

WORKFLOWS: tuple[type, ...] = (ProgramWorkflow, ParticipantWorkflow, RecurringCohortWorkflow)
OF_COHORTS: tuple[Callable[..., Awaitable[Any]], ...] = (
    Activities.start_participants,
    Activities.announce,
    Activities.record_command,
    Activities.choose_addressed,
    Activities.open_phase,
    Activities.extend_phase,
    Activities.close_phase,
    Activities.schedule_session,
    Activities.open_evaluation,
    Activities.assign_coach,
    Activities.read_ledger,
    Activities.notify_people,
    Activities.record_outcome,
    Activities.report,
    Activities.complete_cohort,
)
OF_SCHEDULES: tuple[Callable[..., Awaitable[Any]], ...] = (RecurringActivities.launch_recurring_cohort,)


def of_build(build_id: str) -> list[type]:
    """The workflows as a worker of that build runs them; "" for one without builds."""
    upgrading: dict[type, type] = {RecurringCohortWorkflow: UpgradingRecurringCohortWorkflow} if build_id else {}
    return [upgrading.get(kind, kind) for kind in WORKFLOWS]


def bound(activities: Sequence[Callable[..., Awaitable[Any]]], holder: object) -> list[Callable[..., Awaitable[Any]]]:
    """The activities as methods of the object that carries them out, or plays them."""
    return [getattr(holder, activity.__name__) for activity in activities]
