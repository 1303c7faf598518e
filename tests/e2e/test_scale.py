"""As many at once as a nation has: every official region in one cohort, and ten cohorts side by side."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import nats
import pytest
from livinglab.notify.v1 import service_pb2 as notify
from livinglab.program.v1 import cohort_pb2
from livinglab.program.v1 import service_pb2 as pb
from livinglab.program.v1 import steering_service_pb2 as steering_pb2
from livinglab.program.v1.steering_service_pb2_grpc import SteeringServiceStub
from temporalio.client import Client

from chassis import naming
from services.program import model
from stack.issuer import Issuer
from tests.harness import nation
from tests.harness.namespace import own_namespace
from tests.harness.program import Neighbours, manager, request_id, working
from tests.harness.servers import Servers
from tests.harness.service import Running, as_published, running_service
from tests.harness.waiting import eventually

OPEN, CLOSED = cohort_pb2.PHASE_STATE_OPEN, cohort_pb2.PHASE_STATE_CLOSED


@pytest.fixture
async def temporal(servers: Servers) -> Client:
    return await own_namespace(servers)


@pytest.fixture
async def program(servers: Servers, issuer: Issuer, nats_url: str, temporal: Client) -> AsyncIterator[Running]:
    namespace = temporal.namespace
    async with running_service("program", servers, issuer, nats_url, temporal_namespace=namespace) as running:
        yield running


@pytest.fixture
async def neighbours(program: Running) -> AsyncIterator[Neighbours]:
    async with working(program) as found:
        yield found


async def hear_all(program: Running, cohort_id: str, facts: Sequence[Any]) -> None:
    """By one connection, as a relay has it."""
    nc = await nats.connect(program.nats_url)
    async with nc:
        js = nc.jetstream()
        for fact in facts:
            marks = {"cohort_id": cohort_id, "rehearsal": cohort_id, "aggregate_id": fact.institution}
            payload, headers = as_published(fact, **marks)
            await js.publish(naming.subject(fact), payload, headers=headers)


async def carried_through(
    program: Running, regions: Sequence[str], request: pb.LaunchCohortRequest
) -> cohort_pb2.Cohort:
    """From the launch to its end; the last region leaves on the way."""
    cohort_id, stub = request.cohort.id, manager(program)
    steering: Any = program.as_role(SteeringServiceStub, "manager")
    begun = time.perf_counter()

    def tell(what: str) -> None:
        print(f"{len(regions)} in {cohort_id}: {what} after {time.perf_counter() - begun:.1f} s")  # noqa: T201

    await stub.LaunchCohort(request, timeout=60)
    tell("launched")

    async def at(place: int, state: int) -> Any:
        cohort = (await stub.GetCohort(pb.GetCohortRequest(cohort_id=cohort_id))).cohort
        return cohort if cohort.phases[place].state == state else None

    await eventually(lambda: at(0, OPEN), timeout=120)
    tell("opened")
    await hear_all(program, cohort_id, [nation.attended(code) for code in regions])
    await eventually(lambda: at(0, CLOSED), timeout=120)
    tell("first phase closed")
    leaving = pb.WithdrawParticipantRequest(
        request_id=request_id(), cohort_id=cohort_id, institution=regions[-1], reason="no budget"
    )
    await stub.WithdrawParticipant(leaving)
    early = steering_pb2.ReschedulePhaseRequest(
        request_id=request_id(), cohort_id=cohort_id, reason="an election", phase="summit", open_days=-61
    )
    await steering.ReschedulePhase(early)
    await hear_all(program, cohort_id, [nation.signed(code) for code in regions[:-1]])

    async def ended() -> Any:
        cohort = (await stub.GetCohort(pb.GetCohortRequest(cohort_id=cohort_id))).cohort
        return cohort if model.has_ended(cohort.state) else None

    cohort: cohort_pb2.Cohort = await eventually(ended, timeout=120)
    tell("ended")
    return cohort


def counts(cohort: cohort_pb2.Cohort) -> tuple[int, int, int, int]:
    return cohort.participants, cohort.graduated, cohort.withdrawn, cohort.failed


async def test_every_region_of_the_nation_is_in_one_cohort(program: Running, neighbours: Neighbours) -> None:
    regions = nation.every_region()
    assert len(regions) == 552
    request = nation.launching(regions)
    changes: list[cohort_pb2.Cohort] = []

    async def watch() -> None:
        watching = pb.WatchCohortRequest(cohort_id=request.cohort.id)
        async for change in manager(program).WatchCohort(watching, timeout=240):
            changes.append(change.cohort)

    carried = asyncio.create_task(carried_through(program, regions, request))
    await eventually(lambda: program.db["cohorts"].count_documents({}))
    watched = asyncio.create_task(watch())
    cohort = await carried
    await watched
    # Bursts of facts come as one change, and no change costs more than a look at each participant.
    assert len(changes) < len(regions)
    assert changes[-1] == cohort
    begun = time.perf_counter()
    looks = 10
    for _ in range(looks):
        await manager(program).GetCohort(pb.GetCohortRequest(cohort_id=request.cohort.id))
    milliseconds = (time.perf_counter() - begun) / looks * 1_000
    sizes = [change.ByteSize() for change in changes]
    print(f"GetCohort {milliseconds:.0f} ms; {len(changes)} changes, the largest {max(sizes)} bytes")  # noqa: T201
    blocking = [change.phases[0].blocking for change in changes if change.phases[0].state == OPEN]
    assert blocking == sorted(blocking, reverse=True)
    assert blocking[0] == 552
    assert max(sizes) < 20_000
    assert cohort.state == cohort_pb2.COHORT_STATE_COMPLETED
    assert counts(cohort) == (552, 551, 1, 0)
    assert [phase.done for phase in cohort.phases] == [552, 551]
    invited = {r.request_id for r in neighbours.of(notify.SendMessagesRequest) if ":invitation:" in r.request_id}
    assert len(invited) == 552 + 551


async def test_ten_cohorts_side_by_side_each_come_to_their_own_end(program: Running, neighbours: Neighbours) -> None:
    regions = nation.every_region()
    groups = [regions[first : first + 20] for first in range(0, 200, 20)]
    # Everybody is in two of them: what is done in one says nothing of the other.
    groups[5:] = groups[:5]
    ended = await asyncio.gather(*(carried_through(program, group, nation.launching(group)) for group in groups))
    assert {counts(cohort) for cohort in ended} == {(20, 19, 1, 0)}
