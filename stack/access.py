"""Who outside of the system hears which facts from the broker: its accounts, and the durables that they read.

A user of JetStream's own interface chooses where the server sends what it asks for, a subject of a stream or of the
interface itself among them. So a subscriber has an account apart, into which the reading of its consumers is exported,
and makes no consumer: whoever makes one chooses what it lets through. The platform makes them (`grant`)."""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from livinglab.common.v1 import options_pb2
from livinglab.events.names import durable_name, filters, stream_of
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig
from nats.js.errors import NotFoundError

from chassis import naming
from chassis.errors import Violation, invalid, invalid_field
from chassis.events import facts
from chassis.events.durables import lags

# Of the services. Whoever says no name is one of them where `open` is set: on a laptop and in a cluster for trials.
SYSTEM = "livinglab"
# How a subscriber's account names what it may ask of JetStream; its own account has none.
API = "livinglab.API"
_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
_CODE = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_ACK_SECONDS = 30
_CALLS = ("CONSUMER.INFO", "CONSUMER.MSG.NEXT")


@dataclass(frozen=True)
class Subscriber:
    """One who hears what these filters let through."""

    name: str
    filters: tuple[str, ...]

    @property
    def places(self) -> Sequence[tuple[str, str, str]]:
        """Stream, durable and filter of each."""
        return [(stream_of(one), durable_name(self.name, one), one) for one in self.filters]

    @property
    def password_variable(self) -> str:
        """What holds the password in the environment of the broker."""
        return f"NATS_PASSWORD_{self.name.upper().replace('-', '_')}"


def read(path: Path) -> list[Subscriber]:
    """The subscribers of a file; INVALID_ARGUMENT names each fault."""
    faults: list[Violation] = []
    found: list[Subscriber] = []
    for i, row in enumerate(_rows(path)):
        try:
            found.append(_subscriber(row))
        except (ValueError, TypeError) as error:
            faults.append(Violation(f"subscribers[{i}]", str(error)))
    names = [one.name for one in found]
    faults += [
        Violation("subscribers", f"{name} is there twice") for name in sorted(set(names)) if names.count(name) > 1
    ]
    if faults:
        raise invalid(faults)
    return found


