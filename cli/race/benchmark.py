"""`livinglab benchmark`: gaps, whom to learn from, projections, insights, what managers set, and the rebuild."""

import sys
from typing import Annotated, Any

import typer

from cli.race import gap, settings, trends
from cli.race.ranking import (
    AsCsv,
    Basis,
    BasisOption,
    Group,
    Institution,
    Instrument,
    Period,
    Rehearsal,
    Stage,
    Svg,
    Version,
    race_of,
)
from cli.race.words import group_words, race_words
from cli.speak.answers import ask, fields, message_json, write
from cli.speak.files import Force, write_file
from cli.speak.output import AsJson, print_json, say

app = typer.Typer(help="What the race teaches.", no_args_is_help=True)

Since = Annotated[str, typer.Option("--since", metavar="PERIOD", help="Gains are counted from this period.")]
Indicator = Annotated[str, typer.Option("--indicator", metavar="NUMBER", help="Official number of the indicator.")]


@app.command("distribution")
def distribution(
    instrument: Instrument,
    period: Period,
    stage: Stage = "",
    group: Group = "",
    basis: BasisOption = None,
    version: Version = 0,
    rehearsal: Rehearsal = "",
    target: Annotated[list[str] | None, typer.Option("--target", help="Index to reach; the set lines without.")] = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
    svg: Svg = None,
    force: Force = False,
) -> None:
    """Means, spread and how many reached each target."""
    from livinglab.benchmark.v1 import service_pb2 as pb

    race = race_of(instrument, period, stage, group, basis, rehearsal, version)
    request = pb.GetAggregateRequest(race=race, targets=target or [])
    answer = ask("race", lambda stub: stub.GetAggregate(request))
    rows = [[getattr(b, "from"), b.to, str(b.count)] for b in answer.distribution]
    write(answer, ["from", "to", "count"], rows, as_json=as_json, as_csv=as_csv)
    if not as_json and not as_csv:
        _say_spread(answer)
    if svg:
        from cli.speak import charts

        bins = [(float(getattr(b, "from")), float(b.to), b.count) for b in answer.distribution] or [(0.0, 1.0, 0)]
        title = f"Indices of {group_words(group)} in {period} ({race_words(race)})"
        write_file(svg, charts.distribution(title, bins, [float(line.target) for line in answer.targets]), force=force)


