"""Starts of a schedule while something that they need is down: each is made up for, in order, once."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from temporalio.client import Client

from tests.harness.cohorts.program import working
from tests.harness.cohorts.schedules import cohorts, created, handle_of, manager, pausing, scheduling
from tests.harness.servers import Servers
from tests.harness.service import Running
from tests.harness.waiting import eventually


async def started(program: Running) -> list[datetime]:
    """When the cohorts of a rehearsal started by the calendar, in order: their names say so."""
    return [datetime.strptime(f"{name[-15:]}+0700", "%Y%m%dt%H%M%S%z") for name in await cohorts(program)]


def gaps(times: list[datetime]) -> set[timedelta]:
    return {later - earlier for earlier, later in pairwise(times)}


async def test_no_start_is_lost_while_no_worker_is_there(program: Running, temporal: Client) -> None:
    schedule_id = await created(program, scheduling(every_seconds=1))

    async def first_is_due() -> bool:
        return (await handle_of(temporal, schedule_id).describe()).info.num_actions >= 1

    await eventually(first_is_due, timeout=30)
    since = datetime.now(UTC)
    await eventually(lambda: datetime.now(UTC) > since + timedelta(seconds=3))
    assert await cohorts(program) == []
    back = datetime.now(UTC)
    async with working(program):

        async def caught_up() -> bool:
            return (await started(program) or [since])[-1] > back

        await eventually(caught_up, timeout=60)
        await manager(program).PauseSchedule(pausing(schedule_id, paused=True))
        times = await started(program)
    assert times[0] <= since
    assert gaps(times) == {timedelta(seconds=1)}


async def test_starts_of_an_outage_of_temporal_are_made_up_for(
    program: Running, temporal: Client, servers: Servers
) -> None:
    schedule_id = await created(program, scheduling(every_seconds=2))
    async with working(program):
        await eventually(lambda: started(program), timeout=30)
        await servers.server("temporal").stop()
        gone = datetime.now(UTC)
        await eventually(lambda: datetime.now(UTC) > gone + timedelta(seconds=6))
        await servers.server("temporal").start()
        back = datetime.now(UTC)

        async def caught_up() -> bool:
            return (await started(program))[-1] > back

        await eventually(caught_up, timeout=60)
        await manager(program).PauseSchedule(pausing(schedule_id, paused=True))
        times = await started(program)
    assert times[0] < gone
    assert gaps(times) == {timedelta(seconds=2)}
