"""A YAML text as a protobuf message: the message's fields are the keys of the file, and every fault has its line."""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import yaml
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from chassis.errors import Violation

M = TypeVar("M", bound=Message)
_INTEGERS = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}
_DEEPEST = 100
# Keys of a file that are told one by one.
_MOST_UNKNOWN = 50
# Characters that the slow reader takes a second or two for.
_SMALL = 200_000
# Descriptors are Any below: the types that protobuf's stubs give to its two implementations do not agree.
_NULL, _BOOL, _INT = ("tag:yaml.org,2002:" + name for name in ("null", "bool", "int"))


@dataclass(frozen=True, order=True)
class Fault:
    """What is wrong at which line (from 1; 0 where the file as a whole is meant), and the path of the field."""

    line: int
    field: str
    description: str

    def __str__(self) -> str:
        place = f"line {self.line}: " if self.line else ""
        return f"{place}{Violation(self.field, self.description)}"


@dataclass
class Parsed(Generic[M]):
    """A message, the line of each field by path (`phases[0].opens`), what could not be taken, and extra keys."""

    message: M
    lines: dict[str, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    extra: dict[str, str] = field(default_factory=dict)

    def line(self, path: str) -> int:
        """The line of a field, or of the nearest thing around it that is in the file."""
        while path and path not in self.lines:
            path = re.sub(r"(\.[^.\[]+|\[\d+\]|^[^.\[]+)$", "", path)
        return self.lines.get(path, 0)

    def locate(self, violations: Iterable[Violation]) -> list[Fault]:
        """Violations of the message as faults of the file."""
        return [Fault(self.line(v.field), v.field, v.description) for v in violations]


# Brings a file of another shape into that of its message, and notes what is wrong with it.
Arrange = Callable[[yaml.Node, list[Fault]], yaml.Node]


def parse(
    content: str | bytes,
    message_class: type[M],
    extra_keys: Sequence[str] = (),
    arrange: Arrange | None = None,
) -> Parsed[M]:
    """Reads what can be read of a text, or a file in UTF-8, and names the rest. Keys are field names; enum values may
    be short (`attend` for DUTY_KIND_ATTEND); a string field takes any plain value as it is written, so that 3.0 stays
    3.0. `extra_keys` are keys of the top level that are no fields; their text is in `extra`. `arrange` brings a file of
    another shape into that of the message first, node by node, so that lines stay right. Aliases are refused."""
    parsed = Parsed(message_class())
    text = content if isinstance(content, str) else _decoded(content, parsed.faults)
    root = None if text is None else _composed(text, parsed.faults)
    if root is not None:
        root = arrange(root, parsed.faults) if arrange else root
        _Reader(parsed, frozenset(extra_keys)).message(root, parsed.message, "")
    return parsed


def _decoded(content: bytes, faults: list[Fault]) -> str | None:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        faults.append(Fault(content.count(b"\n", 0, error.start) + 1, "", "is not UTF-8 text"))
        return None


def _root(text: str) -> yaml.Node | None:
    """The nodes of a text. libyaml reads megabytes in no time, but follows nesting on the C stack and says less about
    a fault: depth is counted first, and the faults of a small text are left to the other reader."""
    if not yaml.__with_libyaml__:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    depth = 0
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEEPEST:
                raise RecursionError
        return yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError:
        if len(text) > _SMALL:
            raise
        return yaml.compose(text, Loader=yaml.SafeLoader)


def _composed(text: str, faults: list[Fault]) -> yaml.Node | None:
    try:
        root = _root(text)
    except yaml.MarkedYAMLError as error:
        mark, problem = error.problem_mark or error.context_mark, error.problem or error.context
        if problem and "'\\t'" in problem:
            problem = "a tab stands where only spaces may"
        elif problem and problem.startswith("but "):
            problem = f"{error.context}, {problem}"
        faults.append(Fault(mark.line + 1 if mark else 0, "", f"is not YAML: {problem}"))
        return None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        faults.append(Fault(line, "", f"is not YAML: U+{error.character:04X} is not a character of a text"))
        return None
    except yaml.YAMLError as error:
        faults.append(Fault(0, "", f"is not YAML: {error}"))
        return None
    except RecursionError:
        faults.append(Fault(0, "", "is nested too deeply"))
        return None
    if root is None:
        faults.append(Fault(0, "", "is empty"))
    return root


class _Reader:
    """Walks the nodes and fills the message."""

    def __init__(self, parsed: Parsed[Any], extra_keys: frozenset[str]) -> None:
        self._parsed = parsed
        self._extra_keys = extra_keys
        self._seen: set[int] = set()
        self._unknown = 0

    def _fault(self, node: yaml.Node, path: str, description: str) -> None:
        line = self._parsed.lines.get(path) or node.start_mark.line + 1
        self._parsed.faults.append(Fault(line, path, description))

    def _enter(self, node: yaml.Node, path: str) -> bool:
        self._parsed.lines.setdefault(path, node.start_mark.line + 1)
        if id(node) in self._seen:
            self._fault(node, path, "anchors and aliases are not taken: write it out")
            return False
        self._seen.add(id(node))
        return True

    def message(self, node: yaml.Node, into: Message, path: str) -> None:
        """A mapping whose keys are the fields of `into`."""
        if not self._enter(node, path):
            return
        if not isinstance(node, yaml.MappingNode):
            self._fault(node, path, f"must be a mapping with the keys of {into.DESCRIPTOR.name}")
            return
        known: Mapping[str, Any] = into.DESCRIPTOR.fields_by_name
        for key, place, value in self._entries(node, path):
            if key in known:
                self._field(value, into, known[key], place)
            elif not path and key in self._extra_keys:
                self._extra(value, key)
            elif self._unknown < _MOST_UNKNOWN:
                # What a key may have meant takes its time: of thousands nobody reads it.
                self._unknown += 1
                self._fault(value, place, _unknown(key[:80], into.DESCRIPTOR, () if path else self._extra_keys))
            elif self._unknown == _MOST_UNKNOWN:
                self._unknown += 1
                self._fault(value, place, "is not known here either, nor may be what comes after it")

    def _entries(self, node: yaml.MappingNode, path: str) -> Iterable[tuple[str, str, yaml.Node]]:
        """Key, path and value of each entry; its line is the one that its key is written in."""
        for key_node, value in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._fault(key_node, path, "has a key that is not a word")
                continue
            place = f"{path}.{key_node.value}" if path else key_node.value
            line, first = key_node.start_mark.line + 1, self._parsed.lines.get(place)
            if first:
                self._parsed.faults.append(Fault(line, place, f"stands here twice, first in line {first}"))
            else:
                self._parsed.lines[place] = line
                yield key_node.value, place, value

    def _extra(self, node: yaml.Node, key: str) -> None:
        value = self._text(node, key)
        if value is not None:
            self._parsed.extra[key] = value

    def _field(self, node: yaml.Node, into: Message, described: Any, path: str) -> None:
        if described.message_type is not None and described.message_type.GetOptions().map_entry:
            self._map(node, into, described, path)
        elif described.is_repeated:
            self._list(node, into, described, path)
        elif described.message_type is not None:
            inner = getattr(into, described.name)
            inner.SetInParent()
            self.message(node, inner, path)
        elif (value := self._scalar(node, described, path)) is not None:
            setattr(into, described.name, value)

    def _list(self, node: yaml.Node, into: Message, described: Any, path: str) -> None:
        if not self._enter(node, path):
            return
        if not isinstance(node, yaml.SequenceNode):
            self._fault(node, path, "must be a list")
            return
        items = getattr(into, described.name)
        for i, item in enumerate(node.value):
            place = f"{path}[{i}]"
            self._parsed.lines[place] = item.start_mark.line + 1
            if described.message_type is not None:
                self.message(item, items.add(), place)
            elif (value := self._scalar(item, described, place)) is not None:
                items.append(value)

    def _map(self, node: yaml.Node, into: Message, described: Any, path: str) -> None:
        if not self._enter(node, path):
            return
        if not isinstance(node, yaml.MappingNode):
            self._fault(node, path, "must be a mapping")
            return
        value_field = described.message_type.fields_by_name["value"]
        items = getattr(into, described.name)
        for key, place, value_node in self._entries(node, path):
            if value_field.message_type is not None:
                self.message(value_node, items[key], place)
            elif (value := self._scalar(value_node, value_field, place)) is not None:
                items[key] = value

    def _text(self, node: yaml.Node, path: str) -> str | None:
        if not self._enter(node, path):
            return None
        if not isinstance(node, yaml.ScalarNode):
            self._fault(node, path, "must be a single value")
            return None
        if node.tag == _NULL and not node.style:
            self._fault(node, path, "has no value")
            return None
        return str(node.value)

    def _scalar(self, node: yaml.Node, described: Any, path: str) -> Any:
        text = self._text(node, path)
        if text is None or described.cpp_type == FieldDescriptor.CPPTYPE_STRING:
            return text
        if described.cpp_type == FieldDescriptor.CPPTYPE_ENUM:
            number = _enum_number(described.enum_type, text)
            if number is None:
                self._fault(node, path, f"{text!r} is none of {', '.join(_short_names(described.enum_type))}")
            return number
        if described.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
            if node.tag != _BOOL:
                self._fault(node, path, f"must be true or false, not {text!r}")
                return None
            return text.lower() in {"true", "yes", "on"}
        return self._integer(node, described, text, path)

    def _integer(self, node: yaml.Node, described: Any, text: str, path: str) -> int | None:
        low, high = _INTEGERS[described.cpp_type]
        if node.tag != _INT or not re.fullmatch(r"[-+]?\d{1,20}", text):
            self._fault(node, path, f"must be a whole number, not {text!r}")
            return None
        if not low <= int(text) <= high:
            self._fault(node, path, f"must be between {low} and {high}")
            return None
        return int(text)


def _unknown(key: str, descriptor: Any, extra: Iterable[str]) -> str:
    known = [*descriptor.fields_by_name, *extra]
    near = difflib.get_close_matches(key, known, n=1)
    return f"is not known here; did you mean {near[0]}?" if near else f"is not known here; known are {', '.join(known)}"


def _prefix(enum: Any) -> str:
    """DUTY_KIND_ of DutyKind."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", enum.name).upper() + "_"


def _short_names(enum: Any) -> list[str]:
    return [value.name.removeprefix(_prefix(enum)).lower() for value in enum.values if value.number]


def _enum_number(enum: Any, text: str) -> int | None:
    """The number of a value by its full or its short name; the zero value says nothing and is not taken."""
    for name in (text, _prefix(enum) + text.upper()):
        value = enum.values_by_name.get(name)
        if value is not None and value.number:
            return int(value.number)
    return None
