"""Every text stands on a page, and both languages have it."""

import re
from pathlib import Path

import pytest

from services.console.model import words

CONSOLE = Path(words.__file__).resolve().parents[1]
SOURCES = "\n".join(
    path.read_text()
    for path in sorted([*CONSOLE.rglob("*.html"), *CONSOLE.rglob("*.py")])
    if not path.name.endswith("words.py")
)
WHOLE = {word for pair in re.findall(r"\"([\w-]+)\"|'([\w-]+)'", SOURCES) for word in pair}
# "phase_" ~ phase.state, f"kind_{name}".
STARTS = {a or b for a, b in re.findall(r"[\"'](\w+_)[\"'] ~|f\"(\w+_)\{", SOURCES)}
# Of kinds and stages, which come as values.
NAMED = {"provinsi", "kabupaten", "kota", "domain", "aspect", "indicator", "nation"}
STAGES = {"self-assessment", "document", "interview", "visit", "review", "determination", "publication"}


@pytest.mark.parametrize("key", sorted(words._TEXTS))
def test_a_text_is_said_somewhere(key: str) -> None:
    named = key in WHOLE or any(key.startswith(start) for start in STARTS) or key in NAMED | STAGES
    assert named, f"no page says {key}: delete it"
    assert all(words._TEXTS[key])
