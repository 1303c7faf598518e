"""Facts and questions of the race, for tests of benchmark on real servers."""

from pathlib import Path
from typing import Any

from livinglab.assessment.v1 import evaluation_pb2
from livinglab.assessment.v1 import events_pb2 as assessment_pb
from livinglab.assessment.v1 import results_events_pb2 as imported_pb
from livinglab.benchmark.v1 import service_pb2 as pb
from livinglab.benchmark.v1.analysis_service_pb2_grpc import AnalysisServiceStub
from livinglab.benchmark.v1.service_pb2_grpc import BenchmarkServiceStub
from livinglab.benchmark.v1.steward_service_pb2_grpc import StewardServiceStub

from directory import official_regions
from instruments import instrument_files
from instruments.file import load
from tests.harness.service import Running
from tests.harness.waiting import eventually

SPBE = "spbe-59-2020"
SUMEDANG, BANDUNG, TASIKMALAYA, SEMARANG = "32.11", "32.04", "32.78", "33.22"
RACE = pb.Race(instrument=SPBE, period="2022")
EGDI = Path(__file__).parents[1] / "data" / "egdi" / "egdi.csv"
JAVA = [code for code, region in official_regions().items() if region.parent == "32"]


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


def race(benchmark: Running) -> Any:
    return benchmark.as_role(BenchmarkServiceStub, "manager")


def steward(benchmark: Running) -> Any:
    return benchmark.as_role(StewardServiceStub, "manager")


def analysis(benchmark: Running) -> Any:
    return benchmark.as_role(AnalysisServiceStub, "manager")


async def ranks(benchmark: Running, asked: pb.Race = RACE, **more: Any) -> list[tuple[int, str, str]]:
    answer = await race(benchmark).GetRanking(pb.GetRankingRequest(race=asked, page_size=1000, **more))
    return [(row.rank, row.institution, row.index) for row in answer.rows]
