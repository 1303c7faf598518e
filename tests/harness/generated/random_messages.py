"""Random protobuf messages: some fields sensible, so that calls get far, others whatever fits the wire."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf import message_factory
from google.protobuf.message import Message
from hypothesis import strategies as st

_DEEPEST = 4
_INTEGERS = {"int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 1)} | {
    "uint32": (0, 2**32 - 1),
    "uint64": (0, 2**64 - 1),
}
# No lone surrogates: they are no text on the wire.
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
_ODD = st.sampled_from(
    ["", "\x00", "a\x00b", "../..", "$where", "a.b", "a..b", "*", ">", "\u202e", "٣", "-0", "1e9", "NaN", "9" * 5000]
)
GARBAGE = st.one_of(_TEXT, _ODD)


@dataclass(frozen=True)
class _Tame:
    """What a message is made of: the pools, and how likely a field is odd or left out."""

    pools: Mapping[str, Sequence[str]]
    wild: bool


def messages(descriptor: Any, pools: Mapping[str, Sequence[str]]) -> st.SearchStrategy[Message]:
    """Messages of that type; a string field named in `pools` takes from there, all fields of half of the messages,
    most fields of the others."""
    tame, wild = (_message(descriptor, _Tame(pools, wild), 0) for wild in (False, True))
    return st.one_of(tame, wild)


@st.composite
def _message(draw: st.DrawFn, descriptor: Any, how: _Tame, depth: int) -> Message:
    message = message_factory.GetMessageClass(descriptor)()
    for field in descriptor.fields:
        if (how.wild and draw(st.integers(0, 9)) == 9) or (depth >= _DEEPEST and field.message_type is not None):
            continue
        values = _values(field, how, depth)
        if field.is_repeated:
            few = st.lists(values, min_size=0 if how.wild else 1, max_size=3)
            # Seldom more than any limit.
            many = st.builds(lambda one: [one] * 600, values)
            size = few if depth or not how.wild else st.one_of(few, few, few, many)
            getattr(message, field.name).extend(draw(size))
        elif field.message_type is not None:
            if how.wild or draw(st.booleans()) or field.name != "visit":
                getattr(message, field.name).CopyFrom(draw(values))
        else:
            setattr(message, field.name, draw(values))
    return message


def _values(field: Any, how: _Tame, depth: int) -> st.SearchStrategy[Any]:
    if field.message_type is not None:
        if field.message_type.full_name == "google.protobuf.Timestamp":
            cls = message_factory.GetMessageClass(field.message_type)
            if not how.wild:
                # Of one hour in the year 2100: often in order, and ahead.
                return st.builds(cls, seconds=st.integers(4_102_444_800, 4_102_448_400))
            return st.builds(cls, seconds=st.integers(-(2**63), 2**63 - 1), nanos=st.integers(-(2**31), 2**31 - 1))
        return _message(field.message_type, how, depth + 1)
    if field.enum_type is not None:
        named = st.sampled_from(sorted(field.enum_type.values_by_number)[1:])
        return st.one_of(named, named, st.integers(-(2**31), 2**31 - 1)) if how.wild else named
    if field.cpp_type == field.CPPTYPE_BOOL:
        return st.booleans()
    if field.cpp_type == field.CPPTYPE_STRING:
        if field.type == field.TYPE_BYTES:
            return st.binary(max_size=200)
        sensible = st.sampled_from(list(how.pools.get(field.name, ("a", "text"))))
        return st.one_of(sensible, sensible, sensible, GARBAGE) if how.wild else sensible
    kinds = {field.CPPTYPE_INT32: "int32", field.CPPTYPE_INT64: "int64", field.CPPTYPE_UINT32: "uint32"}
    low, high = _INTEGERS[kinds.get(field.cpp_type, "uint64")]
    if not how.wild:
        return st.integers(0, 3)
    return st.one_of(st.integers(0 if low == 0 else -1, 5), st.sampled_from([low, high]), st.integers(low, high))
