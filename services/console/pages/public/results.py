"""What is known of one region's results: its index over the years, and the values behind the newest."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from livinglab.assessment.v1 import evaluation_pb2, results_service_pb2, service_pb2
from livinglab.benchmark.v1 import analysis_service_pb2
from livinglab.benchmark.v1 import service_pb2 as pb

from services.console.model.account import Detail
from services.console.model.charts import year_of
from services.console.pages.asked import Asked
from services.console.session.neighbours import Person

# As a race names them, the last one first: what was published is what the public is told.
STAGES = ("publication", "determination", "review", "visit", "interview", "document", "self-assessment")
_MOST = 1_000


@dataclass(frozen=True, slots=True)
class Year:
    """One period of one instrument; either index may be empty."""

    instrument: str
    period: str
    published: str
    computed: str


async def years(asked: Asked, person: Person, code: str, races: Sequence[Any]) -> tuple[str, list[Year]]:
    """The stage that is shown, and each period in it, oldest first: of the last stage in which the region has any
    result. Published and computed values are asked for apart, since they are never one series."""
    if not races:
        return "", []
    for stage in STAGES:
        if not any(race.stage == stage for race in races):
            continue
        race = next(race for race in races if race.stage == stage)
        found: dict[tuple[str, str], dict[str, str]] = {}
        for name, basis in (("published", pb.BASIS_PUBLISHED), ("computed", pb.BASIS_COMPUTED)):
            request = analysis_service_pb2.ListSeriesRequest(
                race=pb.Race(instrument=race.instrument, period=race.period, stage=stage, basis=basis), institution=code
            )
            answer = await asked.once(person, asked.neighbours.analysis.ListSeries, request)
            for series in answer.series:
                for point in series.points:
                    found.setdefault((series.instrument, point.period), {})[name] = point.index
        if found:
            made = [Year(i, p, v.get("published", ""), v.get("computed", "")) for (i, p), v in found.items()]
            return stage, sorted(made, key=lambda year: (year_of(year.period), year.instrument))
    return "", []


async def newest(asked: Asked, person: Person, code: str) -> Detail | None:
    """The newest published result with the values of its indicators; None where only an index is known."""
    published = evaluation_pb2.STAGE_PUBLICATION
    imports = await asked.once(
        person,
        asked.neighbours.results.ListResults,
        results_service_pb2.ListResultsRequest(institution=code, stage=published, page_size=_MOST),
    )
    listed = await asked.once(
        person,
        asked.neighbours.instruments.ListEvaluations,
        service_pb2.ListEvaluationsRequest(institution=code, page_size=_MOST),
    )
    found = [_of_result(result) for result in imports.results if result.values]
    state = evaluation_pb2.EVALUATION_STATE_PUBLISHED
    done = [e for e in listed.evaluations if e.state == state and not e.rehearsal]
    if done:
        last = max(done, key=lambda evaluation: (year_of(evaluation.period), evaluation.revision))
        request = service_pb2.GetEvaluationRequest(evaluation_id=last.id)
        answer = await asked.once(person, asked.neighbours.instruments.GetEvaluation, request)
        found.append(_of_evaluation(answer.evaluation))
    return max(found, key=lambda detail: year_of(detail.period), default=None)


def _of_result(result: Any) -> Detail:
    return Detail(
        instrument=result.instrument,
        version=result.instrument_version,
        period=result.period,
        stage="publication",
        index=result.score.index,
        exact=result.score.index_exact,
        predicate=result.score.predicate,
        published=result.published_index,
        difference=result.difference,
        values=dict(result.values),
        nodes={(node.kind, node.number): node.value for node in result.score.nodes},
        awaiting=frozenset(result.score.awaiting),
    )


def _of_evaluation(evaluation: Any) -> Detail:
    """What each stage set lies over what stood before it."""
    values = {answer.indicator: answer.value for answer in evaluation.answers}
    for result in evaluation.results:
        values |= {value.indicator: value.value for value in result.values}
    return Detail(
        instrument=evaluation.instrument,
        version=evaluation.instrument_version,
        period=evaluation.period,
        stage="publication",
        index=evaluation.score.index,
        exact=evaluation.score.index_exact,
        predicate=evaluation.score.predicate,
        published=evaluation.published_index,
        difference="",
        values=values,
        nodes={(node.kind, node.number): node.value for node in evaluation.score.nodes},
        awaiting=frozenset(evaluation.score.awaiting),
    )
