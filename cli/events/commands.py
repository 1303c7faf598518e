"""`livinglab events`: facts as they come, who is behind with them, and what services have set aside."""

import sys
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from cli.events import access, lag, letters
from cli.events.lag import broker_url
from cli.speak.codes import as_code
from cli.speak.output import AsJson, fail
from cli.speak.times import since_when

if TYPE_CHECKING:
    from collections.abc import Callable

    from chassis.events.facts import Fact

app = typer.Typer(help="Facts, who is behind with them, and what was set aside.", no_args_is_help=True)
app.command("dead-letters")(letters.dead_letters)
app.command("replay")(letters.replay)
app.command("discard")(letters.discard)
app.command("lag")(lag.lag)
app.command("access")(access.access)


@app.command()
def tail(
    service: letters.Services = None,
    kind: letters.Kinds = None,
    aggregate: Annotated[str, typer.Option("--aggregate", metavar="ID", help="Facts of this thing alone.")] = "",
    institution: Annotated[
        str, typer.Option("--institution", metavar="CODE", parser=as_code, help="Facts about this institution alone.")
    ] = "",
    cohort: Annotated[str, typer.Option("--cohort", metavar="ID", help="Facts of this cohort's course alone.")] = "",
    since: Annotated[
        datetime | None,
        typer.Option("--since", metavar="TIME", parser=since_when, help="From then on: 30m, 2h, 1d, start, or a time."),
    ] = None,
    count: Annotated[int, typer.Option("--count", metavar="N", min=0, help="End after so many; 0 never ends.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Show facts as they come, until Ctrl-C: one line each, with --json the whole fact in the JSON format of
    CloudEvents. Each service's facts come in their order."""
    from chassis import naming
    from chassis.events import facts
    from cli.speak import connection

    kinds = letters.full_names(kind)
    chosen = letters.chosen(service)
    subjects = {one: naming.stream_subjects(one) for one in chosen}
    if kinds:
        owners = {name: naming.owner(facts.kinds()[name]) for name in kinds}
        if strangers := [name for name, owner in owners.items() if service and owner not in chosen]:
            raise typer.BadParameter(f"{', '.join(strangers)} is of another service", param_hint="--type")
        subjects = {
            owner: [naming.subject_filter(facts.kinds()[name]) for name in kinds if owners[name] == owner]
            for owner in dict.fromkeys(owners.values())
        }

    def wanted(fact: "Fact") -> bool:
        about = getattr(fact.event, "meta", None)
        return (
            (not aggregate or fact.headers.get(naming.CE_SUBJECT) == aggregate)
            and (not institution or getattr(fact.event, "institution", None) == institution)
            and (not cohort or getattr(about, "cohort_id", None) == cohort)
        )

    connection.run(_show(subjects, since, wanted, count, as_json))


async def _show(
    subjects: "dict[str, list[str]]",
    since: datetime | None,
    wanted: "Callable[[Fact], bool]",
    count: int,
    as_json: bool,
) -> None:
    import asyncio
    import signal

    from chassis.events import facts

    told = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, told.set)

    async def shown() -> None:
        async with facts.following(broker_url(), subjects, since) as (found, coming):
            if not found:
                fail(f"nothing was ever published by {', '.join(subjects)}")
            sys.stderr.write(f"following {', '.join(found)}; Ctrl-C ends it\n")
            left = count
            async for fact in coming:
                if wanted(fact):
                    _write(fact, as_json)
                    left -= 1
                    if left == 0:
                        return

    showing, ending = asyncio.create_task(shown()), asyncio.create_task(told.wait())
    await asyncio.wait({showing, ending}, return_when=asyncio.FIRST_COMPLETED)
    ending.cancel()
    if not showing.done():
        showing.cancel()
        await asyncio.gather(showing, return_exceptions=True)
    else:
        showing.result()


def _write(fact: "Fact", as_json: bool) -> None:
    import json
    import os

    from chassis.events.facts import cloud_event

    if as_json:
        line = json.dumps(cloud_event(fact), ensure_ascii=False)
    else:
        about = getattr(fact.event, "meta", None)
        time = fact.headers.get("ce-time", "")[:19].replace("T", " ")
        who = f"{fact.headers.get('ce-subject', '')} v{fact.headers.get('ce-sequence', '')}"
        course = f"in {about.cohort_id}" if about and about.cohort_id else ""
        by = f"by {about.actor}" if about else "(of a type that this version does not know)"
        line = "  ".join(part for part in (time, fact.type.removeprefix("livinglab."), who, course, by) if part)
        line = "".join(character if character.isprintable() else " " for character in line)
    try:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # Who read it has seen enough; what is left in the buffer must not complain at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit from None
