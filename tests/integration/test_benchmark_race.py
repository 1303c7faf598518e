"""The deeper race on real servers: what was published, what is set, what changes live, what is rebuilt."""

import asyncio
import csv
from collections.abc import AsyncIterator, Awaitable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from livinglab.assessment.v1 import evaluation_pb2
from livinglab.assessment.v1 import events_pb2 as assessment_pb
from livinglab.assessment.v1 import results_events_pb2 as imported_pb
from livinglab.benchmark.v1 import analysis_service_pb2 as analysis_pb
from livinglab.benchmark.v1 import events_pb2
from livinglab.benchmark.v1 import service_pb2 as pb
from livinglab.benchmark.v1 import steward_service_pb2 as steward_pb
from livinglab.benchmark.v1.analysis_service_pb2_grpc import AnalysisServiceStub
from livinglab.benchmark.v1.service_pb2_grpc import BenchmarkServiceStub
from livinglab.benchmark.v1.steward_service_pb2_grpc import StewardServiceStub
from livinglab.benchmark.v1.target_pb2 import TargetLine

from chassis.errors import Kind, Refused
from chassis.status import from_rpc_error
from directory import official_regions
from instruments import instrument_files
from services.assessment.instrument_file import load
from stack.issuer import Issuer
from tests.harness.servers import Servers
from tests.harness.service import Running, running_service
from tests.harness.waiting import eventually

SPBE = "spbe-59-2020"
SUMEDANG, BANDUNG, TASIKMALAYA, SEMARANG = "32.11", "32.04", "32.78", "33.22"
RACE = pb.Race(instrument=SPBE, period="2022")
EGDI = Path(__file__).parents[1] / "data" / "egdi" / "egdi.csv"
JAVA = [code for code, region in official_regions().items() if region.parent == "32"]


@pytest.fixture
async def benchmark(servers: Servers, issuer: Issuer, nats_url: str) -> AsyncIterator[Running]:
    async with running_service("benchmark", servers, issuer, nats_url) as running:
        yield running


async def submitted(
    benchmark: Running,
    institution: str,
    index: str,
    period: str = "2022",
    *,
    version: int = 3,
    cohort_id: str = "",
    rehearsal: str = "",
    values: dict[str, str] | None = None,
    instrument: str = SPBE,
) -> None:
    event = assessment_pb.EvaluationSubmitted(
        institution=institution,
        instrument=instrument,
        instrument_version=1,
        period=period,
        stage=evaluation_pb2.STAGE_SELF_ASSESSMENT,
        score=evaluation_pb2.Score(index=index, predicate="Cukup"),
        values=values or {str(n): "2" for n in range(1, 48)},
    )
    aggregate = f"{institution}:{instrument}:{period}:{rehearsal}"
    await benchmark.hear(event, version=version, aggregate_id=aggregate, cohort_id=cohort_id, rehearsal=rehearsal)


async def imported(
    benchmark: Running, institution: str, published: str, period: str, instrument: str = "egdi", computed: str = ""
) -> None:
    event = imported_pb.ResultImported(
        institution=institution,
        instrument=instrument,
        instrument_version=1,
        period=period,
        stage=evaluation_pb2.STAGE_PUBLICATION,
        published_index=published,
    )
    if computed:
        event.score.index = computed
    await benchmark.hear(event, aggregate_id=f"result:{institution}:{instrument}:{period}")


async def instrument_known(benchmark: Running) -> None:
    instrument = load(instrument_files()[SPBE].read_bytes())
    event = assessment_pb.InstrumentPublished(instrument_id=SPBE, instrument=instrument)
    await benchmark.hear(event, aggregate_id=f"instrument:{SPBE}")
    await eventually(lambda: counted(benchmark, "instruments", 1))


async def counted(benchmark: Running, collection: str, count: int) -> bool:
    return bool(await benchmark.db[collection].count_documents({}) == count)


async def refusal(call: Awaitable[object]) -> Refused:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    return from_rpc_error(raised.value)


def race(benchmark: Running) -> Any:
    return benchmark.as_role(BenchmarkServiceStub, "manager")


def steward(benchmark: Running) -> Any:
    return benchmark.as_role(StewardServiceStub, "manager")


def analysis(benchmark: Running) -> Any:
    return benchmark.as_role(AnalysisServiceStub, "manager")


async def ranks(benchmark: Running, asked: pb.Race = RACE, **more: Any) -> list[tuple[int, str, str]]:
    answer = await race(benchmark).GetRanking(pb.GetRankingRequest(race=asked, page_size=1000, **more))
    return [(row.rank, row.institution, row.index) for row in answer.rows]


