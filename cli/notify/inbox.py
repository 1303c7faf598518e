"""`livinglab inbox`: what one was told, and how one wants to be told."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.speak.output import AsJson, print_json, say, table

if TYPE_CHECKING:
    from livinglab.notify.v1 import inbox_service_pb2

app = typer.Typer(help="What you were told, and how you want to be told.", invoke_without_command=True)

Rehearsal = Annotated[str, typer.Option("--rehearsal", metavar="COHORT", help="The messages of a rehearsal instead.")]
_MANNERS = ("at_once", "digest", "inbox")


@app.callback()
def inbox(
    context: typer.Context,
    unread: Annotated[bool, typer.Option("--unread", help="Those alone that you have not read.")] = False,
    rehearsal: Rehearsal = "",
    as_json: AsJson = False,
) -> None:
    """List your messages, newest first."""
    if context.invoked_subcommand:
        return
    from livinglab.notify.v1 import inbox_service_pb2 as pb
    from livinglab.notify.v1.inbox_service_pb2_grpc import InboxServiceStub

    from cli.speak.connection import connected, every_page, run

    async def listed() -> list[Any]:
        async with connected("notify", InboxServiceStub) as stub:

            def page(token: str) -> Any:
                asked = pb.ListInboxRequest(unread=unread, rehearsal=rehearsal, page_size=200, page_token=token)
                return stub.ListInbox(asked)

            return await every_page(page, lambda answer: answer.entries)

    entries = run(listed())
    if as_json:
        print_json([_as_dict(one) for one in entries])
        return
    table(["id", "when", "kind", "read", "subject"], [_row(one) for one in entries])


@app.command()
def read(
    message_ids: Annotated[list[str], typer.Argument(metavar="MESSAGE...", help="Ids of messages.")],
    unread: Annotated[bool, typer.Option("--unread", help="Mark them as not read.")] = False,
    as_json: AsJson = False,
) -> None:
    """Mark messages as read."""
    from livinglab.notify.v1 import inbox_service_pb2 as pb

    from cli.speak.connection import new_request_id

    request = pb.MarkReadRequest(request_id=new_request_id(), message_ids=message_ids, unread=unread)
    left = _call("MarkRead", request).unread
    if as_json:
        print_json({"unread": left})
    else:
        say(f"{left} unread")


@app.command()
def watch(
    rehearsal: Rehearsal = "",
    count: Annotated[int, typer.Option("--count", min=0, help="End after so many messages; 0 goes on.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Show messages as they come, until Ctrl-C."""
    from livinglab.notify.v1 import inbox_service_pb2 as pb
    from livinglab.notify.v1.inbox_service_pb2_grpc import InboxServiceStub

    from cli.speak.connection import connected, run

    async def follow() -> None:
        seen = 0
        async with connected("notify", InboxServiceStub) as stub:
            async for answer in stub.WatchInbox(pb.WatchInboxRequest(rehearsal=rehearsal)):
                if not answer.HasField("entry"):
                    if not as_json:
                        say(f"{answer.unread} unread")
                    continue
                if as_json:
                    print_json(_as_dict(answer.entry))
                else:
                    say(f"{answer.entry.message_id}  {answer.entry.subject}")
                seen += 1
                if seen == count:
                    return

    run(follow())


@app.command()
def preferences(
    kind: Annotated[
        list[str] | None, typer.Option("--kind", metavar="KIND=MANNER", help="plans=digest; at_once, digest or inbox.")
    ] = None,
    quiet: Annotated[str, typer.Option("--quiet", metavar="FROM-UNTIL", help="21:00-06:00; none ends them.")] = "",
    zone: Annotated[str, typer.Option("--zone", help="Asia/Makassar; yours by default.")] = "",
    email: Annotated[str, typer.Option("--email", help="Where to write to you, if nobody else knows.")] = "",
    phone: Annotated[str, typer.Option("--phone", help="For short messages: +6281234567890; none ends them.")] = "",
    as_json: AsJson = False,
) -> None:
    """Show how you are told, or change what is given."""
    from livinglab.notify.v1 import inbox_service_pb2 as pb

    from cli.speak.connection import new_request_id

    found = _call("GetPreferences", pb.GetPreferencesRequest()).preferences
    if phone:
        found.phone = "" if phone == "none" else phone
    if kind or quiet or zone or email or phone:
        _change(found, kind or [], quiet, zone, email)
        request = pb.SetPreferencesRequest(request_id=new_request_id(), preferences=found)
        found = _call("SetPreferences", request).preferences
    kinds = {one.kind: pb.Manner.Name(one.manner).removeprefix("MANNER_").lower() for one in found.kinds}
    row = {
        "kinds": kinds,
        "quiet_from": found.quiet_from,
        "quiet_until": found.quiet_until,
        "time_zone": found.time_zone,
        "email": found.email,
        "phone": found.phone,
    }
    if as_json:
        print_json(row)
        return
    hours = f"{found.quiet_from}-{found.quiet_until}" if found.quiet_from else ""
    told = {**kinds, "quiet hours": hours, "time zone": found.time_zone, "email": found.email, "phone": found.phone}
    table(["what", "how"], [[what, how] for what, how in told.items() if how])


def _change(found: "inbox_service_pb2.Preferences", kinds: list[str], quiet: str, zone: str, email: str) -> None:
    from livinglab.notify.v1 import inbox_service_pb2 as pb

    wanted = {one.kind: one.manner for one in found.kinds}
    for text in kinds:
        name, _, manner = text.partition("=")
        if manner not in _MANNERS:
            raise typer.BadParameter(f"{text} is not KIND=MANNER, with {', '.join(_MANNERS)}", param_hint="--kind")
        wanted[name] = pb.Manner.Value(f"MANNER_{manner.upper()}")
    del found.kinds[:]
    found.kinds.extend(pb.KindPreference(kind=name, manner=manner) for name, manner in wanted.items())
    if quiet:
        found.quiet_from, _, found.quiet_until = ("", "", "") if quiet == "none" else quiet.partition("-")
    found.time_zone = zone or found.time_zone
    found.email = email or found.email


def _call(method: str, request: Any) -> Any:
    from livinglab.notify.v1.inbox_service_pb2_grpc import InboxServiceStub

    from cli.speak.connection import call

    return call("notify", InboxServiceStub, method, request)


def _row(entry: "inbox_service_pb2.InboxEntry") -> list[str]:
    when = entry.time.ToDatetime().strftime("%Y-%m-%d %H:%M UTC")
    return [entry.message_id, when, entry.kind, "yes" if entry.HasField("read_time") else "", entry.subject]


def _as_dict(entry: "inbox_service_pb2.InboxEntry") -> dict[str, Any]:
    from cli.cohort.view import iso

    return {
        "id": entry.message_id,
        "template": entry.template,
        "kind": entry.kind,
        "subject": entry.subject,
        "body": entry.body,
        "cohort": entry.cohort_id,
        "institution": entry.institution,
        "time": iso(entry.time),
        "read": iso(entry.read_time) if entry.HasField("read_time") else None,
    }
