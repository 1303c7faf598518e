"""The one place where ids, subjects, streams and header names are made."""

import random
import re
import time
import uuid
from functools import cache

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from livinglab.common.v1 import options_pb2

# Of binary mode CloudEvents over NATS.
CE_ID = "ce-id"
CE_SUBJECT = "ce-subject"
CE_SEQUENCE = "ce-sequence"
TRACEPARENT = "traceparent"
MESSAGE_ID = "Nats-Msg-Id"

_PACKAGE = "livinglab."
# Seeded by the system once: ids must be unique, not secret, and a system call for each is dear.
_random = random.Random()
_TOKEN = re.compile(r"[^\s.*>]+")


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
