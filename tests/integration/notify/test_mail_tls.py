"""Mail travels as the settings say: where TLS is asked for, nothing is sent without it, and nothing to a stranger."""

import asyncio
import secrets
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP
from livinglab.notify.v1 import service_pb2 as pb
from pydantic import SecretStr

from chassis.config import Settings
from services.notify.model.messages import Outcome, Taken, Unreachable
from services.notify.postman import Postman
from stack.mailbox import Mailbox, mails
from tests.harness.authority import Authority

LETTER = pb.Message(
    id="m1", recipient=pb.Recipient(name="Siti", email="siti@example.org", language="id"), subject="Undangan", body="x"
)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


def context(tmp_path: Path, authority: Authority) -> ssl.SSLContext:
    authority.sign(tmp_path / "server", "mail")
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    found.load_cert_chain(tmp_path / "server" / "tls.crt", tmp_path / "server" / "tls.key")
    return found


@asynccontextmanager
async def mail_server(folder: Path, secured: ssl.SSLContext | None, **how: Any) -> AsyncIterator[str]:
    """Its address; `secured` is offered by STARTTLS, or spoken from the first byte with `implicit`."""
    loop, implicit = asyncio.get_running_loop(), how.pop("implicit", False)
    make: Callable[[], SMTP] = lambda: SMTP(  # noqa: E731
        Mailbox(folder), hostname="localhost", loop=loop, tls_context=None if implicit else secured, **how
    )
    server = await loop.create_server(make, "127.0.0.1", 0, ssl=secured if implicit else None)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def sent(address: str, authority: Authority | None, **settings: Any) -> Outcome:
    postman = Postman(Settings(smtp_address=address, tls_authorities=authority.file if authority else None, **settings))
    try:
        return await postman.send(LETTER)
    finally:
        await postman.close()


async def test_required_starttls_sends_nothing_in_the_clear(tmp_path: Path, authority: Authority) -> None:
    folder, stranger = tmp_path / "mails", Authority(tmp_path / "stranger")
    async with mail_server(folder, None) as plain:
        assert isinstance(await sent(plain, authority, smtp_tls="starttls"), Unreachable)
        # A user name alone asks for it: the password goes to nobody who has not shown who they are.
        password = SecretStr(secrets.token_hex(4))
        assert isinstance(await sent(plain, authority, smtp_username="u", smtp_password=password), Unreachable)
        assert mails(folder) == []
        assert isinstance(await sent(plain, authority, smtp_tls="opportunistic"), Taken)
    async with mail_server(folder, context(tmp_path, authority), require_starttls=True) as secured:
        assert isinstance(await sent(secured, stranger, smtp_tls="starttls"), Unreachable)
        assert isinstance(await sent(secured, authority, smtp_tls="plain"), Unreachable)
        assert len(mails(folder)) == 1
        assert isinstance(await sent(secured, authority, smtp_tls="starttls"), Taken)
    assert len(mails(folder)) == 2


async def test_implicit_tls_is_spoken_from_the_first_byte(tmp_path: Path, authority: Authority) -> None:
    folder = tmp_path / "mails"
    async with mail_server(folder, context(tmp_path, authority), implicit=True) as secured:
        assert isinstance(await sent(secured, authority, smtp_tls="implicit"), Taken)
        assert isinstance(await sent(secured, Authority(tmp_path / "other"), smtp_tls="implicit"), Unreachable)
    assert len(mails(folder)) == 1
