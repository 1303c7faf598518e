"""Random requests, fast: half of their fields are sensible, so that calls get far, others whatever fits the wire."""

import random
from collections.abc import Mapping
from typing import Any

from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

_ODD = (
    "", "\x00", "a\x00b", "../..", "$where", "a.b", "a..b", "*", ">", "\u202e", "٣", "-0", "1e9", "NaN",
    "9999-12-31", "0001-01-01", "2022-02-30", "x" * 5_000, "é" * 200, "{{7*7}}", "\r\nBcc: a@b", "\ud7ff", "9" * 400,
)  # fmt: skip
_SENSIBLE = {
    "instrument": ("spbe-59-2020",),
    "period": ("2022", "2022-1", "2022-H1", "2022-Q3", "2022-M05"),
    "stage": ("self-assessment", "publication"),
    "cohort_id": ("ll-2022", "other"),
    "rehearsal": ("", "", "ll-2022"),
    "group": ("", "kind:kota", "cohort:ll-2022"),
    "target": ("3.5", "99"),
    "since_period": ("", "2021"),
    "etag": ("", "1"),
    "page_token": ("", "", "~YQ=="),
    "indicator": ("1", "35", "35-2"),
    "value": ("3", "2.75"),
    "start_date": ("2022-10-03", "2199-12-31"),
    "end_date": ("", "2199-12-31"),
    "due_date": ("", "2023-01-21"),
    "document_date": ("2022-03-01",),
    "time_zone": ("Asia/Jakarta",),
    "language": ("id", "en"),
    "email": ("a@b.example",),
    "coach_id": ("the-coach",),
    "sha256": ("0" * 64,),
}
_INTEGERS = (0, 1, 2, 3, 5, -1, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63), 4_102_444_800, 253_402_300_799)


class Requests:
    """Messages of any type, from one source of chance."""

    def __init__(self, dice: random.Random, ids: Mapping[str, str]) -> None:
        self._dice = dice
        self._ids = ids

    def content(self, descriptor: Descriptor) -> bytes:
        """Bytes of a request; one of a hundred is no message at all."""
        if self._dice.random() < 0.01:
            return self._dice.randbytes(self._dice.randrange(200))
        return self._message(descriptor, 0).SerializeToString()

    def _message(self, descriptor: Descriptor, depth: int) -> Message:
        message = message_factory.GetMessageClass(descriptor)()
        wild = self._dice.random() < 0.5
        for field in descriptor.fields:
            if self._dice.random() < (0.25 if wild else 0.1) or (depth > 4 and field.message_type is not None):
                continue
            if field.message_type is not None and field.message_type.GetOptions().map_entry:
                continue
            if field.is_repeated:
                count = self._dice.choice((0, 1, 1, 2, 3)) if self._dice.random() < 0.99 or depth else 600
                values = [self._value(field, wild, depth) for _ in range(min(count, 3))] * max(1, count // 3)
                getattr(message, field.name).extend(values)
            elif field.message_type is not None:
                getattr(message, field.name).CopyFrom(self._value(field, wild, depth))
            else:
                setattr(message, field.name, self._value(field, wild, depth))
        return message

    def _value(self, field: FieldDescriptor, wild: bool, depth: int) -> Any:
        odd = wild and self._dice.random() < 0.3
        if field.message_type is not None:
            return self._message(field.message_type, depth + 1)
        if field.enum_type is not None:
            return self._dice.choice((-1, 99)) if odd else self._dice.choice(sorted(field.enum_type.values_by_number))
        if field.type == FieldDescriptor.TYPE_BOOL:
            return self._dice.random() < 0.5
        if field.type == FieldDescriptor.TYPE_STRING:
            return self._text(field.name, odd)
        if field.type == FieldDescriptor.TYPE_BYTES:
            return self._dice.randbytes(self._dice.randrange(300))
        if field.type in (FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FLOAT):
            return self._dice.choice((0.0, 1.5, -1.0, float("nan"), float("inf"), 1e300))
        return self._integer(field, odd)

    def _text(self, name: str, odd: bool) -> str:
        if odd:
            return self._dice.choice(_ODD)
        if name == "request_id":
            return f"r{self._dice.randrange(10**6)}"
        known = self._ids.get(name)
        return known if known is not None else self._dice.choice(_SENSIBLE.get(name, ("a", "text")))

    def _integer(self, field: FieldDescriptor, odd: bool) -> int:
        wide = field.type in (
            FieldDescriptor.TYPE_INT64,
            FieldDescriptor.TYPE_UINT64,
            FieldDescriptor.TYPE_SINT64,
            FieldDescriptor.TYPE_FIXED64,
        )
        unsigned = field.type in (FieldDescriptor.TYPE_UINT32, FieldDescriptor.TYPE_UINT64)
        chosen = self._dice.choice(_INTEGERS) if odd or field.name in ("seconds",) else self._dice.randrange(4)
        low, high = (
            (0, 2 ** (64 if wide else 32) - 1)
            if unsigned
            else (-(2 ** (63 if wide else 31)), 2 ** (63 if wide else 31) - 1)
        )
        return int(max(low, min(high, chosen)))
