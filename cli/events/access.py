"""`livinglab events access`: who outside hears which facts from the broker itself."""

from pathlib import Path
from typing import Annotated

import typer

from cli.events.lag import broker_url
from cli.speak.output import AsJson, print_json, say


def access(
    file: Annotated[Path, typer.Argument(metavar="FILE", exists=True, help="The subscribers, YAML.")],
    config: Annotated[
        bool, typer.Option("--config", help="Write the broker's accounts instead; nothing is asked or changed.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make what the subscribers of a file read from, and take away what they may no longer read. Run again at any time:
    what is there stays where it stands. With --config the part of nats-server's configuration that lets them in."""
    from cli.speak import connection
    from stack.access import accounts, read

    with connection.refusals_told():
        subscribers = read(file)
    if config:
        say(accounts(subscribers, open=False).rstrip())
        return
    made, missing = connection.run(_granted(subscribers))
    if as_json:
        print_json({"made": made, "waiting": missing})
        return
    for name in made:
        say(f"made     {name}")
    for name in missing:
        say(f"waiting  {name}: nothing was published there yet; run this again then")
    if not made and not missing:
        say(f"everything is there for {len(subscribers)}")


async def _granted(subscribers: list) -> tuple[list[str], list[str]]:  # type: ignore[type-arg]
    from chassis.events import facts
    from stack.access import grant

    async with facts.connected(broker_url()) as nc:
        return await grant(nc.jetstream(), subscribers)
