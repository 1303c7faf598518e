"""Instrument files: YAML in, the Instrument message out, with the line of every place so that faults can be found."""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import yaml
from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message
from livinglab.assessment.v1 import instrument_pb2 as pb

from instruments.lint import Fault, lint

LARGEST_FILE = 1_000_000  # bytes; the largest official instrument has 20,000

_TRUE_FALSE = {"true": True, "false": False}
_UINT32 = re.compile(r"[0-9]{1,9}")


class InstrumentFaults(ValueError):
    """A file that is not a sound instrument; `faults` names everything wrong with it."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("; ".join(map(str, faults)))
        self.faults = faults


@dataclass
class Reading:
    """What a file says, as far as it could be read: the faults of its form, and the line of each place."""

    instrument: pb.Instrument = field(default_factory=pb.Instrument)
    lines: dict[str, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    # Places that were written but could not be read: what is missing inside them is no fault of its own.
    unread: set[str] = field(default_factory=set)


def load(content: bytes) -> pb.Instrument:
    """The instrument that the file's content writes; raises InstrumentFaults with every fault."""
    reading = read(content)
    faults = _all_faults(reading)
    if faults:
        raise InstrumentFaults(faults)
    return reading.instrument


def lint_content(content: bytes) -> list[Fault]:
    """Every fault of an instrument file, of its form and of its sense, by line."""
    return _all_faults(read(content))


def read(content: bytes) -> Reading:
    """Read as much as can be read; what the YAML and its form have wrong is in `faults`."""
    reading = Reading()
    try:
        if len(content) > LARGEST_FILE:
            raise _NotReadable(0, f"has more than {LARGEST_FILE} bytes")
        root = _compose(content)
        reading.lines[""] = root.start_mark.line + 1
        _Form(reading).message("", root, reading.instrument)
    except _NotReadable as error:
        return Reading(faults=[Fault(error.line, "file", error.reason)], unread={"file"})
    except RecursionError:
        return Reading(faults=[Fault(1, "file", "is nested too deep")], unread={"file"})
    return reading


def _all_faults(reading: Reading) -> list[Fault]:
    """Faults of form, and those of sense that do not merely follow from what could not be read."""
    if "file" in reading.unread:
        return reading.faults
    inside = tuple(place + mark for place in reading.unread for mark in ".[")
    sense = [
        fault
        for fault in lint(reading.instrument, reading.lines)
        if fault.place not in reading.unread and not fault.place.startswith(inside)
    ]
    return sorted([*reading.faults, *sense])


class _NotReadable(Exception):
    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line, self.reason = line, reason


class _Loader(yaml.SafeLoader):
    """Without aliases: a few lines of them can grow without end. (The loader in C dies of deep nesting.)"""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem="aliases (*name) are not taken, write it out", problem_mark=mark)
        return super().compose_node(parent, index)


def _compose(content: bytes) -> yaml.Node:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _NotReadable(content.count(b"\n", 0, error.start) + 1, "is not UTF-8 text") from error
    try:
        root = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _NotReadable(mark.line + 1 if mark else 0, f"is not YAML: {error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise _NotReadable(0, f"is not YAML: {str(error).splitlines()[0]}") from error
    if root is None:
        raise _NotReadable(1, "is empty")
    if not isinstance(root, yaml.MappingNode):
        raise _NotReadable(root.start_mark.line + 1, "is not an instrument: it needs fields such as `id: ...`")
    return root


class _Form:
    """Fills a message from YAML nodes by the message's own descriptor, so that a new field needs no code here."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    def message(self, place: str, node: yaml.Node, message: Message) -> None:
        if not isinstance(node, yaml.MappingNode):
            self._fault(place, "needs fields, not a single value or a list")
            return
        # The types of the runtime's own descriptors (upb) are declared apart from those of google.protobuf.descriptor.
        by_name = cast(Mapping[str, FieldDescriptor], message.DESCRIPTOR.fields_by_name)
        known: dict[str, int] = {}
        for key, value in node.value:
            name = str(key.value) if isinstance(key, yaml.ScalarNode) else "?"
            inner = f"{place}.{name}" if place else name
            line = key.start_mark.line + 1
            if name in known:
                self._reading.faults.append(Fault(line, inner, f"is written twice, first in line {known[name]}"))
            elif name not in by_name:
                reason = f"unknown field{_suggestion(name, by_name)}"
                self._reading.faults.append(Fault(line, inner, reason))
            else:
                known[name] = self._reading.lines[inner] = line
                self._field(inner, value, message, by_name[name])

    def _field(self, place: str, node: yaml.Node, message: Message, descriptor: FieldDescriptor) -> None:
        if not descriptor.is_repeated:
            if descriptor.message_type:
                inner = getattr(message, descriptor.name)
                inner.SetInParent()
                self.message(place, node, inner)
            else:
                for value in self._scalar(place, node, descriptor):
                    setattr(message, descriptor.name, value)
            return
        if not isinstance(node, yaml.SequenceNode):
            self._fault(place, "needs a list")
        elif not node.value:
            self._fault(place, "is an empty list: leave it out or fill it")
        else:
            self._items(place, node.value, getattr(message, descriptor.name), descriptor)

    def _items(self, place: str, nodes: list[yaml.Node], repeated: Any, descriptor: FieldDescriptor) -> None:
        for n, item in enumerate(nodes):
            inner = f"{place}[{n}]"
            self._reading.lines[inner] = item.start_mark.line + 1
            if descriptor.message_type:
                self.message(inner, item, repeated.add())
            else:
                repeated.extend(self._scalar(inner, item, descriptor))
                if inner in self._reading.unread:
                    self._reading.unread.add(place)

    def _scalar(self, place: str, node: yaml.Node, descriptor: FieldDescriptor) -> Iterator[Any]:
        """The value, or nothing and a fault."""
        if not isinstance(node, yaml.ScalarNode):
            self._fault(place, "needs a single value")
            return
        text: str = node.value
        if not text or node.tag == "tag:yaml.org,2002:null":
            self._fault(place, "is empty: leave it out or fill it")
        elif descriptor.enum_type:
            prefix, choices = _choices(descriptor.enum_type)
            name = text.upper().removeprefix(prefix)
            if name in choices:
                yield choices[name]
            else:
                self._fault(place, f"'{text}' is none of {', '.join(map(str.lower, choices))}")
        elif descriptor.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
            if text.lower() in _TRUE_FALSE:
                yield _TRUE_FALSE[text.lower()]
            else:
                self._fault(place, f"'{text}' is neither true nor false")
        elif descriptor.cpp_type == FieldDescriptor.CPPTYPE_UINT32:
            if _UINT32.fullmatch(text):
                yield int(text)
            else:
                self._fault(place, f"'{text}' is not a whole number")
        else:
            yield text

    def _fault(self, place: str, reason: str) -> None:
        self._reading.unread.add(place)
        self._reading.faults.append(Fault(self._reading.lines[place], place, reason))


def _choices(enum: EnumDescriptor) -> tuple[str, dict[str, int]]:
    """What all values of the enum start with, and the values by the rest of their name, without `unspecified`."""
    values = enum.values
    prefix = str(values[0].name).removesuffix("UNSPECIFIED")
    return prefix, {str(value.name).removeprefix(prefix): value.number for value in values if value.number}


def _suggestion(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f": did you mean {near[0]}?" if near else f"; there are {', '.join(known)}"
