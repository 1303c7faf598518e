"""`livinglab benchmark gap`: what an institution lacks, in a table, in sentences, as a radar."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cli.race.ranking import (
    AsCsv,
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
from cli.speak.answers import ask, fields, write
from cli.speak.codes import as_code
from cli.speak.files import Force, write_file
from cli.speak.known import name_of
from cli.speak.output import AsJson, say

_NOTED = 12


def register(app: typer.Typer) -> None:
    """Adds the command of this module."""
    app.command()(gap)


def gap(
    institution: Institution,
    instrument: Instrument,
    period: Period,
    stage: Stage = "",
    group: Group = "",
    version: Version = 0,
    rehearsal: Rehearsal = "",
    role_model: Annotated[
        str, typer.Option("--role-model", metavar="INSTITUTION", parser=as_code, help="Compared with.")
    ] = "",
    target: Annotated[list[str] | None, typer.Option("--target", help="Index to reach; the set lines without.")] = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
    svg: Svg = None,
    force: Force = False,
) -> None:
    """What an institution lacks at every node, and what holds it back most."""
    from livinglab.benchmark.v1 import service_pb2 as pb

    race = race_of(instrument, period, stage, group, rehearsal=rehearsal, version=version)
    request = pb.GetGapRequest(race=race, institution=institution, role_model=role_model, targets=target or [])
    answer = ask("race", lambda stub: stub.GetGap(request))
    columns = ["kind", "number", "name", "value", "role model", "to role model"]
    columns += ["best", "to best", "median", "to median"]
    rows = [[value for _, value in fields(node)] for node in answer.nodes]
    write(answer, columns, rows, as_json=as_json, as_csv=as_csv)
    if not as_json and not as_csv:
        _say_gap(answer, institution, role_model)
    if svg:
        _draw_gap(
            svg, institution, role_model, f"{group_words(group)} in {period} ({race_words(race)})", answer, force=force
        )


def _say_gap(answer: Any, institution: str, role_model: str) -> None:
    ahead = f"; {role_model} is at {answer.role_model_index} ({answer.role_model_gap})" if role_model else ""
    say(f"{institution} is at {answer.index}{ahead}.")
    for line in answer.targets:
        whose = f" ({line.group}, {line.period})" if line.group else ""
        say(f"To the target {line.target}{whose}: {line.gap} index points.")
    to_top = {row.indicator: row.to_top for row in answer.indicators}
    for node in answer.holding_back:
        points, whom = node.to_role_model or node.to_best, ""
        if not points:
            points, whom = to_top.get(node.number, "some"), " to the top of the scale"
        say(f"Held back by {node.number} {node.name}: {points} index points{whom}.")


def _draw_gap(path: Path, institution: str, role_model: str, where: str, answer: Any, *, force: bool) -> None:
    from cli.speak import charts

    nodes = [node for node in answer.nodes if node.kind == "aspect"] or [n for n in answer.nodes if n.number]
    name = name_of(institution)
    polygons = {name: [float(node.value) for node in nodes]}
    others = {"median": "median of the group", "best": "best of the group", "role_model": name_of(role_model)}
    for other, words in others.items():
        if nodes and all(getattr(node, other) for node in nodes):
            polygons[words] = [float(getattr(node, other)) for node in nodes]
    high = max([5.0, *(value for values in polygons.values() for value in values)])
    notes = [f"{node.number} {node.name}" for node in nodes] if len(nodes) <= _NOTED else []
    axes = [node.number for node in nodes]
    write_file(path, charts.radar(f"{name} beside {where}", axes, polygons, 0.0, high, notes), force=force)
