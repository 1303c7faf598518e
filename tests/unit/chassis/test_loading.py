"""What a process of a service loads, which it holds for as long as it runs."""

import subprocess
import sys

import pytest

from chassis import runtime

# For people at a terminal, for charts and sheets, or for other processes.
NOT_FOR_A_PROCESS = ("rich", "typer", "cli", "stack", "openpyxl", "reportlab")


@pytest.mark.parametrize("service", ["assessment", "benchmark", "coaching", "notify", "program"])
def test_a_process_loads_nothing_that_is_for_a_terminal(service: str) -> None:
    code = f"import sys, {runtime.__name__}, services.{service}.__main__; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert not set(NOT_FOR_A_PROCESS) & set(done.stdout.split())
