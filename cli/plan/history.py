"""`livinglab plan comment | resolve | comments | history | compare`: what was said of a plan, and how it changed."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.plan.commands import PlanId, app
from cli.plan.editing import call
from cli.speak.output import AsJson, print_json, say, table
from cli.speak.sentences import sentence

# What is registered: the commands of the other files among them.
__all__ = ["app"]

if TYPE_CHECKING:
    from livinglab.coaching.v1 import plan_service_pb2


@app.command()
def comment(
    plan_id: PlanId,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What you have to say.")],
    action: Annotated[str, typer.Option("--action", metavar="ACTION", help="It is about this action.")] = "",
    as_json: AsJson = False,
) -> None:
    """Say something about a plan or one of its actions, to be resolved."""
    from livinglab.coaching.v1 import plan_service_pb2 as pb

    from cli.speak import connection

    request = pb.CommentOnPlanRequest(
        request_id=connection.new_request_id(), plan_id=plan_id, action_id=action, text=text
    )
    _told(call("CommentOnPlan", request).comment, as_json)


@app.command()
def resolve(
    comment_id: Annotated[str, typer.Argument(metavar="COMMENT", help="Id of the comment.")],
    answer: Annotated[str, typer.Option("--answer", help="What was done about it.")] = "",
    as_json: AsJson = False,
) -> None:
    """Say that a comment is dealt with."""
    from livinglab.coaching.v1 import plan_service_pb2 as pb

    from cli.speak import connection

    request = pb.ResolveCommentRequest(request_id=connection.new_request_id(), comment_id=comment_id, answer=answer)
    _told(call("ResolveComment", request).comment, as_json)


@app.command("comments")
def list_comments(
    plan_id: PlanId,
    action: Annotated[str, typer.Option("--action", metavar="ACTION", help="Only those on this action.")] = "",
    open_only: Annotated[bool, typer.Option("--open", help="Leave out what is resolved.")] = False,
    as_json: AsJson = False,
) -> None:
    """List what was said about a plan, oldest first."""
    from livinglab.coaching.v1 import plan_service_pb2 as pb
    from livinglab.coaching.v1.plan_service_pb2_grpc import PlanServiceStub

    from cli.speak.connection import connected, every_page, run

    async def found() -> list[Any]:
        async with connected("coaching", PlanServiceStub) as plans:

            async def page(token: str) -> pb.ListPlanCommentsResponse:
                return await plans.ListPlanComments(
                    pb.ListPlanCommentsRequest(
                        plan_id=plan_id, action_id=action, open_only=open_only, page_size=1000, page_token=token
                    )
                )

            return await every_page(page, lambda answer: answer.comments)

    rows = [_as_dict(one) for one in run(found())]
    if as_json:
        print_json(rows)
        return
    columns = ["id", "time", "action", "author", "text", "resolved_by"]
    table(columns, [[row[key] for key in columns] for row in rows])


@app.command()
def history(plan_id: PlanId, as_json: AsJson = False) -> None:
    """List every state that a plan has been in, newest first."""
    from livinglab.coaching.v1 import coaching_pb2
    from livinglab.coaching.v1 import plan_service_pb2 as pb

    found = call("ListPlanRevisions", pb.ListPlanRevisionsRequest(plan_id=plan_id)).revisions
    rows = [
        {
            "revision": one.revision,
            "time": one.time.ToJsonString(),
            "author": one.author,
            "what": one.what,
            "state": coaching_pb2.PlanState.Name(one.state).removeprefix("PLAN_STATE_").lower(),
        }
        for one in found
    ]
    if as_json:
        print_json(rows)
        return
    columns = ["revision", "time", "author", "what", "state"]
    table(columns, [[row[key] for key in columns] for row in rows], right=["revision"])


@app.command()
def compare(
    plan_id: PlanId,
    before: Annotated[str, typer.Option("--from", metavar="REVISION", help="Unless given, the one before.")] = "",
    after: Annotated[str, typer.Option("--to", metavar="REVISION", help="Unless given, the newest.")] = "",
    as_json: AsJson = False,
) -> None:
    """Show what is different in a plan between two of its revisions."""
    from livinglab.coaching.v1 import plan_service_pb2 as pb

    request = pb.ComparePlanRevisionsRequest(plan_id=plan_id, before=before, after=after)
    answer = call("ComparePlanRevisions", request)
    rows = [
        {
            "kind": pb.DifferenceKind.Name(one.kind).removeprefix("DIFFERENCE_KIND_").lower(),
            "action": one.action_id,
            "fields": [{"field": f.field, "before": f.before, "after": f.after} for f in one.fields],
        }
        for one in answer.differences
    ]
    if as_json:
        print_json({"before": answer.before, "after": answer.after, "differences": rows})
        return
    columns = ["action", "kind", "field", "before", "after"]
    lines = [
        [row["action"], row["kind"], field["field"], field["before"], field["after"]]
        for row in rows
        for field in row["fields"] or [{"field": "", "before": "", "after": ""}]
    ]
    table(columns, lines, title=f"{plan_id}: {answer.before} to {answer.after}")


def _told(found: "plan_service_pb2.PlanComment", as_json: bool) -> None:
    row = _as_dict(found)
    if as_json:
        print_json(row)
    else:
        about = f" ({row['action']})" if row["action"] else ""
        key = "comment_resolved" if row["resolved_by"] else "comment_open"
        say(sentence(key, comment=row["id"], about=about, by=row["resolved_by"]))


def _as_dict(found: "plan_service_pb2.PlanComment") -> dict[str, Any]:
    """A comment for programs."""
    return {
        "id": found.id,
        "plan": found.plan_id,
        "action": found.action_id,
        "text": found.text,
        "author": found.author,
        "role": found.role,
        "time": found.time.ToJsonString(),
        "revision_asked": found.revision_asked,
        "resolved_by": found.resolved_by,
        "resolved": found.resolve_time.ToJsonString() if found.resolved_by else "",
        "answer": found.answer,
    }
