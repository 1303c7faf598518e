"""`make bench`: starts the platform in a folder of its own, measures, shows and keeps each figure as it comes."""

import argparse
import asyncio
import contextlib
import importlib
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from bench.against import rounds, tree
from bench.against.platform import QUIET
from bench.rows import within
from bench.sheet import Sheet
from stack.home import Home, held, home_folder
from stack.system import System, empty, running_system

_LATEST = Path(__file__).with_name("latest.json")
# Each measures one thing: `async def rows(system) -> AsyncIterator[Row]`, each row as soon as it is known.
PARTS = (
    "facts",
    "latency",
    "webhooks",
    "launch",
    "course",
    "assessment",
    "benchmark",
    "answering",
    "coaching",
    "console",
)
# Only where it is named: what it needs is not installed with us.
RIVALS = "rivals"
# A receiver of webhooks on this machine is measured.
_SETTINGS = {**QUIET, "LIVINGLAB_WEBHOOK_NETWORKS": '["127.0.0.0/8"]'}


def main() -> int:
    """Exit code 0 when everything was measured, whether or not a goal is met; a figure that falls short is shown, a
    part that failed is named."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "parts", nargs="*", choices=[[], *PARTS, RIVALS], help=f"some of {', '.join(PARTS)}; all otherwise; {RIVALS}"
    )
    parser.add_argument(
        "--against", metavar="REV", help="a revision beside this one: what a cohort costs, in rounds of both in turn"
    )
    parser.add_argument("--rounds", type=int, default=5, help="of that; 5 otherwise")
    parser.add_argument("--participants", type=int, default=200, help="of that cohort; 200 otherwise")
    options = parser.parse_args()
    out = Console(width=None if sys.stdout.isatty() else 140, highlight=False)
    sheet = Sheet(_LATEST, out)
    if options.against:
        with tree.checked_out(options.against) as other:
            sheet.note_load("the start")
            rounds.compare([tree.here(), other], options.rounds, options.participants, sheet)
            for line in sheet.remarks():
                out.print(line)
            if not options.parts:
                return 0
            # The parts that are named are measured by each revision's own, the other's first.
            sheet.before = tree.measured(other, options.parts)
    wanted = options.parts or PARTS
    home = Home(home_folder() / "bench")
    with held(home):
        empty(home.data)
        try:
            asyncio.run(_measure(home, wanted, sheet))
        finally:
            out.print(sheet.table())
            for line in sheet.remarks():
                out.print(line)
    return 1 if sheet.failed else 0


async def _measure(home: Home, wanted: Sequence[str], sheet: Sheet) -> None:
    sheet.note_load("the start")
    started = time.perf_counter()
    async with running_system(home, settings=_SETTINGS) as system:
        ready = time.perf_counter() - started
        sheet.add(within("platform-ready", "servers and processes, from nothing to serving", ready, 8.0, "s"))
        for part in wanted:
            await _part(part, system, sheet)


async def _part(part: str, system: System, sheet: Sheet) -> None:
    sheet.note_load(part)
    begun = time.perf_counter()
    try:
        async with contextlib.aclosing(importlib.import_module(f"bench.{part}").rows(system)) as rows:
            async for row in rows:
                sheet.add(row)
    except Exception as error:
        # What it has measured stands, and the others are still to come.
        sheet.fail(part, error)
        await _recover(system)
    sheet.tell(f"{part} took {time.perf_counter() - begun:.0f} s")


async def _recover(system: System) -> None:
    """A part that failed may have left something stopped."""
    for server in system.platform.servers.values():
        if not server.running:
            await server.start()
    await system.fleet.start_again([name for name, member in system.fleet.members.items() if not member.running])


if __name__ == "__main__":
    sys.exit(main())
