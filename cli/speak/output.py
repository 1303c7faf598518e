"""How every command speaks: JSON for programs, tables for people, one clear line for what went wrong."""

import json
import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from cli.speak.tables import Cells

# The width of a table that nobody looks at in a terminal: a file, a pipe.
_UNSEEN_WIDTH = 160
# Rows of a file that were rejected, written for people.
MOST_ROWS_SHOWN = 200

AsJson = Annotated[bool, typer.Option("--json", help="Write JSON, for programs.")]


def print_json(value: Any) -> None:
    """Write the value as JSON to standard output."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    title: str = "",
    right: Iterable[str] = (),
    spare: Sequence[str] = (),
) -> None:
    """Write a table to standard output, its headers and the words of `SPOKEN` columns in the language of the command;
    columns named in `right` are aligned to the right. It is never wider than the terminal and cuts no word: where there
    is no room, empty columns are left out, then those of `spare`, the first of them first."""
    from cli.speak import tables
    from cli.speak.language import SPOKEN, word

    told = tables.Cells(
        list(columns),
        [word(column) for column in columns],
        [
            [printable(word(cell) if name in SPOKEN else cell) for name, cell in zip(columns, row, strict=True)]
            for row in rows
        ],
    )
    width = width_of_output()
    if title:
        _write_wrapped(printable(title), width)
    found, fitting = tables.fit(told, width, spare)
    if found is None:
        for line in tables.records(told.names, told.rows, width):
            sys.stdout.write(line + "\n")
        return
    _grid(fitting, found, set(right))


def _grid(cells: "Cells", widths: Sequence[int], right: set[str]) -> None:
    from rich.console import Console
    from rich.table import Table

    # Never narrower than the grid, whose widths are reckoned already.
    console = Console(file=sys.stdout, markup=False, highlight=False, emoji=False, width=10_000)
    grid = Table()
    for column, name, width in zip(cells.columns, cells.names, widths, strict=True):
        grid.add_column(name, justify="right" if column in right else "left", width=width, overflow="fold")
    for row in cells.rows:
        grid.add_row(*row)
    console.print(grid)


def width_of_output(unseen: int = _UNSEEN_WIDTH) -> int:
    """Columns of the terminal, or what COLUMNS says; `unseen` where nobody looks at it in a terminal."""
    if not sys.stdout.isatty() and "COLUMNS" not in os.environ:
        return unseen
    return max(shutil.get_terminal_size().columns, 40)


def _write_wrapped(text: str, width: int) -> None:
    """Lines that end between words; what goes on stands further in."""
    indent = " " * (len(text) - len(text.lstrip()) + 2)
    lines = textwrap.wrap(
        text,
        width,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
        replace_whitespace=False,
    )
    sys.stdout.write("\n".join(lines or [""]) + "\n")


def say(text: str) -> None:
    """Write a sentence to standard output: one line, or where people look at it in a terminal as many as it takes."""
    line = _one_line(text)
    if sys.stdout.isatty() or "COLUMNS" in os.environ:
        _write_wrapped(line, width_of_output())
    else:
        sys.stdout.write(line + "\n")


def note(text: str) -> None:
    """Write one line beside the output, to standard error, where it is no part of what a program reads."""
    sys.stderr.write(_one_line(text) + "\n")


def fail(*messages: str) -> NoReturn:
    """Refuse: each message is a line on standard error, and the command ends with exit code 1."""
    for message in messages:
        sys.stderr.write(_one_line(message) + "\n")
    raise typer.Exit(1)


def require_rows(file: Path, answer: Any) -> None:
    """Ends where a file brought nothing to an import at all: most likely it is not the one that was meant."""
    if not (answer.imported or answer.unchanged or answer.rejected_count):
        fail(f"{file}: line 1: has no line below its header")


def refuse_rows(file: Path, rejected: Sequence[Mapping[str, Any]], count: int, as_json: bool) -> NoReturn:
    """Nothing was imported from a file: each bad row is a line, or `count` alone where they are told as JSON."""
    lines = [] if as_json else [f"{file}: line {row['line']}: {row['reason']}" for row in rejected[:MOST_ROWS_SHOWN]]
    if lines and len(lines) < count:
        lines.append(f"{file}: and {count - len(lines)} more")
    rows = f"{count} rows are" if count > 1 else "one row is"
    fail(f"refused: {rows} bad, nothing was imported", *lines)


def printable(text: str) -> str:
    """What somebody else wrote may hold codes that would steer the terminal; line breaks stay."""
    return "".join(character if character.isprintable() or character == "\n" else " " for character in text)


def _one_line(text: str) -> str:
    """What came from a file may hold line breaks, or codes that would steer the terminal."""
    return "".join(character if character.isprintable() else " " for character in text)


def write_csv(columns: list[str], rows: list[list[str]]) -> None:
    """Write rows with their header to standard output, so that no spreadsheet runs what is in them."""
    from chassis.tables import csv_of

    sys.stdout.write(csv_of([columns, *rows], "\n"))
