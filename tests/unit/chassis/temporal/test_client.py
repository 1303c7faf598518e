"""Whoever has spoken to Temporal ends with an exit code of its own."""

import os
import subprocess
import sys

from chassis.temporal import bridge_exit, client

PROGRAM = f"""
import asyncio, atexit
from {bridge_exit.__package__} import bridge_exit, client
waited, wait = [], bridge_exit.wait_for_foreign_threads
bridge_exit.wait_for_foreign_threads = lambda: (waited.append(1), wait())
atexit.register(lambda: print(len(waited)))
for _ in range(2):
    try:
        asyncio.run(client.{client.connect.__name__}("127.0.0.1:1", "none"))
    except RuntimeError:
        pass
"""


def test_a_process_that_has_spoken_to_temporal_waits_once_for_its_threads_before_it_ends() -> None:
    told = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    ran = subprocess.run([sys.executable, "-c", PROGRAM], env=told, capture_output=True, text=True, check=True)
    assert ran.stdout == "1\n"
