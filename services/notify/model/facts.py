"""Facts as rules see them: found by name, and read place by place."""

from collections.abc import Iterable
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from livinglab.assessment.v1 import events_pb2 as assessment
from livinglab.assessment.v1 import evidence_events_pb2 as evidence
from livinglab.coaching.v1 import events_pb2 as coaching
from livinglab.coaching.v1 import memorandum_events_pb2 as memoranda
from livinglab.coaching.v1 import minutes_events_pb2 as minutes
from livinglab.common.v1 import options_pb2
from livinglab.program.v1 import events_pb2 as program

_PACKAGE = "livinglab."


def _classes() -> Iterable[type[Message]]:
    for module in (assessment, evidence, coaching, memoranda, minutes, program):
        for name, descriptor in module.DESCRIPTOR.message_types_by_name.items():
            if descriptor.GetOptions().HasExtension(options_pb2.event):
                yield getattr(module, name)


# By its short name: coaching.v1.PlanReturned.
FACTS: dict[str, type[Message]] = {event.DESCRIPTOR.full_name.removeprefix(_PACKAGE): event for event in _classes()}


def name_of(event: Message | type[Message]) -> str:
    """The short name of a fact."""
    return event.DESCRIPTOR.full_name.removeprefix(_PACKAGE)


def fault(fact: str, place: str) -> str:
    """Why there is no such place in the fact; empty where there is."""
    path, _, part = place.partition(":")
    if part and not part.isdigit():
        return f"{part} is not the number of a part"
    descriptor: Any = FACTS[fact].DESCRIPTOR
    *outer, last = path.split(".")
    for step in outer:
        field = descriptor.fields_by_name.get(step) if descriptor else None
        descriptor = field.message_type if field and not field.is_repeated else None
    field = descriptor.fields_by_name.get(last) if descriptor else None
    if field is None:
        return f"{fact} has no {path}"
    return f"{path} of {fact} is more than a value" if field.message_type is not None else ""


def value(event: Message, place: str) -> str:
    """What stands there, as a text: names of an enumeration without their prefix in lower case, lists with commas."""
    path, _, part = place.partition(":")
    found: Any = event
    *outer, last = path.split(".")
    for step in outer:
        found = getattr(found, step)
    field = found.DESCRIPTOR.fields_by_name[last]
    held = getattr(found, last)
    text = ", ".join(_text(field, one) for one in held) if field.is_repeated else _text(field, held)
    if not part:
        return text
    parts = text.split(":")
    return parts[int(part)] if int(part) < len(parts) else ""


def _text(field: Any, held: Any) -> str:
    if field.type == FieldDescriptor.TYPE_ENUM:
        names = field.enum_type.values_by_number
        # A value that a newer release has made is told by its number.
        name = names[held].name if held in names else str(held)
        prefix = field.enum_type.values_by_number[0].name.removesuffix("UNSPECIFIED")
        return str(name.removeprefix(prefix).lower())
    if field.type == FieldDescriptor.TYPE_BOOL:
        return "true" if held else ""
    return str(held)
