"""What an activity's refusal comes to, by its kind; where a fan-out goes on that another worker began, and for whom."""

import dataclasses
from typing import Any

import pytest
from livinglab.program.v1 import command_pb2
from livinglab.program.v1 import workflow_pb2 as workflow
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError
from temporalio.testing import ActivityEnvironment
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from chassis.errors import Kind, Refused
from programs import names
from services.program.activities.all import Activities
from services.program.activities.refusals import Refusals
from services.program.engine.client import Engine
from services.program.store.cohorts import Store
from services.program.workflows import calls
from tests.harness.cohorts.orders import ordered
from tests.harness.cohorts.program import BANDUNG, GARUT, SUMEDANG, launching, manager
from tests.harness.service import Running


class Refusing(ActivityInboundInterceptor):
    """An activity whose store refuses."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002
        raise Refused(self._kind, "REASON", "it does not fit")


async def refused(store: Store, kind: Kind, step: Any) -> ApplicationError:
    inbound = Refusals(store).intercept_activity(Refusing(kind))
    activity: Any = ExecuteActivityInput(fn=lambda: None, args=[step], executor=None, headers={})
    with pytest.raises(ApplicationError) as raised:
        await ActivityEnvironment().run(inbound.execute_activity, activity)
    return raised.value


async def launched(program: Running) -> str:
    request = launching(SUMEDANG, BANDUNG, GARUT)
    await manager(program).LaunchCohort(request)
    return request.cohort.id


@pytest.mark.parametrize("kind", [Kind.ALREADY_EXISTS, Kind.FAILED_PRECONDITION, Kind.INVALID_ARGUMENT])
async def test_what_our_store_refuses_for_good_is_put_before_the_manager(kind: Kind, program: Running) -> None:
    cohort_id, store = await launched(program), Store(program.db)
    error = await refused(store, kind, workflow.CommandStep(cohort_id=cohort_id))
    assert (error.type, error.non_retryable) == (kind.value, True)
    [problem] = (await store.cohort(cohort_id)).problems
    assert problem.endswith("it does not fit")
    await refused(store, kind, workflow.OutcomeStep(cohort_id=cohort_id, institution=GARUT))
    [problem] = (await store.participants.standing(cohort_id, GARUT))["problems"]
    assert problem.endswith("it does not fit")


@pytest.mark.parametrize("kind", [Kind.NOT_FOUND, Kind.ABORTED, Kind.UNAVAILABLE])
async def test_what_our_store_may_yet_have_is_waited_for(kind: Kind, program: Running) -> None:
    cohort_id, store = await launched(program), Store(program.db)
    error = await refused(store, kind, workflow.CommandStep(cohort_id=cohort_id))
    assert not error.non_retryable
    assert error.type not in calls.PERMANENT
    assert not (await store.cohort(cohort_id)).problems


async def test_a_fan_out_goes_on_after_the_last_batch_that_was_finished(program: Running, temporal: Client) -> None:
    """The worker that began it is gone: its last heartbeat tells how far it came."""
    cohort_id, store = await launched(program), Store(program.db)
    nobody: Any = None
    activities = Activities(store, Engine(temporal), nobody, nobody, nobody)
    beats: list[Any] = []
    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(environment.info, heartbeat_details=[BANDUNG])
    environment.on_heartbeat = lambda *details: beats.extend(details)
    await environment.run(activities.start_participants, workflow.RosterStep(cohort_id=cohort_id))
    assert beats == [SUMEDANG]
    for institution in (GARUT, SUMEDANG):
        await temporal.get_workflow_handle(names.workflow_id(cohort_id, institution)).describe()
    with pytest.raises(RPCError, match="not found"):
        await temporal.get_workflow_handle(names.workflow_id(cohort_id, BANDUNG)).describe()


async def test_who_withdraws_before_it_is_started_again_is_told_when_it_is(program: Running, temporal: Client) -> None:
    """It was taken in again, the order to start it has not been run, and nobody hears the withdrawal."""
    cohort_id, store = await launched(program), Store(program.db)
    name = names.workflow_id(cohort_id, GARUT)
    nobody: Any = None
    activities = Activities(store, Engine(temporal), nobody, nobody, nobody)
    await store.steering.record(ordered(cohort_id, 1, withdraw=command_pb2.WithdrawOrder(institution=GARUT)))
    step = workflow.RosterStep(cohort_id=cohort_id, only=[GARUT], readmissions={GARUT: 1})
    await ActivityEnvironment().run(activities.start_participants, step)
    history = await temporal.get_workflow_handle(name).fetch_history()
    signals = [event.workflow_execution_signaled_event_attributes for event in history.events]
    assert "withdrawn" in {signal.signal_name for signal in signals}
