"""One service in the test's own event loop: its real wiring, server, relay and consumer, on the real servers."""

import importlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc.aio
import motor.frameworks.asyncio
import nats
import pytest
from google.protobuf.message import Message
from pydantic import SecretStr

from chassis import mongo, naming, rpc
from chassis.config import Settings
from chassis.errors import Refused
from chassis.events import stream
from chassis.runtime import Process
from chassis.status import from_rpc_error
from stack.issuer import AUDIENCE, ISSUER, Issuer
from stack.ports import free_ports

S = TypeVar("S")
E = TypeVar("E", bound=Message)

# The driver has one pool of threads a process, five a processor, and each change stream holds one of them while it
# waits. Services that have a process each would wait here for each other's. Not by the driver's environment variable:
# processes that tests start would inherit it, and they are to run as they do anywhere.
motor.frameworks.asyncio._EXECUTOR = ThreadPoolExecutor(64, "motor")

# Roles that an account has in one institution.
BOUND = ("operator", "head", "secretary", "regent", "agency")


@dataclass
class Running:
    """A service that answers; `db` is its database, for looking only."""

    process: Process
    address: str
    issuer: Issuer
    db: mongo.Database
    nats_url: str
    stack: AsyncExitStack

    def as_role(self, stub: Callable[[grpc.aio.Channel], S], role: str, institution: str = "", subject: str = "") -> S:
        """The service's stub for a person of that role."""
        return self.with_token(stub, self.issuer.token(role, institution=institution, subject=subject))

    def as_agency(self, stub: Callable[[grpc.aio.Channel], S], institution: str, agency: str) -> S:
        """The service's stub for somebody of an agency of an institution."""
        token = self.issuer.token("agency", institution=institution, agency=agency, subject=f"{agency}@{institution}")
        return self.with_token(stub, token)

    def with_token(self, stub: Callable[[grpc.aio.Channel], S], token: str) -> S:
        """The service's stub with any token."""
        channel = rpc.channel(self.address, lambda: f"Bearer {token}")
        self.stack.push_async_callback(channel.close)
        return stub(channel)

    async def published(self, event: type[E]) -> list[E]:
        """Every event of that kind on the stream, oldest first."""
        return await published(self.nats_url, event)

    async def hear(self, event: Message, *, version: int = 1, **meta: str) -> None:
        """A fact of another service reaches this one; `meta` fills aggregate_id, cohort_id, rehearsal, event_id."""
        await publish(self.nats_url, event, version=version, **meta)


@asynccontextmanager
async def running_service(
    name: str, servers: Any, issuer: Issuer, nats_url: str, **settings: Any
) -> AsyncIterator[Running]:
    """Runs services.<name> until the block ends; every run has a database of its own, unless it is given the
    database_prefix of another."""
    port, metrics = free_ports(2)
    config = Settings(
        mongo_uri=SecretStr(servers.mongo_uri),
        database_prefix=settings.pop("database_prefix", f"t{secrets.token_hex(4)}_"),
        nats_url=SecretStr(nats_url),
        temporal_address=servers.temporal_address,
        smtp_address=f"{servers.smtp_host}:{servers.smtp_port}",
        rehearsal_smtp_address=settings.pop("rehearsal_smtp_address", f"{servers.smtp_host}:{servers.smtp_port}"),
        jwks_url=issuer.jwks_url,
        token_issuer=ISSUER,
        token_audience=AUDIENCE,
        listen=f"127.0.0.1:{port}",
        metrics_listen=f"127.0.0.1:{metrics}",
        grace_seconds=1,
        **settings,
    )
    main = importlib.import_module(f"services.{name}.__main__").main
    async with AsyncExitStack() as stack:
        process = Process(name, config, stack)
        await main(process)
        client = mongo.connect(servers.mongo_uri)
        stack.callback(client.close)
        db = mongo.Database(client, config.database_prefix + name)
        async with AsyncExitStack() as callers:
            yield Running(process, config.listen, issuer, db, nats_url, callers)
        process.stopping.set()
        assert await process.finish() == 0
        await client.drop_database(db.name)


async def refusal(call: Awaitable[object]) -> Refused:
    """How the call is refused; it must be."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    return from_rpc_error(raised.value)


async def publish(nats_url: str, event: Message, *, version: int = 1, **meta: str) -> None:
    """Puts an event on its stream as its owner's relay would."""
    payload, headers = as_published(event, version=version, **meta)
    nc = await nats.connect(nats_url)
    async with nc:
        js = nc.jetstream()
        # Whoever comes first makes the stream, as between processes.
        await stream.ensure_stream(js, naming.owner(type(event)), 1)
        await js.publish(naming.subject(event), payload, headers=headers)


def as_published(event: Message, *, version: int = 1, **meta: str) -> tuple[bytes, dict[str, str]]:
    """An event and its headers as they are on the stream."""
    about = event.meta  # type: ignore[attr-defined]
    about.version = version
    for key, value in {"aggregate_id": "a", "event_id": naming.new_id(), **meta}.items():
        setattr(about, key, value)
    about.occurred_time.GetCurrentTime()
    headers = {
        naming.MESSAGE_ID: about.event_id,
        naming.CE_ID: about.event_id,
        "ce-type": event.DESCRIPTOR.full_name,
        naming.CE_SUBJECT: about.aggregate_id,
        naming.CE_SEQUENCE: str(version),
    }
    return event.SerializeToString(), headers


async def published(nats_url: str, event: type[E]) -> list[E]:
    """Every event of one kind on its stream, oldest first."""
    nc = await nats.connect(nats_url)
    async with nc:
        js = nc.jetstream()
        stream = naming.stream(naming.owner(event))
        prefix = naming.subject_filter(event).removesuffix(">")
        last = (await js.stream_info(stream)).state.last_seq
        found = [await js.get_msg(stream, seq) for seq in range(1, last + 1)]
        return [event.FromString(m.data or b"") for m in found if (m.subject or "").startswith(prefix)]
