"""`livinglab benchmark leaps|compare|series|back-test`: how a race changed from period to period."""

from typing import Annotated, Any

import typer

from cli.race.drawing import draw_series, first_by_index
from cli.race.ranking import (
    AsCsv,
    BasisOption,
    Group,
    Instrument,
    Period,
    Rehearsal,
    Stage,
    Svg,
    Version,
    race_of,
)
from cli.race.words import group_words
from cli.speak.answers import ask, write
from cli.speak.codes import as_code
from cli.speak.files import Force, write_file
from cli.speak.known import name_of
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
    version: Version = 0,
    rehearsal: Rehearsal = "",
    target: Annotated[str, typer.Option("--target", help="Say who reached this index first, instead.")] = "",
    size: Annotated[int, typer.Option("--size", help="How many of the largest.")] = 10,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """The largest gains since an earlier period, or who reached a target first."""
    from livinglab.benchmark.v1 import analysis_service_pb2 as pb

    race = race_of(instrument, period, stage, group, basis, rehearsal, version)
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
    version: Version = 0,
    rehearsal: Rehearsal = "",
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Before and after: the same bodies in two periods of one race, with paired tests of their gains."""
    from livinglab.benchmark.v1 import analysis_service_pb2 as pb

    after = race_of(instrument, period, stage, group, basis, rehearsal, version)
    before = race_of(instrument, since, stage, group, basis, rehearsal, version)
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
    institution: Annotated[
        str, typer.Argument(metavar="[INSTITUTION]", parser=as_code, help="The whole group without.")
    ] = "",
    stage: Stage = "",
    group: Group = "",
    basis: BasisOption = None,
    version: Version = 0,
    rehearsal: Rehearsal = "",
    as_json: AsJson = False,
    as_csv: AsCsv = False,
    svg: Svg = None,
    force: Force = False,
) -> None:
    """Index by period, a series for each instrument; of one institution every instrument and its breaks."""
    from livinglab.benchmark.v1 import analysis_service_pb2 as pb

    race = race_of(instrument, period, stage, group, basis, rehearsal, version)
    request = pb.ListSeriesRequest(race=race, institution=institution)
    answer = ask("analysis", lambda stub: stub.ListSeries(request))
    rows = [
        [s.institution, s.name, s.instrument, str(s.instrument_version or ""), p.period, p.index, _basis(p.basis)]
        for s in answer.series
        for p in s.points
    ]
    columns = ["institution", "name", "instrument", "version", "period", "index", "basis"]
    write(answer, columns, rows, as_json=as_json, as_csv=as_csv)
    if not as_json and not as_csv:
        for line in answer.breaks:
            say(f"{line.institution}: {_break(line)}")
    if svg and institution:
        title = f"{name_of(institution)}: index by period"
        write_file(svg, draw_series(title, answer, with_instrument=True), force=force)
    elif svg:
        drawn, left = first_by_index(answer, period)
        whose = f"{group_words(group)}, the highest {len(drawn.series)} of {left + len(drawn.series)} in {period}"
        write_file(svg, draw_series(f"{whose if left else group_words(group)}: index by period", drawn), force=force)


def _basis(number: int) -> str:
    from livinglab.benchmark.v1 import service_pb2

    return service_pb2.Basis.Name(service_pb2.Basis.ValueType(number)).removeprefix("BASIS_").lower()


def _break(line: Any) -> str:
    """What lies between two series of one institution."""
    before, after = f"{line.from_instrument} ({line.from_period})", f"{line.to_instrument} ({line.to_period})"
    if line.from_instrument != line.to_instrument:
        return f"the instrument changed from {before} to {after}: what lies on either side is not compared"
    if line.from_version != line.to_version:
        versions = f"version {line.from_version} ({line.from_period}) to {line.to_version} ({line.to_period})"
        return f"{line.from_instrument} changed from {versions}: what lies on either side is not compared"
    return f"{line.from_period} and {line.to_period} are not parts of a year of one kind, and are not compared"


def back_test(
    instrument: Instrument,
    period: Period,
    stage: Stage = "",
    group: Group = "",
    basis: BasisOption = None,
    version: Version = 0,
    rehearsal: Rehearsal = "",
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """How far projections were off in periods that were held out."""
    from livinglab.benchmark.v1 import analysis_service_pb2 as pb

    race = race_of(instrument, period, stage, group, basis, rehearsal, version)
    answer = ask("analysis", lambda stub: stub.GetBackTest(pb.GetBackTestRequest(race=race)))
    rows = [
        ["projections", str(answer.projections)],
        ["mean absolute error", answer.mean_absolute_error],
        ["mean error", answer.mean_error],
        ["largest error", answer.largest_error],
        ["within the interval", f"{answer.within_interval} of {answer.projections}"],
    ]
    write(answer, ["what", "value"], rows, as_json=as_json, as_csv=as_csv)
