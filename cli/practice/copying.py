"""`livinglab practice for`, `replicate`, `answer`, `report` and `replications`: who copies what."""

from typing import Annotated

import typer

from cli.practice.catalogue import Institution, PracticeId, Rehearsal
from cli.practice.catalogue import app as app
from cli.practice.view import as_dict, called, every, replication_dict, tell_replication
from cli.speak.codes import as_code
from cli.speak.output import AsJson, print_json, table

ReplicationId = Annotated[str, typer.Argument(metavar="REPLICATION", help="Id of the request to copy.")]


@app.command("for")
def solved(
    institution: Institution = "",
    size: Annotated[int, typer.Option("--size", help="Most rows.")] = 20,
    rehearsal: Rehearsal = "",
    as_json: AsJson = False,
) -> None:
    """Who solved what I lack: practices above your own levels, worth most in the index first."""
    from livinglab.coaching.v1 import practice_service_pb2 as pb

    from cli.speak import connection

    request = pb.ListPracticeMatchesRequest(
        institution=connection.own_institution(institution), size=size, rehearsal=rehearsal
    )
    rows = [
        {
            "indicator": one.indicator,
            "name": one.indicator_name,
            "value": one.value,
            "level": one.level,
            "gain": one.gain,
            "practice": as_dict(one.practice),
        }
        for one in called("ListPracticeMatches", request).matches
    ]
    if as_json:
        print_json(rows)
        return
    columns = ["indicator", "name", "from", "to", "gain", "institution", "title", "id"]
    shown = [
        [row["indicator"], row["name"], row["value"], row["level"], row["gain"]]
        + [row["practice"][key] for key in ("institution", "title", "id")]
        for row in rows
    ]
    table(columns, shown, right=["gain"])


@app.command()
def replicate(
    practice_id: PracticeId,
    note: Annotated[str, typer.Option("--note", help="What you need.")] = "",
    institution: Institution = "",
    as_json: AsJson = False,
) -> None:
    """Ask whose practice it is for help with copying it."""
    from livinglab.coaching.v1 import practice_service_pb2 as pb

    from cli.speak import connection

    request = pb.RequestReplicationRequest(
        request_id=connection.new_request_id(),
        practice_id=practice_id,
        institution=connection.own_institution(institution),
        note=note,
    )
    tell_replication(called("RequestReplication", request).replication, as_json)


@app.command()
def answer(
    replication_id: ReplicationId,
    accept: Annotated[bool, typer.Option("--accept", help="You help.")] = False,
    decline: Annotated[str, typer.Option("--decline", metavar="REASON", help="You do not, and why.")] = "",
    as_json: AsJson = False,
) -> None:
    """Answer a request to copy one of your practices."""
    from livinglab.coaching.v1 import practice_service_pb2 as pb

    from cli.speak import connection

    if accept == bool(decline):
        raise typer.BadParameter("say either --accept or --decline REASON")
    request = pb.AnswerReplicationRequest(
        request_id=connection.new_request_id(), replication_id=replication_id, accepted=accept, answer=decline
    )
    tell_replication(called("AnswerReplication", request).replication, as_json)


@app.command()
def report(
    replication_id: ReplicationId,
    outcome: Annotated[str, typer.Option("--outcome", help="What came of it.")],
    given_up: Annotated[bool, typer.Option("--given-up", help="It does not run here.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say what came of copying a practice."""
    from livinglab.coaching.v1 import practice_service_pb2 as pb

    from cli.speak import connection

    request = pb.ReportReplicationRequest(
        request_id=connection.new_request_id(),
        replication_id=replication_id,
        replicated=not given_up,
        outcome=outcome,
    )
    tell_replication(called("ReportReplication", request).replication, as_json)


@app.command()
def replications(
    institution: Annotated[
        str, typer.Option("--institution", metavar="CODE", parser=as_code, help="On either side; yours, unless named.")
    ] = "",
    practice: Annotated[str, typer.Option("--practice", metavar="ID", help="Of this practice.")] = "",
    rehearsal: Rehearsal = "",
    as_json: AsJson = False,
) -> None:
    """Who copies what, and what came of it."""
    from livinglab.coaching.v1 import practice_service_pb2 as pb

    from cli.speak.connection import token_institution

    whose = institution or token_institution()

    def page(token: str) -> pb.ListReplicationsRequest:
        return pb.ListReplicationsRequest(
            institution=whose, practice_id=practice, rehearsal=rehearsal, page_size=1000, page_token=token
        )

    rows = [replication_dict(one) for one in every("ListReplications", page, "replications")]
    if as_json:
        print_json(rows)
        return
    columns = ["id", "institution", "host", "state", "outcome"]
    table(columns, [[row[key] for key in columns] for row in rows])
