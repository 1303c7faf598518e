"""Projections rebuilt from the streams while they serve, on real servers."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from livinglab.assessment.v1 import events_pb2 as assessment_pb
from livinglab.benchmark.v1 import analysis_service_pb2 as analysis_pb
from livinglab.benchmark.v1 import events_pb2
from livinglab.benchmark.v1 import service_pb2 as pb
from livinglab.benchmark.v1 import steward_service_pb2 as steward_pb
from livinglab.benchmark.v1.target_pb2 import TargetLine

from chassis import naming
from chassis.events import stream
from chassis.status import from_rpc_error
from directory import official_regions
from stack.issuer import Issuer
from tests.harness.race import (
    JAVA,
    SPBE,
    SUMEDANG,
    analysis,
    counted,
    instrument_known,
    race,
    ranks,
    steward,
    submitted,
)
from tests.harness.servers import Servers
from tests.harness.service import Running, running_service
from tests.harness.waiting import eventually


@pytest.fixture
async def benchmark(servers: Servers, issuer: Issuer, nats_url: str) -> AsyncIterator[Running]:
    async with running_service("benchmark", servers, issuer, nats_url) as running:
        yield running


def later() -> Timestamp:
    """In a minute: all that is known by then."""
    return Timestamp(seconds=int(datetime.now(UTC).timestamp()) + 60)


async def answers(benchmark: Running) -> list[Any]:
    """What every question says, to be compared before and after."""
    nation = pb.Race(instrument=SPBE, period="2022")
    found: list[Any] = [
        await race(benchmark).GetRanking(pb.GetRankingRequest(race=nation, since_period="2021", page_size=1000)),
        await race(benchmark).GetAggregate(pb.GetAggregateRequest(race=nation, targets=["2.5"])),
        await race(benchmark).GetGap(pb.GetGapRequest(race=nation, institution=JAVA[0], role_model=JAVA[1])),
        await steward(benchmark).ListClusters(steward_pb.ListClustersRequest()),
        await steward(benchmark).ListTargets(steward_pb.ListTargetsRequest()),
        await analysis(benchmark).GetInsights(analysis_pb.GetInsightsRequest(race=nation)),
        await analysis(benchmark).GetVisitPlan(analysis_pb.GetVisitPlanRequest(race=nation, since_period="2021")),
        await analysis(benchmark).GetBackTest(analysis_pb.GetBackTestRequest(race=nation)),
        await analysis(benchmark).ListSeries(analysis_pb.ListSeriesRequest(race=nation)),
        await ranks(benchmark, pb.Race(instrument=SPBE, period="2022", group="cohort:c1")),
        await ranks(benchmark, pb.Race(instrument=SPBE, period="2022", group="cluster:west")),
        await ranks(benchmark, pb.Race(instrument=SPBE, period="2022", group="cluster:west"), as_of_time=later()),
        await ranks(benchmark, pb.Race(instrument=SPBE, period="2022", group="cohort:c1"), as_of_time=later()),
        await ranks(benchmark, nation, as_of_time=later()),
    ]
    return found


async def raced(benchmark: Running) -> None:
    """Twelve bodies in two years, with sets, targets and hosts."""
    await instrument_known(benchmark)
    for year, base in (("2021", 0), ("2022", 2)):
        for at, code in enumerate(JAVA[:12]):
            values = {str(n): str(1 + (at * 7 + n * 3 + base) % 5) for n in range(1, 48)}
            await submitted(benchmark, code, f"2.{base}{at % 7}", year, cohort_id="c1" if at < 5 else "", values=values)
    await submitted(benchmark, JAVA[0], "2.99", "2022", version=9, cohort_id="c1")
    await eventually(lambda: counted(benchmark, "history", 25))
    await steward(benchmark).SetCluster(
        steward_pb.SetClusterRequest(request_id="c", name="west", institutions=JAVA[2:6])
    )
    lines = [TargetLine(period="2025", target="3.5")]
    await steward(benchmark).SetTargets(steward_pb.SetTargetsRequest(request_id="t", instrument=SPBE, lines=lines))
    for code in JAVA[6:9]:
        await steward(benchmark).SetHostCapacity(
            steward_pb.SetHostCapacityRequest(request_id=code, institution=code, visitors=2)
        )


async def rebuilt(benchmark: Running, request_id: str) -> list[steward_pb.RebuildResponse]:
    return [told async for told in steward(benchmark).Rebuild(steward_pb.RebuildRequest(request_id=request_id))]


async def test_a_rebuild_gives_the_same_answers(benchmark: Running) -> None:
    await raced(benchmark)
    before = await eventually(lambda: settled(benchmark))
    told = await rebuilt(benchmark, "r1")
    assert told[-1].done
    assert told[-1].read == told[-1].total >= 26
    assert await answers(benchmark) == before
    # What served before is read no more, from the moment that the rebuild said so.
    await benchmark.db.client[benchmark.db.name]["results"].drop()
    assert await answers(benchmark) == before
    await rebuilt(benchmark, "r2")
    assert await answers(benchmark) == before


async def settled(benchmark: Running) -> list[Any]:
    """The answers once they no longer change, since the process hears of a change a moment after it is stored."""
    first, second = await answers(benchmark), await answers(benchmark)
    return first if first == second and first[10] else []


async def test_a_lost_database_comes_back_from_the_streams(
    servers: Servers, issuer: Issuer, nats_url: str, benchmark: Running
) -> None:
    await raced(benchmark)
    before = await eventually(lambda: settled(benchmark))

    async def told() -> bool:
        counts = {events_pb2.HostCapacitySet: 3, events_pb2.ClusterSet: 1, events_pb2.TargetsSet: 1}
        return all([len(await benchmark.published(fact)) == count for fact, count in counts.items()])

    await eventually(told)
    async with running_service("benchmark", servers, issuer, nats_url) as empty:
        await rebuilt(empty, "r")
        assert await answers(empty) == before


async def test_facts_that_arrive_during_a_rebuild_are_in_the_new_projections(benchmark: Running) -> None:
    for at, code in enumerate(JAVA):
        await submitted(benchmark, code, f"2.{at:02d}")
    await eventually(lambda: counted(benchmark, "results", len(JAVA)))
    telling = steward(benchmark).Rebuild(steward_pb.RebuildRequest(request_id="r")).__aiter__()
    await telling.__anext__()
    others = [code for code, region in official_regions().items() if region.parent == "33"]
    for at, code in enumerate(others):
        await submitted(benchmark, code, f"3.{at:02d}")
    assert [told async for told in telling][-1].done

    async def all_there() -> bool:
        return len(await ranks(benchmark)) == len(JAVA) + len(others)

    await eventually(all_there)


async def test_only_one_rebuild_runs_and_an_abandoned_one_gives_way(benchmark: Running) -> None:
    await submitted(benchmark, SUMEDANG, "3.00")
    await eventually(lambda: counted(benchmark, "results", 1))
    now = datetime.now(UTC)
    await benchmark.db["generations"].insert_one(
        {"_id": "pointer", "serving": "", "building": "_other", "seen_time": now}
    )
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await rebuilt(benchmark, "r1")
    assert from_rpc_error(raised.value).reason == "REBUILDING"
    long_ago = datetime(2022, 1, 1, tzinfo=UTC)
    await benchmark.db["generations"].update_one({"_id": "pointer"}, {"$set": {"seen_time": long_ago}})
    assert (await rebuilt(benchmark, "r2"))[-1].done
    assert await ranks(benchmark) == [(1, SUMEDANG, "3.00")]


async def test_facts_that_cannot_be_read_are_counted_and_passed_by(benchmark: Running) -> None:
    await instrument_known(benchmark)
    await submitted(benchmark, SUMEDANG, "3.00")
    nc = await stream.connect(benchmark.nats_url, "test")
    kind, subject = assessment_pb.EvaluationSubmitted.DESCRIPTOR.full_name, "assessment.v1.EvaluationSubmitted.32.11"
    # No message at all, and one of a stage that there is not.
    for payload in (b"\xff", assessment_pb.EvaluationSubmitted(institution=SUMEDANG).SerializeToString()):
        headers = {"ce-type": kind, naming.CE_SUBJECT: "e9"}
        await nc.jetstream().publish(subject, payload, headers=headers)
    await nc.close()
    await submitted(benchmark, JAVA[1], "2.00")
    await eventually(lambda: counted(benchmark, "results", 2))
    last = (await rebuilt(benchmark, "r1"))[-1]
    assert (last.done, last.unreadable) == (True, 2)
    assert [(code, index) for _, code, index in await ranks(benchmark)] == [(SUMEDANG, "3.00"), (JAVA[1], "2.00")]
