"""People at terminals of 80 columns: commands as they type them, and the mail that they got."""

import asyncio
import email
import email.policy
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from tests.harness.waiting import eventually

PROJECT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Person:
    """Somebody at a terminal of 80 columns."""

    home: Path
    role: str = ""
    institution: str = ""
    subject: str = ""

    async def run(self, *arguments: str, token: str = "") -> tuple[int, str, str]:
        """Exit code, output, complaints."""
        known = {"LIVINGLAB_HOME": str(self.home), "COLUMNS": "80", "PYTHONPATH": os.pathsep.join(sys.path)}
        ended = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "cli", *arguments],
            cwd=PROJECT,
            env={**os.environ, **known, **({"LIVINGLAB_TOKEN": token} if token else {})},
            capture_output=True,
            text=True,
            check=False,
        )
        return ended.returncode, ended.stdout, ended.stderr

    async def token(self) -> str:
        """What `livinglab login` gives, once a person."""
        kept = _tokens.get(self)
        if kept is None:
            about = ["--institution", self.institution] if self.institution else []
            about += ["--subject", self.subject] if self.subject else []
            code, out, err = await self.run("login", "--as", self.role, *about, "--print")
            assert code == 0, err
            kept = _tokens[self] = out.strip()
        return kept

    async def does(self, *arguments: str) -> str:
        """What the command says; it is done."""
        code, out, err = await self.run(*arguments, token=await self.token())
        assert code == 0, (self.role, self.institution, arguments, err)
        return out

    async def asks(self, *arguments: str) -> Any:
        """What it answers a program."""
        return json.loads(await self.does(*arguments, "--json"))


_tokens: dict[Person, str] = {}


async def eventually_does(who: Person, *arguments: str) -> None:
    """A fact takes a moment from one service to the next."""
    token = await who.token()

    async def done() -> bool:
        return (await who.run(*arguments, token=token))[0] == 0

    await eventually(done, timeout=60)


def mail(home: Path) -> list[EmailMessage]:
    """Every letter that the platform's mailbox took, oldest first."""
    files = [file for file in (home / "data" / "mailbox").rglob("*.eml") if file.is_file()]
    read = [email.message_from_bytes(file.read_bytes(), policy=email.policy.default) for file in sorted(files)]
    return [one for one in read if isinstance(one, EmailMessage)]


def text(letter: EmailMessage) -> str:
    """What a person reads in it."""
    body = letter.get_body(("plain",))
    return str(body.get_content()) if body else ""
