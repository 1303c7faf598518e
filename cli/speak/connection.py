"""How a command reaches the services: their addresses, the kept token, one trace, refusals as lines for people."""

import asyncio
import base64
import json
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import grpc
import grpc.aio

from chassis import naming, outgoing, tracing
from chassis.errors import Kind, Refused
from chassis.status import from_rpc_error
from chassis.tls import Tls
from cli.speak.language import word
from cli.speak.output import fail
from cli.speak.sentences import sentence
from stack.home import Home, home_folder

# As the services say it to programs: ListCohorts is for manager, platform.
_FOR_OTHERS = re.compile(r"\w+ is for ([a-z, ]+)$")

S = TypeVar("S")
T = TypeVar("T")


def address(service: str) -> str:
    """LIVINGLAB_ADDRESS_<SERVICE>, else what the running platform of this folder says."""
    if configured := os.environ.get(f"LIVINGLAB_ADDRESS_{service.upper()}"):
        return configured
    addresses = Home(home_folder()).running_addresses()
    if not addresses:
        fail(sentence("no_platform", variable=f"LIVINGLAB_ADDRESS_{service.upper()}"))
    return addresses[service]


def authorization() -> str:
    """LIVINGLAB_TOKEN, else the token of the last login."""
    token = os.environ.get("LIVINGLAB_TOKEN", "")
    if not token:
        try:
            token = Home(home_folder()).token.read_text().strip()
        except OSError:
            fail(sentence("not_logged_in"))
    return f"Bearer {token}"


def token_institution() -> str:
    """The institution that the token is bound to; empty where there is none."""
    return _claim("institution")


def token_subject() -> str:
    """Whom the token names; empty where that cannot be read."""
    return _claim("sub")


def _claim(name: str) -> str:
    try:
        payload = authorization().split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return str(claims[name])
    except (IndexError, ValueError, KeyError, TypeError):
        return ""


def own_institution(named: str = "") -> str:
    """The institution that a command names, else the one in the token of the last login."""
    institution = named or token_institution()
    if not institution:
        fail(sentence("no_institution"))
    return institution


def _tls() -> Tls:
    """LIVINGLAB_TLS_AUTHORITIES says whose servers are believed, and that they are spoken to by TLS;
    LIVINGLAB_TLS_CERTIFICATE and LIVINGLAB_TLS_KEY are shown where the servers ask for them."""
    named = (os.environ.get(f"LIVINGLAB_TLS_{part}") for part in ("CERTIFICATE", "KEY", "AUTHORITIES"))
    certificate, key, authorities = (Path(one) if one else None for one in named)
    try:
        return Tls(certificate, key, authorities, mutual=bool(certificate and authorities))
    except ValueError as error:
        fail(str(error))


@asynccontextmanager
async def connected(service: str, stub: Callable[[grpc.aio.Channel], S]) -> AsyncIterator[S]:
    """The service's stub for the length of the block."""
    async with outgoing.channel(address(service), authorization, _tls()) as channel:
        yield stub(channel)


def call(service: str, stub: Callable[[grpc.aio.Channel], Any], method: str, request: Any) -> Any:
    """What one method answers."""

    async def asked() -> Any:
        async with connected(service, stub) as found:
            return await getattr(found, method)(request)

    return run(asked())


def run(work: Coroutine[Any, Any, T]) -> T:
    """Runs a command's calls under one trace; a refusal becomes its lines on stderr and exit code 1."""

    async def traced() -> T:
        with tracing.begun():
            return await work

    with refusals_told():
        return asyncio.run(traced())


@contextmanager
def refusals_told() -> Iterator[None]:
    """A refusal within the block becomes its lines on stderr and exit code 1."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        _refuse(from_rpc_error(error))
    except Refused as refused:
        _refuse(refused)
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def _refuse(refused: Refused) -> NoReturn:
    if refused.kind == Kind.PERMISSION_DENIED and (for_others := _FOR_OTHERS.match(refused.message)):
        # Whoever types commands knows no method by its name.
        fail(sentence("refused", why=sentence("not_for_you", roles=", ".join(map(word, for_others[1].split(", "))))))
    if len(refused.violations) == 1:
        # What is due before something else can be done says little without the something.
        about = f"{refused.message}: " if refused.kind == Kind.FAILED_PRECONDITION else ""
        fail(sentence("refused", why=f"{about}{refused.violations[0]}"))
    fail(sentence("refused", why=refused.message), *(f"  {violation}" for violation in refused.violations))


def new_request_id() -> str:
    """A request_id for a command that is run once."""
    return naming.new_id()


async def every_page(call: Callable[[str], Awaitable[T]], items: Callable[[T], Any]) -> list[Any]:
    """All items of a paged list; `call` takes a page token."""
    found: list[Any] = []
    token = ""
    while True:
        page = await call(token)
        found += items(page)
        token = page.next_page_token  # type: ignore[attr-defined]
        if not token:
            return found
