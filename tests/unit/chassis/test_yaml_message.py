"""YAML as messages: small and large texts are read alike, whichever reader takes them."""

import re
from pathlib import Path

import pytest
import yaml
from livinglab.program.v1 import definition_pb2

from chassis.yaml_message import parse

PADDING = "# words\n" * 60_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("id:\ntitle: ~\nnote: ''\n", ["line 1: id: has no value", "line 2: title: has no value"]),
        ("id: a\n\ttitle: b\n", ["line 2: is not YAML: "]),
        ("id: a\nid: b\n", ["line 2: id: stands here twice"]),
        ("title: &a x\nnote: *a\n", ["line 2: note: anchors and aliases are not taken: write it out"]),
        ("id: a\ntitle: \x07\n", ["line 2: is not YAML: U+0007 is not a character of a text"]),
        (
            "---\nid: a\n---\nid: b\n",
            ["line 3: is not YAML: expected a single document in the stream, but found another"],
        ),
        ("[" * 200, ["is nested too deeply"]),
        ("- " * 5_000, ["is nested too deeply"]),
        ("", ["is empty"]),
    ],
)
def test_faults_have_their_lines_in_small_and_in_large_texts(text: str, expected: list[str]) -> None:
    for whole in (text, text + ("" if text.startswith("[") else "\n") + PADDING):
        found = [str(fault) for fault in parse(whole, definition_pb2.CohortSpec).faults]
        assert len(found) == len(expected), found
        assert all(fault.startswith(words) for fault, words in zip(found, expected, strict=True)), found


def test_without_libyaml_the_same_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "id: a\noverrides:\n- phase: x\n  gate: {quorum_percent: 5, on_miss: hold}\nnote: >-\n  two\n  lines\n"
    fast = parse(text, definition_pb2.CohortSpec)
    monkeypatch.setattr(yaml, "__with_libyaml__", False)
    slow = parse(text, definition_pb2.CohortSpec)
    assert (fast.message, fast.lines, fast.faults) == (slow.message, slow.lines, slow.faults)
    assert fast.message.note == "two lines"
    assert fast.line("overrides[0].gate.on_miss") == 4


def test_there_is_no_other_reader_of_yaml() -> None:
    """Nodes are arranged in programs/files, and read here. The broker's accounts are no message of ours."""
    root = Path(__file__).resolve().parents[3]
    tops = ("bench", "chassis", "cli", "directory", "instruments", "programs", "services", "stack")
    found = {
        str(path.relative_to(root))
        for top in tops
        for path in (root / top).rglob("*.py")
        if re.search(r"\byaml\.(compose|safe_load|load|parse|\w*Loader)\b", path.read_text())
    }
    assert found == {"chassis/yaml_message.py", "stack/access.py"}
