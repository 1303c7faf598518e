"""The driver has five threads a processor, and a change stream holds one for as long as it waits. On one processor
enough of them have to be left to answer calls."""

import ast
from pathlib import Path

import pytest

SERVICES = Path(__file__).resolve().parents[2] / "services"


def streams(source: str) -> int:
    """How many places of a module open one."""
    calls = [node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return sum(ast.unparse(called) in ("Changes.open", "changes.Changes.open") for called in calls)


def test_one_is_seen() -> None:
    assert streams("async def f():\n    await Changes.open(db, session, [])") == 1


@pytest.mark.parametrize("service", sorted(path.parent.name for path in SERVICES.glob("*/__main__.py")))
def test_beside_the_relay_s_a_process_has_one_stream_that_its_watchers_share(service: str) -> None:
    assert sum(streams(path.read_text()) for path in (SERVICES / service).rglob("*.py")) <= 1
