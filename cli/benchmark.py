"""`livinglab benchmark`: gaps, whom to learn from, projections, insights, what managers set, and the rebuild."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.answers import ask, done, fields, message_json, write
from cli.output import AsJson, print_json, say
from cli.ranking import AsCsv, BasisOption, Group, Instrument, Period, Rehearsal, Stage, Svg, race_of

app = typer.Typer(help="What the race teaches.", no_args_is_help=True)

Institution = Annotated[str, typer.Argument(metavar="INSTITUTION", help="Code of the institution.")]
Since = Annotated[str, typer.Option("--since", metavar="PERIOD", help="Gains are counted from this period.")]
Indicator = Annotated[str, typer.Option("--indicator", metavar="NUMBER", help="Official number of the indicator.")]


@app.command()
def gap(
    institution: Institution,
    instrument: Instrument,
    period: Period,
    stage: Stage = "",
    group: Group = "",
    rehearsal: Rehearsal = "",
    role_model: Annotated[str, typer.Option("--role-model", metavar="INSTITUTION", help="Compared with.")] = "",
    target: Annotated[list[str] | None, typer.Option("--target", help="Index to reach; the set lines without.")] = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
    svg: Svg = None,
) -> None:
    """What an institution lacks at every node, and what holds it back most."""
    from livinglab.benchmark.v1 import service_pb2 as pb

    race = race_of(instrument, period, stage, group, rehearsal=rehearsal)
    request = pb.GetGapRequest(race=race, institution=institution, role_model=role_model, targets=target or [])
    answer = ask("race", lambda stub: stub.GetGap(request))
    columns = ["kind", "number", "name", "value", "role model", "to it", "best", "to it ", "median", "to it  "]
    rows = [[value or "" for _, value in fields(node)] for node in answer.nodes]
    write(answer, columns, rows, as_json=as_json, as_csv=as_csv)
    if not as_json and not as_csv:
        for line in answer.targets:
            say(f"To {line.target} {line.group} {line.period}: {line.gap}")
        for node in answer.holding_back:
            say(f"Held back by {node.number} {node.name}: {node.to_role_model or node.to_best} index points")
    if svg:
        _draw_gap(svg, institution, answer)


@app.command("distribution")
def distribution(
    instrument: Instrument,
    period: Period,
    stage: Stage = "",
    group: Group = "",
    basis: BasisOption = None,
    target: Annotated[list[str] | None, typer.Option("--target", help="Index to reach.")] = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
    svg: Svg = None,
) -> None:
    """Means, spread and how many reached each target."""
    from livinglab.benchmark.v1 import service_pb2 as pb

    race = race_of(instrument, period, stage, group, basis)
    request = pb.GetAggregateRequest(race=race, targets=target or [])
    answer = ask("race", lambda stub: stub.GetAggregate(request))
    rows = [[getattr(b, "from"), b.to, str(b.count)] for b in answer.distribution]
    write(answer, ["from", "to", "count"], rows, as_json=as_json, as_csv=as_csv)
    if not as_json and not as_csv:
        say(f"{answer.count} bodies, mean {answer.mean or '-'}, weighted by population {answer.weighted_mean or '-'}")
    if svg:
        from cli import charts

        bins = [(float(getattr(b, "from")), float(b.to), b.count) for b in answer.distribution] or [(0.0, 1.0, 0)]
        title = f"{instrument} {period}: {group or 'nation'}"
        svg.write_text(charts.distribution(title, bins, [float(line) for line in target or []]))


@app.command("learn-from")
def learn_from(
    institution: Institution,
    instrument: Instrument,
    period: Period,
    indicator: Indicator,
    stage: Stage = "",
    since: Since = "",
    rehearsal: Rehearsal = "",
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Bodies to learn an indicator from, with the reasons."""
    from livinglab.benchmark.v1 import analysis_service_pb2 as pb

    race = race_of(instrument, period, stage, rehearsal=rehearsal)
    request = pb.ListTeachersRequest(race=race, institution=institution, indicator=indicator, since_period=since)
    answer = ask("analysis", lambda stub: stub.ListTeachers(request))
    rows = [[t.host, t.host_name, t.host_value, str(t.score), t.reason] for t in answer.teachers]
    write(answer, ["host", "name", "value", "score", "reason"], rows, as_json=as_json, as_csv=as_csv)


