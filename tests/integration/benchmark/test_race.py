"""The deeper race on real servers: what was published, what is set, what changes live, what is rebuilt."""

import asyncio
import csv
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import permutations
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from livinglab.assessment.v1 import evaluation_pb2
from livinglab.assessment.v1 import events_pb2 as assessment_pb
from livinglab.benchmark.v1 import analysis_service_pb2 as analysis_pb
from livinglab.benchmark.v1 import events_pb2
from livinglab.benchmark.v1 import service_pb2 as pb
from livinglab.benchmark.v1 import steward_service_pb2 as steward_pb
from livinglab.benchmark.v1.steward_service_pb2_grpc import StewardServiceStub
from livinglab.benchmark.v1.target_pb2 import TargetLine

from chassis.errors import Kind
from stack.issuer import Issuer
from tests.harness.race import (
    BANDUNG,
    EGDI,
    JAVA,
    RACE,
    SEMARANG,
    SPBE,
    SUMEDANG,
    TASIKMALAYA,
    analysis,
    counted,
    imported,
    instrument_known,
    race,
    ranks,
    steward,
    submitted,
)
from tests.harness.servers import Servers
from tests.harness.service import Running, refusal, running_service
from tests.harness.waiting import eventually


@pytest.fixture
async def benchmark(servers: Servers, issuer: Issuer, nats_url: str) -> AsyncIterator[Running]:
    async with running_service("benchmark", servers, issuer, nats_url) as running:
        yield running


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


async def heard(benchmark: Running, kind: str, institution: str) -> None:
    """A submission of the stage of publication, its publication, or an earlier result that is brought in."""
    if kind == "import":
        await imported(benchmark, institution, "1.00", "2022", SPBE)
        return
    score = evaluation_pb2.Score(index="3.83", predicate="Baik")
    of: dict[str, Any] = {"institution": institution, "instrument": SPBE, "instrument_version": 1, "period": "2022"}
    of |= {"stage": evaluation_pb2.STAGE_PUBLICATION, "score": score, "values": {"1": "3"}}
    event = (
        assessment_pb.EvaluationSubmitted(**of)
        if kind == "submission"
        else assessment_pb.EvaluationPublished(**of, published="3.84", computed="3.83", revision=1)
    )
    await benchmark.hear(event, version=7, aggregate_id=f"{institution}:{SPBE}:2022")


async def test_whatever_arrives_first_the_publication_counts_is_told_once_and_versions_grow(benchmark: Running) -> None:
    orders = dict(zip(JAVA, permutations(("submission", "publication", "import")), strict=False))
    for step in range(3):
        for institution, order in orders.items():
            await heard(benchmark, order[step], institution)
        # Two aggregates have no order between them: only what was stored is before what is sent after it.
        await eventually(partial(counted, benchmark, "history", len(orders) * (step + 1)))
    asked = pb.Race(instrument=SPBE, period="2022", stage="publication")
    answer = await race(benchmark).GetRanking(pb.GetRankingRequest(race=asked))
    assert {row.institution: (row.index, row.published) for row in answer.rows} == dict.fromkeys(
        orders, ("3.83", "3.84")
    )
    asked.basis = pb.BASIS_PUBLISHED
    assert {(code, index) for _, code, index in await ranks(benchmark, asked)} == {(code, "3.84") for code in orders}
    expected = {code: ["1.00", "3.83"] if order[0] == "import" else ["3.83"] for code, order in orders.items()}

    async def told() -> list[events_pb2.ResultRanked]:
        facts = await benchmark.published(events_pb2.ResultRanked)
        return facts if len(facts) >= sum(map(len, expected.values())) else []

    facts = await eventually(told)
    for institution, indices in expected.items():
        own = [fact for fact in facts if fact.institution == institution]
        assert [fact.index for fact in own] == indices
        versions = [fact.meta.version for fact in own]
        assert versions == sorted(set(versions))
        assert len({fact.meta.aggregate_id for fact in own}) == 1


