"""The house is visible from the folder list: the same words in every service, walls that the import contracts hold."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OURS = ("bench", "chassis", "cli", "directory", "instruments", "programs", "schemas", "services", "stack", "tests")
SERVICES = ("assessment", "benchmark", "coaching", "notify", "program")
WORDS = {"__init__", "__main__", "service", "reactions", "store", "model"}
MORE_WORDS = {
    "program": {"worker", "workflows", "activities", "engine"},
    "notify": {"delivery", "gateway", "postman", "posting", "screen", "texts", "templates", "webhooks", "writing"},
}
# It owns nothing and hears nothing: pages in place of a store and of reactions.
CONSOLE = {"__init__", "__main__", "service", "api", "pages", "session", "live", "model", "templates", "static"}
MOST_FILES = 20
PLANTED_FILE = '"""Planted."""\n'


def words(folder: Path) -> set[str]:
    return {path.stem for path in folder.iterdir() if path.name != "__pycache__"}


@pytest.mark.parametrize("service", SERVICES)
def test_the_root_of_a_service_holds_the_words_of_the_house_and_nothing_else(service: str) -> None:
    found = words(ROOT / "services" / service)
    assert found >= WORDS
    assert found <= WORDS | MORE_WORDS.get(service, set())


def test_the_root_of_the_console_holds_its_own_words() -> None:
    assert words(ROOT / "services" / "console") == CONSOLE


def test_no_folder_holds_more_than_twenty_files() -> None:
    folders = {path.parent for top in OURS for path in (ROOT / top).rglob("*.py")}
    crowded = {str(one.relative_to(ROOT)): len(list(one.glob("*.py"))) for one in folders}
    too_many = {name: count for name, count in crowded.items() if count > MOST_FILES}
    assert too_many == {}, "a word that outgrows its file becomes a folder of the same name"


def test_a_servicer_lives_among_what_comes_in() -> None:
    strays = []
    for path in (ROOT / "services").rglob("*.py"):
        bases = [
            base
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.ClassDef)
            for base in node.bases
        ]
        names = {base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "") for base in bases}
        place = path.relative_to(ROOT / "services").parts
        if any(name.endswith("Servicer") for name in names) and Path(place[1]).stem != "service":
            strays.append(str(path.relative_to(ROOT)))
    assert strays == []


PLANTED = {
    "a driver in a service": ("services/assessment/service/evaluations.py", "import motor.motor_asyncio"),
    "a driver in a model": ("services/program/model/gate.py", "from motor import motor_asyncio"),
    "a driver in a workflow": ("services/program/workflows/cohort.py", "import motor.motor_asyncio"),
    "a driver in an activity": ("services/program/activities/all.py", "import pymongo"),
    "a driver in a command": ("cli/score.py", "import pymongo"),
    "a store in a model": ("services/coaching/model/plan.py", "from services.coaching.store import documents"),
    "a store in a workflow": ("services/program/workflows/calls.py", "import grpc"),
    "a service in a command": ("cli/plan/commands.py", "from services.coaching.model import plan"),
    "a service in the platform": ("stack/home.py", "import services.notify.model"),
    "a service in another one": ("services/coaching/service/visits.py", "import services.notify.model"),
    "plumbing in an instrument": ("instruments/scoring.py", "import chassis.mongo"),
    "a page of a list in a rule": ("programs/rules/gates.py", "import chassis.pages"),
    "a file under no word of the house": ("services/coaching/letters.py", ""),
    "the outbox below the database": ("chassis/mongo.py", "from chassis.events import outbox"),
    "a call below the settings": ("chassis/config.py", "from chassis.rpc import server"),
    "a file of the chassis on no floor": ("chassis/letters.py", ""),
    "a noun in how commands speak": ("cli/speak/output.py", "from cli.cohort import view"),
    "a circle": ("programs/clock.py", "from programs import timeline"),
}


CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
LAYERED = ("chassis", "cli", "services")
# Of the chassis, what rules may know.
PURE = {"errors", "forms", "ical", "tables", "yaml_message"}


def modules_of(top: str) -> set[str]:
    paths = (path.relative_to(ROOT).with_suffix("") for path in (ROOT / top).rglob("*.py"))
    return {".".join(path.parts).removesuffix(".__init__") for path in paths}


@pytest.mark.parametrize("top", LAYERED)
def test_every_module_stands_under_a_contract_of_floors(top: str) -> None:
    floors = {
        f"{container}.{word.strip(' ()')}"
        for contract in CONTRACTS
        if contract["type"] == "layers" and contract.get("exhaustive")
        for container in contract["containers"]
        for layer in contract["layers"]
        for word in re.split("[|:]", layer)
    }
    containers = {floor.rpartition(".")[0] for floor in floors}
    every = modules_of(top) - containers - {"services"}
    covered = {one for one in every if any(one == floor or one.startswith(floor + ".") for floor in floors)}
    assert len(every) > 40
    assert every - covered == set()


def test_rules_may_know_of_the_chassis_only_what_does_nothing() -> None:
    of_rules = [one for one in CONTRACTS if "services.*.model" in one.get("source_modules", ())]
    [rules] = [one for one in of_rules if "grpc" in one["forbidden_modules"]]
    forbidden = {one.removeprefix("chassis.") for one in rules["forbidden_modules"] if one.startswith("chassis.")}
    assert forbidden | PURE == words(ROOT / "chassis") - {"__init__"}
    assert not forbidden & PURE


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the code, to plant something in."""
    folder = tmp_path_factory.mktemp("house")
    for top in OURS[:-1]:
        shutil.copytree(ROOT / top, folder / top, ignore=shutil.ignore_patterns("__pycache__", "*.yaml", "*.csv"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def verdict(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--cache-dir", str(folder / ".cache")]
    own = {"PYTHONPATH": str(folder)}
    return subprocess.run(command, cwd=folder, env=own, capture_output=True, text=True, check=False)


def test_the_walls_hold_as_the_house_stands(house: Path) -> None:
    found = verdict(house)
    assert found.returncode == 0, found.stdout


@pytest.mark.parametrize("what", PLANTED)
def test_the_walls_stop_what_is_planted(house: Path, what: str) -> None:
    place, line = PLANTED[what]
    path = house / place
    before = path.read_text() if path.exists() else None
    path.write_text((before or PLANTED_FILE) + line + "\n")
    try:
        found = verdict(house)
    finally:
        path.unlink() if before is None else path.write_text(before)
    assert found.returncode == 1, f"{what} passed"
