"""`livinglab notify`: messages to people, what became of them, and sending again those that failed."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.notify import addresses, templates
from cli.speak.output import AsJson, fail, print_json, say, table

if TYPE_CHECKING:
    from livinglab.notify.v1 import rule_pb2, service_pb2

app = typer.Typer(help="Messages to people.", no_args_is_help=True)
app.add_typer(templates.app, name="template")
app.add_typer(addresses.app, name="address")

CohortId = Annotated[str, typer.Argument(metavar="COHORT", help="Id of the cohort.")]
_STATES = ("queued", "delivered", "failed")


@app.command("list")
def list_messages(
    cohort_id: CohortId,
    state: Annotated[str, typer.Option("--state", help="queued, delivered or failed ones alone.")] = "",
    as_json: AsJson = False,
) -> None:
    """List the messages of a cohort, oldest first."""
    if state and state not in _STATES:
        raise typer.BadParameter(f"{state} is not one of {', '.join(_STATES)}", param_hint="--state")
    rows = [_as_dict(one) for one in _listed(cohort_id, state)]
    if as_json:
        print_json(rows)
        return
    columns = ["id", "template", "institution", "to", "state", "attempts", "last_error"]
    table(columns, [[str(row[key]) for key in columns] for row in rows], right=["attempts"])


@app.command()
def show(
    message_id: Annotated[str, typer.Argument(metavar="MESSAGE", help="Id of the message.")],
    as_json: AsJson = False,
) -> None:
    """Show a message with its text."""
    from livinglab.notify.v1 import service_pb2 as pb

    message = _call("GetMessage", pb.GetMessageRequest(message_id=message_id)).message
    row = _as_dict(message) | {"subject": message.subject, "body": message.body, "values": dict(message.values)}
    if as_json:
        print_json(row)
        return
    for key in ("id", "template", "to", "institution", "state", "attempts", "accepted", "delivered", "next_attempt"):
        if row[key]:
            say(f"{key.replace('_', ' ')}: {row[key]}")
    if row["last_error"]:
        say(f"last error: {row['last_error']}")
    say("")
    for line in (message.subject, "", *message.body.splitlines()):
        say(line)


@app.command()
def count(cohort_id: CohortId, as_json: AsJson = False) -> None:
    """Count the messages of a cohort by template and state."""
    from livinglab.notify.v1 import service_pb2 as pb

    counts = _call("CountMessages", pb.CountMessagesRequest(cohort_id=cohort_id)).counts
    rows = [{"template": one.template, "state": _state(one.state), "count": one.count} for one in counts]
    if as_json:
        print_json(rows)
    else:
        table(["template", "state", "count"], [[str(v) for v in row.values()] for row in rows], right=["count"])


@app.command()
def rules(as_json: AsJson = False) -> None:
    """Show who hears what: the rules from facts to messages."""
    from google.protobuf.json_format import MessageToDict
    from livinglab.notify.v1 import service_pb2 as pb

    found = _call("ListRules", pb.ListRulesRequest()).rules
    if as_json:
        print_json([MessageToDict(rule, preserving_proto_field_name=True) for rule in found])
        return
    table(["rule", "fact", "to", "template", "after"], [_rule(rule) for rule in found])


def _rule(rule: "rule_pb2.Rule") -> list[str]:
    from livinglab.common.v1 import options_pb2

    told = []
    for one in rule.to:
        of = f" of {one.of}" if one.of else ""
        told += [options_pb2.Role.Name(role).removeprefix("ROLE_").lower() + of for role in one.roles]
        told += [word for word in ("coach", "assessors", "managers") if getattr(one, word)]
    after = f"{rule.after_days} days without {', '.join(rule.unless)}" if rule.after_days else ""
    return [rule.id, rule.fact, ", ".join(told), rule.template, after]


@app.command()
def retry(
    message_ids: Annotated[list[str] | None, typer.Argument(metavar="[MESSAGE]...", help="Ids of messages.")] = None,
    cohort: Annotated[str, typer.Option("--cohort", metavar="ID", help="Every failed message of this cohort.")] = "",
    as_json: AsJson = False,
) -> None:
    """Send failed messages again, each as a new message with the same content. The same one is sent again once,
    however often you ask; where the new one fails too, that one can be."""
    from livinglab.notify.v1 import service_pb2 as pb

    if bool(message_ids) == bool(cohort):
        raise typer.BadParameter("name messages, or a --cohort")
    if cohort:
        # What went to a phone has gone to the inbox too, and is not repeated.
        failed = [one for one in _listed(cohort, "failed") if one.channel != pb.CHANNEL_GATEWAY]
    else:
        wanted = [pb.GetMessageRequest(message_id=one) for one in dict.fromkeys(message_ids or ())]
        failed = [answer.message for answer in _calls("GetMessage", wanted)]
        if others := [one for one in failed if one.state != pb.MESSAGE_STATE_FAILED]:
            fail(*(f"{one.id} is {_state(one.state)}, not failed: nothing was sent" for one in others))
        if others := [one for one in failed if one.channel == pb.CHANNEL_GATEWAY]:
            fail(*(f"{one.id} was a short message, which is not sent again" for one in others))
    answers = _calls("SendMessages", [_again(one) for one in failed])
    rows = [{"id": old.id, "sent_as": new.message_ids[0]} for old, new in zip(failed, answers, strict=True)]
    if as_json:
        print_json(rows)
    elif rows:
        table(["message", "sent again as"], [list(row.values()) for row in rows])
    else:
        say("no message has failed")


def _again(message: "service_pb2.Message") -> "service_pb2.SendMessagesRequest":
    from livinglab.notify.v1 import service_pb2 as pb

    draft = pb.Draft(template=message.template, recipient=message.recipient, values=message.values)
    return pb.SendMessagesRequest(
        # So that two who retry the same message at once, or one whose connection broke, send one mail.
        request_id=f"again:{message.id}",
        drafts=[draft],
        cohort_id=message.cohort_id,
        rehearsal=message.rehearsal,
    )


def _listed(cohort_id: str, state: str) -> list[Any]:
    from livinglab.notify.v1 import service_pb2 as pb
    from livinglab.notify.v1.service_pb2_grpc import NotifyServiceStub

    from cli.speak.connection import connected, every_page, run

    number = pb.MessageState.Value(f"MESSAGE_STATE_{state.upper()}") if state else pb.MESSAGE_STATE_UNSPECIFIED

    async def call() -> list[Any]:
        async with connected("notify", NotifyServiceStub) as notify:

            async def page(token: str) -> pb.ListMessagesResponse:
                return await notify.ListMessages(
                    pb.ListMessagesRequest(cohort_id=cohort_id, state=number, page_size=500, page_token=token)
                )

            return await every_page(page, lambda found: found.messages)

    return run(call())


def _call(method: str, request: Any) -> Any:
    return _calls(method, [request])[0]


def _calls(method: str, requests: list[Any]) -> list[Any]:
    from livinglab.notify.v1.service_pb2_grpc import NotifyServiceStub

    from cli.speak import connection

    async def call() -> list[Any]:
        async with connection.connected("notify", NotifyServiceStub) as notify:
            return [await getattr(notify, method)(request) for request in requests]

    return connection.run(call())


def _state(number: int) -> str:
    from livinglab.notify.v1 import service_pb2 as pb

    return pb.MessageState.Name(pb.MessageState.ValueType(number)).removeprefix("MESSAGE_STATE_").lower()


def _as_dict(message: "service_pb2.Message") -> dict[str, Any]:
    """A message for programs, without its text."""
    return {
        "id": message.id,
        "template": message.template,
        "institution": message.recipient.institution,
        "name": message.recipient.name,
        "to": message.recipient.email,
        "language": message.recipient.language,
        "state": _state(message.state),
        "attempts": message.attempts,
        "last_error": message.last_error,
        "accepted": _time(message, "accept_time"),
        "delivered": _time(message, "delivery_time"),
        "next_attempt": _time(message, "next_attempt_time"),
        "cohort": message.cohort_id,
        "rehearsal": message.rehearsal,
    }


def _time(message: "service_pb2.Message", field: str) -> str | None:
    from cli.cohort.view import iso

    return iso(getattr(message, field)) if message.HasField(field) else None  # type: ignore[arg-type]
