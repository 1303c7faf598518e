"""A platform of one's own, as people start it."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from stack.home import Home, is_running
from tests.harness.terminal import Person


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """Where `livinglab up` will keep it; ended when the test is."""
    folder = tmp_path / "home"
    yield folder
    if is_running(Home(folder)):
        asyncio.run(Person(folder).run("down"))
