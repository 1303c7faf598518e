"""Benchmark alone, on a real database and broker: facts come in, the race is asked for as its users ask."""

from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING

import grpc
import pytest
from livinglab.assessment.v1 import evaluation_pb2
from livinglab.assessment.v1 import events_pb2 as assessment_pb
from livinglab.benchmark.v1 import events_pb2
from livinglab.benchmark.v1 import service_pb2 as pb
from livinglab.benchmark.v1.service_pb2_grpc import BenchmarkServiceStub
from livinglab.benchmark.v1.steward_service_pb2 import SetHostCapacityRequest, SetTargetsRequest
from livinglab.benchmark.v1.steward_service_pb2_grpc import StewardServiceStub
from livinglab.benchmark.v1.target_pb2 import TargetLine
from livinglab.coaching.v1.events_pb2 import CoachAssigned

from chassis.errors import Kind
from directory import official_regions
from instruments import instrument_files
from instruments.file import load
from stack.issuer import Issuer
from tests.harness.servers import Servers
from tests.harness.service import Running, refusal, running_service
from tests.harness.waiting import eventually

if TYPE_CHECKING:
    from livinglab.benchmark.v1.service_pb2_grpc import BenchmarkServiceAsyncStub

SPBE = "spbe-59-2020"
SUMEDANG, BANDUNG, TASIKMALAYA, SEMARANG = "32.11", "32.04", "32.78", "33.22"
WEST_JAVA = [
    code for code, region in official_regions().items() if region.parent == "32" and region.kind == "kabupaten"
]
RACE = pb.Race(instrument=SPBE, period="2022")


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
    rehearsal: str = "",
    level: str = "2",
    stage: evaluation_pb2.Stage.ValueType = evaluation_pb2.STAGE_SELF_ASSESSMENT,
) -> None:
    event = assessment_pb.EvaluationSubmitted(
        institution=institution,
        instrument=SPBE,
        instrument_version=1,
        period=period,
        stage=stage,
        score=evaluation_pb2.Score(index=index, predicate="Cukup"),
        values={str(n): level for n in range(1, 48)},
    )
    aggregate = f"{institution}:{SPBE}:{period}:{rehearsal}"
    await benchmark.hear(event, version=version, aggregate_id=aggregate, cohort_id=rehearsal, rehearsal=rehearsal)


async def race_of(benchmark: Running, indices: Mapping[str, str]) -> None:
    """Everybody's result has arrived."""
    for institution, index in indices.items():
        await submitted(benchmark, institution, index)
    await eventually(lambda: arrived(benchmark, len(indices)))


async def arrived(benchmark: Running, count: int) -> bool:
    return bool(await benchmark.db["results"].count_documents({}) == count)


async def published_instrument(benchmark: Running) -> None:
    instrument = load(instrument_files()[SPBE].read_bytes())
    event = assessment_pb.InstrumentPublished(instrument_id=SPBE, instrument=instrument)
    await benchmark.hear(event, aggregate_id=f"instrument:{SPBE}")


def manager(benchmark: Running) -> "BenchmarkServiceAsyncStub":
    return benchmark.as_role(BenchmarkServiceStub, "manager")


async def ranks(benchmark: Running, race: pb.Race = RACE) -> list[tuple[int, str, str]]:
    answer = await manager(benchmark).GetRanking(pb.GetRankingRequest(race=race))
    return [(row.rank, row.institution, row.index) for row in answer.rows]


async def test_results_are_ranked_within_their_group(benchmark: Running) -> None:
    await race_of(benchmark, {SUMEDANG: "3.84", BANDUNG: "2.50", TASIKMALAYA: "2.50", SEMARANG: "2.61"})
    assert await ranks(benchmark) == [
        (1, SUMEDANG, "3.84"),
        (2, SEMARANG, "2.61"),
        (3, BANDUNG, "2.50"),
        (3, TASIKMALAYA, "2.50"),
    ]
    west_java = pb.Race(instrument=SPBE, period="2022", group="province:32")
    assert await ranks(benchmark, west_java) == [
        (1, SUMEDANG, "3.84"),
        (2, BANDUNG, "2.50"),
        (2, TASIKMALAYA, "2.50"),
    ]
    assert await ranks(benchmark, pb.Race(instrument=SPBE, period="2022", group="kind:kota")) == [
        (1, TASIKMALAYA, "2.50")
    ]
    assert await ranks(benchmark, pb.Race(instrument=SPBE, period="2022", stage="document")) == []


