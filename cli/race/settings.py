"""`livinglab benchmark set-...`: what managers set for the race, and how it now stands."""

import csv
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.race.ranking import AsCsv, Group, Instrument
from cli.speak.answers import ask, done, write
from cli.speak.output import AsJson, fail, print_json, say

Institution = Annotated[str, typer.Argument(metavar="INSTITUTION", help="Code of the institution.")]


def register(app: typer.Typer) -> None:
    """Adds the commands of this file."""
    app.command("set-cluster")(set_cluster)
    app.command("clusters")(clusters)
    app.command("set-targets")(set_targets)
    app.command("targets")(targets)
    app.command("set-capacity")(set_capacity)
    app.command("set-population")(set_population)


def set_cluster(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    institutions: Annotated[list[str] | None, typer.Argument(metavar="INSTITUTION...")] = None,
    as_json: AsJson = False,
) -> None:
    """Name a set of institutions; without any the name is taken back."""
    from livinglab.benchmark.v1 import steward_service_pb2 as pb

    from cli.speak.connection import new_request_id

    request = pb.SetClusterRequest(request_id=new_request_id(), name=name, institutions=institutions or [])
    answer = ask("steward", lambda stub: stub.SetCluster(request))
    done(answer, f"cluster:{name} is set" if institutions else f"cluster:{name} is taken back", as_json)


def clusters(as_json: AsJson = False, as_csv: AsCsv = False) -> None:
    """Every named set of institutions."""
    from livinglab.benchmark.v1 import steward_service_pb2 as pb

    answer = ask("steward", lambda stub: stub.ListClusters(pb.ListClustersRequest()))
    rows = [[c.name, str(c.version), str(len(c.institutions)), " ".join(c.institutions)] for c in answer.clusters]
    write(answer, ["name", "version", "bodies", "institutions"], rows, as_json=as_json, as_csv=as_csv)


def set_targets(
    instrument: Instrument,
    lines: Annotated[
        list[str] | None, typer.Argument(metavar="PERIOD=INDEX...", help="Such as 2023=3.0 2025=3.5.")
    ] = None,
    group: Group = "",
    as_json: AsJson = False,
) -> None:
    """Set the target lines of a group; without any they are taken back."""
    from livinglab.benchmark.v1 import steward_service_pb2 as pb
    from livinglab.benchmark.v1.target_pb2 import TargetLine

    from cli.speak.connection import new_request_id

    lines = lines or []
    if wrong := [line for line in lines if "=" not in line]:
        fail(f"{wrong[0]}: must be a period and an index such as 2025=3.5")
    found = [TargetLine(period=line.partition("=")[0], target=line.partition("=")[2]) for line in lines]
    request = pb.SetTargetsRequest(request_id=new_request_id(), instrument=instrument, group=group, lines=found)
    answer = ask("steward", lambda stub: stub.SetTargets(request))
    whose = group or "the nation"
    done(answer, f"{len(lines)} target lines of {whose} are set" if lines else f"{whose} has no targets", as_json)


def targets(as_json: AsJson = False, as_csv: AsCsv = False) -> None:
    """Every group's target lines."""
    from livinglab.benchmark.v1 import steward_service_pb2 as pb

    answer = ask("steward", lambda stub: stub.ListTargets(pb.ListTargetsRequest()))
    rows = [[of.instrument, of.group, line.period, line.target] for of in answer.targets for line in of.lines]
    write(answer, ["instrument", "group", "period", "target"], rows, as_json=as_json, as_csv=as_csv)


def set_capacity(
    institution: Institution, visitors: Annotated[int, typer.Argument(metavar="VISITORS")], as_json: AsJson = False
) -> None:
    """Say how many visiting bodies an institution receives at a time."""
    from livinglab.benchmark.v1 import steward_service_pb2 as pb

    from cli.speak.connection import new_request_id

    request = pb.SetHostCapacityRequest(request_id=new_request_id(), institution=institution, visitors=visitors)
    done(ask("steward", lambda stub: stub.SetHostCapacity(request)), f"{institution} receives {visitors}", as_json)


def set_population(
    institution: Annotated[str, typer.Argument(metavar="[INSTITUTION", help="Code of the institution.")] = "",
    people: Annotated[int, typer.Argument(metavar="PEOPLE]", help="0 takes the figure back.")] = 0,
    file: Annotated[
        Path | None, typer.Option("--file", metavar="FILE", help="CSV with the columns institution,people.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say how many people an institution serves, or many from a file; means are weighted by it."""
    if bool(institution) == bool(file):
        fail("name an institution and its people, or a --file with many")
    rows = _populations(file) if file else [(institution, people)]
    ask("steward", lambda stub: _set_each(stub, rows))
    if as_json:
        print_json({"set": [{"institution": code, "people": count} for code, count in rows]})
    elif file:
        say(f"{len(rows)} populations are set")
    else:
        say(f"{institution} serves {people} people")


def _populations(file: Path) -> list[tuple[str, int]]:
    """Nothing is sent unless every line can be read."""
    from cli.speak.files import read_file

    lines = csv.DictReader(read_file(file, 1_000_000).decode(errors="replace").splitlines())
    if missing := {"institution", "people"} - set(lines.fieldnames or ()):
        fail(f"{file}: the column {min(missing)} is missing")
    found, faults = [], []
    for number, line in enumerate(lines, 2):
        code, count = (line["institution"] or "").strip(), (line["people"] or "").strip()
        if code and count.isdecimal():
            found.append((code, int(count)))
        else:
            faults.append(f"{file}: line {number}: must be an institution and a number of people")
    if faults:
        fail(*faults)
    return found


async def _set_each(stub: Any, rows: list[tuple[str, int]]) -> None:
    from livinglab.benchmark.v1 import steward_service_pb2 as pb

    from cli.speak.connection import new_request_id

    for code, people in rows:
        await stub.SetPopulation(pb.SetPopulationRequest(request_id=new_request_id(), institution=code, people=people))
