"""`livinglab webhook`: who gets which facts over HTTP, and how it stands with them."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.speak.codes import as_code
from cli.speak.output import AsJson, print_json, say, table
from cli.speak.times import since_when
from cli.webhook import log
from cli.webhook.calls import as_dict, call

if TYPE_CHECKING:
    from livinglab.notify.v1 import webhook_pb2

app = typer.Typer(help="Facts for other systems over HTTP.", no_args_is_help=True)
app.command("log")(log.log)
app.command("delivery")(log.delivery)
app.command("retry")(log.retry)

WebhookId = Annotated[str, typer.Argument(metavar="WEBHOOK", help="Its id.")]
Subjects = Annotated[
    list[str] | None,
    typer.Option("--subject", metavar="FILTER", help="Facts that it gets: assessment.v1.*.32.>; again for more."),
]
Since = Annotated[
    datetime | None,
    typer.Option("--since", metavar="TIME", parser=since_when, help="From then on: 30m, 2h, 1d, start, or a time."),
]


@app.command()
def add(
    url: Annotated[str, typer.Argument(metavar="URL", help="Where facts are posted to, https.")],
    subjects: Subjects = None,
    institution: Annotated[
        str, typer.Option("--institution", metavar="CODE", parser=as_code, help="Also what this one may hear.")
    ] = "",
    everything: Annotated[
        bool, typer.Option("--everything", help="Also what is the platform's alone; the platform team's to give.")
    ] = False,
    rehearsals: Annotated[bool, typer.Option("--rehearsals", help="Facts of rehearsals too.")] = False,
    description: Annotated[str, typer.Option("--description", metavar="TEXT", help="Whose it is.")] = "",
    since: Since = None,
    as_json: AsJson = False,
) -> None:
    """Have facts posted to an address: those that are public, from now on, unless more is said. Shows the secret that
    signs them, once."""
    from livinglab.notify.v1 import webhook_service_pb2 as pb

    from cli.speak.connection import new_request_id

    request = pb.CreateWebhookRequest(
        request_id=new_request_id(),
        url=url,
        subjects=subjects or [">"],
        institution=institution,
        everything=everything,
        rehearsals=rehearsals,
        description=description,
    )
    if since is not None:
        request.since.FromDatetime(since)
    answer = call("CreateWebhook", request)
    _tell_secret(answer, as_json, "made")


@app.command("list")
def list_webhooks(as_json: AsJson = False) -> None:
    """List them, and how it stands with each."""
    from livinglab.notify.v1 import webhook_service_pb2 as pb

    rows = [as_dict(one) for one in call("ListWebhooks", pb.ListWebhooksRequest()).webhooks]
    if as_json:
        print_json(rows)
        return
    columns = ["id", "url", "subjects", "state", "waiting", "failed", "trouble"]
    for row in rows:
        row["subjects"] = " ".join(row["subjects"])
        row["trouble"] = row["reason"] or row["last_error"]
    table(columns, [[str(row[key]) for key in columns] for row in rows], right=["waiting", "failed"])


@app.command()
def show(webhook_id: WebhookId, as_json: AsJson = False) -> None:
    """Show one: what it gets, how far it is, what is wrong."""
    from livinglab.notify.v1 import webhook_service_pb2 as pb

    _show(call("GetWebhook", pb.GetWebhookRequest(webhook_id=webhook_id)).webhook, as_json)


@app.command()
def change(
    webhook_id: WebhookId,
    url: Annotated[str, typer.Option("--url", help="Another address.")] = "",
    subjects: Subjects = None,
    description: Annotated[str | None, typer.Option("--description", metavar="TEXT", help="Whose it is.")] = None,
    as_json: AsJson = False,
) -> None:
    """Change where it is, or what it gets from now on."""
    from livinglab.notify.v1 import webhook_service_pb2 as pb

    request = pb.UpdateWebhookRequest(webhook_id=webhook_id, url=url, subjects=subjects or [], description=description)
    _update(request, as_json)


@app.command()
def pause(webhook_id: WebhookId, as_json: AsJson = False) -> None:
    """Send it nothing for now. What comes meanwhile is kept."""
    from livinglab.notify.v1 import webhook_pb2
    from livinglab.notify.v1 import webhook_service_pb2 as pb

    _update(pb.UpdateWebhookRequest(webhook_id=webhook_id, state=webhook_pb2.WEBHOOK_STATE_PAUSED), as_json)


@app.command()
def resume(webhook_id: WebhookId, as_json: AsJson = False) -> None:
    """Start one again that was paused or disabled: it goes on where it was."""
    from livinglab.notify.v1 import webhook_pb2
    from livinglab.notify.v1 import webhook_service_pb2 as pb

    _update(pb.UpdateWebhookRequest(webhook_id=webhook_id, state=webhook_pb2.WEBHOOK_STATE_ACTIVE), as_json)


@app.command()
def rotate(
    webhook_id: WebhookId,
    overlap: Annotated[
        int, typer.Option("--overlap", metavar="HOURS", min=0, max=168, help="How long the old secret signs too.")
    ] = 24,
    as_json: AsJson = False,
) -> None:
    """Make a new secret and key. Those of now sign too for a while, so that the receiver can change over; 0 where they
    have come into wrong hands."""
    from livinglab.notify.v1 import webhook_service_pb2 as pb

    from cli.speak.connection import new_request_id

    request = pb.RotateWebhookSecretRequest(request_id=new_request_id(), webhook_id=webhook_id, overlap_hours=overlap)
    _tell_secret(call("RotateWebhookSecret", request), as_json, "has a new secret")


@app.command()
def remove(webhook_id: WebhookId) -> None:
    """Send it nothing any more, and forget its log."""
    from livinglab.notify.v1 import webhook_service_pb2 as pb

    from cli.speak.connection import new_request_id

    call("DeleteWebhook", pb.DeleteWebhookRequest(request_id=new_request_id(), webhook_id=webhook_id))
    say(f"{webhook_id} is gone")


@app.command()
def replay(
    webhook_id: WebhookId,
    after: Annotated[
        str, typer.Option("--after", metavar="STREAM:PLACE", help="What came behind this fact: ASSESSMENT:1204.")
    ] = "",
    since: Since = None,
    as_json: AsJson = False,
) -> None:
    """Send again what came after a place of a stream, or since a time, under the same ids."""
    from livinglab.notify.v1 import webhook_service_pb2 as pb

    from cli.speak.connection import new_request_id

    stream, _, place = after.partition(":")
    if after and not (place.isascii() and place.isdigit()):
        raise typer.BadParameter(f"{after} is no place such as ASSESSMENT:1204", param_hint="--after")
    request = pb.ReplayWebhookRequest(
        request_id=new_request_id(), webhook_id=webhook_id, stream=stream, after=int(place or 0)
    )
    if since is not None:
        request.since.FromDatetime(since)
    _show(call("ReplayWebhook", request).webhook, as_json)


def _update(request: Any, as_json: bool) -> None:
    from cli.speak.connection import new_request_id

    request.request_id = new_request_id()
    _show(call("UpdateWebhook", request).webhook, as_json)


def _tell_secret(answer: Any, as_json: bool, what: str) -> None:
    row = as_dict(answer.webhook)
    if as_json:
        print_json(row | {"secret": answer.secret})
        return
    say(f"{answer.webhook.id} {what}")
    say(f"secret (v1), shown this once: {answer.secret}")
    for one in row["public_keys"]:
        say(f"public key (v1a): {one}")


def _show(webhook: "webhook_pb2.Webhook", as_json: bool) -> None:
    row = as_dict(webhook)
    if as_json:
        print_json(row)
        return
    row["subjects"] = " ".join(row["subjects"])
    row["public_keys"] = " ".join(row["public_keys"])
    row["places"] = " ".join(f"{stream}:{place}" for stream, place in row["places"].items())
    for key, value in row.items():
        if value not in ("", None, False):
            say(f"{key.replace('_', ' ')}: {value}")
