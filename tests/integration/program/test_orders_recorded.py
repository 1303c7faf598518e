"""Every order is recorded by the cohort's workflow before it is answered, and is its actor's own."""

import asyncio
from typing import Any

from livinglab.coaching.v1 import service_pb2 as coaching
from livinglab.program.v1 import audit_service_pb2, cohort_pb2
from livinglab.program.v1 import service_pb2 as pb
from livinglab.program.v1 import steering_service_pb2 as steering
from livinglab.program.v1.audit_service_pb2_grpc import AuditServiceStub
from livinglab.program.v1.steering_service_pb2_grpc import SteeringServiceStub
from temporalio.client import Client

from chassis.errors import Kind
from programs import names
from services.program.engine.schedules import Schedules
from services.program.store.schedules import ScheduleStore
from tests.harness.cohorts.program import BANDUNG, SUMEDANG, launching, manager, request_id, working
from tests.harness.cohorts.schedules import created, handle_of, listed, scheduling
from tests.harness.service import Running, refusal
from tests.harness.waiting import eventually


async def _launched(program: Running) -> str:
    request = launching(SUMEDANG, BANDUNG)
    await manager(program).LaunchCohort(request)
    return request.cohort.id


async def _audited(program: Running, cohort_id: str) -> list[tuple[str, str]]:
    stub: Any = program.as_role(AuditServiceStub, "manager")
    found = await stub.ListAudit(audit_service_pb2.ListAuditRequest(cohort_id=cohort_id))
    return [(entry.command, entry.outcome) for entry in found.entries]


def _about(cohort_id: str, **fields: Any) -> dict[str, Any]:
    return {"request_id": request_id(), "cohort_id": cohort_id, "reason": "an election", **fields}


async def test_who_leaves_and_a_cohort_that_is_cancelled_are_recorded_by_the_workflow(
    program: Running, temporal: Client
) -> None:
    cohort_id = await _launched(program)
    leaving = pb.WithdrawParticipantRequest(**_about(cohort_id, institution=BANDUNG))
    cancelling = pb.CancelCohortRequest(**_about(cohort_id))
    early = await refusal(manager(program).WithdrawParticipant(leaving, timeout=2))
    assert early.kind in {Kind.UNAVAILABLE, Kind.DEADLINE_EXCEEDED}
    # Nobody has taken it up: nothing says that it was done.
    assert [command for command, _ in await _audited(program, cohort_id)] == ["launch"]
    async with working(program):
        for _ in range(2):
            await manager(program).WithdrawParticipant(leaving)
        for _ in range(2):
            await manager(program).CancelCohort(cancelling)
        await temporal.get_workflow_handle(names.workflow_id(cohort_id)).result()
    told = await _audited(program, cohort_id)
    assert told[1:] == [("withdraw", "withdrawn"), ("cancel", "being cancelled")]
    cohort = (await manager(program).GetCohort(pb.GetCohortRequest(cohort_id=cohort_id))).cohort
    assert (cohort.state, cohort.withdrawn) == (cohort_pb2.COHORT_STATE_CANCELLED, 2)


async def test_a_cohort_whose_launch_was_cut_off_takes_orders(program: Running, temporal: Client) -> None:
    """Stored, and its workflow not started."""
    cohort_id = await _launched(program)
    await temporal.get_workflow_handle(names.workflow_id(cohort_id)).terminate()
    new = f"cut-off-{request_id()[:8]}"
    for name in ("cohorts", "participants"):
        async for row in program.db[name].find({"$or": [{"_id": cohort_id}, {"cohort": cohort_id}]}):
            copy = {key: new if value == cohort_id else value for key, value in row.items()}
            await program.db[name].insert_one({**copy, "_id": row["_id"].replace(cohort_id, new)})
    async with working(program):
        await manager(program).CancelCohort(pb.CancelCohortRequest(**_about(new)))
        await temporal.get_workflow_handle(names.workflow_id(new)).result()


async def test_two_managers_may_choose_the_same_request_id(program: Running, temporal: Client) -> None:
    async with working(program):
        cohort_id = await _launched(program)
        about = _about(cohort_id)
        one, other = (program.as_role(SteeringServiceStub, "manager", subject=f"manager-{n}") for n in (1, 2))
        await asyncio.gather(
            one.ReschedulePhase(steering.ReschedulePhaseRequest(**about, phase="summit", deadline_days=1)),
            other.ReschedulePhase(steering.ReschedulePhaseRequest(**about, phase="summit", deadline_days=3)),
            manager(program).WithdrawParticipant(pb.WithdrawParticipantRequest(**about, institution=BANDUNG)),
        )
        commands = sorted(command for command, _ in await _audited(program, cohort_id))
        assert commands == ["launch", "reschedule", "reschedule", "withdraw"]
        await manager(program).CancelCohort(pb.CancelCohortRequest(**_about(cohort_id)))


async def test_a_cohort_that_is_split_off_has_its_sessions_and_its_realm(program: Running) -> None:
    async with working(program) as neighbours:
        cohort_id = await _launched(program)
        new = f"{cohort_id}-2"

        async def opened() -> bool:
            return bool(neighbours.of(coaching.ScheduleSessionRequest))

        await eventually(opened, timeout=30)
        stub: Any = program.as_role(SteeringServiceStub, "manager")
        fields = _about(cohort_id, new_cohort_id=new, title="Second", institutions=[BANDUNG])
        await stub.SplitCohort(steering.SplitCohortRequest(**fields))

        async def on_the_calendar() -> set[tuple[str, str]]:
            asked = neighbours.of(coaching.ScheduleSessionRequest)
            return {(one.session_id.removeprefix(new), one.rehearsal) for one in asked if one.cohort_id == new}

        assert {realm for _, realm in await eventually(on_the_calendar, timeout=30)} == {cohort_id}
        found = (await manager(program).GetCohort(pb.GetCohortRequest(cohort_id=new))).cohort
        assert (found.split_from, found.realm) == (cohort_id, cohort_id)
        for ending in (cohort_id, new):
            await manager(program).CancelCohort(pb.CancelCohortRequest(**_about(ending)))


async def test_a_schedule_that_temporal_refuses_keeps_no_other_from_being_brought(
    program: Running, temporal: Client
) -> None:
    schedule_id = await created(program, scheduling())
    row = await program.db["schedules"].find_one({"_id": schedule_id})
    assert row
    # Longer than any id that Temporal takes, and first in order.
    refused = "a" * 2_000
    await program.db["schedules"].insert_one({**row, "_id": refused, "behind": True})
    await handle_of(temporal, schedule_id).delete()
    await program.db["schedules"].update_one({"_id": schedule_id}, {"$set": {"behind": True}})
    store = ScheduleStore(program.db)
    await Schedules(store, temporal).bring_all()
    assert await store.behind() == [refused]
    assert (await handle_of(temporal, schedule_id).describe()).id
    [problem] = (await listed(program, refused)).problems
    assert problem.startswith("Temporal does not take it: ")
