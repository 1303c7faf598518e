"""One fact as a subscriber gets it, decoded, and every kind that this version of the package knows."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import livinglab
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from nats.aio.msg import Msg


@dataclass(frozen=True)
class Fact:
    """`data` is the message, or None where this package does not know the type or cannot read it; `payload` is what
    came. `version` counts the versions of `subject`, the thing that it happened to (0 where nothing is said). `missed`
    is how many of its versions lie between the one last seen and this: those of kinds that are not subscribed to, and
    what was lost or purged. `stale` where a newer one was seen before."""

    id: str
    type: str
    source: str
    subject: str
    version: int
    time: datetime | None
    address: str
    stream: str
    place: int
    data: Any
    payload: bytes
    headers: Mapping[str, str]
    missed: int = 0
    stale: bool = False

    @property
    def name(self) -> str:
        """Last part of the type: EvaluationSubmitted."""
        return self.type.rpartition(".")[2]

    @property
    def rehearsal(self) -> str:
        """The rehearsal that it belongs to; empty when it is real."""
        return str(self.data.meta.rehearsal) if self.data is not None else ""


@cache
def kinds() -> Mapping[str, type[Message]]:
    """Every fact of the contract by its full name."""
    found: dict[str, type[Message]] = {}
    for folder in map(Path, livinglab.__path__):
        for path in sorted(folder.glob("*/*/*events_pb2.py")):
            name = ".".join(("livinglab", *path.relative_to(folder).with_suffix("").parts))
            for descriptor in importlib.import_module(name).DESCRIPTOR.message_types_by_name.values():
                first = descriptor.fields_by_number.get(1)
                if first is not None and first.name == "meta":
                    found[descriptor.full_name] = GetMessageClass(descriptor)
    return found


def services() -> list[str]:
    """Who publishes facts."""
    return sorted({name.split(".")[1] for name in kinds()})


def decoded(msg: Msg) -> Fact:
    """The fact in a message of a stream."""
    headers = dict(msg.headers or {})
    kind = headers.get("ce-type", "")
    metadata = msg.metadata
    version = headers.get("ce-sequence", "")
    return Fact(
        id=unquote(headers.get("ce-id", "")) or f"{metadata.stream}:{metadata.sequence.stream}",
        type=kind,
        source=unquote(headers.get("ce-source", "")),
        subject=unquote(headers.get("ce-subject", "")),
        version=int(version) if version.isdecimal() else 0,
        time=_time(headers.get("ce-time", "")),
        address=msg.subject,
        stream=metadata.stream,
        place=metadata.sequence.stream,
        data=_read(kind, msg.data),
        payload=msg.data,
        headers=headers,
    )


def _time(value: str) -> datetime | None:
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None


def _read(kind: str, payload: bytes) -> Any:
    message = kinds().get(kind)
    try:
        return message.FromString(payload) if message else None
    except DecodeError:
        return None
