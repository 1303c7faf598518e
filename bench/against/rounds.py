"""Rounds of both revisions in turn, the order turned each time, and what came of them."""

import asyncio
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from rich.table import Table

from bench.against.cost import PHASES, Figures, figures
from bench.against.platform import running
from bench.against.tree import Tree
from bench.sheet import Sheet

# Figure, what it is, unit, at most this share of the other revision's.
_GOALS = {
    "cpu": ("CPU of all processes, launch to last graduation", "s", 0.35),
    "launch.cpu": ("CPU of its launch, until all have begun", "s", 0.40),
    "launch.wall": ("wall of its launch", "s", 0.40),
    "wall": ("wall, launch to last graduation", "s", 0.50),
    "rest": ("CPU a second of everything at rest", "s", 0.70),
    "rest.memory": ("memory of the six processes at rest", "MiB", 0.70),
    "command": ("CPU of a command that asks a server", "s", 0.50),
    "memory": ("memory of everything with all of them live", "MiB", 0.70),
    "ready": ("platform from nothing to serving", "s", 0.75),
}


def compare(trees: Sequence[Tree], rounds: int, participants: int, sheet: Sheet) -> None:
    """Shows each round as it comes, keeps what they came to so far, and shows the table at the end."""
    found: dict[str, list[Figures]] = {tree.revision: [] for tree in trees}
    for number in range(rounds):
        for tree in trees if number % 2 == 0 else reversed(trees):
            one = asyncio.run(_round(tree, participants))
            found[tree.revision].append(one)
            shown = ", ".join(f"{name} {one[name]:.3g}" for name in _GOALS)
            sheet.tell(f"  round {number + 1}, {tree.revision}: {shown}")
        ours, theirs = (found[tree.revision] for tree in trees)
        sheet.compare(list(_rows(ours, theirs)))
    title = f"A cohort of {participants}, {PHASES} phases: medians (ranges) of {rounds} rounds"
    sheet.show(_table(sheet.compared, trees, title))


async def _round(tree: Tree, participants: int) -> Figures:
    with tempfile.TemporaryDirectory(prefix="livinglab-bench-") as folder:
        async with running(tree, Path(folder) / "home") as platform:
            return await figures(platform, participants)


def _rows(ours: Sequence[Figures], theirs: Sequence[Figures]) -> Iterator[dict[str, Any]]:
    """The figures with a goal, and what each process computed and held."""
    names = {name for one in (*ours, *theirs) for name in one}
    for name in (*_GOALS, *sorted(names - set(_GOALS))):
        now, before = ([one[name] for one in side if name in one] for side in (ours, theirs))
        if not (now and before):
            continue
        ratio = median(now) / median(before) if median(before) else 1.0
        what, unit, most = _GOALS.get(name, (_spoken(name), "MiB" if name.startswith("memory") else "s", None))
        yield {
            "id": f"against-{name}",
            "what": what,
            "ours": median(now),
            "ours_range": [min(now), max(now)],
            "bare": median(before),
            "bare_range": [min(before), max(before)],
            "ratio": ratio,
            "unit": unit,
            "goal": f"<= {most:.2f} x before" if most else "",
            "met": most is None or ratio <= most,
        }


def _spoken(name: str) -> str:
    kind, _, process = name.partition(".")
    return f"  {'CPU' if kind == 'cpu' else kind} of {process}"


def _table(rows: Iterable[Mapping[str, Any]], trees: Sequence[Tree], title: str) -> Table:
    table = Table(title=title, title_justify="left")
    for column in ("what", *(tree.revision for tree in trees), "ratio", "unit", "goal", "met"):
        table.add_column(column, justify="left" if column in ("what", "unit", "goal", "met") else "right")
    for row in rows:
        sides = [_side(row, side) for side in ("ours", "bare")]
        met = ("yes" if row["met"] else "no") if row["goal"] else ""
        table.add_row(str(row["what"]), *sides, f"{row['ratio']:.2f}", str(row["unit"]), str(row["goal"]), met)
    return table


def _side(row: Mapping[str, Any], side: str) -> str:
    low, high = row[f"{side}_range"]
    return f"{row[side]:.3g} ({low:.3g}-{high:.3g})"
