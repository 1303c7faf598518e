"""Charts of the race: a ranking as bars, indices by period as lines."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cli.race.words import group_words, race_words

if TYPE_CHECKING:
    from livinglab.benchmark.v1 import analysis_service_pb2 as analysis_pb
    from livinglab.benchmark.v1 import service_pb2 as pb

_DRAWN = 8
_BARS = 40


async def bars(race: "pb.Race", rows: Sequence[Any]) -> str:
    """The ranking as bars, the first on top, with the group's target lines."""
    from livinglab.benchmark.v1 import service_pb2 as pb
    from livinglab.benchmark.v1.service_pb2_grpc import BenchmarkServiceStub

    from cli.speak import charts
    from cli.speak.connection import connected

    async with connected("benchmark", BenchmarkServiceStub) as stub:
        lines = (await stub.GetAggregate(pb.GetAggregateRequest(race=race))).targets
    shown = [(f"{row.rank}. {row.name}", float(row.index), row.index) for row in rows[:_BARS]]
    more = f", the first {len(shown)} of {len(rows)}" if len(rows) > len(shown) else ""
    title = f"Ranking of {group_words(race.group)} in {race.period} ({race_words(race)}){more}"
    return charts.bars(title, shown, {f"target {line.target}": float(line.target) for line in lines})


def first_by_index(answer: "analysis_pb.ListSeriesResponse", period: str) -> "tuple[Any, int]":
    """The series that stand highest in the period (those without one by their last index), as many as a chart holds,
    and how many are left out."""
    from livinglab.benchmark.v1 import analysis_service_pb2 as analysis_pb

    def height(series: Any) -> tuple[bool, float]:
        of_period = [float(point.index) for point in series.points if point.period == period]
        return bool(of_period), of_period[0] if of_period else float(series.points[-1].index)

    ordered = sorted(answer.series, key=height, reverse=True)
    drawn = analysis_pb.ListSeriesResponse(series=ordered[:_DRAWN])
    return drawn, len(ordered) - len(drawn.series)


def draw_series(
    title: str,
    answer: "analysis_pb.ListSeriesResponse",
    *,
    with_instrument: bool = False,
    targets: Sequence[str] = (),
) -> str:
    """A chart of index by period, one line for each of the first series: never across instruments."""
    from cli.speak import charts

    lines = {
        _line_name(series, with_instrument): [(p.period, float(p.index)) for p in series.points]
        for series in answer.series[:_DRAWN]
    }
    values = [value for points in lines.values() for _, value in points] + [float(t) for t in targets] or [0.0]
    low = math.floor(min(values))
    upright = sorted({line.to_period for line in answer.breaks}) if with_instrument else []
    named = {f"target {target}": float(target) for target in targets}
    return charts.race(title, lines, low, max(math.ceil(max(values)), low + 1), named, upright)


def _line_name(series: Any, with_instrument: bool) -> str:
    """What a line stands for, with the version and the kind of its periods where there may be another line."""
    named = series.instrument if with_instrument else series.name
    version = f" version {series.instrument_version}" if series.instrument_version > 1 else ""
    return f"{named}{version}" + (f" ({series.points[0].period} on)" if "-" in series.points[0].period else "")