def _rows(path: Path) -> list[Any]:
    try:
        content = yaml.safe_load(path.read_text("utf-8-sig")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise invalid_field(path.name, f"cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict) or set(content) - {"subscribers"}:
        raise invalid_field(path.name, "holds something other than `subscribers`")
    rows = content.get("subscribers") or []
    if not isinstance(rows, list):
        raise invalid_field("subscribers", "is no list")
    return rows


def _subscriber(row: Any) -> Subscriber:
    if not isinstance(row, dict):
        raise TypeError("is no mapping with a name")
    if unknown := set(map(str, row)) - {"name", "hears", "institution", "subjects"}:
        raise ValueError(f"{', '.join(sorted(unknown))}: not known")
    name, code = str(row.get("name", "")), str(row.get("institution", ""))
    if not _NAME.fullmatch(name):
        raise ValueError(f"name {name!r} is not small letters, digits and -, at most 40")
    subjects = row.get("subjects") or []
    if not isinstance(subjects, list):
        raise TypeError("subjects: is no list")
    asked = [str(one) for one in subjects]
    match row.get("hears"):
        case "public":
            asked += (naming.subject_filter(kind) for kind in _heard_by(options_pb2.AUDIENCE_PUBLIC))
        case "institution" if _CODE.fullmatch(code):
            asked += _of_institution(code)
        case "institution":
            raise ValueError("institution: a code is needed, in quotes")
        case None:
            pass
        case other:
            raise ValueError(f"hears: {other} is neither public nor institution")
    return Subscriber(name, tuple(filters(asked, facts.services())))


def _of_institution(code: str) -> Iterator[str]:
    """Of its own alone, to the last token: facts of 32.11 are none of 32.11.01's."""
    for kind in _heard_by(options_pb2.AUDIENCE_INSTITUTION):
        yield naming.subject_filter(kind).removesuffix(">") + code


def _heard_by(audience: int) -> list[Any]:
    return [kind for kind in facts.kinds().values() if facts.audience(kind) == audience]


def accounts(subscribers: Sequence[Subscriber], *, open: bool) -> str:  # noqa: A002
    """The broker's accounts, for its configuration file. Passwords come from its environment. Where `open`, whoever
    names nobody is the system; else it is `user: livinglab` with a password of its own."""
    system = "{user: livinglab}" if open else "{user: livinglab, password: $NATS_PASSWORD_LIVINGLAB}"
    exports, others = [], []
    for one in subscribers:
        account, imports, allowed = f"subscriber-{one.name}", [], []
        for stream, durable, _ in one.places:
            for call in _CALLS:
                kind = ", response_type: stream" if call == "CONSUMER.MSG.NEXT" else ""
                subject = f"{call}.{stream}.{durable}"
                exports.append(f'{{service: "$JS.API.{subject}"{kind}, accounts: [{account}]}}')
                imports.append(
                    f'{{service: {{account: {SYSTEM}, subject: "$JS.API.{subject}"}}, to: "{API}.{subject}"}}'
                )
                allowed.append(f'"{API}.{subject}"')
            ack = f'"$JS.ACK.{stream}.{durable}.>"'
            exports.append(f"{{service: {ack}, accounts: [{account}]}}")
            imports.append(f"{{service: {{account: {SYSTEM}, subject: {ack}}}}}")
            allowed.append(ack)
        may = f'{{publish: {{allow: [{", ".join(allowed)}]}}, subscribe: {{allow: ["_INBOX.>"]}}}}'
        user = f"{{user: {one.name}, password: ${one.password_variable}, permissions: {may}}}"
        others.append(f"  {account}: {{\n    users: [{user}]\n    imports: [\n{_indented(imports)}    ]\n  }}\n")
    own = f"  {SYSTEM}: {{\n    jetstream: enabled\n    users: [{system}]\n"
    own += f"    exports: [\n{_indented(exports)}    ]\n  }}\n"
    return ("no_auth_user: livinglab\n" if open else "") + f"accounts {{\n{own}{''.join(others)}}}\n"


def _indented(lines: Sequence[str]) -> str:
    return "".join(f"      {line}\n" for line in lines)


def local_accounts() -> str:
    """Of the file in LIVINGLAB_SUBSCRIBERS, for the embedded broker; nothing without one. A password that the
    environment does not have is the name."""
    file = os.environ.get("LIVINGLAB_SUBSCRIBERS", "")
    if not file:
        return ""
    subscribers = read(Path(file))
    for one in subscribers:
        os.environ.setdefault(one.password_variable, one.name)
    return accounts(subscribers, open=True)


async def grant(js: JetStreamContext, subscribers: Sequence[Subscriber]) -> tuple[list[str], list[str]]:
    """Makes the durables that are not there, each at the beginning, and takes away those of these subscribers that they
    may no longer read; the names of what was made and of what has to wait, since the service has not published yet."""
    made, missing = [], []
    for one in subscribers:
        for stream, durable, wanted in one.places:
            config = ConsumerConfig(
                durable_name=durable,
                description=f"of {one.name}, who is outside",
                ack_policy=AckPolicy.EXPLICIT,
                ack_wait=_ACK_SECONDS,
                max_deliver=-1,
                max_ack_pending=1,
                filter_subject=wanted,
            )
            try:
                await js.consumer_info(stream, durable)
            except NotFoundError:
                try:
                    await js.add_consumer(stream, config)
                    made.append(f"{stream} {durable}")
                except NotFoundError:
                    missing.append(f"{stream} {durable}")
    await _take_away(js, subscribers)
    return made, missing


async def _take_away(js: JetStreamContext, subscribers: Sequence[Subscriber]) -> None:
    kept = {durable for one in subscribers for _, durable, _ in one.places}
    names = {one.name for one in subscribers}
    for service in facts.services():
        there = [lag.durable async for lag in lags(js, service)]
        for durable in there:
            if durable.rpartition("_")[0] in names and durable not in kept:
                await js.delete_consumer(naming.stream(service), durable)
