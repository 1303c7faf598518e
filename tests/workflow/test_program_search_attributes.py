"""What Temporal's lists and its UI find cohorts by, and how it comes to be known to a server."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

from livinglab.program.v1 import cohort_pb2
from temporalio import workflow
from temporalio.api.enums.v1 import EventType
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from chassis.temporal.client import connect
from services.program.engine import search_attributes, visibility
from services.program.model import states
from tests.harness.cohorts.cohort import codes, running_cohort
from tests.harness.namespace import new_namespace
from tests.harness.servers import Servers
from tests.harness.waiting import eventually


@workflow.defn
class Steps:
    """Says where it is, twice the same."""

    @workflow.run
    async def run(self) -> None:
        for phase in ("workshop", "workshop", ""):
            search_attributes.upsert(phase=phase, state=states.cohort_state(cohort_pb2.COHORT_STATE_PAUSED))
            await workflow.sleep(timedelta(seconds=1))


async def test_only_a_change_is_an_event_of_the_history(env: WorkflowEnvironment) -> None:
    worker = Worker(env.client, task_queue="steps", workflows=[Steps], workflow_runner=UnsandboxedWorkflowRunner())
    async with worker:
        start = search_attributes.at_start("cohort")
        handle = await env.client.start_workflow(Steps.run, id="steps", task_queue="steps", search_attributes=start)
        await handle.result()
    kinds = [event.event_type for event in (await handle.fetch_history()).events]
    assert kinds.count(EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES) == 2
    found = (await handle.describe()).typed_search_attributes
    assert found.get(search_attributes.COHORT) == "cohort"
    assert found.get(search_attributes.STATE) == "paused"
    assert found.get(search_attributes.PHASE) is None


async def test_a_cohorts_participants_are_found_by_cohort_institution_and_state(servers: Servers) -> None:
    client = await connect(servers.temporal_address, "default")
    cohort_id = f"found-{uuid.uuid4().hex[:8]}"
    one, other = codes(2)

    async def listed(query: str) -> set[str]:
        mine = f"LivingLabCohort = '{cohort_id}' AND {query}"
        return {found.id async for found in client.list_workflows(mine)}

    async with running_cohort(
        client, datetime.now(UTC), [one, other], does=lambda *_: (), seconds_per_day="60", cohort_id=cohort_id
    ) as cohort:
        names = {f"program/{cohort_id}/{code}" for code in (one, other)}

        async def all_are_listed() -> bool:
            return await listed("LivingLabState = 'active'") == names

        await eventually(all_are_listed)
        assert await listed(f"LivingLabInstitution = '{one}'") == {f"program/{cohort_id}/{one}"}

        async def all_are_idle() -> bool:
            # What is under way when its workflow is terminated has nobody to answer.
            return (await cohort.progress()).participants_started

        await eventually(all_are_idle, timeout=30)
        await cohort.handle.terminate()
        for code in (one, other):
            await cohort.participant(code).terminate()


async def test_a_server_that_does_not_know_them_is_told_once_by_however_many(servers: Servers) -> None:
    client = await new_namespace(servers)

    async def known() -> set[str]:
        answer = await client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace=client.namespace)
        )
        return set(answer.custom_attributes) & set(visibility.NAMES)

    assert await known() == set()

    async def register() -> bool:
        try:
            await visibility.register_search_attributes(client)
        except visibility.NotRegistered:
            return False
        return True

    async def registered_by_two() -> bool:
        return all(await asyncio.gather(register(), register()))

    # The server needs a moment to know of a namespace that is new.
    await eventually(registered_by_two)
    assert await known() == set(visibility.NAMES)
