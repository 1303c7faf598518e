"""What becomes of an activity that was refused: it is tried again where that can help, and otherwise put before a
manager."""

from typing import Any

from prometheus_client import Counter
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from chassis import telemetry
from chassis.errors import Kind, Refused
from services.program.store.cohorts import Store

# Refusals that come again however often the same is asked. The workflows' retry policy names them too.
PERMANENT = frozenset(
    {
        Kind.INVALID_ARGUMENT,
        Kind.PERMISSION_DENIED,
        Kind.FAILED_PRECONDITION,
        Kind.NOT_FOUND,
        Kind.ALREADY_EXISTS,
    }
)
# What we stored ourselves and do not find is a store that is not itself (being restored, say): a workflow that went on
# would pass over whole phases.
_OURS_FOR_GOOD = PERMANENT - {Kind.NOT_FOUND}
# By then, minutes have passed: somebody should look.
_MANY_TRIES = 20

REFUSALS = Counter(
    "livinglab_activity_refusals_total", "Activities that were refused, by what follows", ["activity", "kind", "final"]
)


class Refusals(Interceptor):
    """For the worker: refusals of the store become errors of Temporal, by their kind."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002
        """Around each activity."""
        return _Inbound(next, self._store)


class _Inbound(ActivityInboundInterceptor):
    def __init__(self, following: ActivityInboundInterceptor, store: Store) -> None:
        super().__init__(following)
        self._store = store

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002
        try:
            return await super().execute_activity(input)
        except Refused as refused:
            raise await self._answer(refused, input) from refused
        except Exception as error:
            _tell_of_trouble(error)
            raise

    async def _answer(self, refused: Refused, input: ExecuteActivityInput) -> ApplicationError:  # noqa: A002
        info, final = activity.info(), refused.kind in _OURS_FOR_GOOD
        REFUSALS.labels(info.activity_type, refused.kind.value, str(final).lower()).inc()
        if not final:
            # A type of its own, so that no retry policy takes it for the refusal of another service.
            _tell_of_trouble(refused)
            return ApplicationError(str(refused), refused.reason, type=f"OWN_{refused.kind.value}")
        step: Any = input.args[0] if input.args else None
        cohort, institution = (getattr(step, name, "") for name in ("cohort_id", "institution"))
        telemetry.log.info("refused for good", cohort=cohort, what=info.activity_type, reason=refused.reason)
        await note_problem(self._store, cohort, institution, f"{info.activity_type}: {refused}")
        return ApplicationError(
            str(refused),
            refused.reason,
            type=refused.kind.value,
            non_retryable=True,
            category=ApplicationErrorCategory.BENIGN,
        )


async def note_problem(store: Store, cohort_id: str, institution: str, problem: str) -> None:
    """Where a manager sees it: at the participant that it is about, else at the cohort."""
    if institution:
        await store.participants.note_problem(cohort_id, institution, problem)
    else:
        await store.note_problem(cohort_id, problem)


def _tell_of_trouble(error: Exception) -> None:
    """What is waited out is logged now and then once it lasts."""
    info = activity.info()
    if info.attempt % _MANY_TRIES == 0:
        telemetry.log.error(
            "an activity does not get through",
            what=info.activity_type,
            workflow=info.workflow_id,
            tries=info.attempt,
            error=str(error),
        )
