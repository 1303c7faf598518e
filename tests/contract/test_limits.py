"""Every limit that a proto states, at its value and one beyond: generated from the descriptors, so that a new field has
its test from the start."""

from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from livinglab.common.v1 import options_pb2

from chassis import auth, validation
from tests.contract.test_protos import METHODS

_INTEGERS = frozenset(
    {
        FieldDescriptor.TYPE_INT32,
        FieldDescriptor.TYPE_INT64,
        FieldDescriptor.TYPE_UINT32,
        FieldDescriptor.TYPE_UINT64,
    }
)
_DEEPEST = 5
Path = tuple[FieldDescriptor, ...]


def limited(descriptor: Descriptor, path: Path = ()) -> Iterator[Path]:
    """The way to every field with a limit, through the messages around it."""
    for field in descriptor.fields:
        rules = field.GetOptions().Extensions[options_pb2.rules]
        if rules.max_size or rules.bounded:
            yield (*path, field)
        inner = field.message_type
        if inner is None or inner.GetOptions().map_entry or not inner.full_name.startswith("livinglab."):
            continue
        if len(path) < _DEEPEST and inner not in [one.containing_type for one in path]:
            yield from limited(inner, (*path, field))


CASES = [(method, path) for method in METHODS for path in limited(method.input_type)]


def named(case: Any) -> str:
    return ".".join(one.name for one in case) if isinstance(case, tuple) else str(case.name)


def filled(descriptor: Descriptor, path: Path, set_to: Any) -> Message:
    """A message in which the field at the end of the way has that value, and nothing else is said."""
    message = message_factory.GetMessageClass(descriptor)()
    field, rest = path[0], path[1:]
    if rest:
        inner = filled(field.message_type, rest, set_to)  # type: ignore[arg-type]
        if field.is_repeated:
            getattr(message, field.name).append(inner)
        else:
            getattr(message, field.name).CopyFrom(inner)
    else:
        put(message, field, set_to)
    return message


def put(message: Message, field: FieldDescriptor, value: Any) -> None:
    if not field.is_repeated:
        setattr(message, field.name, value)
    elif field.message_type is not None and field.message_type.GetOptions().map_entry:
        for n in range(value):
            entry = getattr(message, field.name)
            entry[n if field.message_type.fields_by_name["key"].type in _INTEGERS else f"k{n}"] = (
                "" if field.message_type.fields_by_name["value"].type == FieldDescriptor.TYPE_STRING else 0
            )
    elif field.message_type is not None:
        blank = message_factory.GetMessageClass(field.message_type)()
        getattr(message, field.name).extend([blank] * value)
    elif field.type == FieldDescriptor.TYPE_STRING:
        getattr(message, field.name).extend(["1"] * value)
    else:
        getattr(message, field.name).extend([1] * value)


def at_and_beyond(field: FieldDescriptor) -> Iterator[tuple[Any, Any]]:
    rules = field.GetOptions().Extensions[options_pb2.rules]
    if field.is_repeated:
        yield rules.max_size, rules.max_size + 1
    elif rules.bounded:
        yield rules.max, rules.max + 1
        if rules.min > 0 or field.type in (FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_INT64):
            yield rules.min, rules.min - 1
    elif field.type == FieldDescriptor.TYPE_BYTES:
        yield b"x" * rules.max_size, b"x" * (rules.max_size + 1)
    else:
        # Characters are counted, not bytes; formats are of ASCII.
        one = "a" if rules.format else "é"
        yield one * rules.max_size, one * (rules.max_size + 1)


def faults_of(method: Any, path: Path, value: Any) -> list[str]:
    """What is said of the field itself; that others are missing is another matter."""
    place = ".".join(f"{one.name}[0]" if one.is_repeated and one is not path[-1] else one.name for one in path)
    found = validation.violations(filled(method.input_type, path, value))
    return [
        one.description
        for one in found
        if one.field == place and ("at most" in one.description or "must be between" in one.description)
    ]


@pytest.mark.parametrize(("method", "path"), CASES, ids=named)
def test_a_stated_limit_is_taken_at_its_value_and_refused_one_beyond(method: Any, path: Path) -> None:
    for value, beyond in at_and_beyond(path[-1]):
        assert not faults_of(method, path, value)
        assert faults_of(method, path, beyond)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: str(method.full_name))
def test_a_list_at_its_limit_fits_into_what_its_method_takes(method: Any) -> None:
    """Each list alone, with items of the smallest sensible size: else the limit of the list could never be reached."""
    most = auth.policy_of(method).max_request_bytes or 64 * 2**10
    for path in limited(method.input_type):
        field = path[-1]
        if field.is_repeated and len(path) == 1:
            (limit, _), *_ = at_and_beyond(field)
            assert filled(method.input_type, path, limit).ByteSize() <= most
