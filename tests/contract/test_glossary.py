"""The glossary's words are those of the contract and of the command line."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

from cli.main import whole

ROOT = Path(__file__).resolve().parents[2]
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text()
WORDS = sorted(set(re.findall(r"`([\w]+)` \|$", GLOSSARY, re.MULTILINE)))
CONTRACT = "\n".join(path.read_text() for path in sorted((ROOT / "protos").rglob("*.proto")))
NAMED = {*re.findall(r"^\s*(?:message|enum|service) (\w+)", CONTRACT, re.MULTILINE)}
FIELDS = {*re.findall(r"^\s*(?:repeated |optional )?[\w.<>, ]+ (\w+) = \d+", CONTRACT, re.MULTILINE)}
VALUES = {*re.findall(r"^\s*([A-Z][A-Z0-9_]+) = \d+", CONTRACT, re.MULTILINE)}
# Commands that are about the platform itself, or name what they do.
PLATFORM = {"up", "down", "addresses", "login", "logout", "doctor", "backup", "restore", "rehearse", "release", "score"}


def nouns() -> list[str]:
    return sorted(set(get_command(whole()).commands) - PLATFORM)  # type: ignore[attr-defined]


@pytest.mark.parametrize("word", WORDS)
def test_a_word_of_the_glossary_is_one_of_the_contract(word: str) -> None:
    assert word in NAMED | FIELDS | VALUES


@pytest.mark.parametrize("noun", nouns())
def test_a_noun_of_the_command_line_stands_in_the_glossary(noun: str) -> None:
    told = {
        "assessment": "evaluation",
        "benchmark": "benchmarking",
        "events": "event",
        "notify": "letter",
        "duties": "duty",
    }
    assert re.search(rf"\b{told.get(noun, noun)}\b", GLOSSARY, re.IGNORECASE), f"{noun} is not explained"


def test_each_word_has_one_sense() -> None:
    rows = [row for row in re.findall(r"^\| (.+) \|$", GLOSSARY, re.MULTILINE) if "`" in row]
    english = [cells[1].strip() for cells in (row.split("|") for row in rows) if len(cells) == 4]
    assert sorted(english) == sorted(set(english))
