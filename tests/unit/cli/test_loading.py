"""What a command loads before it does anything, which is most of what it takes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.main import whole

# Each is a good part of all that a command may take; none is needed to ask a server.
HEAVY = {"chassis.config", "temporalio", "pymongo", "motor", "nats", "bench", "services"}


def loaded(home: Path, *arguments: str) -> set[str]:
    """The modules in the process of a command when it ends: when it is to say who asks, and nobody is logged in."""
    code = (
        "import sys; from cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "sys.stderr.write(chr(10) + ' '.join(sys.modules))"
    )
    away = {
        "LIVINGLAB_HOME": str(home),
        "LIVINGLAB_TOKEN": "",
        "LIVINGLAB_ADDRESS_PROGRAM": "127.0.0.1:1",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=os.environ | away, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize("lang", [(), ("--lang", "en"), ("--lang=id",)])
def test_a_command_that_asks_a_server_loads_its_own_noun_and_no_server_library(
    tmp_path: Path, lang: tuple[str, ...]
) -> None:
    found = loaded(tmp_path, *lang, "cohort", "list", "--json")
    assert "grpc" in found
    assert not HEAVY & found
    nouns = {name.split(".")[1] for name in found if name.startswith("cli.")}
    assert nouns == {"main", "speak", "cohort"}


def test_whatever_names_no_noun_knows_all_of_them() -> None:
    everything = whole()
    names = {one.name for one in everything.registered_groups} | {one.name for one in everything.registered_commands}
    help_, wrong = (
        subprocess.run([sys.executable, "-m", "cli", *argv], capture_output=True, text=True, timeout=60, check=False)
        for argv in (["--help"], ["cohorts"])
    )
    assert not [name for name in names if f" {name} " not in help_.stdout]
    assert "Did you mean 'cohort'" in wrong.stderr
