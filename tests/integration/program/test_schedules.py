"""Cohorts that the calendar launches, on a real Temporal: exactly once each, on days of their own."""

import asyncio
import json
import os
import sys
import uuid
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from livinglab.program.v1 import schedule_service_pb2 as pb
from livinglab.program.v1 import service_pb2
from livinglab.program.v1.schedule_service_pb2_grpc import ScheduleServiceStub
from livinglab.program.v1.service_pb2_grpc import ProgramServiceStub
from temporalio.client import Client, ScheduleBackfill, ScheduleHandle
from temporalio.service import RPCError

from chassis.errors import Kind
from programs.files.definition import PROGRAMS
from services.program.engine.schedules import Schedules
from services.program.store.schedules import ScheduleStore
from tests.harness.cohorts.program import working
from tests.harness.cohorts.schedules import cohorts, created, deleting, handle_of, listed, manager, pausing, scheduling
from tests.harness.service import Running, refusal
from tests.harness.waiting import eventually


async def is_there(handle: ScheduleHandle) -> bool:
    try:
        await handle.describe()
    except RPCError:
        return False
    return True


async def test_temporal_starts_cohorts_at_the_times_that_are_listed(program: Running, temporal: Client) -> None:
    request = scheduling(rehearsal=False, months=[2, 11], day=31, every_years=2)
    schedule_id = await created(program, request)
    described = await handle_of(temporal, schedule_id).describe()
    schedule = await listed(program, schedule_id)
    ours = [at.ToDatetime(UTC) for at in schedule.next_times]
    assert len(ours) == 5
    # It starts with its zone's days, and is told by its zone's clock wherever it is read.
    assert {at.astimezone(ZoneInfo(schedule.time_zone)).strftime("%H:%M") for at in ours} == {"00:00"}
    assert schedule.time_zone == request.definition.time_zone
    assert described.info.next_action_times[:5] == ours


async def test_creating_twice_creates_once_and_an_id_is_taken_once(program: Running) -> None:
    request = scheduling()
    first = await manager(program).CreateSchedule(request)
    assert await manager(program).CreateSchedule(request) == first
    request.request_id = uuid.uuid4().hex
    assert (await manager(program).CreateSchedule(request)).schedule.id == first.schedule.id
    request.request_id = uuid.uuid4().hex
    request.recurrence.day = 2
    refused = await refusal(manager(program).CreateSchedule(request))
    assert (refused.kind, refused.reason) == (Kind.ALREADY_EXISTS, "SCHEDULE_EXISTS")
    assert len((await manager(program).ListSchedules(pb.ListSchedulesRequest())).schedules) == 1


async def test_every_fault_is_named_and_nothing_is_stored(program: Running) -> None:
    request = scheduling(months=[13], every_seconds=0)
    request.definition.phases[1].opens = "soon"
    request.cohort.roster[0].institution = "99.99"
    refused = await refusal(manager(program).CreateSchedule(request))
    assert refused.kind is Kind.INVALID_ARGUMENT
    assert {violation.field for violation in refused.violations} >= {
        "definition.phases[1].opens",
        "cohort.roster[0].institution",
        "recurrence.months[0]",
        "recurrence.day",
    }
    assert await program.db["schedules"].count_documents({}) == 0


async def test_validating_only_tells_the_next_times_and_stores_nothing(program: Running, temporal: Client) -> None:
    request = scheduling()
    request.validate_only = True
    schedule = (await manager(program).CreateSchedule(request)).schedule
    assert len(schedule.next_times) == 5
    assert await program.db["schedules"].count_documents({}) == 0
    assert not await is_there(handle_of(temporal, schedule.id))


async def test_only_managers_create_and_coaches_look(program: Running) -> None:
    coach = program.as_role(ScheduleServiceStub, "coach", subject="a-coach")
    assert (await refusal(coach.CreateSchedule(scheduling()))).kind is Kind.PERMISSION_DENIED
    assert list((await coach.ListSchedules(pb.ListSchedulesRequest())).schedules) == []


async def test_a_start_launches_the_definition_on_its_own_days_once(program: Running, temporal: Client) -> None:
    schedule_id = await created(program, scheduling(rehearsal=False))
    handle = handle_of(temporal, schedule_id)
    async with working(program):
        await handle.trigger()
        [cohort_id] = await eventually(lambda: cohorts(program), timeout=30)
        day = cohort_id.removeprefix(f"{schedule_id}-")
        # The same day again is the same cohort.
        await handle.trigger()

        async def both_were_carried_out() -> bool:
            described = await handle.describe()
            return described.info.num_actions == 2 and not described.info.running_actions

        await eventually(both_were_carried_out, timeout=30)
        assert await cohorts(program) == [cohort_id]
    stored = await program.as_role(ProgramServiceStub, "manager").GetCohort(
        service_pb2.GetCohortRequest(cohort_id=cohort_id)
    )
    opens = stored.cohort.phases[0].open_time.ToDatetime(UTC)
    # Asia/Jakarta is seven hours ahead; a phase that opens late opens when it is opened.
    assert (opens + timedelta(hours=7)).date().isoformat() >= day
    length = stored.cohort.phases[3].deadline_time.ToDatetime(UTC) - opens
    assert timedelta(days=88) <= length <= timedelta(days=90)
    assert list((await listed(program, schedule_id)).cohorts) == [cohort_id]


