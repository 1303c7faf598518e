"""Field rules of the protos, compiled once per message and enforced on every request, all faults at once."""

import re
import zoneinfo
from collections.abc import Callable, Iterator
from datetime import date
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from livinglab.common.v1 import options_pb2

from chassis.errors import Violation

Check = Callable[[Message, str], Iterator[Violation]]
Fault = Callable[[Any], str | None]


def violations(message: Message) -> list[Violation]:
    """Every fault of a request, with its field path; empty when it is well formed."""
    found: list[Violation] = []
    for check in _checks(message.DESCRIPTOR):
        found.extend(check(message, ""))
    return found


@cache
def _checks(descriptor: Descriptor) -> tuple[Check, ...]:
    return tuple(check for field in descriptor.fields for check in _field_checks(field))


def _field_checks(field: FieldDescriptor) -> Iterator[Check]:
    rules = field.GetOptions().Extensions[options_pb2.rules]
    if rules.required:
        yield _required(field)
    if rules.max_size and field.is_repeated:
        yield _most_items(field.name, rules.max_size)
    scalar = tuple(_scalar_faults(field, rules))
    if scalar:
        yield _each_scalar(field, scalar)
    if field.type == FieldDescriptor.TYPE_MESSAGE and _own(field.message_type) and not _is_map(field):
        yield _nested(field)


def _own(descriptor: Descriptor | None) -> bool:
    return descriptor is not None and bool(descriptor.full_name.startswith("livinglab."))


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)


def _required(field: FieldDescriptor) -> Check:
    name, by_presence = field.name, field.has_presence

    def check(message: Message, path: str) -> Iterator[Violation]:
        present = message.HasField(name) if by_presence else bool(getattr(message, name))
        if not present:
            yield Violation(path + name, "is required")

    return check


def _most_items(name: str, most: int) -> Check:
    def check(message: Message, path: str) -> Iterator[Violation]:
        count = len(getattr(message, name))
        if count > most:
            yield Violation(path + name, f"has {count} items; at most {most} are taken")

    return check


def _each_scalar(field: FieldDescriptor, faults: tuple[Fault, ...]) -> Check:
    name, repeated = field.name, field.is_repeated

    def check(message: Message, path: str) -> Iterator[Violation]:
        value = getattr(message, name)
        values = [(f"{name}[{i}]", item) for i, item in enumerate(value)] if repeated else [(name, value)]
        for place, item in values:
            if item or (item == 0 and not isinstance(item, str | bytes)):
                for fault in faults:
                    if (description := fault(item)) is not None:
                        yield Violation(path + place, description)
                        break

    return check


def _nested(field: FieldDescriptor) -> Check:
    name, repeated = field.name, field.is_repeated
    # Looked up at the call, since a message may contain itself.
    inner = field.message_type
    assert inner is not None

    def check(message: Message, path: str) -> Iterator[Violation]:
        checks = _checks(inner)
        if not checks:
            return
        if repeated:
            for i, item in enumerate(getattr(message, name)):
                for nested in checks:
                    yield from nested(item, f"{path}{name}[{i}].")
        elif message.HasField(name):
            for nested in checks:
                yield from nested(getattr(message, name), f"{path}{name}.")

    return check


def _scalar_faults(field: FieldDescriptor, rules: options_pb2.Rules) -> Iterator[Fault]:
    if field.type == FieldDescriptor.TYPE_STRING:
        if rules.max_size and not field.is_repeated:
            yield _longer_than(rules.max_size)
        elif field.is_repeated:
            yield _longer_than(4000)
        if rules.format:
            yield _FORMATS[rules.format]
    elif field.type == FieldDescriptor.TYPE_BYTES:
        if rules.max_size:
            yield _longer_than(rules.max_size, "bytes")
    elif field.type == FieldDescriptor.TYPE_ENUM:
        enum = field.enum_type
        assert enum is not None
        known, name = set(enum.values_by_number), enum.name
        yield lambda value: None if value in known else f"{value} is not one of {name}"
    elif rules.bounded:
        low, high = rules.min, rules.max
        yield lambda value: None if low <= value <= high else f"must be between {low} and {high}"


def _longer_than(most: int, unit: str = "characters") -> Fault:
    return lambda value: None if len(value) <= most else f"has {len(value)} {unit}; at most {most} are taken"


def _shape(pattern: str, description: str) -> Fault:
    compiled = re.compile(pattern)
    return lambda value: None if compiled.fullmatch(value) else description


def _date(value: str) -> str | None:
    try:
        date.fromisoformat(value)
    except ValueError:
        return "must be a date such as 2022-11-01"
    return None if len(value) == 10 else "must be a date such as 2022-11-01"


def _time_zone(value: str) -> str | None:
    return None if value in zoneinfo.available_timezones() else "must be a time zone such as Asia/Jakarta"


_FORMATS: dict[int, Fault] = {
    options_pb2.FORMAT_ID: _shape(
        r"[A-Za-z0-9][A-Za-z0-9._:-]*", "must start with a letter or digit and hold only those, . - _ :"
    ),
    options_pb2.FORMAT_DECIMAL: _shape(r"-?\d{1,12}(\.\d{1,6})?", "must be a decimal such as 3 or 2.75"),
    options_pb2.FORMAT_DATE: _date,
    options_pb2.FORMAT_EMAIL: _shape(
        r"[A-Za-z0-9._%+'-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", "must be an e-mail address"
    ),
    options_pb2.FORMAT_LANGUAGE: _shape(r"id|en", "must be id or en"),
    options_pb2.FORMAT_TIME_ZONE: _time_zone,
    options_pb2.FORMAT_PERIOD: _shape(r"(19|20)\d\d(-\d{1,2})?", "must be a period such as 2022 or 2022-1"),
}