async def test_a_ranking_reads_the_index_and_no_result(benchmark: Running) -> None:
    await race_of(benchmark, {SUMEDANG: "3.84", BANDUNG: "2.50"})
    database = benchmark.db.client[benchmark.db.name]
    await database.command("profile", 2)
    assert len(await ranks(benchmark)) == 2
    await database.command("profile", 0)
    read = await benchmark.db["system.profile"].find_one({"command.find": "results"})
    assert (read["nreturned"], read["keysExamined"], read["docsExamined"]) == (2, 2, 0)


async def test_movement_is_counted_since_an_earlier_period(benchmark: Running) -> None:
    for period, indices in {"2021": ("2.10", "2.20"), "2022": ("2.90", "2.00")}.items():
        for institution, index in zip((SUMEDANG, BANDUNG), indices, strict=True):
            await submitted(benchmark, institution, index, period)
    await eventually(lambda: arrived(benchmark, 4))
    answer = await manager(benchmark).GetRanking(pb.GetRankingRequest(race=RACE, since_period="2021"))
    assert [(row.name, row.movement, row.gain) for row in answer.rows] == [
        ("Kabupaten Sumedang", 1, "0.80"),
        ("Kabupaten Bandung", -1, "-0.20"),
    ]


async def test_pages_follow_one_another(benchmark: Running) -> None:
    await race_of(benchmark, {SUMEDANG: "3.84", BANDUNG: "2.50", SEMARANG: "2.61"})
    seen, token = [], ""
    for _ in range(2):
        request = pb.GetRankingRequest(race=RACE, page_size=2, page_token=token)
        answer = await manager(benchmark).GetRanking(request)
        assert answer.total == 3
        seen += [(row.rank, row.institution) for row in answer.rows]
        token = answer.next_page_token
    assert seen == [(1, SUMEDANG), (2, SEMARANG), (3, BANDUNG)]
    assert token == ""


async def test_an_older_fact_changes_nothing(benchmark: Running) -> None:
    await submitted(benchmark, SUMEDANG, "3.00", version=5)
    await eventually(lambda: arrived(benchmark, 1))
    await submitted(benchmark, SUMEDANG, "2.00", version=4)
    await submitted(benchmark, SUMEDANG, "2.00", version=5)
    await submitted(benchmark, BANDUNG, "2.40")

    async def all_heard() -> bool:
        return bool(await benchmark.db["history"].count_documents({}) == 4)

    await eventually(all_heard)
    assert await ranks(benchmark) == [(1, SUMEDANG, "3.00"), (2, BANDUNG, "2.40")]
    await submitted(benchmark, SUMEDANG, "3.10", version=6)

    async def newest() -> bool:
        return (await ranks(benchmark))[0] == (1, SUMEDANG, "3.10")

    await eventually(newest)

    async def told() -> list[events_pb2.ResultRanked]:
        facts = await benchmark.published(events_pb2.ResultRanked)
        return facts if len(facts) == 3 else []

    facts = await eventually(told)
    first, second = [fact for fact in facts if fact.institution == SUMEDANG]
    assert (first.index, second.index) == ("3.00", "3.10")
    assert second.meta.version == first.meta.version + 1
    assert len({f.meta.aggregate_id for f in facts}) == 2


