"""A cohort is paused, extended and resumed, and something dies with each order accepted and not recorded: each order
counts once, is answered the same again, and the cohort ends as any other."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from livinglab.program.v1 import audit_service_pb2, cohort_pb2
from livinglab.program.v1 import steering_service_pb2 as pb
from livinglab.program.v1.audit_service_pb2_grpc import AuditServiceStub
from livinglab.program.v1.steering_service_pb2_grpc import SteeringServiceStub

from chassis import naming, rpc
from chassis.temporal.client import connect
from stack.home import Home
from stack.rehearsal.stage import Stage
from stack.system import System, start_system
from tests.harness.cohorts import recording
from tests.harness.system import carried_through
from tests.harness.waiting import eventually

VICTIMS = ("program", "program-worker", "mongod", "temporal")
# In the middle: people have begun, and the second phase is open.
_MIDDLE = 15


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    started = asyncio.run(start_system(Home(tmp_path_factory.mktemp("system")), test_commands=True))
    yield started
    asyncio.run(started.stop())


@pytest.mark.parametrize("victim", VICTIMS)
async def test_every_order_counts_once_although_it_kills(victim: str, system: System) -> None:
    steered: list[asyncio.Task[list[str]]] = []

    def watch(stage: Stage) -> None:
        steered.append(asyncio.create_task(_steer(system, victim, stage)))

    cohort_id = f"steered-{victim}"
    carried = asyncio.create_task(carried_through(system, cohort_id, watch))
    await eventually(lambda: steered)
    try:
        orders = await steered[0]
    except BaseException:
        # Paused as it may be, it would not end by itself.
        carried.cancel()
        raise
    ended = await carried
    assert not ended.broken
    assert (ended.cohort.state, ended.cohort.graduated) == (cohort_pb2.COHORT_STATE_COMPLETED, 4)
    entries = await _audit(system, cohort_id)
    assert [entry.command for entry in entries] == ["launch", "pause", "reschedule", "resume"]
    assert [entry.request_id for entry in entries[1:]] == orders


async def _steer(system: System, victim: str, stage: Stage) -> list[str]:
    """The request ids of the orders, each of which saw a kill."""
    await eventually(lambda: stage.writes.acknowledged.total() >= _MIDDLE, timeout=60)
    channel = rpc.channel(system.addresses()["program"], lambda: "")
    stub: Any = SteeringServiceStub(channel)
    about: dict[str, Any] = {"cohort_id": stage.cohort_id, "reason": "an election"}
    orders: list[tuple[Callable[..., Awaitable[Any]], Any]] = [
        (stub.PauseCohort, pb.PauseCohortRequest(**about)),
        (stub.ReschedulePhase, pb.ReschedulePhaseRequest(**about, phase="work", deadline_days=30)),
        (stub.ResumeCohort, pb.ResumeCohortRequest(**about)),
    ]
    try:
        for method, order in orders:
            order.request_id = naming.new_id()
            await _order_with_a_kill(system, victim, stage, method, order)
    finally:
        await channel.close()
    return [order.request_id for _, order in orders]


async def _order_with_a_kill(
    system: System, victim: str, stage: Stage, method: Callable[..., Awaitable[Any]], order: Any
) -> None:
    """Dies when the workflow has accepted the order, and nobody knows."""
    servers, manager = system.platform.addresses, stage.as_role("manager")
    temporal = await connect(servers.temporal, "default")
    one: Any = system.platform.servers.get(victim) or system.fleet.members[victim]
    async with recording.held(servers.mongodb, "program"):
        ordering = asyncio.create_task(stage.write("orders", method, order, manager))

        async def accepted() -> bool:
            return await recording.waiting_activity(temporal, stage.cohort_id, "record_command") is not None

        await eventually(accepted, timeout=20)
        await one.kill()
        if victim != "mongod":
            await recording.release(servers.mongodb)
        await one.start()
    first = await ordering
    again = await stage.write("orders", method, order, manager)
    assert (again.cohort.id, again.cohort.pause_time) == (first.cohort.id, first.cohort.pause_time)
    assert _deadline(again) == _deadline(first)


def _deadline(answer: Any) -> Any:
    return next(phase.deadline_time for phase in answer.cohort.phases if phase.phase == "work")


async def _audit(system: System, cohort_id: str) -> list[audit_service_pb2.AuditEntry]:
    channel = rpc.channel(system.addresses()["program"], lambda: "")
    stub: Any = AuditServiceStub(channel)
    token = system.fleet.issuer.token("manager")
    request = audit_service_pb2.ListAuditRequest(cohort_id=cohort_id)
    answer = await stub.ListAudit(request, metadata=(("authorization", f"Bearer {token}"),))
    await channel.close()
    return list(answer.entries)
