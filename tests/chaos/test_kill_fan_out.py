"""The worker is killed with -9 while it starts the workflows of a few hundred participants, and again while it tells
them of a phase: another goes on where it stopped, each participant is started and told once, nobody is left out."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from typing import Any

import grpc.aio
import pytest
from livinglab.notify.v1 import service_pb2 as notify
from livinglab.program.v1 import cohort_pb2
from livinglab.program.v1 import service_pb2 as pb
from livinglab.program.v1 import steering_service_pb2 as steering_pb
from livinglab.program.v1.service_pb2_grpc import ProgramServiceStub
from livinglab.program.v1.steering_service_pb2_grpc import SteeringServiceStub
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from chassis import mongo, naming
from chassis.temporal.client import connect
from programs import names
from programs.phases import has_ended
from services.program.activities.fan_out import BATCH
from stack.home import Home
from stack.rehearsal import invariants
from stack.rehearsal.stage import Writes
from stack.servers import mails_folder
from stack.system import System, start_system
from tests.harness import nation
from tests.harness.waiting import eventually

CROWD = 250
MEETING, SUMMIT = "meeting", "summit"
OPEN, CLOSED = cohort_pb2.PHASE_STATE_OPEN, cohort_pb2.PHASE_STATE_CLOSED


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    started = asyncio.run(start_system(Home(tmp_path_factory.mktemp("system"))))
    yield started
    asyncio.run(started.stop())


@pytest.mark.timeout(600)
async def test_another_worker_goes_on_where_one_was_killed(system: System) -> None:
    request = nation.launching(nation.every_region()[:CROWD])
    cohort_id = request.cohort.id
    temporal = await connect(system.platform.addresses.temporal, "default")
    async with grpc.aio.insecure_channel(system.fleet.address("program")) as channel:
        program: Any = ProgramServiceStub(channel)
        steering: Any = SteeringServiceStub(channel)
        manager: Any = {"metadata": (("authorization", f"Bearer {system.fleet.issuer.token('manager')}"),)}
        order: dict[str, Any] = {"cohort_id": cohort_id, "reason": "an election"}

        async def standing() -> cohort_pb2.Cohort:
            answer = await program.GetCohort(pb.GetCohortRequest(cohort_id=cohort_id), **manager)
            found: cohort_pb2.Cohort = answer.cohort
            return found

        async def overridden(phase: str) -> None:
            asked: dict[str, Any] = {
                "phase": phase,
                "action": cohort_pb2.GATE_ACTION_EXCUSE,
                "request_id": naming.new_id(),
                **order,
            }
            await steering.OverrideGate(steering_pb.OverrideGateRequest(**asked), **manager, timeout=60)

        await program.LaunchCohort(request, **manager, timeout=60)
        assert 0 < await killed_while(system, temporal, cohort_id, "start_participants") < CROWD
        await invited(system, cohort_id, MEETING)
        early: dict[str, Any] = {"phase": SUMMIT, "open_days": -61, "request_id": naming.new_id(), **order}
        await steering.ReschedulePhase(steering_pb.ReschedulePhaseRequest(**early), **manager, timeout=60)
        await overridden(MEETING)
        assert await killed_while(system, temporal, cohort_id, "announce") == CROWD
        await invited(system, cohort_id, SUMMIT)
        await overridden(SUMMIT)

        async def over() -> bool:
            return has_ended((await standing()).state)

        await eventually(over, timeout=180)
        cohort = await standing()
    assert (cohort.state, cohort.graduated) == (cohort_pb2.COHORT_STATE_COMPLETED, CROWD)
    tries = await tries_of(temporal, cohort_id)
    assert (tries["start_participants"], max(tries.values())) == (2, 2)
    assert await executions(temporal, cohort_id) == CROWD
    await everything_holds(system, cohort)


async def killed_while(system: System, temporal: Client, cohort_id: str, fan_out: str) -> int:
    """Kills the worker once the first batch is through, and starts another; how many had been started by then."""
    worker = system.fleet.members["program-worker"]

    async def under_way() -> bool:
        described = await temporal.get_workflow_handle(names.workflow_id(cohort_id)).describe()
        pending = described.raw_description.pending_activities
        return any(one.activity_type.name == fan_out and one.HasField("heartbeat_details") for one in pending)

    await eventually(under_way, timeout=120)
    await worker.kill()
    started = await executions(temporal, cohort_id)
    assert started >= BATCH
    await worker.start()
    return started


async def executions(temporal: Client, cohort_id: str) -> int:
    """Runs of participants' workflows; a started one is in the lists a moment later."""
    query = f"LivingLabCohort = '{cohort_id}' AND WorkflowType = 'ParticipantWorkflow'"
    return (await temporal.count_workflows(query)).count


async def invited(system: System, cohort_id: str, phase: str) -> None:
    """Everybody, by one letter each."""
    client = mongo.connect(system.platform.addresses.mongodb)

    async def all_are() -> bool:
        query = {"cohort_id": cohort_id, "template": "invitation"}
        return bool(await client["notify"]["messages"].count_documents(query) == CROWD * (1 + (phase == SUMMIT)))

    await eventually(all_are, timeout=180)
    client.close()


async def tries_of(temporal: Client, cohort_id: str) -> Counter[str]:
    """Activity of the cohort's workflow to how often it was tried, at most."""
    most: Counter[str] = Counter()
    async for run in temporal.list_workflows(f"WorkflowId = '{names.workflow_id(cohort_id)}'"):
        history = await temporal.get_workflow_handle(run.id, run_id=run.run_id).fetch_history()
        kinds = {
            event.event_id: event.activity_task_scheduled_event_attributes.activity_type.name
            for event in history.events
            if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
        }
        for event in history.events:
            if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
                started = event.activity_task_started_event_attributes
                name = kinds[started.scheduled_event_id]
                most[name] = max(most[name], started.attempt)
    return most


async def everything_holds(system: System, cohort: cohort_pb2.Cohort) -> None:
    folder = mails_folder(system.platform.servers["mailbox"].data_dir)
    broken: list[str] = []

    async def all_written() -> bool:
        return len(await letters(system, cohort.id)) == 4 * CROWD

    # The cohort has ended before the last farewell is written.
    await eventually(all_written, timeout=120)

    async def holds() -> bool:
        findings = await invariants.check(system.servers(), folder, cohort, Writes())
        broken[:] = [f"{finding.what}: {finding.found}" for finding in findings if not finding.holds]
        return not broken

    try:
        await eventually(holds, timeout=120)
    except AssertionError as error:
        raise AssertionError(broken) from error


async def letters(system: System, cohort_id: str) -> list[str]:
    """One invitation to each phase for each, and a farewell to both of its people."""
    client = mongo.connect(system.platform.addresses.mongodb)
    query = {"cohort_id": cohort_id, "state": notify.MESSAGE_STATE_DELIVERED}
    found = [row["_id"] async for row in client["notify"]["messages"].find(query, {"_id": 1})]
    client.close()
    return found
