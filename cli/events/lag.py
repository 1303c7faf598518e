"""`livinglab events lag`: how far each who listens to facts is behind, those of other systems too."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.events.letters import Services, chosen
from cli.speak.output import AsJson, fail, print_json, say, table

if TYPE_CHECKING:
    from chassis.events.durables import Lag


def broker_url() -> str:
    """LIVINGLAB_NATS_URL, as the processes read it, else where the running platform's is."""
    import os

    from cli.speak import connection

    return os.environ.get("LIVINGLAB_NATS_URL") or connection.address("nats")


def lag(
    service: Services = None,
    everybody: Annotated[bool, typer.Option("--all", help="Those who are not behind as well.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show who is behind with the facts of each service: how many facts wait for them, how many they have in hand, and
    since when the oldest waits. Read from the broker; nothing is changed."""
    from cli.speak import connection

    found = connection.run(_found(chosen(service)))
    if not found:
        fail("nobody listens to facts there")
    shown = [one for one in found if everybody or one.waiting or one.in_hand]
    if as_json:
        print_json([_as_dict(one) for one in shown])
    elif shown:
        columns = ["stream", "consumer", "listens", "waiting", "in hand", "oldest since"]
        table(columns, [_row(one) for one in shown], right=["waiting", "in hand"])
    else:
        say(f"nobody is behind; {len(found)} listen")


async def _found(services: list[str]) -> "list[Lag]":
    from chassis.events import durables, facts

    async with facts.connected(broker_url()) as nc:
        return [one for name in services async for one in durables.lags(nc.jetstream(), name)]


def _row(one: "Lag") -> list[str]:
    since = f"{one.since.astimezone():%Y-%m-%d %H:%M:%S %z}" if one.since else ""
    listens = "yes" if one.listening else "nobody"
    return [one.stream, one.durable, listens, str(one.waiting), str(one.in_hand), since]


def _as_dict(one: "Lag") -> dict[str, Any]:
    age = (datetime.now(UTC) - one.since).total_seconds() if one.since else 0.0
    return {
        "stream": one.stream,
        "consumer": one.durable,
        "subjects": list(one.subjects),
        "listening": one.listening,
        "waiting": one.waiting,
        "in_hand": one.in_hand,
        "oldest_time": one.since.isoformat() if one.since else None,
        "oldest_seconds": round(max(0.0, age), 3),
    }
