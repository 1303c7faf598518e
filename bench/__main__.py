"""`make bench`: starts the platform in a folder of its own, measures, prints the table, writes bench/latest.json."""

import argparse
import asyncio
import importlib
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.rows import Row, within
from stack.home import Home, held, home_folder
from stack.system import empty, running_system

_LATEST = Path(__file__).with_name("latest.json")
# Each measures one thing: `async def rows(system) -> list[Row]`.
PARTS = ("latency", "launch", "course", "assessment", "benchmark", "answering", "console")
_QUIET = {"LIVINGLAB_TRACE_RATIO": "0", "LIVINGLAB_TRACE_FILE": "", "LIVINGLAB_LOG_LEVEL": "WARNING"}


def main() -> int:
    """Exit code 0 when everything was measured, whether or not a goal is met; a figure that falls short is shown."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help=f"some of {', '.join(PARTS)}; all otherwise")
    wanted = parser.parse_args().parts or PARTS
    home = Home(home_folder() / "bench")
    out = Console(width=None if sys.stdout.isatty() else 140, highlight=False)
    with held(home):
        empty(home.data)
        rows = asyncio.run(_measure(home, wanted, out))
    _LATEST.write_text(json.dumps([row.as_json() for row in rows], indent=2) + "\n")
    out.print(_table(rows))
    return 0


async def _measure(home: Home, wanted: Sequence[str], out: Console) -> list[Row]:
    started = time.perf_counter()
    rows: list[Row] = []
    async with running_system(home, settings=_QUIET) as system:
        ready = time.perf_counter() - started
        rows.append(within("platform-ready", "servers and processes, from nothing to serving", ready, 8.0, "s"))
        for part in wanted:
            out.print(f"measuring: {part} ...", style="dim")
            begun = time.perf_counter()
            rows += await importlib.import_module(f"bench.{part}").rows(system)
            out.print(f"{part} took {time.perf_counter() - begun:.0f} s", style="dim")
    return rows


def _table(rows: list[Row]) -> Table:
    table = Table(title="Ours beside the bare limit, in one run", title_justify="left")
    for column in ("what", "ours", "bare", "ratio", "unit", "goal", "met"):
        table.add_column(column, justify="right" if column in ("ours", "bare", "ratio") else "left")
    for row in rows:
        bare = "" if row.bare is None else f"{row.bare:.4g}"
        ratio = "" if row.bare is None else f"{row.ratio:.2f}"
        table.add_row(row.what, f"{row.ours:.4g}", bare, ratio, row.unit, row.goal, "yes" if row.met else "no")
    return table


if __name__ == "__main__":
    sys.exit(main())
