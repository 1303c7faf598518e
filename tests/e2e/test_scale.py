"""As many at once as a nation has: every official region in one cohort, and ten cohorts side by side."""

import asyncio
import functools
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
from directory import official_regions
from stack.issuer import Issuer
from tests.harness import nation
from tests.harness.cohorts.program import Neighbours, manager, request_id, working
from tests.harness.namespace import own_namespace
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


def is_longer(seen: Sequence[object], than: int) -> bool:
    return len(seen) > than


async def carried_through(program: Running, regions: Sequence[str]) -> list[cohort_pb2.Cohort]:
    """From the launch to its end, as somebody sees it who watches; the last region leaves on the way."""
    request, stub = nation.launching(regions), manager(program)
    cohort_id, begun = request.cohort.id, time.perf_counter()
    steering: Any = program.as_role(SteeringServiceStub, "manager")
    seen: list[cohort_pb2.Cohort] = []

    async def watch() -> None:
        async for change in stub.WatchCohort(pb.WatchCohortRequest(cohort_id=cohort_id), timeout=240):
            seen.append(change.cohort)

    async def until(place: int, state: int) -> None:
        # As long as there is news of it, it goes on, however busy the machine is.
        while not (seen and seen[-1].phases[place].state == state):
            await eventually(functools.partial(is_longer, seen, len(seen)), timeout=120)
        print(f"{len(regions)}: {seen[-1].phases[place].phase} {state} after {time.perf_counter() - begun:.1f} s")  # noqa: T201

    await stub.LaunchCohort(request, timeout=60)
    watching = asyncio.create_task(watch())
    await until(0, OPEN)
    await hear_all(program, cohort_id, [nation.attended(code) for code in regions])
    await until(0, CLOSED)
    about: dict[str, Any] = {"cohort_id": cohort_id, "reason": "an election"}
    leaving = pb.WithdrawParticipantRequest(request_id=request_id(), institution=regions[-1], **about)
    await stub.WithdrawParticipant(leaving, timeout=30)
    early = steering_pb2.ReschedulePhaseRequest(request_id=request_id(), phase="summit", open_days=-61, **about)
    await steering.ReschedulePhase(early, timeout=30)
    await hear_all(program, cohort_id, [nation.signed(code) for code in regions[:-1]])
    await until(1, CLOSED)
    await watching
    return seen


def counts(cohort: cohort_pb2.Cohort) -> tuple[int, int, int, int]:
    return cohort.participants, cohort.graduated, cohort.withdrawn, cohort.failed


async def test_every_region_of_the_nation_is_in_one_cohort(program: Running, neighbours: Neighbours) -> None:
    regions = nation.every_region()
    assert len(regions) == 552
    seen = await carried_through(program, regions)
    last, looks = seen[-1], 10
    assert last.state == cohort_pb2.COHORT_STATE_COMPLETED
    assert counts(last) == (552, 551, 1, 0)
    assert [phase.done for phase in last.phases] == [552, 551]
    # A letter that is not written when its phase closes is let go; to nobody else is any written.
    drafts = [draft for call in neighbours.of(notify.SendMessagesRequest) for draft in call.drafts]
    assert drafts
    assert {draft.values["institution_name"] for draft in drafts} <= {official_regions()[c].name for c in regions}
    # Who watches is told of a burst of facts at once, in answers that do not grow with the cohort.
    assert len(seen) < len(regions)
    blocking = [cohort.phases[0].blocking for cohort in seen if cohort.phases[0].state == OPEN]
    assert blocking == sorted(blocking, reverse=True)
    assert blocking[0] == 552
    largest = max(cohort.ByteSize() for cohort in seen)
    assert largest < 20_000
    begun = time.perf_counter()
    for _ in range(looks):
        await manager(program).GetCohort(pb.GetCohortRequest(cohort_id=last.id))
    milliseconds = (time.perf_counter() - begun) / looks * 1_000
    print(f"GetCohort {milliseconds:.0f} ms; {len(seen)} changes, the largest {largest} bytes")  # noqa: T201


async def test_ten_cohorts_side_by_side_each_come_to_their_own_end(program: Running, neighbours: Neighbours) -> None:
    regions = nation.every_region()
    groups = [regions[first : first + 20] for first in range(0, 200, 20)]
    # Everybody is in two of them: what is done in one says nothing of the other.
    groups[5:] = groups[:5]
    ended = await asyncio.gather(*(carried_through(program, group) for group in groups))
    assert {counts(seen[-1]) for seen in ended} == {(20, 19, 1, 0)}
