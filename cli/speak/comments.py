"""A comment on an evaluation, as the commands on assessments and on evidence show it."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.speak.output import print_json, say
from cli.speak.sentences import sentence

if TYPE_CHECKING:
    from livinglab.assessment.v1 import comment_service_pb2

ToAssessors = Annotated[bool, typer.Option("--to-assessors", help="Show it to the assessors too.")]


def tell(found: "comment_service_pb2.EvaluationComment", as_json: bool) -> None:
    """One, and whether it waits for an answer."""
    row = as_row(found)
    if as_json:
        print_json(row)
        return
    about = ", ".join(row[key] for key in ("indicator", "evidence") if row[key])
    key = "comment_resolved" if row["resolved"] else "comment_open"
    say(sentence(key, comment=row["id"], about=f" ({about})", by=row["resolved_by"] or row["resolved_role"]))


def as_row(found: "comment_service_pb2.EvaluationComment") -> dict[str, Any]:
    """For programs."""
    return {
        "id": found.id,
        "evaluation": found.evaluation_id,
        "indicator": found.indicator,
        "evidence": found.evidence_id,
        "text": found.text,
        "author": found.author,
        "role": found.role,
        "time": found.time.ToJsonString(),
        "to_assessors": found.to_assessors,
        "resolved": found.resolve_time.ToJsonString() if found.HasField("resolve_time") else "",
        "resolved_by": found.resolved_by,
        "resolved_role": found.resolved_role,
        "answer": found.answer,
    }
