"""E-mail over SMTP: one message as a mail, and the mail server's answer in three kinds."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime, parseaddr
from typing import Any

import aiosmtplib
from aiosmtplib.errors import (
    SMTPDataError,
    SMTPException,
    SMTPRecipientRefused,
    SMTPRecipientsRefused,
    SMTPResponseException,
)
from livinglab.notify.v1 import service_pb2 as pb

from chassis import tls
from chassis.config import Settings
from services.notify.model import calendar, pages, refusals
from services.notify.model.messages import Outcome, Taken, Turned, Unreachable

_CONNECT_SECONDS = 10.0
_COMMAND_SECONDS = 30.0
# Mail servers end what is silent for minutes.
_IDLE_SECONDS = 30.0
# "Service not available, closing": said to anybody, whatever the mail.
_CLOSING = 421
_IMPLICIT_TLS = 465
# What aiosmtplib calls it: must, must not, if the server offers it.
_START_TLS = {"starttls": True, "implicit": False, "plain": False, "opportunistic": None}
# What a line of a header holds as a rule, and what an encoded word may hold of a text (RFC 2047).
_LINE, _WORD = 76, 55
# Readers of these look for the address as it is; Python would put a long one in encoded words.
_UNFOLDED = frozenset({"List-Unsubscribe", "List-Unsubscribe-Post"})


class _Policy(EmailPolicy):
    """Headers as every mail server reads them. Python folds a long display name at its commas and loses the quotes
    around it (gh-80222): one recipient would be several. Such a name goes in encoded words (RFC 2047), which hold
    nothing that could be taken for a separator and are folded between each other."""

    def fold(self, name: str, value: Any) -> str:
        return _whole(name, value) or super().fold(name, value)

    def fold_binary(self, name: str, value: Any) -> bytes:
        whole = _whole(name, value)
        return whole.encode("ascii") if whole else super().fold_binary(name, value)


def _whole(name: str, value: Any) -> str:
    """A header that the usual way would tear apart, with one recipient or an address of the web; else empty."""
    addresses: Sequence[Address] = getattr(value, "addresses", ())
    if name in _UNFOLDED:
        return f"{name}: {value}\r\n"
    return _folded(name, addresses[0]) if len(addresses) == 1 else ""


def _folded(name: str, address: Address) -> str:
    """A header with one recipient whose name Python would not keep whole; empty where the usual way serves."""
    if not address.display_name or len(f"{name}: {address}") <= _LINE:
        return ""
    lines = [""]
    # A blank belongs to the word before it: that between two encoded words says nothing.
    for character in address.display_name:
        encoded = _encoded(character)
        ends = lines[-1].endswith("_") and len(lines[-1]) > _WORD // 2 and character != " "
        if ends or len(lines[-1]) + len(encoded) > _WORD:
            lines.append("")
        lines[-1] += encoded
    words = "\r\n ".join(f"=?utf-8?q?{line}?=" for line in lines)
    return f"{name}: {words}\r\n <{address.addr_spec}>\r\n"


def _encoded(character: str) -> str:
    if character == " ":
        return "_"
    if character.isascii() and character.isalnum():
        return character
    return "".join(f"={byte:02X}" for byte in character.encode())


_MAIL = _Policy(linesep="\r\n", utf8=False)


class Postman:
    """Speaks to the mail server over few connections that it uses again. One send at a time on each."""

    def __init__(
        self, settings: Settings, address: str = "", leaving: Callable[[pb.Message], str] | None = None
    ) -> None:
        """`address` instead of the mail server of the settings; `leaving` says where a reader leaves letters of a
        kind, empty where they may not."""
        self._leaving = leaving
        host, _, port = (address or settings.smtp_address).rpartition(":")
        self._host, self._port = host.strip("[]"), int(port)
        self._from = settings.mail_from
        self._sender = parseaddr(settings.mail_from)[1]
        self._domain = self._sender.rpartition("@")[2]
        self._username = settings.smtp_username
        self._password = settings.smtp_password.get_secret_value()
        self._tls = settings.smtp_tls or self._usual()
        self._context = tls.of(settings).context()
        self._idle: list[tuple[float, aiosmtplib.SMTP]] = []

    def _usual(self) -> str:
        """A password goes to a server that has shown who it is, or nowhere."""
        if self._port == _IMPLICIT_TLS:
            return "implicit"
        return "starttls" if self._username else "opportunistic"

    async def send(self, message: pb.Message) -> Outcome:
        """Offers the mail once. Never raises for what a mail server or the network does."""
        content = self.mail(message).as_bytes()
        try:
            client = await self._connection()
        except (SMTPException, OSError, TimeoutError) as error:
            return Unreachable(_words(error))
        try:
            await client.sendmail(self._sender, [message.recipient.email], content)
        except SMTPRecipientsRefused as error:
            return self._answered(client, error.recipients[0])
        except SMTPResponseException as error:
            return self._answered(client, error)
        except (SMTPException, OSError, TimeoutError) as error:
            client.close()
            return Turned(_words(error), for_good=False)
        except BaseException:
            client.close()
            raise
        self._idle.append((time.monotonic(), client))
        return Taken()

    async def close(self) -> None:
        """Takes leave of the mail server."""
        for _, client in self._idle:
            try:
                await client.quit(timeout=1)
            except (SMTPException, OSError, TimeoutError):
                client.close()
        self._idle.clear()

    def mail(self, message: pb.Message) -> EmailMessage:
        """The mail. Its Message-ID comes from the record, so that a repeat after a crash can be recognised."""
        mail = EmailMessage(policy=_MAIL)
        mail["Date"] = format_datetime(message.accept_time.ToDatetime(UTC))
        mail["Message-ID"] = f"<{message.id}@{self._domain}>"
        mail["From"] = self._from
        mail["To"] = Address(message.recipient.name, addr_spec=message.recipient.email)
        mail["Subject"] = message.subject
        mail["Auto-Submitted"] = "auto-generated"
        if address := self._leaving(message) if self._leaving else "":
            # RFC 8058: a mail program that is asked to does it by itself, without opening a page.
            mail["List-Unsubscribe"] = f"<{address}>"
            mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        mail.set_content(message.body, cte="quoted-printable")
        page = pages.page(message.subject, message.body, message.recipient.language)
        mail.add_alternative(page, subtype="html", cte="quoted-printable")
        for place, event in enumerate(message.events, start=1):
            self._invite(mail, message, event, place)
        # Last: new content does away with headers of its own kind.
        mail["Content-Language"] = message.recipient.language
        return mail

    def _invite(self, mail: EmailMessage, message: pb.Message, event: pb.CalendarEvent, place: int) -> None:
        """A meeting alone is what the letter is about, in the form that mail programs offer to take into the
        calendar; of several each is a file."""
        content = calendar.invitation(message, event, self._sender)
        about = {"charset": "utf-8", "method": calendar.method(event)}
        if len(message.events) == 1:
            mail.add_alternative(content, "text", "calendar", params=about, cte="base64")
        else:
            name = f"invite-{place}.ics"
            mail.add_attachment(content, "text", "calendar", params=about, filename=name, cte="base64")

    def _answered(self, client: aiosmtplib.SMTP, error: SMTPResponseException) -> Outcome:
        """The recipient and the text are matters of the message; that we may not send at all is not."""
        if client.is_connected and error.code != _CLOSING:
            self._idle.append((time.monotonic(), client))
        else:
            client.close()
        ours = isinstance(error, SMTPRecipientRefused | SMTPDataError)
        if not ours or error.code == _CLOSING:
            return Unreachable(_words(error))
        refused = isinstance(error, SMTPRecipientRefused) and refusals.of_address(error.code, error.message)
        return Turned(_words(error), for_good=error.code >= 500, of_address=refused)

    async def _connection(self) -> aiosmtplib.SMTP:
        while self._idle:
            since, client = self._idle.pop()
            if time.monotonic() - since < _IDLE_SECONDS and await _alive(client):
                return client
            client.close()
        client = aiosmtplib.SMTP(
            hostname=self._host,
            port=self._port,
            local_hostname=self._domain,
            timeout=_COMMAND_SECONDS,
            use_tls=self._tls == "implicit",
            start_tls=_START_TLS[self._tls],
            tls_context=self._context,
            username=self._username or None,
            password=self._password or None,
        )
        await client.connect(timeout=_CONNECT_SECONDS)
        return client


class PostOffice:
    """Real letters go to the mail server; those of a rehearsal to a box of their own or, where there is none, nowhere:
    the roster of a rehearsal is often that of the cohort to come."""

    def __init__(self, settings: Settings, leaving: Callable[[pb.Message], str] | None = None) -> None:
        self._real = Postman(settings, leaving=leaving)
        box = settings.rehearsal_smtp_address
        self._rehearsed = Postman(settings, box) if box else None

    async def send(self, message: pb.Message) -> Outcome:
        """Offers the mail once. Never raises for what a mail server or the network does."""
        if not message.rehearsal:
            return await self._real.send(message)
        if self._rehearsed is None:
            return Taken()
        outcome = await self._rehearsed.send(message)
        # A box that is away must not hold up real letters.
        return Turned(outcome.words, for_good=False) if isinstance(outcome, Unreachable) else outcome

    async def close(self) -> None:
        """Takes leave of both."""
        await self._real.close()
        if self._rehearsed is not None:
            await self._rehearsed.close()


async def _alive(client: aiosmtplib.SMTP) -> bool:
    if not client.is_connected:
        return False
    try:
        await client.noop(timeout=_CONNECT_SECONDS)
    except (SMTPException, OSError, TimeoutError):
        return False
    return True


def _words(error: Exception) -> str:
    """What the mail server said, or what the network did."""
    if isinstance(error, SMTPResponseException):
        return f"{error.code} {error.message}"
    return str(error) or type(error).__name__