async def moment() -> Timestamp:
    """A time that has passed: what was told before it is earlier, what is told now is later, in whole milliseconds."""
    found = datetime.now(UTC) + timedelta(milliseconds=1)
    await eventually(lambda: datetime.now(UTC) > found + timedelta(milliseconds=1))
    stamp = Timestamp()
    stamp.FromDatetime(found)
    return stamp


async def test_the_ranking_of_an_earlier_moment_is_what_it_was(benchmark: Running) -> None:
    await submitted(benchmark, SUMEDANG, "3.00", version=3)
    await submitted(benchmark, BANDUNG, "3.10", version=3)
    await eventually(lambda: counted(benchmark, "history", 2))
    earlier = await moment()
    assert len(await ranks(benchmark)) == 2
    await submitted(benchmark, SUMEDANG, "3.84", version=4)
    await eventually(lambda: counted(benchmark, "history", 3))

    async def newest() -> bool:
        return await ranks(benchmark) == [(1, SUMEDANG, "3.84"), (2, BANDUNG, "3.10")]

    await eventually(newest)
    assert await ranks(benchmark, as_of_time=earlier) == [(1, BANDUNG, "3.10"), (2, SUMEDANG, "3.00")]
    assert await ranks(benchmark, as_of_time=Timestamp(seconds=1)) == []
    # A result of an earlier period that came in since is nothing to have moved from at that time.
    await submitted(benchmark, SUMEDANG, "2.00", "2020")
    await eventually(lambda: counted(benchmark, "history", 4))
    asked = pb.GetRankingRequest(race=RACE, since_previous=True, as_of_time=earlier)
    assert (await race(benchmark).GetRanking(asked)).since_period == ""
    asked.ClearField("as_of_time")
    assert (await race(benchmark).GetRanking(asked)).since_period == "2020"


async def test_groups_of_an_earlier_moment_are_those_of_that_time(benchmark: Running) -> None:
    async def cluster(*institutions: str) -> None:
        request = steward_pb.SetClusterRequest(
            request_id=str(len(institutions)), name="climbers", institutions=institutions
        )
        await steward(benchmark).SetCluster(request)

    await submitted(benchmark, SUMEDANG, "3.84", cohort_id="c1")
    await submitted(benchmark, BANDUNG, "2.50")
    await eventually(lambda: counted(benchmark, "results", 2))
    unnamed = await moment()
    await cluster(SUMEDANG, BANDUNG)
    before = await moment()
    # A later fact of the same cohort does not make the first one's membership later.
    for institution, version in ((SEMARANG, 3), (SUMEDANG, 4)):
        await submitted(benchmark, institution, "2.61", cohort_id="c1", version=version)
    await cluster(SEMARANG)
    await eventually(lambda: counted(benchmark, "history", 4))
    cohort = pb.Race(instrument=SPBE, period="2022", group="cohort:c1")
    climbers = pb.Race(instrument=SPBE, period="2022", group="cluster:climbers")
    assert await ranks(benchmark, cohort, as_of_time=before) == [(1, SUMEDANG, "3.84")]
    assert await ranks(benchmark, climbers, as_of_time=before) == [(1, SUMEDANG, "3.84"), (2, BANDUNG, "2.50")]
    assert await ranks(benchmark, cohort, as_of_time=await moment()) == [(1, SUMEDANG, "2.61"), (1, SEMARANG, "2.61")]
    assert await ranks(benchmark, climbers, as_of_time=await moment()) == [(1, SEMARANG, "2.61")]
    request = pb.GetRankingRequest(race=climbers, as_of_time=unnamed)
    refused = await refusal(race(benchmark).GetRanking(request))
    assert [v.description for v in refused.violations] == ["cluster:climbers was not a cluster at that time"]


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
    beyond = [TargetLine(period="2023", target="3.0"), TargetLine(period="2025", target="9")]
    asked = steward_pb.SetTargetsRequest(request_id="beyond", instrument=SPBE, lines=beyond)
    refused = await refusal(steward(benchmark).SetTargets(asked))
    told = [(v.field, v.description) for v in refused.violations]
    assert told == [("lines[1].target", "9 is not on the instrument's scale, 1 to 5")]
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
