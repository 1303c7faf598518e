"""Of everything that comes in a list there is a most, looked at before any rule: made from the descriptors."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from livinglab.program.v1 import definition_pb2

from programs.rules import cohort as rules
from programs.rules import counts

ROOTS: dict[str, Any] = {"definition": definition_pb2.Definition, "cohort": definition_pb2.CohortSpec}


def lists(descriptor: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to each list, as fields."""
    for field in descriptor.fields:
        if field.is_repeated:
            yield (*path, field)
        if field.message_type is not None and field.message_type not in {step.message_type for step in path}:
            yield from lists(field.message_type, (*path, field))


ALL = [(root, way) for root, kind in ROOTS.items() for way in lists(kind.DESCRIPTOR)]


def filled(kind: Any, way: tuple[Any, ...], count: int) -> Message:
    """A message whose last list has so many items."""
    message: Message = kind()
    at: Any = message
    for field in way[:-1]:
        held = getattr(at, field.name)
        if field.is_repeated:
            at = held.add()
        else:
            held.SetInParent()
            at = held
    last = way[-1]
    for _ in range(count):
        held = getattr(at, last.name)
        held.add() if last.message_type is not None else held.append(_one(last))
    return message


def _one(field: FieldDescriptor) -> Any:
    return 1 if field.cpp_type in {FieldDescriptor.CPPTYPE_ENUM, FieldDescriptor.CPPTYPE_UINT32} else "x"


@pytest.mark.parametrize(("root", "way"), ALL, ids=lambda x: x if isinstance(x, str) else ".".join(f.name for f in x))
def test_one_more_than_the_most_is_all_that_is_said(root: str, way: tuple[Any, ...]) -> None:
    most = counts.most(way[-1].full_name)
    given: dict[str, Any] = {name: kind() for name, kind in ROOTS.items()}
    given[root] = filled(ROOTS[root], way, most + 1)
    [fault] = rules.validate(given["definition"], given["cohort"], (), ())
    assert fault.field.startswith(root)
    assert fault.description == f"has {most + 1} items; at most {most} are taken"
    given[root] = filled(ROOTS[root], way, most)
    assert not any("items; at most" in f.description for f in rules.validate(**given, known_regions=()))


def test_seven_megabytes_of_anything_are_refused_at_once() -> None:
    phase = definition_pb2.Phase(after=["x" * 20] * 300_000)
    definition = definition_pb2.Definition(phases=[phase])
    begun = time.process_time()
    [fault] = rules.validate(definition, definition_pb2.CohortSpec(), ())
    assert time.process_time() - begun < 1
    assert fault.field == "definition.phases[0].after"


def test_a_definition_has_a_most_of_bytes_and_what_a_cohort_carries_along_too() -> None:
    definition = definition_pb2.Definition(source="x" * counts.MOST_BYTES)
    [fault] = rules.validate(definition, definition_pb2.CohortSpec(), ())
    assert fault.field == "definition"
    phases = [definition_pb2.Phase(id=f"p{i}") for i in range(24)]
    roster = [definition_pb2.Participant(institution=f"{i:05}") for i in range(counts.MOST_PARTICIPANTS)]
    cohort = definition_pb2.CohortSpec(roster=roster)
    [fault] = rules.validate(definition_pb2.Definition(phases=phases), cohort, ())
    assert fault.field == "cohort.roster"
    assert "5000 participants in 24 phases are too many together" in fault.description
    few = rules.validate(definition_pb2.Definition(phases=phases[:9]), cohort, ())
    assert not any("too many together" in fault.description for fault in few)
