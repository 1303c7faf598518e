"""Any one process or server is killed with -9 in the middle of a cohort and started again: the cohort ends the same."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from stack.fleet import MEMBERS
from stack.home import Home
from stack.rehearsal.stage import Stage
from stack.system import System, start_system
from tests.harness.system import Ended, carried_through
from tests.harness.waiting import eventually

SERVERS = ("mongod", "nats-server", "temporal")
# In the middle of the second phase: evaluations under way, plans being made, mails and facts in flight.
_MIDDLE = 25


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    started = asyncio.run(start_system(Home(tmp_path_factory.mktemp("system"))))
    yield started
    asyncio.run(started.stop())


@pytest.fixture(scope="module")
def undisturbed(system: System) -> Ended:
    return asyncio.run(carried_through(system, "undisturbed"))


def test_an_undisturbed_cohort_holds_every_invariant(undisturbed: Ended) -> None:
    assert not undisturbed.broken
    assert undisturbed.cohort.participants == 4
    assert len(undisturbed.race) == 4


@pytest.mark.parametrize("victim", [*MEMBERS, *SERVERS])
async def test_the_cohort_ends_the_same_after_a_kill_of(victim: str, system: System, undisturbed: Ended) -> None:
    kills: list[asyncio.Task[int]] = []
    stages: list[Stage] = []

    def watch(stage: Stage) -> None:
        stages.append(stage)
        kills.append(asyncio.create_task(kill_in_the_middle(system, victim, stage)))

    ended = await carried_through(system, f"without-{victim}", watch)
    # It was the middle: people had more to do afterwards than before.
    assert stages[0].writes.acknowledged.total() > 2 * await kills[0]
    assert not ended.broken
    assert ended.states == undisturbed.states
    assert ended.race == undisturbed.race


async def kill_in_the_middle(system: System, victim: str, stage: Stage) -> int:
    """What had been acknowledged when it was killed."""
    await eventually(lambda: stage.writes.acknowledged.total() >= _MIDDLE, timeout=60)
    before = stage.writes.acknowledged.total()
    one: Any = system.platform.servers.get(victim) or system.fleet.members[victim]
    await one.kill()
    await one.start()
    return before
