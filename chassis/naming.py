"""The one place where ids, subjects, streams and header names are made."""

import random
import re
import time
import uuid
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import quote

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from livinglab.common.v1 import options_pb2

# Of binary mode CloudEvents over NATS.
CE_ID = "ce-id"
CE_SUBJECT = "ce-subject"
CE_SEQUENCE = "ce-sequence"
TRACEPARENT = "traceparent"
MESSAGE_ID = "Nats-Msg-Id"
CONTENT_TYPE = "application/protobuf"

_PACKAGE = "livinglab."
# Seeded by the system once: ids must be unique, not secret, and a system call for each is dear.
_random = random.Random()
_TOKEN = re.compile(r"[^\s.*>]+")
# An absolute URI (RFC 3986, 4.3: no fragment), by the grammar of package URLs: the file of the schema package that has
# the message of ce-type. It names no version: what a package of today holds, one of tomorrow holds too.
_DATA_SCHEMA = "pkg:pypi/livinglab-protos?file="
# What a header holds as it is (CloudEvents, binary mode): of ASCII what is printed, but for space, quotes and percent.
_PLAIN = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')


def new_id() -> str:
    """A UUID of version 7 (RFC 9562): unique, and sortable by the time it was made."""
    value = (time.time_ns() // 1_000_000) << 80 | _random.getrandbits(80)
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=value))


def is_event(descriptor: Descriptor) -> bool:
    """Events are the messages that carry the event option."""
    return bool(descriptor.GetOptions().HasExtension(options_pb2.event))


@cache
def _subject_parts(descriptor: Descriptor) -> tuple[str, tuple[str, ...]]:
    if not is_event(descriptor):
        raise TypeError(f"{descriptor.full_name} is not an event")
    return descriptor.full_name.removeprefix(_PACKAGE), tuple(
        descriptor.GetOptions().Extensions[options_pb2.event].subject
    )


def subject(event: Message) -> str:
    """assessment.v1.EvaluationSubmitted.32.11: the type, then the aggregate's id tokens."""
    prefix, fields = _subject_parts(event.DESCRIPTOR)
    tokens = [prefix]
    for field in fields:
        value = str(getattr(event, field))
        if not all(_TOKEN.fullmatch(token) for token in value.split(".")):
            raise ValueError(f"{event.DESCRIPTOR.full_name}.{field} cannot stand in a subject: {value!r}")
        tokens.append(value)
    return ".".join(tokens)


def ce_headers(event: Any, source: str) -> dict[str, str]:
    """The attributes of an event as headers, of which `source` tells it."""
    meta = event.meta
    when = meta.occurred_time.ToDatetime(UTC)
    return attributes(event.DESCRIPTOR.full_name, source, meta.event_id, when, meta.aggregate_id, meta.version)


def attributes(kind: str, source: str, event_id: str, when: datetime, aggregate: str, version: int) -> dict[str, str]:
    """The same from what is known of an event that is not read; `when` is aware."""
    return {
        "ce-specversion": "1.0",
        CE_ID: encoded(event_id),
        "ce-source": source,
        "ce-type": kind,
        "ce-time": when.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        CE_SUBJECT: encoded(aggregate),
        CE_SEQUENCE: str(version),
        "ce-datacontenttype": CONTENT_TYPE,
        "ce-dataschema": data_schema(kind),
    }


def encoded(value: str) -> str:
    """Percent-encoded as CloudEvents asks of a header's value."""
    return quote(value, safe=_PLAIN)


@cache
def data_schema(kind: str) -> str:
    """Where the schema package has the message of that full name; the file is not known for one of another version."""
    try:
        file = descriptor_pool.Default().FindMessageTypeByName(kind).file.name
    except KeyError:
        file = "/".join(kind.split(".")[:-1])
    return _DATA_SCHEMA + file


def subject_filter(event_class: type[Message]) -> str:
    """Every subject of one kind of event."""
    return _subject_parts(event_class.DESCRIPTOR)[0] + ".>"


def owner(event_class: type[Message]) -> str:
    """The service that publishes the event."""
    return event_class.DESCRIPTOR.full_name.removeprefix(_PACKAGE).split(".", 1)[0]


def stream(service: str) -> str:
    """The stream of a service's events."""
    return service.upper()


def stream_subjects(service: str) -> list[str]:
    """What that stream holds: each version of the service's events."""
    return [f"{service}.*.>"]


def durable(service: str, event_class: type[Message]) -> str:
    """Where a service stands among the facts of one kind: benchmark_v1_EvaluationSubmitted."""
    _, version, kind = _subject_parts(event_class.DESCRIPTOR)[0].split(".")
    return f"{service}_{version}_{kind}"


def deliver_subject(stream_name: str, durable: str) -> str:
    """Where the server hands one consumer group its messages."""
    return f"deliver.{stream_name}.{durable}"
