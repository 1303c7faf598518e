"""Facts for a subscriber outside of the services: every kind that the contracts know, and following them live."""

import asyncio
import base64
import importlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import livinglab
import nats
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from livinglab.common.v1 import options_pb2
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.api import ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError

from chassis import naming, tls
from chassis.config import Settings
from chassis.errors import unavailable

_CONNECT_SECONDS = 5.0
# What has come and is not shown yet; beyond it the server waits.
_AHEAD = 1_000
# Handed out together, where so many have come.
_TOGETHER = 100
# For those who must go on without the broker for a while.
Broker = Client
BrokerFailure = (NatsError, TimeoutError, OSError)


@dataclass(frozen=True)
class Fact:
    """One event of a stream. `event` is None where this version does not know its type, or cannot read it."""

    stream: str
    place: int
    subject: str
    headers: Mapping[str, str]
    payload: bytes
    event: Any

    @property
    def type(self) -> str:
        """Full name of the message."""
        return self.headers.get("ce-type", "")


@cache
def kinds() -> Mapping[str, type[Message]]:
    """Every event of the contract by its full name."""
    found: dict[str, type[Message]] = {}
    for folder in map(Path, livinglab.__path__):
        for path in sorted(folder.rglob("*events_pb2.py")):
            name = ".".join(("livinglab", *path.relative_to(folder).with_suffix("").parts))
            for descriptor in importlib.import_module(name).DESCRIPTOR.message_types_by_name.values():
                if naming.is_event(descriptor):
                    found[descriptor.full_name] = GetMessageClass(descriptor)
    return found


def services() -> list[str]:
    """Who publishes facts."""
    return sorted({naming.owner(kind) for kind in kinds().values()})


def audience(kind: type[Message]) -> int:
    """Who outside may hear it."""
    return int(kind.DESCRIPTOR.GetOptions().Extensions[options_pb2.event].audience)


def cloud_event(fact: Fact, event: Any = None) -> dict[str, object]:
    """The fact in the JSON format of CloudEvents, its protobuf written out: as it is, or as `event` shows it; `stream`
    and `place` say where it is."""
    event = event or fact.event
    attributes: dict[str, object] = {
        name.removeprefix("ce-"): unquote(value) for name, value in fact.headers.items() if name.startswith("ce-")
    }
    if traceparent := fact.headers.get(naming.TRACEPARENT):
        attributes["traceparent"] = traceparent
    attributes |= {"natssubject": fact.subject, "stream": fact.stream, "place": fact.place}
    if event is None:
        return attributes | {"data_base64": base64.b64encode(fact.payload).decode()}
    data = MessageToDict(event, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
    return attributes | {"datacontenttype": "application/json", "data": data}


def read(event_type: str, payload: bytes) -> Any:
    """The event, or None where it cannot be read."""
    kind = kinds().get(event_type)
    try:
        return kind.FromString(payload) if kind else None
    except DecodeError:
        return None


@asynccontextmanager
async def following(
    url: str, subjects: Mapping[str, Sequence[str]], since: datetime | None
) -> AsyncIterator[tuple[list[str], AsyncIterator[Fact]]]:
    """The services whose streams there are, and their facts of these subjects, from that time on or from now on, as
    they come: each stream in its order. Refused with UNAVAILABLE where there is no broker."""
    waiting: asyncio.Queue[Msg] = asyncio.Queue(_AHEAD)
    async with connected(url) as nc:
        found = [service for service in subjects if await _subscribe(nc, service, subjects[service], since, waiting)]
        yield found, _facts(waiting)


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Client]:
    """A connection to the broker for the length of the block, by TLS as the settings say; UNAVAILABLE where there is
    none."""

    async def quiet(_: Exception) -> None:
        """It connects again by itself, and goes on where it was."""

    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            context = tls.of(Settings()).context()
            nc = await nats.connect(url, name="livinglab", max_reconnect_attempts=-1, error_cb=quiet, tls=context)
    except (NatsError, OSError, TimeoutError) as error:
        raise unavailable("NATS") from error
    try:
        yield nc
    finally:
        await nc.close()


async def _subscribe(
    nc: Client, service: str, subjects: Sequence[str], since: datetime | None, waiting: asyncio.Queue[Msg]
) -> bool:
    policy = DeliverPolicy.BY_START_TIME if since else DeliverPolicy.NEW
    config = ConsumerConfig(deliver_policy=policy, opt_start_time=since, filter_subjects=list(subjects))
    stream = naming.stream(service)
    try:
        # One that the server forgets with the connection, and that misses nothing.
        await nc.jetstream().subscribe("", stream=stream, cb=waiting.put, ordered_consumer=True, config=config)
    except NotFoundError:
        return False
    return True


class NoStream(Exception):
    """The service has published nothing yet."""


@asynccontextmanager
async def coming(
    nc: Client, service: str, subjects: Sequence[str], after: int | None, since: datetime
) -> AsyncIterator[AsyncIterator[list[Fact]]]:
    """The facts of one service behind a place of its stream, or since a time where it is None, then those to come: in
    order, as many as there are at once. NoStream."""
    waiting: asyncio.Queue[Msg] = asyncio.Queue(_AHEAD)
    config = ConsumerConfig(filter_subjects=list(subjects))
    if after is None:
        config.deliver_policy, config.opt_start_time = DeliverPolicy.BY_START_TIME, since
    else:
        config.deliver_policy, config.opt_start_seq = DeliverPolicy.BY_START_SEQUENCE, after + 1
    try:
        reading = await nc.jetstream().subscribe(
            "", stream=naming.stream(service), cb=waiting.put, ordered_consumer=True, config=config
        )
    except NotFoundError as error:
        raise NoStream(service) from error
    try:
        yield _batches(waiting)
    finally:
        with suppress(NatsError):
            await reading.unsubscribe()


async def _batches(waiting: asyncio.Queue[Msg]) -> AsyncIterator[list[Fact]]:
    while True:
        found = [_fact(await waiting.get())]
        while len(found) < _TOGETHER and not waiting.empty():
            found.append(_fact(waiting.get_nowait()))
        yield found


async def _facts(waiting: asyncio.Queue[Msg]) -> AsyncIterator[Fact]:
    while True:
        yield _fact(await waiting.get())


def _fact(msg: Msg) -> Fact:
    headers, metadata = dict(msg.headers or {}), msg.metadata
    event = read(headers.get("ce-type", ""), msg.data)
    return Fact(metadata.stream, metadata.sequence.stream, msg.subject, headers, msg.data, event)
