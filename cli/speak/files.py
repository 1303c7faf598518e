"""Files that a command is given: read whole, with a limit, and refused in one clear line."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from cli.speak.output import fail, note

if TYPE_CHECKING:
    from chassis.tables import Table


def read_file(path: Path, largest: int) -> bytes:
    """The file's content; refuses what cannot be read or has more than `largest` bytes."""
    try:
        with path.open("rb") as file:
            content = file.read(largest + 1)
    except OSError as error:
        fail(f"{path}: cannot be read: {error.strerror or error}")
    except ValueError:
        fail(f"{path}: cannot be read: not the name of a file")
    if len(content) > largest:
        fail(f"{path}: has more than {largest} bytes")
    return content


def tell_of(path: Path) -> "Callable[[Table], None]":
    """Says beside the output what of a table was not read, or was read as something else than it says."""

    def tell(table: "Table") -> None:
        from chassis.tables import remarks_of

        for remark in remarks_of(table):
            note(f"{path}: {remark}")

    return tell
