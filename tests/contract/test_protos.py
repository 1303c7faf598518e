"""The contract as a whole: policies, events, subjects, comments. What can drift silently must fail here."""

import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor, FileDescriptor, MethodDescriptor
from livinglab.common.v1 import meta_pb2, options_pb2

from chassis import auth, naming

PROTOS = Path(__file__).resolve().parents[2] / "protos"
SERVICES = ("assessment", "benchmark", "coaching", "notify", "program")
_ERROR = re.compile(r"NOT_FOUND|ALREADY_EXISTS|FAILED_PRECONDITION|ABORTED|INVALID_ARGUMENT|PERMISSION_DENIED")
# Who a comment may name as allowed to call.
_CALLERS = re.compile(
    r"manager|operator|head|secretar|regent|assessor|coach|platform|program|anybody|public|region user", re.IGNORECASE
)


def files() -> Iterator[FileDescriptor]:
    for path in sorted(PROTOS.rglob("*.proto")):
        name = str(path.relative_to(PROTOS)).removesuffix(".proto").replace("/", ".")
        yield importlib.import_module(f"{name}_pb2").DESCRIPTOR


METHODS = [m for file in files() for service in file.services_by_name.values() for m in service.methods]
EVENTS = [d for file in files() for d in file.message_types_by_name.values() if naming.is_event(d)]


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.full_name)
def test_every_method_says_who_may_call_it(method: MethodDescriptor) -> None:
    assert auth.policy_of(method).roles


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.full_name)
def test_the_comment_of_every_method_names_its_callers_and_that_of_a_read_its_errors(
    method: MethodDescriptor,
) -> None:
    service = method.containing_service
    assert service is not None
    text = (PROTOS / service.file.name).read_text()
    found = re.search(rf"((?:^  //[^\n]*\n)+)  rpc {method.name}\(", text, re.MULTILINE)
    assert found, f"{method.full_name} has no comment"
    comment = found.group(1)
    assert _CALLERS.search(comment), f"{method.full_name} does not say who may call"
    assert not method.name.startswith("Get") or _ERROR.search(comment) or method.name == "GetAggregate"


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.full_name)
def test_every_write_carries_a_request_id(method: MethodDescriptor) -> None:
    # A part of an upload is idempotent by its place in it.
    if not re.match(r"SendUpload|Get|List|Watch|Count|WhatIf|Compare|Preview|Download|Export", method.name):
        field = method.input_type.fields_by_name.get("request_id")
        assert field, f"{method.full_name} has no request_id"
        assert field.GetOptions().Extensions[options_pb2.rules].required


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.full_name)
def test_every_string_that_comes_in_is_bounded(method: MethodDescriptor) -> None:
    unbounded = [place for place, field in strings(method.input_type, "") if not bounded(field)]
    assert not unbounded, unbounded


def strings(descriptor: Descriptor, path: str, seen: tuple[str, ...] = ()) -> Iterator[tuple[str, FieldDescriptor]]:
    if descriptor.full_name in seen or not descriptor.full_name.startswith("livinglab."):
        return
    for field in descriptor.fields:
        if field.type == FieldDescriptor.TYPE_STRING:
            yield path + field.name, field
        elif field.message_type is not None and not field.message_type.GetOptions().map_entry:
            yield from strings(field.message_type, f"{path}{field.name}.", (*seen, descriptor.full_name))


def bounded(field: FieldDescriptor) -> bool:
    rules = field.GetOptions().Extensions[options_pb2.rules]
    # Definitions, rosters, instruments and their guidance are checked as a whole by their owner's own rules; what a
    # service fills in itself comes back unread.
    whole = ("definition.proto", "instrument.proto", "guidance.proto")
    holder = field.containing_type
    assert holder is not None
    return bool(
        rules.max_size
        or rules.format
        or field.is_repeated
        or holder.file.name.endswith(whole)
        or field.name.endswith("_by")
    )


@pytest.mark.parametrize("event", EVENTS, ids=lambda d: d.full_name)
def test_every_event_starts_with_meta_and_its_subject_names_fields_that_it_has(event: Descriptor) -> None:
    meta = event.fields_by_number[1].message_type
    assert meta is not None
    assert meta.full_name == meta_pb2.Meta.DESCRIPTOR.full_name
    names = event.GetOptions().Extensions[options_pb2.event].subject
    assert names
    assert all(event.fields_by_name[name].type == FieldDescriptor.TYPE_STRING for name in names)


def test_every_event_has_a_subject_of_its_own_and_lives_in_an_events_file() -> None:
    assert len({event.name for event in EVENTS}) == len(EVENTS)
    assert all(event.file.name.endswith("events.proto") for event in EVENTS)


@pytest.mark.parametrize("service", SERVICES)
def test_every_reaction_listens_to_an_event_of_another_service_that_exists(service: str) -> None:
    room = PROTOS.parent / "services" / service
    files = [room / "reactions.py"] if (room / "reactions.py").exists() else sorted((room / "reactions").glob("*.py"))
    source = "".join(file.read_text() for file in files)
    named = set(re.findall(r"\b(?:\w*events\w*|events_pb2)\.([A-Z]\w*)\b", source))
    known = {event.name for event in EVENTS}
    assert named <= known | {"DESCRIPTOR"}
