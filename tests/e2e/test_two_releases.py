"""Two releases of every process side by side on the same servers, as in a rolling update: ours, and the next one, whose
messages have a field, a list and a map more and whose enums a value more, and which says them in all that it hands to
Temporal and in all its facts. Cohorts launched on either go to their end, and are steered through the other. The next
one tells a fact more, to which another of its services listens: that one hears it once, also what was told while it was
rolled back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from livinglab.common.v1 import options_pb2
from livinglab.program.v1 import audit_service_pb2, cohort_pb2, definition_pb2
from livinglab.program.v1 import steering_service_pb2 as pb
from livinglab.program.v1.audit_service_pb2_grpc import AuditServiceStub
from livinglab.program.v1.steering_service_pb2_grpc import SteeringServiceStub
from temporalio.api.enums.v1 import EventType

from chassis import mongo, naming, rpc
from chassis.temporal.client import connect
from programs import names
from stack.fleet import Fleet, port_names
from stack.home import Home
from stack.rehearsal.stage import Stage
from stack.system import System, start_system
from tests.harness.generated import newer
from tests.harness.system import REGIONS, carried_through
from tests.harness.waiting import eventually

_MIDDLE = 12
_FAILED = {EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED, EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_REJECTED}


@pytest.fixture
async def releases(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[System, System]]:
    """Ours and the next one."""
    ours = await start_system(Home(tmp_path_factory.mktemp("ours")))
    home = Home(tmp_path_factory.mktemp("next"))
    gen = newer.build(tmp_path_factory.mktemp("newer"), says=True)
    settings = {"PYTHONPATH": newer.environment(gen)["PYTHONPATH"]}
    fleet = Fleet(home, ours.platform.addresses, home.ports(port_names()), ours.fleet.issuer, settings)
    try:
        await fleet.start_all()
        yield ours, System(home, ours.platform, fleet)
    finally:
        await fleet.stop_all()
        await ours.stop()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("launched_on", ["ours", "next"])
async def test_a_cohort_of_either_release_is_steered_through_the_other_and_ends(
    releases: tuple[System, System], launched_on: str
) -> None:
    here, other = releases if launched_on == "ours" else releases[::-1]
    cohort_id = f"launched-on-{launched_on}"
    orders: list[asyncio.Task[None]] = []

    def watch(stage: Stage) -> None:
        orders.append(asyncio.create_task(_steer(other, stage)))

    notify = releases[1].fleet.members["notify"]
    if launched_on == "next":
        # Of this service alone the next release is rolled back, and comes again.
        await notify.stop(grace=15)
    ended = await carried_through(here, cohort_id, watch)
    await orders[0]
    if launched_on == "next":
        assert await _heard(here) == {}
        await releases[1].fleet.start("notify")
        added = await _told(here)
        assert added
        await eventually(lambda: _has_heard(here, added), timeout=60)
        # And nothing twice, when all of it is rolled back and comes forward once more.
        await notify.stop(grace=15)
        await releases[1].fleet.start("notify")
        assert await _heard(here) == dict.fromkeys(added, 1)
    else:
        assert await _told(here) == set()
    assert not ended.broken
    assert (ended.cohort.state, ended.cohort.graduated) == (cohort_pb2.COHORT_STATE_COMPLETED, 4)
    for system in releases:
        told = [entry.command for entry in await _audit(system, cohort_id)]
        assert told == ["launch", "pause", "reschedule", "resume", "replace"]
    events = await _events(here, cohort_id)
    assert not [event for event in events if event.event_type in _FAILED]
    said = [event for event in events if newer.SAID.encode() in event.SerializeToString()]
    kinds = {event.event_type for event in said}
    # It has told workflows something in each way, and they have gone on.
    assert EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED in kinds
    if launched_on == "ours":
        assert EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED in kinds


async def _steer(system: System, stage: Stage) -> None:
    await eventually(lambda: stage.writes.acknowledged.total() >= _MIDDLE, timeout=120)
    channel = rpc.channel(system.addresses()["program"], lambda: "")
    stub: Any = SteeringServiceStub(channel)
    about: dict[str, Any] = {"cohort_id": stage.cohort_id, "reason": "an election"}
    person = definition_pb2.Person(role=options_pb2.ROLE_SECRETARY, name="New", email="new@example.org", language="id")
    try:
        for method, order in (
            (stub.PauseCohort, pb.PauseCohortRequest(**about)),
            (stub.ReschedulePhase, pb.ReschedulePhaseRequest(**about, phase="work", deadline_days=30)),
            (stub.ResumeCohort, pb.ResumeCohortRequest(**about)),
            (stub.ReplacePerson, pb.ReplacePersonRequest(**about, institution=REGIONS[0], person=person)),
        ):
            order.request_id = naming.new_id()
            await method(order, metadata=stage.as_role("manager"), timeout=60)
    finally:
        await channel.close()


async def _told(system: System) -> set[str]:
    """The added facts, all published by whichever release relays."""
    async with _database(system, "coaching") as db:
        rows = await db["outbox"].find({"type": newer.ADDED_FACT}).to_list(None)
    assert not [row for row in rows if row.get("pending")]
    return {row["_id"] for row in rows}


async def _heard(system: System) -> dict[str, int]:
    async with _database(system, "notify") as db:
        return {row["_id"]: row["times"] async for row in db[newer.HEARD].find({})}


async def _has_heard(system: System, told: set[str]) -> bool:
    return (await _heard(system)).keys() >= told


@asynccontextmanager
async def _database(system: System, name: str) -> AsyncIterator[mongo.Database]:
    client = mongo.connect(system.platform.addresses.mongodb)
    try:
        yield mongo.Database(client, name)
    finally:
        client.close()


async def _audit(system: System, cohort_id: str) -> list[Any]:
    token = f"Bearer {system.fleet.issuer.token('manager')}"
    channel = rpc.channel(system.addresses()["program"], lambda: token)
    try:
        stub: Any = AuditServiceStub(channel)
        request = audit_service_pb2.ListAuditRequest(cohort_id=cohort_id)
        return list((await stub.ListAudit(request, timeout=30)).entries)
    finally:
        await channel.close()


async def _events(system: System, cohort_id: str) -> list[Any]:
    """Of the cohort's workflow and those of its participants."""
    client = await connect(system.platform.addresses.temporal, "default")
    found: list[Any] = []
    for name in (names.workflow_id(cohort_id), *(names.workflow_id(cohort_id, code) for code in REGIONS)):
        found += (await client.get_workflow_handle(name).fetch_history()).events
    return found