async def test_an_international_panel_comes_out_as_it_was_published(benchmark: Running) -> None:
    panel = [row for row in csv.DictReader(EGDI.read_text().splitlines()) if row["year"] == "2018"]
    for row in panel:
        await imported(benchmark, row["country"], row["index"], "2018")
    await eventually(lambda: counted(benchmark, "results", len(panel)), timeout=30)
    found = await ranks(benchmark, pb.Race(instrument="egdi", period="2018", stage="publication"))
    assert {code: rank for rank, code, _ in found} == {row["country"]: int(row["rank"]) for row in panel}
    assert {code: Decimal(index) for _, code, index in found} == {r["country"]: Decimal(r["index"]) for r in panel}


async def test_published_and_computed_are_never_ranked_together(benchmark: Running) -> None:
    await imported(benchmark, SUMEDANG, "3.84", "2022", SPBE)
    await imported(benchmark, BANDUNG, "2.59", "2022", SPBE, computed="2.60")
    await imported(benchmark, SEMARANG, "", "2022", SPBE, computed="2.10")
    await eventually(lambda: counted(benchmark, "results", 3))
    asked = pb.Race(instrument=SPBE, period="2022", stage="publication")
    refused = await refusal(race(benchmark).GetRanking(pb.GetRankingRequest(race=asked)))
    assert (refused.kind, refused.reason) == (Kind.FAILED_PRECONDITION, "MIXED_BASIS")
    assert refused.message.startswith("of 3 results 2 have a computed index and 2 a published one")
    asked.basis = pb.BASIS_PUBLISHED
    assert await ranks(benchmark, asked) == [(1, SUMEDANG, "3.84"), (2, BANDUNG, "2.59")]
    asked.basis = pb.BASIS_COMPUTED
    answer = await race(benchmark).GetRanking(pb.GetRankingRequest(race=asked))
    assert [(row.index, row.published) for row in answer.rows] == [("2.60", "2.59"), ("2.10", "")]


async def test_a_publication_is_told_once_and_keeps_the_published_index_beside(benchmark: Running) -> None:
    fields = {"institution": SUMEDANG, "instrument": SPBE, "instrument_version": 1, "period": "2022"}
    score = evaluation_pb2.Score(index="3.83", predicate="Baik")
    of = {**fields, "stage": evaluation_pb2.STAGE_PUBLICATION, "score": score, "values": {"1": "3"}}
    await benchmark.hear(assessment_pb.EvaluationSubmitted(**of), version=7, aggregate_id="e")
    published = assessment_pb.EvaluationPublished(**of, published="3.84", computed="3.83", revision=1)
    await benchmark.hear(published, version=7, aggregate_id="e")
    await imported(benchmark, SUMEDANG, "1.00", "2022", SPBE)
    await eventually(lambda: counted(benchmark, "history", 3))
    asked = pb.Race(instrument=SPBE, period="2022", stage="publication")
    answer = await race(benchmark).GetRanking(pb.GetRankingRequest(race=asked))
    assert [(row.index, row.published) for row in answer.rows] == [("3.83", "3.84")]
    assert await ranks(benchmark, pb.Race(instrument=SPBE, period="2022", stage="publication", basis=2)) == [
        (1, SUMEDANG, "3.84")
    ]

    async def told() -> list[events_pb2.ResultRanked]:
        return await benchmark.published(events_pb2.ResultRanked)

    facts = await eventually(told)
    assert [(fact.index, fact.meta.version) for fact in facts] == [("3.83", 7)]


async def test_the_ranking_of_an_earlier_moment_is_what_it_was(benchmark: Running) -> None:
    await submitted(benchmark, SUMEDANG, "3.00", version=3)
    await submitted(benchmark, BANDUNG, "3.10", version=3)
    await eventually(lambda: counted(benchmark, "history", 2))
    moment = Timestamp()
    moment.FromDatetime(datetime.now(UTC))
    assert len(await ranks(benchmark)) == 2
    await submitted(benchmark, SUMEDANG, "3.84", version=4)
    await eventually(lambda: counted(benchmark, "history", 3))

    async def newest() -> bool:
        return await ranks(benchmark) == [(1, SUMEDANG, "3.84"), (2, BANDUNG, "3.10")]

    await eventually(newest)
    assert await ranks(benchmark, as_of_time=moment) == [(1, BANDUNG, "3.10"), (2, SUMEDANG, "3.00")]
    assert await ranks(benchmark, as_of_time=Timestamp(seconds=1)) == []