@app.command("visit-plan")
def visit_plan(
    instrument: Instrument,
    period: Period,
    group: Group = "",
    indicator: Indicator = "",
    stage: Stage = "",
    since: Since = "",
    rehearsal: Rehearsal = "",
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """A host for each member of a group at once, within what the hosts can receive."""
    from livinglab.benchmark.v1 import analysis_service_pb2 as pb

    race = race_of(instrument, period, stage, group, rehearsal=rehearsal)
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
    rehearsal: Rehearsal = "",
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Where an institution will be, and the growth that its target needs."""
    from livinglab.benchmark.v1 import analysis_service_pb2 as pb

    race = race_of(instrument, period, stage, group, basis, rehearsal)
    request = pb.GetProjectionRequest(race=race, institution=institution, target_period=target_period, target=target)
    answer = ask("analysis", lambda stub: stub.GetProjection(request))
    rows = [
        [name, *(value for _, value in fields(getattr(answer, name)))]
        for name in ("linear", "compound")
        if answer.HasField(name)
    ]
    columns = ["way", "index", "low", "high", "growth a year", "growth needed"]
    write(answer, columns, rows, as_json=as_json, as_csv=as_csv)


@app.command()
def insights(
    instrument: Instrument,
    period: Period,
    stage: Stage = "",
    group: Group = "",
    rehearsal: Rehearsal = "",
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """From data to policy options, each with what it rests on."""
    from livinglab.benchmark.v1 import analysis_service_pb2 as pb
    from livinglab.benchmark.v1 import ladder_pb2

    race = race_of(instrument, period, stage, group, rehearsal=rehearsal)
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

    from cli.connection import new_request_id

    async def follow(stub: Any) -> Any:
        last = pb.RebuildResponse()
        async for last in stub.Rebuild(pb.RebuildRequest(request_id=new_request_id())):
            if sys.stderr.isatty():
                sys.stderr.write(f"\r{last.read} of {last.total} facts")
        return last

    answer = ask("steward", follow)
    if as_json:
        print_json(message_json(answer))
    else:
        say(f"Rebuilt from {answer.read} facts in {answer.milliseconds / 1000:.1f} s")


@app.command("set-cluster")
def set_cluster(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    institutions: Annotated[list[str] | None, typer.Argument(metavar="INSTITUTION...")] = None,
    as_json: AsJson = False,
) -> None:
    """Name a set of institutions; without any the name is taken back."""
    from livinglab.benchmark.v1 import steward_service_pb2 as pb

    from cli.connection import new_request_id

    request = pb.SetClusterRequest(request_id=new_request_id(), name=name, institutions=institutions or [])
    done(ask("steward", lambda stub: stub.SetCluster(request)), f"cluster:{name} is set", as_json)


@app.command("set-targets")
def set_targets(
    instrument: Instrument,
    lines: Annotated[list[str], typer.Argument(metavar="PERIOD=INDEX...", help="Such as 2023=3.0 2025=3.5.")],
    group: Group = "",
    as_json: AsJson = False,
) -> None:
    """Set the target lines of a group."""
    from livinglab.benchmark.v1 import steward_service_pb2 as pb
    from livinglab.benchmark.v1.target_pb2 import TargetLine

    from cli.connection import new_request_id

    found = [TargetLine(period=line.partition("=")[0], target=line.partition("=")[2]) for line in lines]
    request = pb.SetTargetsRequest(request_id=new_request_id(), instrument=instrument, group=group, lines=found)
    done(ask("steward", lambda stub: stub.SetTargets(request)), f"{len(lines)} target lines are set", as_json)


@app.command("set-capacity")
def set_capacity(
    institution: Institution, visitors: Annotated[int, typer.Argument(metavar="VISITORS")], as_json: AsJson = False
) -> None:
    """Say how many visiting bodies an institution receives at a time."""
    from livinglab.benchmark.v1 import steward_service_pb2 as pb

    from cli.connection import new_request_id

    request = pb.SetHostCapacityRequest(request_id=new_request_id(), institution=institution, visitors=visitors)
    done(ask("steward", lambda stub: stub.SetHostCapacity(request)), f"{institution} receives {visitors}", as_json)


def _draw_gap(path: Path, institution: str, answer: Any) -> None:
    from cli import charts

    nodes = [node for node in answer.nodes if node.kind == "aspect"] or [n for n in answer.nodes if n.number]
    polygons = {institution: [float(node.value) for node in nodes]}
    for name in ("median", "best", "role_model"):
        if all(getattr(node, name) for node in nodes):
            polygons[name.replace("_", " ")] = [float(getattr(node, name)) for node in nodes]
    high = max([5.0, *(value for values in polygons.values() for value in values)])
    path.write_text(charts.radar(f"{institution} against its group", [n.number for n in nodes], polygons, 0.0, high))
