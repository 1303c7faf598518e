"""Files that a command is given: read whole, with a limit, and refused in one clear line."""

from pathlib import Path

from cli.speak.output import fail


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