async def test_a_watcher_hears_of_each_change_of_places(benchmark: Running) -> None:
    await submitted(benchmark, SUMEDANG, "3.00")
    await eventually(lambda: counted(benchmark, "results", 1))
    watching = race(benchmark).WatchRanking(pb.WatchRankingRequest(race=RACE))
    first = await watching.read()
    assert first.complete
    assert [(row.rank, row.institution) for row in first.rows] == [(1, SUMEDANG)]
    await submitted(benchmark, BANDUNG, "3.50")
    change = await asyncio.wait_for(watching.read(), 10)
    assert not change.complete
    assert [(row.rank, row.institution) for row in change.rows] == [(1, BANDUNG), (2, SUMEDANG)]
    # Another race is none of this watcher's.
    await submitted(benchmark, BANDUNG, "3.90", rehearsal="try")
    await submitted(benchmark, TASIKMALAYA, "2.00")
    change = await asyncio.wait_for(watching.read(), 10)
    assert [(row.rank, row.institution, row.to_next) for row in change.rows if row.institution == TASIKMALAYA] == [
        (3, TASIKMALAYA, "1.00")
    ]
    watching.cancel()


async def test_a_cohort_and_a_cluster_are_groups(benchmark: Running) -> None:
    await submitted(benchmark, SUMEDANG, "3.84", cohort_id="c1")
    await submitted(benchmark, BANDUNG, "2.50")
    await submitted(benchmark, SEMARANG, "2.61", cohort_id="c1")
    await eventually(lambda: counted(benchmark, "results", 3))
    await eventually(lambda: counted(benchmark, "members", 2))
    cohort = pb.Race(instrument=SPBE, period="2022", group="cohort:c1")
    assert await ranks(benchmark, cohort) == [(1, SUMEDANG, "3.84"), (2, SEMARANG, "2.61")]
    cluster = pb.Race(instrument=SPBE, period="2022", group="cluster:climbers")
    refused = await refusal(race(benchmark).GetRanking(pb.GetRankingRequest(race=cluster)))
    assert [v.field for v in refused.violations] == ["race.group"]
    request = steward_pb.SetClusterRequest(request_id="1", name="climbers", institutions=[BANDUNG, SEMARANG])
    first = await steward(benchmark).SetCluster(request)
    assert await steward(benchmark).SetCluster(request) == first
    assert await eventually(lambda: ranks(benchmark, cluster), ignoring=(grpc.aio.AioRpcError,)) == [
        (1, SEMARANG, "2.61"),
        (2, BANDUNG, "2.50"),
    ]
    operator = benchmark.as_role(StewardServiceStub, "operator", BANDUNG)
    assert (await refusal(operator.SetCluster(request))).kind == Kind.PERMISSION_DENIED


async def test_leaps_and_who_was_first(benchmark: Running) -> None:
    indices = {"2021": ("2.10", "3.20", "2.90"), "2022": ("3.84", "3.30", "3.00")}
    for period, found in indices.items():
        for institution, index in zip((SUMEDANG, BANDUNG, SEMARANG), found, strict=True):
            await submitted(benchmark, institution, index, period)
    await eventually(lambda: counted(benchmark, "results", 6))
    request = analysis_pb.ListLeapsRequest(race=RACE, since_period="2021", target="3.0")
    answer = await analysis(benchmark).ListLeaps(request)
    assert [(leap.institution, leap.gain) for leap in answer.leaps] == [
        (SUMEDANG, "1.74"),
        (BANDUNG, "0.10"),
        (SEMARANG, "0.10"),
    ]
    assert [(f.rank, f.institution, f.period) for f in answer.firsts] == [
        (1, BANDUNG, "2021"),
        (2, SUMEDANG, "2022"),
        (2, SEMARANG, "2022"),
    ]


async def test_a_gap_holds_the_target_lines_of_every_group(benchmark: Running) -> None:
    await instrument_known(benchmark)
    for at, code in enumerate(JAVA[:6]):
        level = {str(n): str(1 + (at + n) % 5) for n in range(1, 48)}
        await submitted(benchmark, code, f"2.{at}0", values=level)
    await eventually(lambda: counted(benchmark, "results", 6))
    for group, lines in {"": {"2025": "3.5"}, "kind:kabupaten": {"2023": "3.0"}, "province:31": {"2023": "4"}}.items():
        targets = [TargetLine(period=period, target=target) for period, target in lines.items()]
        await steward(benchmark).SetTargets(
            steward_pb.SetTargetsRequest(request_id=f"t{group}", instrument=SPBE, group=group, lines=targets)
        )
    answer = await race(benchmark).GetGap(pb.GetGapRequest(race=RACE, institution=JAVA[0]))
    assert [(t.group, t.period, t.gap) for t in answer.targets] == [
        ("nation", "2025", "1.50"),
        ("kind:kabupaten", "2023", "1.00"),
    ]
    assert (answer.nodes[0].kind, len(answer.nodes), len(answer.holding_back)) == ("index", 1 + 4 + 8 + 47, 3)
    assert not answer.withheld
    few = pb.Race(instrument=SPBE, period="2022", group="kind:kota")
    answer = await race(benchmark).GetGap(pb.GetGapRequest(race=few, institution=JAVA[0]))
    assert [w.what for w in answer.withheld] == ["best, median"]
    assert not any(node.best or node.median for node in answer.nodes)


