"""`livinglab` as people and scripts run it: a process of its own, told where a running service is and who calls."""

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from typing import Any


def environment(token: str, addresses: Mapping[str, str]) -> dict[str, str]:
    """What a command reads; `addresses` by the name of the service or server."""
    told = {f"LIVINGLAB_ADDRESS_{name.upper()}": address for name, address in addresses.items()}
    return {**os.environ, **told, "LIVINGLAB_TOKEN": token, "PYTHONPATH": os.pathsep.join(sys.path)}


async def begun(arguments: tuple[str, ...], token: str, addresses: Mapping[str, str]) -> asyncio.subprocess.Process:
    """A command that runs."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli", *arguments),
        env=environment(token, addresses),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def livinglab(*arguments: str, token: str = "", **addresses: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error."""
    process = await begun(arguments, token, addresses)
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def answered(*arguments: str, token: str = "", **addresses: str) -> Any:
    """The JSON that a command writes when all is well."""
    code, out, err = await livinglab(*arguments, "--json", token=token, **addresses)
    assert (code, err) == (0, ""), (arguments, err)
    return json.loads(out)