async def test_starts_of_the_past_are_made_up_for_by_a_backfill_each_once(program: Running, temporal: Client) -> None:
    schedule_id = await created(program, scheduling())
    years = ScheduleBackfill(start_at=datetime(2023, 1, 1, tzinfo=UTC), end_at=datetime(2025, 12, 31, tzinfo=UTC))
    expected = [f"{schedule_id}-{year}-11-01" for year in (2023, 2024, 2025)]

    async def all_are_noted() -> bool:
        return sorted((await listed(program, schedule_id)).cohorts) == expected

    async with working(program):
        await handle_of(temporal, schedule_id).backfill(years)
        await eventually(all_are_noted, timeout=30)
        await handle_of(temporal, schedule_id).backfill(years)

        async def carried_out_twice() -> bool:
            described = await handle_of(temporal, schedule_id).describe()
            return described.info.num_actions == 6 and not described.info.running_actions

        await eventually(carried_out_twice, timeout=30)
    assert await cohorts(program) == expected


async def test_a_launch_that_is_refused_is_a_problem_that_the_manager_sees(program: Running, temporal: Client) -> None:
    schedule_id = await created(program, scheduling(rehearsal=False))
    long_ago = ScheduleBackfill(start_at=datetime(2023, 1, 1, tzinfo=UTC), end_at=datetime(2023, 12, 31, tzinfo=UTC))

    async def noted() -> list[str]:
        return list((await listed(program, schedule_id)).problems)

    async with working(program):
        await handle_of(temporal, schedule_id).backfill(long_ago)
        [problem] = await eventually(noted, timeout=30)
    assert problem.startswith(f"{schedule_id}-2023-11-01: ")
    assert "is over" in problem
    assert await cohorts(program) == []


async def test_a_paused_schedule_launches_nothing_until_it_is_resumed(program: Running, temporal: Client) -> None:
    schedule_id = await created(program, scheduling())
    handle = handle_of(temporal, schedule_id)
    paused = (await manager(program).PauseSchedule(pausing(schedule_id, paused=True))).schedule
    assert (paused.paused, paused.reason, list(paused.next_times)) == (True, "elections", [])
    state = (await handle.describe()).schedule.state
    assert (state.paused, state.note) == (True, "elections")
    resumed = (await manager(program).PauseSchedule(pausing(schedule_id, paused=False))).schedule
    assert len(resumed.next_times) == 5
    assert not (await handle.describe()).schedule.state.paused


async def test_a_deleted_schedule_is_gone_and_its_id_is_free(program: Running, temporal: Client) -> None:
    request = scheduling()
    schedule_id = await created(program, request)
    deletion = deleting(schedule_id)
    await manager(program).DeleteSchedule(deletion)
    await manager(program).DeleteSchedule(deletion)
    assert not await is_there(handle_of(temporal, schedule_id))
    assert list((await manager(program).ListSchedules(pb.ListSchedulesRequest())).schedules) == []
    for call in (
        manager(program).DeleteSchedule(deleting(schedule_id)),
        manager(program).PauseSchedule(pausing(schedule_id, paused=True)),
    ):
        assert (await refusal(call)).kind is Kind.NOT_FOUND
    request.request_id = uuid.uuid4().hex
    request.recurrence.day = 2
    await created(program, request)
    assert await is_there(handle_of(temporal, schedule_id))
    [row] = await program.db["schedules"].find({}).to_list(None)
    assert [entry["what"] for entry in row["log"]] == ["created", "deleted", "created"]


async def test_a_crash_between_the_store_and_temporal_is_healed(program: Running, temporal: Client) -> None:
    """The schedule stands, and nobody calls again."""
    store = ScheduleStore(program.db)
    request = scheduling()
    schedule_id = request.cohort.id
    await program.db.transaction(lambda tx: store.create(tx, request, "a manager"))
    healing = asyncio.create_task(Schedules(store, temporal).run())
    await eventually(lambda: is_there(handle_of(temporal, schedule_id)))
    await eventually(lambda: _nothing_is_behind(store))
    healing.cancel()
    await program.db.transaction(lambda tx: store.delete(tx, deleting(schedule_id), "a manager"))
    healing = asyncio.create_task(Schedules(store, temporal).run())
    await eventually(lambda: _nothing_is_behind(store))
    assert not await is_there(handle_of(temporal, schedule_id))
    healing.cancel()


async def _nothing_is_behind(store: ScheduleStore) -> bool:
    return not await store.behind()


async def livinglab(program: Running, *arguments: str) -> tuple[int, str, str]:
    told = {
        "LIVINGLAB_ADDRESS_PROGRAM": program.address,
        "LIVINGLAB_TOKEN": program.issuer.token("manager"),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "cli",
        "schedule",
        *arguments,
        env={**os.environ, **told},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def test_schedules_are_steered_from_the_command_line(program: Running) -> None:
    yearly = [str(PROGRAMS / "cohorts" / "living-lab-2022.yaml"), "--months", "11", "--day", "1"]
    code, out, err = await livinglab(program, "create", *yearly, "--id", "every-year")
    assert (code, err) == (0, "")
    assert out.startswith("every-year: living-lab-2022, day 1 of month 11\n  starts ")
    code, out, _ = await livinglab(program, "pause", "every-year", "--reason", "elections", "--json")
    assert (code, json.loads(out)["paused"]) == (0, True)
    assert (await livinglab(program, "resume", "every-year", "--reason", "over"))[0] == 0
    code, out, _ = await livinglab(program, "list", "--json")
    [schedule] = json.loads(out)
    assert (schedule["id"], schedule["recurrence"]["months"], schedule["paused"]) == ("every-year", [11], False)
    code, out, _ = await livinglab(program, "list")
    assert "every-year" in out
    assert (await livinglab(program, "delete", "every-year", "--reason", "no budget"))[0] == 0
    code, _, err = await livinglab(program, "delete", "every-year", "--reason", "no budget")
    assert (code, err) == (1, "refused: schedule every-year does not exist\n")
    code, _, err = await livinglab(program, "create", yearly[0], "--months", "11", "--id", "every-year")
    assert (code, "recurrence.day" in err) == (1, True)
