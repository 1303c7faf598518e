"""Answers that are remembered, and the news that ends them, on real servers."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from livinglab.benchmark.v1 import service_pb2 as pb
from livinglab.benchmark.v1 import steward_service_pb2 as steward_pb

from stack.issuer import Issuer
from tests.harness.race import BANDUNG, JAVA, RACE, SPBE, SUMEDANG, counted, race, ranks, steward, submitted
from tests.harness.servers import Servers
from tests.harness.service import Running, running_service
from tests.harness.waiting import eventually


@pytest.fixture
async def benchmark(servers: Servers, issuer: Issuer, nats_url: str) -> AsyncIterator[Running]:
    async with running_service("benchmark", servers, issuer, nats_url) as running:
        yield running


async def test_no_answer_is_older_than_a_change_that_was_watched(benchmark: Running) -> None:
    await submitted(benchmark, SUMEDANG, "2.00", version=1)
    await eventually(lambda: counted(benchmark, "results", 1))
    watching = race(benchmark).WatchRanking(pb.WatchRankingRequest(race=RACE))
    await watching.read()
    stub = race(benchmark)
    asked = pb.GetRankingRequest(race=RACE, since_previous=True)
    for n in range(1, 16):
        # Some ask while the change is on its way, so that an answer from before it is being made or remembered.
        early = [asyncio.ensure_future(stub.GetRanking(asked)) for _ in range(4)]
        await submitted(benchmark, SUMEDANG, f"2.{n:02d}", version=1 + n)
        change = await asyncio.wait_for(watching.read(), 10)
        assert [row.index for row in change.rows] == [f"2.{n:02d}"]
        late = await asyncio.gather(*(stub.GetRanking(asked) for _ in range(4)))
        assert {row.index for answer in late for row in answer.rows} == {f"2.{n:02d}"}
        await asyncio.gather(*early)
    watching.cancel()


async def test_many_who_ask_the_same_are_answered_from_one_reading(benchmark: Running) -> None:
    for at, code in enumerate(JAVA):
        await submitted(benchmark, code, f"2.{at:02d}")
    await eventually(lambda: counted(benchmark, "results", len(JAVA)))
    # The process has heard of the last of them too: what is remembered now stays.
    watching = race(benchmark).WatchRanking(pb.WatchRankingRequest(race=RACE))
    assert len((await watching.read()).rows) == len(JAVA)
    stub = race(benchmark)
    asked = pb.GetRankingRequest(race=RACE, page_size=1000)

    async def remembered() -> bool:
        database = benchmark.db.client[benchmark.db.name]
        await database["system.profile"].drop()
        await database.command("profile", 2)
        answers = await asyncio.gather(*(stub.GetRanking(asked) for _ in range(32)))
        await database.command("profile", 0)
        assert {len(answer.rows) for answer in answers} == {len(JAVA)}
        reads = await benchmark.db["system.profile"].count_documents({"command.find": "results"})
        return bool(reads <= 1)

    await eventually(remembered)
    watching.cancel()


async def test_a_first_result_of_an_earlier_period_becomes_what_movement_is_counted_from(benchmark: Running) -> None:
    await submitted(benchmark, SUMEDANG, "3.00")
    await eventually(lambda: counted(benchmark, "results", 1))
    asked = pb.GetRankingRequest(race=RACE, since_previous=True)

    async def since() -> str:
        return str((await race(benchmark).GetRanking(asked)).since_period)

    assert await since() == ""
    await submitted(benchmark, SUMEDANG, "2.00", "2020")
    await eventually(since)
    assert await since() == "2020"


async def test_a_cluster_that_changes_changes_the_ranking_that_was_remembered(benchmark: Running) -> None:
    await submitted(benchmark, SUMEDANG, "3.00")
    await submitted(benchmark, BANDUNG, "2.00")
    await eventually(lambda: counted(benchmark, "results", 2))
    asked = pb.Race(instrument=SPBE, period="2022", group="cluster:own")
    for number, members in enumerate(([SUMEDANG], [BANDUNG], [BANDUNG, SUMEDANG]), 1):
        request = steward_pb.SetClusterRequest(request_id=str(number), name="own", institutions=members)
        await steward(benchmark).SetCluster(request)

        async def shown(expected: frozenset[str] = frozenset(members)) -> bool:
            return {code for _, code, _ in await ranks(benchmark, asked)} == expected

        await eventually(shown)


async def test_no_method_has_a_waiting_place_of_its_own(benchmark: Running) -> None:
    await race(benchmark).GetRanking(pb.GetRankingRequest(race=RACE))
    running: list[Any] = [task.get_coro() for task in asyncio.all_tasks()]
    waiting = [name for name in (coroutine.__qualname__ for coroutine in running) if name.startswith("AioServer._req")]
    # One for all of them together.
    assert waiting == ["AioServer._request_call"]
