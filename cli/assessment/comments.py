"""`livinglab assessment comment | resolve | comments`: what is said of indicators and evidence, until resolved."""

from typing import Annotated

import typer

from cli.assessment.calls import EvaluationId, all_pages
from cli.speak.calls import call
from cli.speak.comments import ToAssessors, as_row, tell
from cli.speak.output import AsJson, print_json, table


def register(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    app.command("comment")(comment)
    app.command("resolve")(resolve)
    app.command("comments")(list_comments)


def comment(
    evaluation: EvaluationId,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What you have to say.")],
    indicator: Annotated[str, typer.Option("--indicator", metavar="CODE", help="What it is about.")],
    to_assessors: ToAssessors = False,
    as_json: AsJson = False,
) -> None:
    """Say something about an indicator, to be resolved; about a piece of evidence: `livinglab evidence comment`."""
    fields = {"evaluation_id": evaluation, "indicator": indicator, "text": text, "to_assessors": to_assessors}
    tell(call("comment_service", "CommentOnEvaluation", **fields).comment, as_json)


def resolve(
    comment_id: Annotated[str, typer.Argument(metavar="COMMENT", help="Id of the comment.")],
    answer: Annotated[str, typer.Option("--answer", help="What was done about it.")] = "",
    as_json: AsJson = False,
) -> None:
    """Say that a comment on an indicator or a piece of evidence is dealt with."""
    found = call("comment_service", "ResolveEvaluationComment", comment_id=comment_id, answer=answer)
    tell(found.comment, as_json)


def list_comments(
    evaluation: EvaluationId,
    indicator: Annotated[str, typer.Option("--indicator", metavar="CODE", help="Only those on this indicator.")] = "",
    evidence: Annotated[str, typer.Option("--evidence", metavar="EVIDENCE", help="Only those on this piece.")] = "",
    open_only: Annotated[bool, typer.Option("--open", help="Leave out what is resolved.")] = False,
    as_json: AsJson = False,
) -> None:
    """List what was said of an evaluation's indicators and evidence, oldest first."""
    asked = {"evaluation_id": evaluation, "indicator": indicator, "evidence_id": evidence, "open_only": open_only}
    found = all_pages("comment_service", "ListEvaluationComments", "comments", **asked)
    rows = [as_row(one) for one in found]
    if as_json:
        print_json(rows)
        return
    columns = ["id", "time", "indicator", "evidence", "role", "author", "text", "resolved"]
    table(columns, [[row[key] for key in columns] for row in rows])
