"""The instrument that a command names."""

from pathlib import Path
from typing import TYPE_CHECKING

from cli.speak.files import read_file
from cli.speak.output import fail

if TYPE_CHECKING:
    from livinglab.assessment.v1 import instrument_pb2 as pb


def find_instrument(name: str) -> "pb.Instrument":
    """The instrument of that id, or in the file of that path; refuses one that is unknown or has faults."""
    from instruments import instrument_files
    from instruments.file import LARGEST_FILE, InstrumentFaults, load

    official = instrument_files()
    path = Path(name)
    if name in official:
        content = official[name].read_bytes()
    elif len(path.parts) > 1 or path.suffix in (".yaml", ".yml") or path.is_file():
        content = read_file(path, LARGEST_FILE)
    else:
        fail(f"there is no instrument '{name}', only {', '.join(official)}; or name a file")
    try:
        return load(content)
    except InstrumentFaults as faults:
        fail(*(f"{name}: {fault}" for fault in faults.faults))