async def test_stages_are_races_of_their_own(benchmark: Running) -> None:
    await submitted(benchmark, SUMEDANG, "3.84", version=3)
    await submitted(benchmark, SUMEDANG, "3.20", version=4, stage=evaluation_pb2.STAGE_DOCUMENT)
    await eventually(lambda: arrived(benchmark, 2))
    assert await ranks(benchmark) == [(1, SUMEDANG, "3.84")]
    assert await ranks(benchmark, pb.Race(instrument=SPBE, period="2022", stage="document")) == [(1, SUMEDANG, "3.20")]


async def test_a_rehearsal_and_real_results_never_mix(benchmark: Running) -> None:
    await submitted(benchmark, SUMEDANG, "3.84")
    await submitted(benchmark, BANDUNG, "4.50", rehearsal="try-1")
    await eventually(lambda: arrived(benchmark, 2))
    rehearsed = pb.Race(instrument=SPBE, period="2022", rehearsal="try-1")
    assert await ranks(benchmark) == [(1, SUMEDANG, "3.84")]
    assert await ranks(benchmark, rehearsed) == [(1, BANDUNG, "4.50")]
    public = benchmark.as_role(BenchmarkServiceStub, "public")
    assert len((await public.GetRanking(pb.GetRankingRequest(race=RACE))).rows) == 1
    for call in (
        public.GetRanking(pb.GetRankingRequest(race=rehearsed)),
        public.GetAggregate(pb.GetAggregateRequest(race=rehearsed)),
    ):
        assert (await refusal(call)).reason == "REHEARSAL"


async def test_the_gap_of_a_region_is_its_own_to_see(benchmark: Running) -> None:
    await submitted(benchmark, BANDUNG, "2.00", level="2")
    await submitted(benchmark, SUMEDANG, "4.00", level="4")
    await eventually(lambda: arrived(benchmark, 2))
    request = pb.GetGapRequest(race=RACE, institution=BANDUNG, role_model=SUMEDANG, targets=["3.0"])
    head = benchmark.as_role(BenchmarkServiceStub, "head", BANDUNG)
    await published_instrument(benchmark)

    async def gap() -> pb.GetGapResponse:
        return await head.GetGap(request)

    answer = await eventually(gap, ignoring=(grpc.aio.AioRpcError,))
    assert (answer.index, answer.role_model_gap, answer.targets[0].gap) == ("2.00", "2.00", "1.00")
    # The values of another are its draft, unless it receives visitors.
    assert "values of the role model" in {withheld.what for withheld in answer.withheld}
    assert not any(row.role_model_value for row in answer.indicators)
    assert (await manager(benchmark).GetGap(request)).indicators[0].role_model_value == "4"
    steward = benchmark.as_role(StewardServiceStub, "manager")
    await steward.SetHostCapacity(SetHostCapacityRequest(request_id="h", institution=SUMEDANG, visitors=3))
    answer = await gap()
    assert {row.role_model_value for row in answer.indicators} == {"4"}
    assert [w.what for w in answer.withheld] == ["best, median"]
    assert len(answer.indicators) == 47
    costs = [float(row.to_top) for row in answer.indicators]
    assert costs == sorted(costs, reverse=True)
    refused = await refusal(benchmark.as_role(BenchmarkServiceStub, "head", SUMEDANG).GetGap(request))
    assert (refused.kind, refused.reason) == (Kind.PERMISSION_DENIED, "OTHER_INSTITUTION")
    refused = await refusal(benchmark.as_role(BenchmarkServiceStub, "public").GetGap(request))
    assert (refused.kind, refused.reason) == (Kind.PERMISSION_DENIED, "ROLE")


async def test_without_a_result_there_is_no_gap(benchmark: Running) -> None:
    refused = await refusal(manager(benchmark).GetGap(pb.GetGapRequest(race=RACE, institution=BANDUNG)))
    assert refused.kind == Kind.NOT_FOUND
    await race_of(benchmark, {BANDUNG: "2.00"})
    request = pb.GetGapRequest(race=RACE, institution=BANDUNG, role_model=SUMEDANG)
    refused = await refusal(manager(benchmark).GetGap(request))
    assert (refused.kind, refused.resource) == (
        Kind.NOT_FOUND,
        ("result", f"of {SUMEDANG} in {SPBE}, 2022, self-assessment"),
    )


