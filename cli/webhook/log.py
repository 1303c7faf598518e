"""`livinglab webhook log | delivery | retry`: what became of each fact, and sending some again."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.speak.output import AsJson, print_json, say, table
from cli.webhook.calls import call, moment, word

if TYPE_CHECKING:
    from livinglab.notify.v1 import webhook_pb2

_STATES = ("waiting", "accepted", "failed")
WebhookId = Annotated[str, typer.Argument(metavar="WEBHOOK", help="Its id.")]


def log(
    webhook_id: WebhookId,
    state: Annotated[str, typer.Option("--state", help="waiting, accepted or failed ones alone.")] = "",
    as_json: AsJson = False,
) -> None:
    """List what was or is to be sent, oldest first: kept for thirty days."""
    from livinglab.notify.v1 import webhook_pb2
    from livinglab.notify.v1 import webhook_service_pb2 as pb

    if state and state not in _STATES:
        raise typer.BadParameter(f"{state} is not one of {', '.join(_STATES)}", param_hint="--state")
    number = webhook_pb2.DeliveryState.Value(f"DELIVERY_STATE_{state.upper()}") if state else 0
    request = pb.ListDeliveriesRequest(webhook_id=webhook_id, state=webhook_pb2.DeliveryState.ValueType(number))
    rows = [_as_dict(one) for one in _every(request)]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        row["last"] = row["tries"][-1]["outcome"] or row["tries"][-1]["status"] if row["tries"] else ""
    columns = ["id", "type", "place", "state", "attempts", "next_attempt", "last"]
    table(columns, [[str(row[key] or "") for key in columns] for row in rows], right=["attempts"])


def delivery(
    delivery_id: Annotated[str, typer.Argument(metavar="DELIVERY", help="Id of a line of the log.")],
    as_json: AsJson = False,
) -> None:
    """Show one with its body and every try."""
    from livinglab.notify.v1 import webhook_service_pb2 as pb

    found = call("GetDelivery", pb.GetDeliveryRequest(delivery_id=delivery_id)).delivery
    row = _as_dict(found) | {"body": found.body}
    if as_json:
        print_json(row)
        return
    for key in ("id", "type", "subject", "place", "state", "attempts", "accepted", "next_attempt"):
        if row[key]:
            say(f"{key.replace('_', ' ')}: {row[key]}")
    for one in row["tries"]:
        say(f"{one['time']}  {one['status'] or '-'}  {one['milliseconds']} ms  {one['address']}  {one['outcome']}")
    say("")
    say(found.body)


def retry(
    webhook_id: WebhookId,
    delivery_ids: Annotated[list[str] | None, typer.Argument(metavar="[DELIVERY]...", help="These.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="All that were given up.")] = False,
    as_json: AsJson = False,
) -> None:
    """Send some at once again, whatever became of them, or all that failed."""
    from livinglab.notify.v1 import webhook_service_pb2 as pb

    from cli.speak.connection import new_request_id

    if bool(delivery_ids) == failed:
        raise typer.BadParameter("name deliveries, or --failed for all that failed")
    request = pb.RetryDeliveriesRequest(
        request_id=new_request_id(), webhook_id=webhook_id, delivery_ids=delivery_ids or [], failed=failed
    )
    count = call("RetryDeliveries", request).count
    if as_json:
        print_json({"count": count})
    else:
        say(f"{count} are sent again")


def _every(request: Any) -> list[Any]:
    from livinglab.notify.v1.webhook_service_pb2_grpc import WebhookServiceStub

    from cli.speak.connection import connected, every_page, run

    async def asked() -> list[Any]:
        async with connected("notify", WebhookServiceStub) as notify:

            async def page(token: str) -> Any:
                request.page_size, request.page_token = 500, token
                return await notify.ListDeliveries(request)

            return await every_page(page, lambda found: found.deliveries)

    return run(asked())


def _as_dict(one: "webhook_pb2.Delivery") -> dict[str, Any]:
    from livinglab.notify.v1 import webhook_pb2

    return {
        "id": one.id,
        "event_id": one.event_id,
        "type": one.type,
        "subject": one.subject,
        "place": f"{one.stream}:{one.place}",
        "state": word(webhook_pb2.DeliveryState, one.state, "DELIVERY_STATE_"),
        "attempts": one.attempts,
        "taken_up": moment(one, "accept_time"),
        "next_attempt": moment(one, "next_attempt_time"),
        "ended": moment(one, "end_time"),
        "accepted": one.state == webhook_pb2.DELIVERY_STATE_ACCEPTED,
        "tries": [
            {
                "time": moment(tried, "time"),
                "status": tried.status,
                "outcome": tried.outcome,
                "milliseconds": tried.milliseconds,
                "address": tried.address,
            }
            for tried in one.tries
        ],
    }
