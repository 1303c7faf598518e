"""Temporal servers for workflows: the time-skipping one, a new one for each test, since skipping is global."""

from collections.abc import AsyncIterator

import pytest
from temporalio.testing import WorkflowEnvironment

from tests.harness.skipping import time_skipping


@pytest.fixture
async def env() -> AsyncIterator[WorkflowEnvironment]:
    """Months pass in a second while a result is waited for."""
    async with await time_skipping() as started:
        yield started
