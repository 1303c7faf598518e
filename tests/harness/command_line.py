"""`livinglab` as a person runs it, in a process of its own, against services of the test."""

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.harness.service import Running


class CommandLine:
    """The command with the addresses of these services and one person's token; `home` has no platform of its own."""

    def __init__(self, running: Mapping[str, Running], token: str, home: Path) -> None:
        told = {f"LIVINGLAB_ADDRESS_{name.upper()}": service.address for name, service in running.items()}
        told |= {"LIVINGLAB_TOKEN": token, "LIVINGLAB_HOME": str(home)}
        self._environment = {**os.environ, **told, "PYTHONPATH": os.pathsep.join(sys.path)}

    async def run(self, *arguments: object) -> tuple[int, str, str]:
        """Exit code, stdout, stderr."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cli", *map(str, arguments)),
            env=self._environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        return process.returncode or 0, out.decode(), err.decode()

    async def json(self, *arguments: object) -> Any:
        """What a command that succeeds writes for programs."""
        code, out, err = await self.run(*arguments, "--json")
        assert (code, err) == (0, "")
        return json.loads(out)
