"""livinglab up, down, addresses, login: the embedded platform on this machine."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Annotated

import typer

from cli.speak.codes import as_code
from cli.speak.output import AsJson, fail, print_json, say, table
from stack.home import Home, home_folder, is_running

_POLL_SECONDS = 0.05
_STOP_SECONDS = 60


def up(
    wait: Annotated[
        float, typer.Option(help="Seconds to wait until everything serves; it goes on starting then.")
    ] = 120.0,
    as_json: AsJson = False,
) -> None:
    """Start the embedded platform and all processes, and leave them running."""
    home = Home(home_folder())
    if not is_running(home):
        home.make()
        home.addresses.unlink(missing_ok=True)
        log = home.folder / "supervisor.log"
        with log.open("wb") as out:
            supervisor = subprocess.Popen(
                [sys.executable, "-m", "stack"],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        try:
            _wait_until_ready(home, supervisor, wait)
        except KeyboardInterrupt:
            supervisor.terminate()
            supervisor.wait()
            raise SystemExit(130) from None
        if supervisor.poll() is not None:
            fail(*log.read_text().splitlines()[-20:])
        if not home.addresses.exists():
            fail(
                f"it still starts, after {wait:g} s, and goes on: 'livinglab addresses' tells when it is there",
                *_waits(home),
            )
    if not as_json and (console := home.running_addresses().get("console")):
        say(f"the public race: {console}/")
    addresses(as_json=as_json)


def _waits(home: Home) -> Iterator[str]:
    """What processes say that they wait for."""
    for log in sorted(home.logs.glob("*.log")):
        lines = log.read_bytes().splitlines()
        with suppress(ValueError, IndexError, KeyError):
            told = json.loads(lines[-1])
            if told["event"] == "waiting":
                yield f"  {log.stem} waits for {told['waiting_for']}: {told['because']}"


def _wait_until_ready(home: Home, supervisor: subprocess.Popen[bytes], seconds: float) -> None:
    from rich.console import Console

    end = time.monotonic() + seconds
    with Console(stderr=True).status("starting the servers and processes ..."):
        while not home.addresses.exists() and supervisor.poll() is None and time.monotonic() < end:
            time.sleep(_POLL_SECONDS)


def down(as_json: AsJson = False) -> None:
    """Stop what `up` has started."""
    home = Home(home_folder())
    if not is_running(home):
        _tell("nothing runs here", {"stopped": False}, as_json)
        return
    os.kill(int(home.lock.read_text()), signal.SIGTERM)
    end = time.monotonic() + _STOP_SECONDS
    while is_running(home):
        if time.monotonic() > end:
            fail(f"the platform has not stopped within {_STOP_SECONDS} s; its log is {home.folder / 'supervisor.log'}")
        time.sleep(_POLL_SECONDS)
    _tell("stopped", {"stopped": True}, as_json)


def addresses(as_json: AsJson = False) -> None:
    """Where everything is."""
    home = Home(home_folder())
    found = home.running_addresses()
    if not found:
        fail("no platform runs here: 'livinglab up' starts one")
    if as_json:
        print_json(found)
    else:
        table(["what", "address"], [(name, address) for name, address in found.items()])


def login(
    role: Annotated[str, typer.Option("--as", help="manager, operator, head, coach, ...: who you want to be.")],
    institution: Annotated[
        str,
        typer.Option(
            "--institution", metavar="CODE", parser=as_code, help="The institution that a region's user acts for."
        ),
    ] = "",
    agency: Annotated[str, typer.Option(help="The agency (OPD) of it that you work in: its code, else its name.")] = "",
    subject: Annotated[str, typer.Option(help="Who you are; a coach's id, for a coach.")] = "",
    write: Annotated[bool, typer.Option("--print", help="Write the token and keep nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take a token from the embedded issuer, for the commands that follow."""
    from stack.issuer import ROLES, Issuer

    home = Home(home_folder())
    if role not in ROLES:
        raise typer.BadParameter(f"{role} is not one of {', '.join(ROLES)}", param_hint="--as")
    if role in ("operator", "head", "secretary", "regent", "agency") and not institution:
        raise typer.BadParameter(f"a {role} acts for an institution: name it", param_hint="--institution")
    if role == "agency" and not agency:
        raise typer.BadParameter("say which agency you work in", param_hint="--agency")
    token = Issuer(home.folder / "issuer").token(role, institution=institution, agency=agency, subject=subject)
    found = {"role": role, "institution": institution} | ({"agency": agency} if agency else {})
    if write:
        _tell(token, {**found, "token": token}, as_json)
        return
    home.token.touch(mode=0o600)
    home.token.write_text(token)
    _tell(f"logged in as {role}" + (f" of {institution}" if institution else ""), found, as_json)


def _tell(text: str, found: Mapping[str, object], as_json: bool) -> None:
    if as_json:
        print_json(found)
    else:
        say(text)
