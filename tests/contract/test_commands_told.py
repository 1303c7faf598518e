"""Whatever is told to be typed can be typed: the commands and options of the docs, the targets of the Makefile, the
names in the runbooks' kubectl, and the commands that our own messages name."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from cli.main import whole
from tests.contract.test_manifests import ROOT, of_kind

DOCS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
CODE = [path for part in ("chassis", "cli", "directory", "services", "stack") for path in (ROOT / part).rglob("*.py")]
OPTION = re.compile(r"(?<!\S)\[?(--[a-z][a-z-]*)")
# In prose a command is a word or two of a sentence.
IN_PROSE = re.compile(r"\blivinglab ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?")
# What one is free to choose between: "add\|move" in tables, "sign | end" elsewhere.
CHOICE = re.compile(r"\\?\|")


@pytest.fixture(scope="module")
def root() -> Any:
    return get_command(whole())


def told(text: str, word: str) -> Iterator[str]:
    """Every command line that begins with the word, in code spans and in blocks, fenced or indented."""
    yield from (span.strip() for span in re.findall(rf"`({word} [^`]+)`", text))
    for line in text.replace("\\\n", " ").splitlines():
        bare = line.strip().removeprefix("$ ")
        if bare.startswith(f"{word} "):
            yield bare.split(" #")[0]


def faults(root: Any, line: str) -> list[str]:
    """What of a command line is not known."""
    command, words = root, CHOICE.sub("|", line).split()[1:]
    if words[0] in ("--lang", "--version"):
        words = words[2:]
    while words and hasattr(command, "commands") and words[0] != "...":
        names = words.pop(0).split("|")
        unknown = [name for name in names if name not in command.commands]
        if unknown:
            return [f"{line}: {command.name} has no {', '.join(unknown)}"]
        command = command.commands[names[0]]
    known = {option for one in command.params for option in (*one.opts, *one.secondary_opts)} | {"--help"}
    return [f"{line}: {option}" for option in OPTION.findall(" ".join(words)) if option not in known]


@pytest.mark.parametrize("path", DOCS, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_command_of_the_docs_exists_with_its_options(root: Any, path: Path) -> None:
    assert [fault for line in told(path.read_text(), "livinglab") for fault in faults(root, line)] == []


def test_a_command_that_does_not_exist_is_found(root: Any) -> None:
    assert faults(root, "livinglab cohort fly 2022") == ["livinglab cohort fly 2022: cohort has no fly"]
    assert faults(root, "livinglab doctor --patients 3") == ["livinglab doctor --patients 3: --patients"]
    assert faults(root, r"livinglab session add\|move\|cancel") == []
    assert faults(root, r"livinglab session add\|lose") == [r"livinglab session add\|lose: session has no lose"]


def test_each_target_of_the_docs_is_in_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    lines = [(path.name, line) for path in DOCS for line in told(path.read_text(), "make")]
    assert lines
    assert [
        (name, line) for name, line in lines if line.split()[1].split("=")[0] not in targets | {"T", "PYTHON"}
    ] == []


def spoken() -> Iterator[tuple[str, str]]:
    """Each text of the code but docstrings: what a person may read."""
    for path in CODE:
        tree = ast.parse(path.read_text())
        docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
                yield str(path.relative_to(ROOT)), node.value


def test_each_command_that_a_message_names_exists(root: Any) -> None:
    wrong, count = [], 0
    for path, text in spoken():
        for noun, verb in IN_PROSE.findall(text):
            count += 1
            command = root.commands.get(noun)
            if command is None or (hasattr(command, "commands") and verb not in command.commands):
                wrong.append(f"{path}: livinglab {noun} {verb}")
    assert count > 20
    assert wrong == []


def test_what_the_docs_have_kubectl_do_is_done_to_what_is_there() -> None:
    kinds = {"deployment": "Deployment", "statefulset": "StatefulSet"}
    there = {f"{short}/{name}" for short, kind in kinds.items() for name in of_kind("overlays/dev", kind)}
    named = re.compile(r"\b((?:deployment|statefulset|job|pod)/[a-z][a-z0-9-]*)")
    asked = [name for path in DOCS for line in told(path.read_text(), "kubectl") for name in named.findall(line)]
    assert len(asked) > 5
    assert [name for name in asked if name not in there] == []
    files = [
        file
        for path in DOCS
        for line in told(path.read_text(), "kubectl")
        for file in re.findall(r" -[fk] (deploy/\S+)", line)
    ]
    assert files
    assert all((ROOT / file).exists() for file in files)
