"""livinglab doctor: what must hold on a running platform, and what mends it where it does not."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from cli.speak.output import AsJson, print_json, say, table
from cli.speak.servers import servers

if TYPE_CHECKING:
    from stack.doctor.finding import Finding


def doctor(
    patience: Annotated[
        float, typer.Option(help="Seconds for which what does not hold is looked at again, for it may be under way.")
    ] = 15.0,
    publish_again: Annotated[
        bool, typer.Option("--publish-again", help="First have published again what streams lack of the outboxes.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Examine a running platform: facts, cohorts, projections, letters. Exit code 1 where something does not hold.

    It reads the servers themselves: those of the platform that runs here, or those that LIVINGLAB_MONGO_URI,
    LIVINGLAB_NATS_URL and LIVINGLAB_TEMPORAL_ADDRESS name.
    """
    from stack.backup.whole import publish_again as mark
    from stack.doctor.examination import settled

    if publish_again:
        say(f"published again from the outboxes: {asyncio.run(mark(servers()))} facts")
    show(asyncio.run(settled(servers(), patience)), as_json)


def show(findings: "Sequence[Finding]", as_json: bool = False) -> None:
    """What holds and what does not; ends the command with exit code 1 where something does not."""
    if as_json:
        print_json([finding.as_json() for finding in findings])
    else:
        table(["", "invariant", "found"], [("ok" if f.holds else "BROKEN", f.what, f.found) for f in findings])
        for finding in findings:
            if not finding.holds:
                say(f"{finding.what}: {finding.found}\n  mend: {finding.mend}")
    if not all(finding.holds for finding in findings):
        raise typer.Exit(1)
