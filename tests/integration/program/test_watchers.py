"""Many watch: they cost one change stream, there is a most of them, and a region's people watch their own cohorts."""

import asyncio
from typing import Any

import pytest
from livinglab.program.v1 import cohort_pb2
from livinglab.program.v1 import service_pb2 as pb
from livinglab.program.v1.service_pb2_grpc import ProgramServiceStub

from chassis.errors import Kind
from services.program.store import watched
from services.program.store.cohorts import Store
from tests.harness.cohorts.orders import OPEN, phase
from tests.harness.cohorts.program import BANDUNG, GARUT, SUMEDANG, launching, manager
from tests.harness.service import Running, refusal
from tests.harness.waiting import eventually

MANY = 60


async def _launched(program: Running) -> str:
    request = launching(SUMEDANG, BANDUNG)
    await manager(program).LaunchCohort(request)
    return request.cohort.id


def _watching(program: Running, cohort_id: str, number: int) -> Any:
    stub: Any = program.as_role(ProgramServiceStub, "manager", subject=f"watcher-{number}")
    return stub.WatchCohort(pb.WatchCohortRequest(cohort_id=cohort_id), timeout=60)


async def test_many_watchers_hear_of_a_change_and_hold_nobody_up(program: Running) -> None:
    cohort_id = await _launched(program)
    streams = [_watching(program, cohort_id, number) for number in range(MANY)]
    first = await asyncio.gather(*(stream.read() for stream in streams))
    assert {change.cohort.id for change in first} == {cohort_id}
    # One for all of them, and one for the relay.
    opened = await program.db.client.admin.command({"currentOp": 1, "$all": True, "cursor.tailable": True})
    follow = [op for op in opened["inprog"] if op.get("ns", "").startswith(program.db.name)]
    assert len(follow) < MANY // 2
    await Store(program.db).record_phase(cohort_id, phase("governance", OPEN, invited=2), 1)
    told = await asyncio.wait_for(asyncio.gather(*(stream.read() for stream in streams)), 30)
    assert {change.cohort.phases[0].state for change in told} == {cohort_pb2.PHASE_STATE_OPEN}
    for stream in streams:
        stream.cancel()


async def test_there_is_a_most_of_watchers_of_one_person_and_who_goes_makes_place(
    program: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watched, "MOST_OF_ONE", 3)
    cohort_id = await _launched(program)
    streams = [_watching(program, cohort_id, 0) for _ in range(3)]
    await asyncio.gather(*(stream.read() for stream in streams))
    refused = await refusal(_watching(program, cohort_id, 0).read())
    assert (refused.kind, refused.reason) == (Kind.RESOURCE_EXHAUSTED, "TOO_MANY_WATCHERS")
    other = _watching(program, cohort_id, 1)
    assert (await other.read()).cohort.id == cohort_id
    streams[0].cancel()

    async def again() -> bool:
        stream = _watching(program, cohort_id, 0)
        streams.append(stream)
        return bool((await stream.read()).cohort.id)

    await eventually(again, ignoring=(Exception,), timeout=20)
    for stream in [*streams, other]:
        stream.cancel()


async def test_who_takes_no_part_hears_how_it_stands_and_takes_nothing_from_the_others(program: Running) -> None:
    cohort_id = await _launched(program)
    await program.db["cohorts"].update_one({"_id": cohort_id}, {"$set": {"problems": ["a session was refused"]}})
    request = pb.WatchCohortRequest(cohort_id=cohort_id)
    other: Any = program.as_role(ProgramServiceStub, "operator", GARUT)
    own: Any = program.as_role(ProgramServiceStub, "operator", SUMEDANG)
    told = await asyncio.gather(*(one.WatchCohort(request, timeout=30).read() for one in (other, own, other, own)))
    assert [len(change.cohort.problems) for change in told] == [0, 1, 0, 1]
    nowhere = pb.WatchCohortRequest(cohort_id="nowhere")
    assert (await refusal(own.WatchCohort(nowhere, timeout=30).read())).kind == Kind.NOT_FOUND
