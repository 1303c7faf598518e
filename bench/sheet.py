"""The figures as they come: shown at once, kept in a file at once, and as a table at the end."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.rows import Row


class Sheet:
    """All that one run has measured so far."""

    def __init__(self, file: Path, out: Console) -> None:
        self._file = file
        self._out = out
        self._loads: dict[str, float] = {}
        self.rows: list[Row] = []
        self.failed: dict[str, str] = {}
        # By id, what another revision gave in the same run; empty where none was measured.
        self.before: Mapping[str, Mapping[str, Any]] = {}
        # Rows of rounds beside another revision.
        self.compared: Sequence[Mapping[str, Any]] = ()
        self._keep()

    def compare(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """What the rounds so far came to: kept."""
        self.compared = rows
        self._keep()

    def show(self, table: Table) -> None:
        """A table of its own."""
        self._out.print(table)

    def add(self, row: Row) -> None:
        """A figure: kept and shown."""
        self.rows.append(row)
        self._keep()
        bare = "" if row.bare is None else f", bare {row.bare:.4g}"
        self._out.print(
            f"  {row.what}: {row.ours:.4g} {row.unit}{bare} ({row.goal}: {'met' if row.met else 'not met'})"
        )

    def fail(self, part: str, error: Exception) -> None:
        """A part that came to no end, and why."""
        self.failed[part] = f"{type(error).__name__}: {error}"
        self._out.print(f"  {part} FAILED: {self.failed[part]}", style="red")

    def tell(self, text: str) -> None:
        """Progress."""
        self._out.print(text, style="dim")

    def note_load(self, when: str) -> None:
        """What else there was to do on this machine when something began."""
        self._loads[when] = os.getloadavg()[0]
        self.tell(f"measuring: {when} ...")

    def table(self) -> Table:
        """Every figure, beside the bare one and the one of the other revision."""
        table = Table(title="Ours beside the bare limit, in one run", title_justify="left")
        columns = ["what", "ours", "bare", "ratio", "unit", "goal", "met"] + (["before", "change"] * bool(self.before))
        for column in columns:
            table.add_column(column, justify="left" if column in ("what", "unit", "goal", "met") else "right")
        for row in self.rows:
            bare = "" if row.bare is None else f"{row.bare:.4g}"
            ratio = "" if row.bare is None else f"{row.ratio:.2f}"
            cells = [row.what, f"{row.ours:.4g}", bare, ratio, row.unit, row.goal, "yes" if row.met else "no"]
            table.add_row(*cells, *(self._beside(row) if self.before else ()))
        return table

    def remarks(self) -> Iterator[str]:
        """What a reader of the table must know."""
        for part, why in self.failed.items():
            yield f"not measured to its end: {part} ({why})"
        cores = os.cpu_count() or 1
        when, load = max(self._loads.items(), key=lambda found: found[1])
        if load > cores:
            yield (
                f"The load average was {load:.1f} on {cores} cores at the beginning of {when}: seconds and rates are "
                "those of a busy machine, ratios to the bare figures hold better."
            )

    def _beside(self, row: Row) -> tuple[str, str]:
        earlier = self.before.get(row.id)
        if earlier is None:
            return "", ""
        return f"{earlier['ours']:.4g}", f"{row.ours / earlier['ours'] - 1:+.0%}" if earlier["ours"] else ""

    def _keep(self) -> None:
        new = self._file.with_suffix(".new")
        new.write_text(json.dumps([*self.compared, *(row.as_json() for row in self.rows)], indent=2) + "\n")
        new.replace(self._file)
