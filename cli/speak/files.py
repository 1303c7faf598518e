"""Files that commands read and write. A file is read whole, up to a limit; writing never overwrites a file unless
forced. What is not possible is refused in one clear line."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.speak.output import fail, note

if TYPE_CHECKING:
    from chassis.tables import Table

# Beside every option that names a file to be written. Read first, for the sake of those.
Force = Annotated[bool, typer.Option("--force", is_eager=True, help="Write over a file that is there.")]


def new_file(context: typer.Context, path: Path | None) -> Path | None:
    """The callback of an option that names a file to be written: refuses one that is there before anything is asked
    for or done, unless --force."""
    if path is not None and not context.params.get("force") and (path.exists() or path.is_symlink()):
        fail(_there(path))
    return path


def write_file(path: Path, content: str | bytes, *, force: bool) -> None:
    """Writes what a command came to, by the same rule: another file may have come in between."""
    try:
        with path.open("wb" if force else "xb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
    except FileExistsError:
        fail(_there(path))
    except OSError as error:
        fail(f"{path}: cannot be written: {error.strerror or error}")


def _there(path: Path) -> str:
    return f"{path}: is there already: name another file, or write over it with --force"


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
