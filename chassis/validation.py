"""Checks every request against the field rules of its proto, and names all faults at once. The rules are compiled once
per message. Checking stops early for a huge request, so that one caller cannot hold up the others."""

import re
import zoneinfo
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from livinglab.common.v1 import options_pb2

from chassis.errors import Violation
from chassis.forms import periods
from chassis.forms.addresses import is_address, is_link

Check = Callable[[Message, str, list[Violation]], None]
Fault = Callable[[Any], str | None]


MOST_FAULTS = 50
# Protobuf's own are the years 1 to 9999, at whose ends no day can be added or taken away.
_EARLIEST, _LATEST = datetime(1800, 1, 1, tzinfo=UTC), datetime(3000, 1, 1, tzinfo=UTC)
_SECONDS = range(int(_EARLIEST.timestamp()), int(_LATEST.timestamp()))


class _Enough(Exception):
    """What was found is enough to refuse the request."""


class _Faults(list[Violation]):
    """The faults found so far; no more than people read."""

    def append(self, fault: Violation) -> None:
        """Ends the search at the fiftieth."""
        super().append(fault)
        if len(self) >= MOST_FAULTS:
            raise _Enough


def violations(message: Message) -> list[Violation]:
    """The faults of a request, with their field paths: all of them, or those up to the first list that is too long,
    or the first fifty. Empty when it is well formed."""
    found = _Faults()
    try:
        for check in _checks(message.DESCRIPTOR):
            check(message, "", found)
    except _Enough:
        found.extend([Violation("", "is not looked at any further: there may be more faults")])
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
    faults = tuple(_scalar_faults(field, rules))
    if faults and field.is_repeated:
        yield _scalars(field.name, faults)
    elif faults:
        yield _scalar(field.name, faults, "" if field.type == FieldDescriptor.TYPE_STRING else None)
    inner = field.message_type
    if inner is not None and inner.full_name == "google.protobuf.Timestamp":
        yield _times(field.name) if field.is_repeated else _time(field.name)
    if inner is not None and _own(inner) and not inner.GetOptions().map_entry:
        yield _each_nested(field.name, inner) if field.is_repeated else _nested(field.name, inner)


def _own(descriptor: Descriptor) -> bool:
    return bool(descriptor.full_name.startswith("livinglab."))


def _required(field: FieldDescriptor) -> Check:
    name, by_presence = field.name, field.has_presence

    def check(message: Message, path: str, found: list[Violation]) -> None:
        present = message.HasField(name) if by_presence else getattr(message, name)
        if not present:
            found.append(Violation(path + name, "is required"))

    return check


def _most_items(name: str, most: int) -> Check:
    def check(message: Message, path: str, found: list[Violation]) -> None:
        count = len(getattr(message, name))
        if count > most:
            found.append(Violation(path + name, f"has {count} items; at most {most} are taken"))
            # Nobody looks at what is in it.
            raise _Enough

    return check


def _scalar(name: str, faults: tuple[Fault, ...], empty: object) -> Check:
    """An empty string says nothing and has no shape; a number always counts."""

    def check(message: Message, path: str, found: list[Violation]) -> None:
        value = getattr(message, name)
        if value != empty:
            _first_fault(value, faults, path + name, found)

    return check


def _scalars(name: str, faults: tuple[Fault, ...]) -> Check:
    def check(message: Message, path: str, found: list[Violation]) -> None:
        for i, value in enumerate(getattr(message, name)):
            _first_fault(value, faults, f"{path}{name}[{i}]", found)

    return check


def _first_fault(value: Any, faults: tuple[Fault, ...], place: str, found: list[Violation]) -> None:
    for fault in faults:
        description = fault(value)
        if description is not None:
            found.append(Violation(place, description))
            return


def _nested(name: str, inner: Descriptor) -> Check:
    # The rules of the inner message are looked up at the call, since a message may contain itself.
    def check(message: Message, path: str, found: list[Violation]) -> None:
        if message.HasField(name):
            value = getattr(message, name)
            for nested in _checks(inner):
                nested(value, f"{path}{name}.", found)

    return check


def _time(name: str) -> Check:
    def check(message: Message, path: str, found: list[Violation]) -> None:
        if message.HasField(name):
            _first_fault(getattr(message, name), (_moment,), path + name, found)

    return check


def _times(name: str) -> Check:
    return _scalars(name, (_moment,))


def _moment(value: Timestamp) -> str | None:
    if value.seconds in _SECONDS and 0 <= value.nanos < 10**9:
        return None
    return "must be a time between 1800 and 3000"


def _each_nested(name: str, inner: Descriptor) -> Check:
    def check(message: Message, path: str, found: list[Violation]) -> None:
        checks = _checks(inner)
        for i, item in enumerate(getattr(message, name) if checks else ()):
            place = f"{path}{name}[{i}]."
            for nested in checks:
                nested(item, place, found)

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
    compiled = re.compile(pattern, re.ASCII)
    return lambda value: None if compiled.fullmatch(value) else description


def _date(value: str) -> str | None:
    try:
        day = date.fromisoformat(value)
        # Python reads week dates too.
        valid = day.isoformat() == value and _EARLIEST.year <= day.year < _LATEST.year
    except ValueError:
        valid = False
    return None if valid else "must be a date such as 2022-11-01, between 1800 and 3000"


def _time_zone(value: str) -> str | None:
    return None if value in zoneinfo.available_timezones() else "must be a time zone such as Asia/Jakarta"


_FORMATS: dict[int, Fault] = {
    options_pb2.FORMAT_ID: _shape(
        r"[A-Za-z0-9][A-Za-z0-9_:-]*(\.[A-Za-z0-9_:-]+)*",
        # Dots part the tokens of a subject, and no token is empty.
        "must start with a letter or digit and hold only those, - _ : and single dots within",
    ),
    options_pb2.FORMAT_CODE: _shape(
        r"[A-Za-z0-9][A-Za-z0-9_:()-]*(\.[A-Za-z0-9_:()-]+)*",
        "must start with a letter or digit and hold only those, - _ : ( ) and single dots within",
    ),
    options_pb2.FORMAT_DECIMAL: _shape(r"-?\d{1,12}(\.\d{1,6})?", "must be a decimal such as 3 or 2.75"),
    options_pb2.FORMAT_DATE: _date,
    options_pb2.FORMAT_EMAIL: lambda value: None if is_address(value) else "must be an e-mail address",
    options_pb2.FORMAT_LANGUAGE: _shape(r"id|en", "must be id or en"),
    options_pb2.FORMAT_TIME_ZONE: _time_zone,
    options_pb2.FORMAT_LINK: lambda value: (
        None if is_link(value) else "must be a web address such as https://a.example/b"
    ),
    options_pb2.FORMAT_PERIOD: _shape(periods.FORM, f"must be {periods.EXAMPLES}"),
}
