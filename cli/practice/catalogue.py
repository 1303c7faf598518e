"""`livinglab practice add`, `publish`, `withdraw`, `list` and `show`: the catalogue."""

from typing import Annotated

import typer

from cli.practice.view import as_dict, called, every, kind_number, levels, tell
from cli.speak.codes import as_code
from cli.speak.output import AsJson, print_json, say, table

app = typer.Typer(help="Good practices: who solved what, and how to copy it.", no_args_is_help=True)

PracticeId = Annotated[str, typer.Argument(metavar="PRACTICE", help="Id of the practice.")]
Institution = Annotated[
    str, typer.Option("--institution", metavar="CODE", parser=as_code, help="Whose; yours, unless named.")
]
Rehearsal = Annotated[str, typer.Option("--rehearsal", metavar="COHORT", help="Of this rehearsal.")]


@app.command()
def add(
    title: Annotated[str, typer.Option("--title", help="What it is called.")],
    instrument: Annotated[str, typer.Option("--instrument", metavar="ID", help="Of which its indicators are.")],
    kind: Annotated[str, typer.Option("--kind", help="Whom it serves: G2G, G2C, G2E or G2B.")] = "",
    level: Annotated[
        list[str] | None,
        typer.Option("--level", metavar="CODE=LEVEL", help="The level that an indicator reaches; several times."),
    ] = None,
    summary: Annotated[str, typer.Option("--summary", help="What it is and what it has changed.")] = "",
    step: Annotated[list[str] | None, typer.Option("--step", help="How to copy it; several times.")] = None,
    contact_name: Annotated[str, typer.Option("--contact-name", help="Whom to ask.")] = "",
    contact: Annotated[str, typer.Option("--contact", help="Where to ask.")] = "",
    evidence: Annotated[
        list[str] | None, typer.Option("--evidence", metavar="TITLE=URL", help="To look at; several times.")
    ] = None,
    practice: Annotated[str, typer.Option("--practice", metavar="ID", help="Change this one.")] = "",
    etag: Annotated[str, typer.Option("--etag", help="Refuse where it has changed since it was shown.")] = "",
    institution: Institution = "",
    rehearsal: Rehearsal = "",
    as_json: AsJson = False,
) -> None:
    """Keep a practice, a new one as a draft; with --practice all of it is said anew."""
    from livinglab.coaching.v1 import practice_service_pb2 as pb

    from cli.speak import connection

    request = pb.SavePracticeRequest(
        request_id=connection.new_request_id(),
        practice_id=practice,
        institution=connection.own_institution(institution),
        title=title,
        summary=summary,
        kind=kind_number(kind),
        instrument=instrument,
        steps=step or (),
        contact_name=contact_name,
        contact=contact,
        rehearsal=rehearsal,
        etag=etag,
    )
    for one in level or ():
        code, _, value = one.rpartition("=")
        request.levels.add(indicator=code.strip(), level=value.strip())
    for one in evidence or ():
        name, _, url = one.partition("=")
        request.evidence.add(title=name.strip(), url=url.strip())
    tell(called("SavePractice", request).practice, as_json)


@app.command()
def publish(practice_id: PracticeId, as_json: AsJson = False) -> None:
    """Show a practice to everybody."""
    from livinglab.coaching.v1 import practice_service_pb2 as pb

    from cli.speak import connection

    request = pb.PublishPracticeRequest(request_id=connection.new_request_id(), practice_id=practice_id)
    tell(called("PublishPractice", request).practice, as_json)


@app.command()
def withdraw(
    practice_id: PracticeId,
    reason: Annotated[str, typer.Option("--reason", help="Why.")],
    as_json: AsJson = False,
) -> None:
    """Take a practice out of the catalogue."""
    from livinglab.coaching.v1 import practice_service_pb2 as pb

    from cli.speak import connection

    request = pb.WithdrawPracticeRequest(request_id=connection.new_request_id(), practice_id=practice_id, reason=reason)
    tell(called("WithdrawPractice", request).practice, as_json)


@app.command("list")
def list_practices(
    institution: Annotated[str, typer.Option("--institution", metavar="CODE", parser=as_code, help="By whom.")] = "",
    instrument: Annotated[str, typer.Option("--instrument", metavar="ID", help="Of this instrument.")] = "",
    indicator: Annotated[str, typer.Option("--indicator", metavar="CODE", help="For this indicator.")] = "",
    kind: Annotated[str, typer.Option("--kind", help="G2G, G2C, G2E or G2B.")] = "",
    drafts: Annotated[bool, typer.Option("--drafts", help="What is not published too.")] = False,
    rehearsal: Rehearsal = "",
    as_json: AsJson = False,
) -> None:
    """List the catalogue."""
    from livinglab.coaching.v1 import practice_service_pb2 as pb

    number = kind_number(kind)

    def page(token: str) -> pb.ListPracticesRequest:
        return pb.ListPracticesRequest(
            institution=institution,
            instrument=instrument,
            indicator=indicator,
            kind=number,
            drafts=drafts,
            rehearsal=rehearsal,
            page_size=1000,
            page_token=token,
        )

    rows = [as_dict(one) for one in every("ListPractices", page, "practices")]
    if as_json:
        print_json(rows)
        return
    columns = ["id", "institution", "title", "kind", "indicator", "state"]
    table(
        columns,
        [[row["id"], row["institution"], row["title"], row["kind"], levels(row), row["state"]] for row in rows],
    )


@app.command()
def show(practice_id: PracticeId, as_json: AsJson = False) -> None:
    """Show a practice: what it is, how to copy it, whom to ask."""
    from livinglab.coaching.v1 import practice_service_pb2 as pb

    row = as_dict(called("GetPractice", pb.GetPracticeRequest(practice_id=practice_id)).practice)
    if as_json:
        print_json(row)
        return
    say(f"{row['title']} ({row['institution']}, {row['kind']}, {row['state']}): {levels(row)}")
    say(row["summary"])
    for n, one in enumerate(row["steps"], 1):
        say(f"{n}. {one}")
    say(f"{row['contact_name']}, {row['contact']}; copied by {row['replicated']} of {row['requested']} who asked")
    for one in row["evidence"]:
        say(f"{one['title']}: {one['url']}")
