"""A stand-in for a mail relay: keeps every mail as one .eml file and refuses the recipients it was told to refuse.

`behaviour.json` in the folder, read at each recipient: {"temporary": ["a@x"], "permanent": ["*@y"]} answers 451 or 550.
"""

import argparse
import asyncio
import json
import signal
import time
import uuid
from collections.abc import Sequence
from email import message_from_bytes, policy
from email.message import EmailMessage
from fnmatch import fnmatchcase
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

BEHAVIOUR = "behaviour.json"
MAX_BYTES = 10 * 1024 * 1024
READY_LINE = r"^mailbox ready on (\S+):(\d+)$"


def behave(folder: Path, *, temporary: Sequence[str] = (), permanent: Sequence[str] = ()) -> None:
    """Tell the mailbox which recipients to refuse from now on: addresses, or patterns with `*`."""
    _write(folder, BEHAVIOUR, json.dumps({"temporary": list(temporary), "permanent": list(permanent)}).encode())


def mails(folder: Path) -> list[EmailMessage]:
    """The mails kept so far, oldest first; `Return-Path` and `Delivered-To` tell what the SMTP envelope said."""
    return [message_from_bytes(path.read_bytes(), policy=policy.default) for path in sorted(folder.glob("*.eml"))]


def _write(folder: Path, name: str, content: bytes) -> None:
    """Write under another name first, so that nobody reads half a file."""
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / f".{uuid.uuid4().hex}.part"
    unfinished.write_bytes(content)
    unfinished.replace(folder / name)


class Mailbox:
    """The answers to RCPT and DATA (method names are aiosmtpd's)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """250, or the refusal that `behaviour.json` asks for."""
        behaviour = self._behaviour()
        if _matches(address, behaviour.get("permanent", [])):
            return "550 5.1.1 this recipient is refused for good"
        if _matches(address, behaviour.get("temporary", [])):
            return "451 4.3.0 this recipient is refused for now, try again later"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 recipient accepted"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Keep the mail, then answer 250; the names of the files sort by time."""
        trace = [f"Return-Path: <{envelope.mail_from}>"]
        trace += [f"Delivered-To: {recipient}" for recipient in envelope.rcpt_tos]
        head = "".join(f"{line}\r\n" for line in trace).encode()
        name = f"{time.time_ns():020d}-{uuid.uuid4().hex[:8]}.eml"
        _write(self.folder, name, head + (envelope.original_content or b""))
        return f"250 2.0.0 kept as {name}"

    def _behaviour(self) -> dict[str, list[str]]:
        try:
            behaviour: dict[str, list[str]] = json.loads((self.folder / BEHAVIOUR).read_bytes())
        except FileNotFoundError:
            return {}
        return behaviour


def _matches(address: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(address.lower(), pattern.lower()) for pattern in patterns)


async def serve(folder: Path, host: str, port: int) -> None:
    """Receive mail until SIGTERM or SIGINT."""
    folder.mkdir(parents=True, exist_ok=True)
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for ending in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(ending, ended.set)
    handler = Mailbox(folder)
    server = await loop.create_server(
        lambda: SMTP(handler, hostname="localhost", data_size_limit=MAX_BYTES, enable_SMTPUTF8=True, loop=loop),
        host,
        port,
    )
    async with server:
        bound_host, bound_port = server.sockets[0].getsockname()[:2]
        print(f"mailbox ready on {bound_host}:{bound_port}", flush=True)
        await ended.wait()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m stack.mailbox", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where the mails and behaviour.json are kept")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 chooses a free one")
    options = parser.parse_args()
    asyncio.run(serve(options.folder, options.host, options.port))


if __name__ == "__main__":
    main()