async def test_races_that_differ_in_more_than_the_period_are_not_compared(benchmark: Running) -> None:
    for institution, before, after in ((code, f"2.0{at}", f"2.{at + 3}{9 - at}") for at, code in enumerate(JAVA[:6])):
        await submitted(benchmark, institution, before, "2021")
        await submitted(benchmark, institution, after, "2022")
    await eventually(lambda: counted(benchmark, "results", 12))
    before = pb.Race(instrument=SPBE, period="2021")
    answer = await analysis(benchmark).CompareRaces(analysis_pb.CompareRacesRequest(before=before, after=RACE))
    assert (answer.pairs, answer.wilcoxon_p_value) == (6, "0.0312")
    for other in (
        pb.Race(instrument="pemdi-8-2026", period="2021"),
        pb.Race(instrument=SPBE, period="2021", stage="document"),
        pb.Race(instrument=SPBE, period="2021", rehearsal="try"),
    ):
        asked = analysis_pb.CompareRacesRequest(before=other, after=RACE)
        assert (await refusal(analysis(benchmark).CompareRaces(asked))).reason == "MIXED_RACES"


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
        await ranks(benchmark, nation, as_of_time=Timestamp(seconds=int(datetime.now(UTC).timestamp()) + 60)),
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
    await benchmark.db.client[benchmark.db.name]["results"].drop()
    assert await answers(benchmark) == before
    await rebuilt(benchmark, "r2")
    assert await eventually(lambda: settled(benchmark)) == before


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
        return len(await benchmark.published(events_pb2.HostCapacitySet)) == 3

    await eventually(told)
    async with running_service("benchmark", servers, issuer, nats_url) as empty:
        await rebuilt(empty, "r")
        assert await eventually(lambda: settled(empty)) == before


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


async def test_a_projection_is_a_region_s_own_to_see_and_has_no_target_behind_it(benchmark: Running) -> None:
    for at, code in enumerate(JAVA[:8]):
        for year, index in (("2020", 200 + at), ("2021", 215 + 2 * at), ("2022", 250 + at)):
            await submitted(benchmark, code, f"{index / 100:.2f}", year)
    await eventually(lambda: counted(benchmark, "results", 24))
    request = analysis_pb.GetProjectionRequest(race=RACE, institution=JAVA[0], target_period="2025", target="3.5")
    head = benchmark.as_role(AnalysisServiceStub, "head", JAVA[0])
    answer = await head.GetProjection(request)
    assert (answer.own_steps, answer.group_steps) == (2, 14)
    assert Decimal(answer.linear.low) < Decimal(answer.linear.index) < Decimal(answer.linear.high)
    assert answer.linear.growth_needed == "0.33"
    assert answer.compound.growth_needed == "11.87"
    other = benchmark.as_role(AnalysisServiceStub, "head", JAVA[1])
    assert (await refusal(other.GetProjection(request))).reason == "OTHER_INSTITUTION"
    request.target_period = "2022"
    assert (await refusal(head.GetProjection(request))).reason == "TARGET_PASSED"


async def test_a_series_breaks_where_the_instrument_changes(benchmark: Running) -> None:
    await submitted(benchmark, SUMEDANG, "2.59", "2025")
    await submitted(benchmark, SUMEDANG, "1.24", "2026", instrument="pemdi-8-2026")
    await eventually(lambda: counted(benchmark, "results", 2))
    asked = analysis_pb.ListSeriesRequest(race=RACE, institution=SUMEDANG)
    answer = await analysis(benchmark).ListSeries(asked)
    assert [(s.instrument, len(s.points)) for s in answer.series] == [(SPBE, 1), ("pemdi-8-2026", 1)]
    assert [(b.from_period, b.to_period) for b in answer.breaks] == [("2025", "2026")]
