"""HTTP out: one POST to one address that was looked at before it was connected to. No redirect is followed."""

import asyncio
import ipaddress
import socket
import ssl
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import h11

from services.notify.model.destinations import Address, Destinations
from services.notify.model.webhooks import Answer

_USER_AGENT = "livinglab-webhooks/1"
_PORTS = {"https": 443, "http": 80}
# Of an answer that is looked at, for its words.
_LARGEST_ANSWER = 16 * 1024
_CHUNK = 8 * 1024
_WORDS = 200


class Poster:
    """Posts bodies; what it comes to is an answer, never an error."""

    def __init__(self, destinations: Destinations, seconds: float, authorities: Path | None = None) -> None:
        self._destinations = destinations
        self._seconds = seconds
        self._tls = ssl.create_default_context(cafile=str(authorities) if authorities else None)

    async def post(
        self, url: str, headers: Mapping[str, str], body: bytes, *, method: str = "POST", whole: bool = False
    ) -> Answer:
        """One try, from the look-up of the name to the end of the answer, within the time. The words of an answer are
        the first ones of what was not accepted or, with `whole`, of any and up to 16 KiB."""
        request = _request(method, urlsplit(url), headers, len(body))
        begun = time.monotonic()
        reached: list[str] = []
        try:
            async with asyncio.timeout(self._seconds):
                status, answered, words = await self._exchange(urlsplit(url), request, body, reached, whole)
        except TimeoutError:
            return Answer(0, f"no answer within {self._seconds:g} seconds", _since(begun), "".join(reached))
        except (OSError, ssl.SSLError, h11.ProtocolError, _NotAllowed) as error:
            words = str(error) or type(error).__name__
            return Answer(0, words, _since(begun), "".join(reached))
        if status // 100 == 3:
            words = f"redirects are not followed (to {_host(answered.get('location', ''))})"
        now = datetime.now(UTC)
        return Answer(
            status, words, _since(begun), "".join(reached), _wait(answered, now), _clock(answered.get("date"), now)
        )

    async def _exchange(
        self, url: SplitResult, request: h11.Request, body: bytes, reached: list[str], whole: bool
    ) -> tuple[int, Mapping[str, str], str]:
        host, port = url.hostname or "", url.port or _PORTS[url.scheme]
        # The address itself is connected to: what the name means a moment later is no matter.
        address = self._allowed(url.scheme, await resolved(host, port))
        reached.append(str(address))
        tls = {"ssl": self._tls, "server_hostname": host} if url.scheme == "https" else {}
        reader, writer = await asyncio.open_connection(str(address), port, **tls)  # type: ignore[arg-type]
        try:
            return await _spoken(reader, writer, request, body, whole)
        finally:
            writer.transport.abort()

    def _allowed(self, scheme: str, addresses: list[Address]) -> Address:
        refusals = [self._destinations.refusal(scheme, one) for one in addresses]
        for address, refusal in zip(addresses, refusals, strict=True):
            if refusal is None:
                return address
        raise _NotAllowed(refusals[0] if refusals else "its name has no address")


class _NotAllowed(Exception):
    """Nothing is sent there."""


async def resolved(host: str, port: int = 443) -> list[Address]:
    """What a name means now. OSError where it means nothing, or nobody answers."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [ipaddress.ip_address(one[4][0]) for one in found]


def _request(method: str, url: SplitResult, headers: Mapping[str, str], size: int) -> h11.Request:
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    host = url.netloc.rpartition("@")[2]
    told = {"host": host, "user-agent": _USER_AGENT, "content-length": str(size), "connection": "close", **headers}
    return h11.Request(method=method, target=target, headers=list(told.items()))


async def _spoken(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: h11.Request, body: bytes, whole: bool
) -> tuple[int, Mapping[str, str], str]:
    connection = h11.Connection(h11.CLIENT)
    for part in (request, h11.Data(data=body), h11.EndOfMessage()):
        writer.write(connection.send(part) or b"")
    status, words = 0, bytearray()
    headers: dict[str, str] = {}
    # What else one has to say that has accepted is no matter.
    while (whole or status // 100 != 2) and len(words) <= _LARGEST_ANSWER:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            if not (came := await reader.read(_CHUNK)):
                break
            connection.receive_data(came)
        elif isinstance(event, h11.Response):
            status = event.status_code
            headers = {name.decode(): value.decode("latin-1") for name, value in event.headers}
        elif isinstance(event, h11.Data):
            words += event.data
        elif not isinstance(event, h11.InformationalResponse):
            break
    if not status:
        raise ConnectionError("closed without an answer")
    if whole:
        return status, headers, _readable(bytes(words[:_LARGEST_ANSWER]))
    return status, headers, "" if status // 100 == 2 else _readable(bytes(words[:_WORDS]))


def _readable(words: bytes) -> str:
    text = words.decode("utf-8", "replace")
    return "".join(one if one.isprintable() else " " for one in text)


def _host(location: str) -> str:
    """Of a redirect's target, whose path may hold a secret."""
    try:
        return urlsplit(location).hostname or "the same host"
    except ValueError:
        return "somewhere"


def _since(begun: float) -> int:
    return round((time.monotonic() - begun) * 1000)


def _wait(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """Retry-After, in seconds or as a date."""
    value = headers.get("retry-after", "")
    if value.isascii() and value.isdigit() and len(value) < 8:
        return timedelta(seconds=int(value))
    moment = _date(value)
    return max(moment - now, timedelta()) if moment else None


def _clock(value: str | None, now: datetime) -> timedelta | None:
    moment = _date(value or "")
    return moment - now if moment else None


def _date(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
