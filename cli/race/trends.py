"""`livinglab benchmark leaps|compare|series|back-test`: how a race changed from period to period."""

from typing import Annotated, Any

import typer

from cli.race.ranking import (
    AsCsv,
    BasisOption,
    Group,
    Instrument,
    Period,
    Rehearsal,
    Stage,
    Svg,
    draw_series,
    group_words,
    institution_words,
    race_of,
)
from cli.speak.answers import ask, write
from cli.speak.output import AsJson, say

Since = Annotated[str, typer.Option("--since", metavar="PERIOD", help="The earlier period.")]


def register(app: typer.Typer) -> None:
    """Adds the commands of this file."""
    app.command("leaps")(leaps)
    app.command("compare")(compare)
    app.command("series")(series)
    app.command("back-test")(back_test)


def leaps(
    instrument: Instrument,
    period: Period,
    since: Since,
    stage: Stage = "",
    group: Group = "",
    basis: BasisOption = None,
    rehearsal: Rehearsal = "",
    target: Annotated[str, typer.Option("--target", help="Say who reached this index first, instead.")] = "",
    size: Annotated[int, typer.Option("--size", help="How many of the largest.")] = 10,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """The largest gains since an earlier period, or who reached a target first."""
    from livinglab.benchmark.v1 import analysis_service_pb2 as pb

    race = race_of(instrument, period, stage, group, basis, rehearsal)
    request = pb.ListLeapsRequest(race=race, since_period=since, target=target, size=size)
    answer = ask("analysis", lambda stub: stub.ListLeaps(request))
    if target:
        columns = ["rank", "institution", "name", "period", "index"]
        rows = [[str(f.rank), f.institution, f.name, f.period, f.index] for f in answer.firsts]
    else:
        columns = ["institution", "name", "from", "to", "gain"]
        rows = [[leap.institution, leap.name, getattr(leap, "from"), leap.to, leap.gain] for leap in answer.leaps]
    write(answer, columns, rows, as_json=as_json, as_csv=as_csv)


def compare(
    instrument: Instrument,
    period: Period,
    since: Since,
    stage: Stage = "",
    group: Group = "",
    basis: BasisOption = None,
    rehearsal: Rehearsal = "",
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Before and after: the same bodies in two periods of one race, with paired tests of their gains."""
    from livinglab.benchmark.v1 import analysis_service_pb2 as pb

    after = race_of(instrument, period, stage, group, basis, rehearsal)
    before = race_of(instrument, since, stage, group, basis, rehearsal)
    answer = ask("analysis", lambda stub: stub.CompareRaces(pb.CompareRacesRequest(before=before, after=after)))
    rows = [
        ["bodies in both", str(answer.pairs)],
        [f"mean {since}", answer.mean_before],
        [f"mean {period}", answer.mean_after],
        ["mean gain", answer.mean_gain],
        ["gain, 95 percent, from", answer.gain_low],
        ["gain, 95 percent, to", answer.gain_high],
        ["p, paired t test", _chance(answer.t_p_value)],
        ["p, Wilcoxon", _chance(answer.wilcoxon_p_value)],
    ]
    write(answer, ["what", "value"], rows, as_json=as_json, as_csv=as_csv)


def _chance(written: str) -> str:
    """No chance is nothing: of four digits the smallest is below the last."""
    return "< 0.0001" if written == "0.0000" else written


def series(
    instrument: Instrument,
    period: Period,
    institution: Annotated[str, typer.Argument(metavar="[INSTITUTION]", help="The whole group without.")] = "",
    stage: Stage = "",
    group: Group = "",
    basis: BasisOption = None,
    rehearsal: Rehearsal = "",
    as_json: AsJson = False,
    as_csv: AsCsv = False,
    svg: Svg = None,
) -> None:
    """Index by period, a series for each instrument; of one institution every instrument and its breaks."""
    from livinglab.benchmark.v1 import analysis_service_pb2 as pb

    race = race_of(instrument, period, stage, group, basis, rehearsal)
    request = pb.ListSeriesRequest(race=race, institution=institution)
    answer = ask("analysis", lambda stub: stub.ListSeries(request))
    rows = [[s.institution, s.name, s.instrument, p.period, p.index] for s in answer.series for p in s.points]
    write(answer, ["institution", "name", "instrument", "period", "index"], rows, as_json=as_json, as_csv=as_csv)
    if not as_json and not as_csv:
        for line in answer.breaks:
            say(f"{line.institution}: {_break(line)}")
    if svg:
        whose = institution_words(institution) if institution else f"The first of {group_words(group)}"
        svg.write_text(draw_series(f"{whose}: index by period", answer, with_instrument=bool(institution)))


def _break(line: Any) -> str:
    before, after = f"{line.from_instrument} ({line.from_period})", f"{line.to_instrument} ({line.to_period})"
    return f"the instrument changed from {before} to {after}: what lies on either side is not compared"


def back_test(
    instrument: Instrument,
    period: Period,
    stage: Stage = "",
    group: Group = "",
    basis: BasisOption = None,
    rehearsal: Rehearsal = "",
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """How far projections were off in periods that were held out."""
    from livinglab.benchmark.v1 import analysis_service_pb2 as pb

    race = race_of(instrument, period, stage, group, basis, rehearsal)
    answer = ask("analysis", lambda stub: stub.GetBackTest(pb.GetBackTestRequest(race=race)))
    rows = [
        ["projections", str(answer.projections)],
        ["mean absolute error", answer.mean_absolute_error],
        ["mean error", answer.mean_error],
        ["largest error", answer.largest_error],
        ["within the interval", f"{answer.within_interval} of {answer.projections}"],
    ]
    write(answer, ["what", "value"], rows, as_json=as_json, as_csv=as_csv)