@app.command()
def profile(
    instrument: Instrument,
    period: Period,
    stage: Stage = "",
    group: Group = "",
    version: Version = 0,
    rehearsal: Rehearsal = "",
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """What a group has on average at every node of the instrument."""
    from livinglab.benchmark.v1 import service_pb2 as pb

    race = race_of(instrument, period, stage, group, Basis.COMPUTED, rehearsal, version)
    answer = ask("race", lambda stub: stub.GetAggregate(pb.GetAggregateRequest(race=race)))
    rows = [[value for _, value in fields(node)] for node in answer.profile]
    write(answer, ["kind", "number", "name", "mean"], rows, as_json=as_json, as_csv=as_csv)


@app.command("learn-from")
def learn_from(
    institution: Institution,
    instrument: Instrument,
    period: Period,
    indicator: Indicator,
    stage: Stage = "",
    since: Since = "",
    version: Version = 0,
    rehearsal: Rehearsal = "",
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Bodies to learn an indicator from, with the reasons."""
    from livinglab.benchmark.v1 import analysis_service_pb2 as pb

    race = race_of(instrument, period, stage, rehearsal=rehearsal, version=version)
    request = pb.ListTeachersRequest(race=race, institution=institution, indicator=indicator, since_period=since)
    answer = ask("analysis", lambda stub: stub.ListTeachers(request))
    rows = [[t.host, t.host_name, t.host_value, str(t.score), t.reason] for t in answer.teachers]
    write(answer, ["host", "name", "value", "score", "reason"], rows, as_json=as_json, as_csv=as_csv)
    if not rows and not as_json and not as_csv:
        say(f"Nobody who receives visitors is ahead of {institution} at the upper levels of {indicator}.")


@app.command("visit-plan")
def visit_plan(
    instrument: Instrument,
    period: Period,
    group: Group = "",
    indicator: Indicator = "",
    stage: Stage = "",
    since: Since = "",
    version: Version = 0,
    rehearsal: Rehearsal = "",
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """A host for each member of a group at once, within what the hosts can receive."""
    from livinglab.benchmark.v1 import analysis_service_pb2 as pb

    race = race_of(instrument, period, stage, group, rehearsal=rehearsal, version=version)
    request = pb.GetVisitPlanRequest(race=race, indicator=indicator, since_period=since)
    answer = ask("analysis", lambda stub: stub.GetVisitPlan(request))
    rows = [[v.visitor, v.host, v.indicator, str(v.score), v.reason] for v in answer.visits]
    rows += [[u.institution, "", "", "", u.reason] for u in answer.unplaced]
    write(answer, ["visitor", "host", "indicator", "score", "reason"], rows, as_json=as_json, as_csv=as_csv)


@app.command()
def project(
    institution: Institution,
    instrument: Instrument,
    period: Period,
    target_period: Annotated[str, typer.Option("--target-period", metavar="PERIOD", help="Such as 2025.")],
    target: Annotated[str, typer.Option("--target", help="Index to reach then.")],
    stage: Stage = "",
    group: Group = "",
    basis: BasisOption = None,
    version: Version = 0,
    rehearsal: Rehearsal = "",
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Where an institution will be, and the growth that its target needs."""
    from livinglab.benchmark.v1 import analysis_service_pb2 as pb

    race = race_of(instrument, period, stage, group, basis, rehearsal, version)
    request = pb.GetProjectionRequest(race=race, institution=institution, target_period=target_period, target=target)
    answer = ask("analysis", lambda stub: stub.GetProjection(request))
    rows = [
        [name, *(value for _, value in fields(getattr(answer, name)))]
        for name in ("linear", "compound")
        if answer.HasField(name)
    ]
    columns = ["way", "index", "low", "high", "growth a year", "growth needed"]
    write(answer, columns, rows, as_json=as_json, as_csv=as_csv)
    if not as_json and not as_csv:
        steps = f"{answer.own_steps} steps between periods of its own and {answer.group_steps} of its group"
        say(f"{institution} is at {answer.index}; projected to {answer.period} from {steps}.")
        say(
            "Four of five cases lie from low to high. Growth is in index points (linear) and percent (compound) a year."
        )
        if float(target) <= float(answer.index):
            say(f"The target {target} is reached already.")


@app.command()
def insights(
    instrument: Instrument,
    period: Period,
    stage: Stage = "",
    group: Group = "",
    version: Version = 0,
    rehearsal: Rehearsal = "",
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """From data to policy options, each with what it rests on."""
    from livinglab.benchmark.v1 import analysis_service_pb2 as pb
    from livinglab.benchmark.v1 import ladder_pb2

    race = race_of(instrument, period, stage, group, rehearsal=rehearsal, version=version)
    answer = ask("analysis", lambda stub: stub.GetInsights(pb.GetInsightsRequest(race=race)))
    rows = [
        [
            ladder_pb2.Grade.Name(insight.strength.grade).removeprefix("GRADE_").lower(),
            insight.text,
            "; ".join(option.text for option in insight.options),
            insight.options[0].gain,
            str(len(insight.event_ids)),
        ]
        for insight in answer.ladder.insights
    ]
    columns = ["strength", "insight", "option", "gain", "events"]
    write(answer, columns, rows, as_json=as_json, as_csv=as_csv, withheld=answer.ladder.withheld)


@app.command()
def rebuild(as_json: AsJson = False) -> None:
    """Build the projections anew from the streams while they serve, and swap them."""
    from livinglab.benchmark.v1 import steward_service_pb2 as pb

    from cli.speak.connection import new_request_id

    async def follow(stub: Any) -> Any:
        last = pb.RebuildResponse()
        async for last in stub.Rebuild(pb.RebuildRequest(request_id=new_request_id())):
            if sys.stderr.isatty():
                sys.stderr.write(f"\r{last.read} of {last.total} facts" + ("\n" if last.done else ""))
        return last

    answer = ask("steward", follow)
    if as_json:
        print_json(message_json(answer))
    else:
        say(f"Rebuilt from {answer.read} facts in {answer.milliseconds / 1000:.1f} s")
        if answer.unreadable:
            say(f"{answer.unreadable} facts cannot be read and were passed by; see 'livinglab events dead-letters'")


def _say_spread(answer: Any) -> None:
    say(f"{answer.count} bodies, mean {answer.mean or '-'}, from {answer.minimum or '-'} to {answer.maximum or '-'}.")
    if answer.median:
        say(f"Quartiles {answer.lower_quartile}, {answer.median}, {answer.upper_quartile}.")
    if answer.weighted_mean:
        say(f"Weighted by the population of {answer.weighted_count}: {answer.weighted_mean}.")
    for line in answer.targets:
        say(f"{line.reached} of {answer.count} have reached {line.target}.")


gap.register(app)
settings.register(app)
trends.register(app)
