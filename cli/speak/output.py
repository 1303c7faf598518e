"""How every command speaks: JSON for programs, tables for people, one clear line for what went wrong."""

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

# The width of a table that nobody looks at in a terminal: a file, a pipe.
_UNSEEN_WIDTH = 160
# Rows of a file that were rejected, written for people.
MOST_ROWS_SHOWN = 200

AsJson = Annotated[bool, typer.Option("--json", help="Write JSON, for programs.")]


def print_json(value: Any) -> None:
    """Write the value as JSON to standard output."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], title: str = "", right: Iterable[str] = ()) -> None:
    """Write a table to standard output, its headers in the language of the command; columns named in `right` are
    aligned to the right."""
    from rich.console import Console
    from rich.table import Table

    from cli.speak.language import word

    console = Console(file=sys.stdout, markup=False, highlight=False, emoji=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _UNSEEN_WIDTH
    grid = Table(title=printable(title) or None, title_justify="left")
    to_the_right = set(right)
    for column in columns:
        grid.add_column(word(column), justify="right" if column in to_the_right else "left")
    for row in rows:
        grid.add_row(*(printable(cell) for cell in row))
    console.print(grid)


def say(text: str) -> None:
    """Write one line to standard output."""
    sys.stdout.write(_one_line(text) + "\n")


def note(text: str) -> None:
    """Write one line beside the output, to standard error, where it is no part of what a program reads."""
    sys.stderr.write(_one_line(text) + "\n")


def fail(*messages: str) -> NoReturn:
    """Refuse: each message is a line on standard error, and the command ends with exit code 1."""
    for message in messages:
        sys.stderr.write(_one_line(message) + "\n")
    raise typer.Exit(1)


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
