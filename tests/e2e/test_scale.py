"""As many at once as a nation has: every official region in one cohort, and ten cohorts side by side."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from google.protobuf.message import Message
from livinglab.notify.v1 import service_pb2 as notify
from livinglab.program.v1 import cohort_pb2
from livinglab.program.v1 import service_pb2 as pb
from livinglab.program.v1 import steering_service_pb2 as steering_pb2
from livinglab.program.v1.steering_service_pb2_grpc import SteeringServiceStub
from temporalio.client import Client

from services.program import model
from stack.issuer import Issuer
from tests.harness import nation
from tests.harness.namespace import own_namespace
from tests.harness.program import Neighbours, manager, request_id, working
from tests.harness.servers import Servers
from tests.harness.service import Running, running_service
from tests.harness.waiting import eventually

OPEN, CLOSED = cohort_pb2.PHASE_STATE_OPEN, cohort_pb2.PHASE_STATE_CLOSED
# Facts on their way at once.
_HANDS = 32


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


async def shown(program: Running, cohort_id: str) -> cohort_pb2.Cohort:
    cohort: cohort_pb2.Cohort = (await manager_of(program).GetCohort(pb.GetCohortRequest(cohort_id=cohort_id))).cohort
    return cohort


def manager_of(program: Running) -> Any:
    return manager(program)


async def hear_all(program: Running, cohort_id: str, facts: Sequence[Message]) -> None:
    hands = asyncio.Semaphore(_HANDS)

    async def hear(fact: Any) -> None:
        async with hands:
            await program.hear(fact, cohort_id=cohort_id, rehearsal=cohort_id, aggregate_id=fact.institution)

    await asyncio.gather(*(hear(fact) for fact in facts))


async def carried_through(program: Running, regions: Sequence[str]) -> cohort_pb2.Cohort:
    """From the launch to its end; the last region leaves on the way."""
    request = nation.launching(regions)
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
        request_id=request_id(), cohort_id=cohort_id, reason="an election", phase="summit", open_days=-1096
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
    cohort = await carried_through(program, regions)
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
    ended = await asyncio.gather(*(carried_through(program, group) for group in groups))
    assert {counts(cohort) for cohort in ended} == {(20, 19, 1, 0)}
