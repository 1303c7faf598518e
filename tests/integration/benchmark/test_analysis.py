"""What the race teaches, asked of benchmark on real servers."""

from collections.abc import AsyncIterator
from decimal import Decimal

import pytest
from livinglab.benchmark.v1 import analysis_service_pb2 as analysis_pb
from livinglab.benchmark.v1 import service_pb2 as pb
from livinglab.benchmark.v1.analysis_service_pb2_grpc import AnalysisServiceStub

from stack.issuer import Issuer
from tests.harness.race import JAVA, RACE, SPBE, SUMEDANG, analysis, counted, submitted
from tests.harness.servers import Servers
from tests.harness.service import Running, refusal, running_service
from tests.harness.waiting import eventually


@pytest.fixture
async def benchmark(servers: Servers, issuer: Issuer, nats_url: str) -> AsyncIterator[Running]:
    async with running_service("benchmark", servers, issuer, nats_url) as running:
        yield running


async def test_races_that_differ_in_more_than_the_period_are_not_compared(benchmark: Running) -> None:
    for at, code in enumerate(JAVA[:6]):
        await submitted(benchmark, code, f"2.0{at}", "2021")
        await submitted(benchmark, code, f"2.{at + 3}{9 - at}", "2022")
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


async def test_gains_are_counted_from_a_period_before_and_need_levels_where_they_are_of_levels(
    benchmark: Running,
) -> None:
    await submitted(benchmark, SUMEDANG, "3.84", "2022")
    await eventually(lambda: counted(benchmark, "results", 1))
    ask = analysis(benchmark)
    for since in ("2022", "2023"):
        earlier = pb.Race(instrument=SPBE, period=since)
        refused = [
            await refusal(ask.ListLeaps(analysis_pb.ListLeapsRequest(race=RACE, since_period=since))),
            await refusal(ask.CompareRaces(analysis_pb.CompareRacesRequest(before=earlier, after=RACE))),
            await refusal(ask.GetVisitPlan(analysis_pb.GetVisitPlanRequest(race=RACE, since_period=since))),
        ]
        assert {one.violations[0].description for one in refused} == {f"{since} is not before 2022"}
    nobody = analysis_pb.GetInsightsRequest(race=pb.Race(instrument=SPBE, period="2020"))
    assert "with levels of its indicators" in str(await refusal(ask.GetInsights(nobody)))


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