async def test_the_mean_is_that_of_the_two_digit_indices(benchmark: Running) -> None:
    await race_of(benchmark, {SUMEDANG: "3.01", BANDUNG: "3.00", SEMARANG: "2.00"})
    request = pb.GetAggregateRequest(race=RACE, targets=["3.0", "3.5"])
    answer = await manager(benchmark).GetAggregate(request)
    assert (answer.count, answer.mean) == (3, "2.67")
    assert [(t.target, t.reached) for t in answer.targets] == [("3.0", 2), ("3.5", 0)]
    request.race.period = "2019"
    assert (await manager(benchmark).GetAggregate(request)).mean == ""


async def test_what_drafts_have_in_common_is_for_those_who_may_see_drafts(benchmark: Running) -> None:
    await published_instrument(benchmark)
    await race_of(benchmark, dict.fromkeys([*WEST_JAVA[:5], SEMARANG], "2.00"))
    for code in WEST_JAVA[:5]:
        await submitted(benchmark, code, "2.00", stage=evaluation_pb2.STAGE_PUBLICATION, version=7)
    await eventually(lambda: arrived(benchmark, 11))
    own = WEST_JAVA[0]
    await benchmark.hear(CoachAssigned(institution=own, coach_id="coach"), cohort_id="c")
    await eventually(lambda: benchmark.db["assigned"].find_one({"subject": "coach"}))
    for role, institution, sees in (
        ("public", "", False),
        ("platform", "", False),
        ("head", own, False),
        ("coach", "", True),
        ("manager", "", True),
    ):
        stub = benchmark.as_role(BenchmarkServiceStub, role, institution)
        draft = await stub.GetAggregate(pb.GetAggregateRequest(race=RACE))
        assert (bool(draft.profile), draft.count, draft.mean) == (sees, 6, "2.00")
        assert any("drafts until publication" in withheld.reason for withheld in draft.withheld) is not sees
        published = pb.Race(instrument=SPBE, period="2022", stage="publication")
        assert (await stub.GetAggregate(pb.GetAggregateRequest(race=published))).profile
        if role not in ("public", "platform"):
            gap = await stub.GetGap(pb.GetGapRequest(race=RACE, institution=own))
            assert any(node.best or node.median for node in gap.nodes) is sees


async def test_targets_that_were_set_are_counted_where_none_is_named(benchmark: Running) -> None:
    await race_of(benchmark, {SUMEDANG: "3.00", BANDUNG: "2.00"})
    for group, target in (("", "3.0"), ("kind:kota", "2.0")):
        lines = [TargetLine(period="2023", target=target)]
        request = SetTargetsRequest(request_id=f"t{group}", instrument=SPBE, group=group, lines=lines)
        await benchmark.as_role(StewardServiceStub, "manager").SetTargets(request)
    answer = await manager(benchmark).GetAggregate(pb.GetAggregateRequest(race=RACE))
    assert [(line.target, line.reached) for line in answer.targets] == [("3.0", 1)]


async def test_every_fault_of_a_question_is_named(benchmark: Running) -> None:
    race = pb.Race(instrument=SPBE, period="2022", group="kind:desa", stage="guess")
    asked = manager(benchmark).GetAggregate(pb.GetAggregateRequest(race=race, targets=["3.005"]))
    refused = await refusal(asked)
    assert refused.kind == Kind.INVALID_ARGUMENT
    assert [v.field for v in refused.violations] == ["race.stage", "race.group", "targets[0]"]
    refused = await refusal(manager(benchmark).GetRanking(pb.GetRankingRequest(race=pb.Race(period="next"))))
    assert [v.field for v in refused.violations] == ["race.instrument", "race.period"]
    for token in ("???", "YQ=="):
        refused = await refusal(manager(benchmark).GetRanking(pb.GetRankingRequest(race=RACE, page_token=token)))
        assert [v.field for v in refused.violations] == ["page_token"]
