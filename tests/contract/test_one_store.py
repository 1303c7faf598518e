"""A collection is written by one class of its service: who wants something written asks it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("assessment", "benchmark", "coaching", "notify", "program")
WRITES = {
    "bulk_write",
    "delete_many",
    "delete_one",
    "drop",
    "find_one_and_delete",
    "find_one_and_replace",
    "find_one_and_update",
    "insert_many",
    "insert_one",
    "replace_one",
    "update_many",
    "update_one",
}
ANY = "any"


def writers(source: str) -> set[tuple[str, str]]:
    """(collection, class) for every write in a module: on `db["name"]`, or on an attribute that was set to one. A name
    that is computed is ANY."""
    found = set()
    for owner in [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef)]:
        kept = dict(_kept(owner))
        for node in ast.walk(owner):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in WRITES:
                name = _collection(node.func.value, kept)
                if name:
                    found.add((name, owner.name))
    return found


def _kept(owner: ast.ClassDef) -> Iterator[tuple[str, str]]:
    """Attributes of a class that are collections."""
    for node in ast.walk(owner):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Attribute):
            name = _collection(node.value, {})
            if name:
                yield node.targets[0].attr, name


def _collection(node: ast.AST, kept: dict[str, str]) -> str:
    if isinstance(node, ast.Attribute):
        return kept.get(node.attr, "")
    if isinstance(node, ast.Call):
        return _collection(node.func.value, kept) if isinstance(node.func, ast.Attribute) else ""
    if isinstance(node, ast.Subscript) and ast.unparse(node.value).split(".")[-1] in ("db", "_db"):
        return str(node.slice.value) if isinstance(node.slice, ast.Constant) else ANY
    return ""


def of_service(service: str) -> dict[str, set[str]]:
    """The classes that write each collection of a service."""
    found: dict[str, set[str]] = {}
    for path in sorted((ROOT / "services" / service).rglob("*.py")):
        for collection, owner in writers(path.read_text()):
            found.setdefault(collection, set()).add(owner)
    return found


@pytest.mark.parametrize("service", SERVICES)
def test_a_collection_is_written_by_one_class(service: str) -> None:
    found = of_service(service)
    assert found, "nothing was found: is the test blind?"
    assert {name: owners for name, owners in found.items() if len(owners) > 1} == {}
