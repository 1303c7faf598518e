"""`livinglab evidence link`, `valid`, `revisions`, `comment`: how evidence grows after it was stored."""

from typing import Annotated, Any

import typer

from cli.speak.codes import as_code
from cli.speak.comments import ToAssessors, tell
from cli.speak.output import AsJson, print_json, say, table

Institution = Annotated[str, typer.Option("--institution", metavar="CODE", parser=as_code, help="Yours, unless named.")]
ValidUntil = Annotated[
    str, typer.Option("--valid-until", metavar="DATE", help="Its last day; without end, unless named.")
]
Revises = Annotated[
    str, typer.Option("--revises", metavar="EVIDENCE", help="The piece that it is the next revision of.")
]
Change = Annotated[str, typer.Option("--change", help="What is other than in the revision before.")]


def add_to(app: typer.Typer) -> None:
    """Its commands among those of `livinglab evidence`."""
    app.command("link")(link)
    app.command("valid")(valid)
    app.command("revisions")(revisions)
    app.command("comment")(comment)


def link(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="https://jdih.example.go.id/12")],
    dated: Annotated[str, typer.Option("--dated", metavar="DATE", help="The day of what is to be seen there.")],
    title: Annotated[str, typer.Option("--title", help="What it is.")],
    valid_until: ValidUntil = "",
    revises: Revises = "",
    change: Change = "",
    institution: Institution = "",
    as_json: AsJson = False,
) -> None:
    """Note an address as evidence. It is noted only: nothing is fetched from there, now or later."""
    from livinglab.assessment.v1 import evidence_care_service_pb2 as pb

    from cli.evidence import view
    from cli.speak import connection

    request = pb.NoteLinkRequest(
        request_id=connection.new_request_id(),
        institution=connection.own_institution(institution),
        link=address,
        title=title,
        document_date=dated,
        valid_until=valid_until,
        revises=revises,
        change=change,
    )
    noted = _call("NoteLink", request).evidence
    if as_json:
        print_json(view.as_dict(noted))
    else:
        say(f"{noted.id}: {noted.link} is noted; nothing is fetched from it")


def valid(
    evidence: Annotated[str, typer.Argument(metavar="EVIDENCE", help="Id of the piece.")],
    until: Annotated[
        str, typer.Option("--until", metavar="DATE", help="Its last day; without end, unless named.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Say until when a piece holds; thirty days before, its institution is told."""
    from livinglab.assessment.v1 import evidence_care_service_pb2 as pb

    from cli.evidence import view
    from cli.speak import connection

    request = pb.SetEvidenceValidityRequest(
        request_id=connection.new_request_id(), evidence_id=evidence, valid_until=until
    )
    found = _call("SetEvidenceValidity", request).evidence
    if as_json:
        print_json(view.as_dict(found))
    else:
        say(f"{found.id} holds until {found.valid_until}" if found.valid_until else f"{found.id} holds without end")


def revisions(
    evidence: Annotated[str, typer.Argument(metavar="EVIDENCE", help="Id of any revision of the piece.")],
    as_json: AsJson = False,
) -> None:
    """List every revision of a piece: hash, note, what changed."""
    from livinglab.assessment.v1 import evidence_care_service_pb2 as pb

    from cli.evidence import view

    found = _call("ListEvidenceRevisions", pb.ListEvidenceRevisionsRequest(evidence_id=evidence)).revisions
    rows = [{**view.as_dict(one.evidence), "changed": list(one.changed)} for one in found]
    if as_json:
        print_json(rows)
        return
    table(
        ["revision", "id", "sha256", "dated", "note", "changed"],
        [
            [
                str(row["revision"]),
                row["id"],
                str(row["sha256"])[:12] or row["link"],
                row["document_date"],
                row["change"],
                ", ".join(row["changed"]),
            ]
            for row in rows
        ],
    )


def comment(
    evaluation: Annotated[str, typer.Argument(metavar="EVALUATION", help="Id of the evaluation that it is shown in.")],
    evidence: Annotated[str, typer.Argument(metavar="EVIDENCE", help="Id of the piece.")],
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What you have to say.")],
    indicator: Annotated[str, typer.Option("--indicator", metavar="CODE", help="As it is shown for this one.")] = "",
    to_assessors: ToAssessors = False,
    as_json: AsJson = False,
) -> None:
    """Say something about a piece of evidence, to be resolved by `livinglab assessment resolve`."""
    from cli.speak.calls import call

    fields = {"evaluation_id": evaluation, "evidence_id": evidence, "indicator": indicator, "text": text}
    tell(call("comment_service", "CommentOnEvaluation", to_assessors=to_assessors, **fields).comment, as_json)


def _call(method: str, request: Any) -> Any:
    from livinglab.assessment.v1.evidence_care_service_pb2_grpc import EvidenceCareServiceStub

    from cli.speak import connection

    return connection.call("assessment", EvidenceCareServiceStub, method, request)
