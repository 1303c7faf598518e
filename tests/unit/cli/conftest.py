"""A command's choice of language ends with it, also where many run in one process."""

from collections.abc import Iterator

import pytest

from cli.speak import language


@pytest.fixture(autouse=True)
def _speaks_as_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("LIVINGLAB_LANG", raising=False)
    yield
    language._chosen.clear()
