"""The tests stand as the code does: what a change touches is tested by naming its package."""

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
ROOT = TESTS.parent
PACKAGES = {"bench", "chassis", "cli", "directory", "instruments", "programs", "schemas", "stack"}
SERVICES = {path.name for path in (ROOT / "services").iterdir() if (path / "__main__.py").exists()}
# What needs every process, and the one kind of test for each of the others.
TOGETHER = {"everything"}
KINDS = {"chaos", "contract", "data", "e2e", "harness", "integration", "replay", "unit", "workflow"}


def folders(place: Path) -> set[str]:
    return {path.name for path in place.iterdir() if path.is_dir() and path.name != "__pycache__"}


def imported(path: Path) -> set[str]:
    """Every module that a file names, and every name that it takes from one."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def test_the_kinds_of_tests_are_the_folders() -> None:
    assert folders(TESTS) == KINDS


@pytest.mark.parametrize("kind", ["unit", "integration"])
def test_a_folder_of_tests_has_the_name_of_what_it_tests(kind: str) -> None:
    assert folders(TESTS / kind) <= PACKAGES | SERVICES | TOGETHER
    loose = {path.name for path in (TESTS / kind).glob("test_*.py")}
    assert loose == set()


def test_every_package_and_service_is_tested_somewhere() -> None:
    assert folders(TESTS / "unit") | folders(TESTS / "integration") >= PACKAGES | SERVICES


def test_a_unit_test_is_about_the_package_that_it_stands_in() -> None:
    strays = []
    for path in sorted((TESTS / "unit").rglob("test_*.py")):
        package = path.relative_to(TESTS / "unit").parts[0]
        own = f"services.{package}" if package in SERVICES else package
        if not any(name == own or name.startswith(f"{own}.") for name in imported(path)):
            strays.append(str(path.relative_to(TESTS)))
    assert strays == []
