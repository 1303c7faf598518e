"""`livinglab benchmark set-...`: what managers set for the race, and how it now stands."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cli.race.ranking import AsCsv, Group, Instrument
from cli.speak.answers import ask, done, write
from cli.speak.known import name_of
from cli.speak.output import AsJson, fail, print_json, say


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
    file: Annotated[Path | None, typer.Option("--file", metavar="FILE", help="CSV or XLSX: institution.")] = None,
    as_json: AsJson = False,
) -> None:
    """Name a set of institutions; without any the name is taken back."""
    from livinglab.benchmark.v1 import steward_service_pb2 as pb

    from cli.race.settings_files import code_meant, read_codes
    from cli.speak.connection import new_request_id

    members = [code_meant(code) for code in institutions or []] + (read_codes(file) if file else [])
    request = pb.SetClusterRequest(request_id=new_request_id(), name=name, institutions=members)
    answer = ask("steward", lambda stub: stub.SetCluster(request))
    done(answer, f"cluster:{name} is set" if members else f"cluster:{name} is taken back", as_json)


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
    institution: Annotated[str, typer.Argument(metavar="[INSTITUTION", help="Code of the institution.")] = "",
    visitors: Annotated[int, typer.Argument(metavar="VISITORS]", min=0, max=1_000)] = 0,
    file: Annotated[
        Path | None, typer.Option("--file", metavar="FILE", help="CSV or XLSX: institution,visitors.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say how many visiting bodies an institution receives at a time, or many from a file."""
    if bool(institution) == bool(file):
        fail("name an institution and how many it receives, or a --file with many")
    from cli.race.settings_files import MOST_VISITORS, VISITORS, code_meant, read_counts

    rows = read_counts(file, VISITORS, MOST_VISITORS) if file else [(code_meant(institution), visitors)]
    answers = ask("steward", lambda stub: _receive_each(stub, rows))
    if file and as_json:
        print_json({"set": [{"institution": code, "visitors": count} for code, count in rows]})
    elif file:
        say(f"{len(rows)} capacities are set")
    else:
        done(answers[0], f"{name_of(rows[0][0])} receives {visitors}", as_json)


def set_population(
    institution: Annotated[str, typer.Argument(metavar="[INSTITUTION", help="Code of the institution.")] = "",
    people: Annotated[int, typer.Argument(metavar="PEOPLE]", help="0 takes the figure back.")] = 0,
    file: Annotated[
        Path | None, typer.Option("--file", metavar="FILE", help="CSV or XLSX: institution,people.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say how many people an institution serves, or many from a file; means are weighted by it."""
    if bool(institution) == bool(file):
        fail("name an institution and its people, or a --file with many")
    from cli.race.settings_files import MOST_PEOPLE, PEOPLE, code_meant, read_counts

    # What was set for nobody can still be taken back.
    one = institution if file or not people else code_meant(institution)
    rows = read_counts(file, PEOPLE, MOST_PEOPLE) if file else [(one, people)]
    ask("steward", lambda stub: _set_each(stub, rows))
    if as_json:
        print_json({"set": [{"institution": code, "people": count} for code, count in rows]})
    elif file:
        say(f"{len(rows)} populations are set")
    else:
        about = f"serves {people} people" if people else "has no figure of people any more"
        say(f"{name_of(rows[0][0])} {about}")


async def _set_each(stub: Any, rows: list[tuple[str, int]]) -> None:
    from livinglab.benchmark.v1 import steward_service_pb2 as pb

    from cli.speak.connection import new_request_id

    for code, people in rows:
        await stub.SetPopulation(pb.SetPopulationRequest(request_id=new_request_id(), institution=code, people=people))


async def _receive_each(stub: Any, rows: list[tuple[str, int]]) -> list[Any]:
    from livinglab.benchmark.v1 import steward_service_pb2 as pb

    from cli.speak.connection import new_request_id

    asked = [
        pb.SetHostCapacityRequest(request_id=new_request_id(), institution=code, visitors=count) for code, count in rows
    ]
    return [await stub.SetHostCapacity(request) for request in asked]
