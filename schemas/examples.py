"""A plausible example of every fact: one institution, one evaluation, one cohort throughout."""

from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message_factory import GetMessageClass

from schemas.contract import Fact, is_map

_SECONDS = 1667786400
_WORDS: dict[str, str] = {
    "institution": "32.11",
    "institutions": "32.11",
    "host": "32.11",
    "code": "KOR",
    "parent": "",
    "withdrawn": "",
    "reason": "",
    "carried_from_evaluation_id": "",
    "kind": "country",
    "name": "Korea",
    "cohort_id": "living-lab-2022",
    "new_cohort_id": "living-lab-2023",
    "rehearsal": "",
    "actor": "operator-32.11",
    "event_id": "0184507e-8d00-7cc3-8a1e-3f2b9c6d1e70",
    "instrument": "spbe-2020",
    "instrument_id": "spbe-2020",
    "period": "2022",
    "stage": "determination",
    "evaluation_id": "e-32.11-2022",
    "index": "3.84",
    "published": "3.84",
    "published_index": "3.84",
    "computed": "3.84",
    "to_index": "3.10",
    "predicate": "Sangat Baik",
    "published_predicate": "Sangat Baik",
    "indicator": "12",
    "indicators": "12",
    "agency": "Dinas Kesehatan",
    "valid": "12",
    "not_valid": "13",
    "accepted": "12",
    "rejected": "13",
    "phase": "workshop",
    "title": "Workshop",
    "place": "Jatinangor",
    "time_zone": "Asia/Jakarta",
    "start_date": "2022-11-07",
    "end_date": "2022-11-08",
    "decree_date": "2022-12-20",
    "group": "kind:kabupaten",
    "template": "invitation",
}
_NUMBERS = {"version": 3, "instrument_version": 1, "definition_version": 1, "people": 1_178_235, "size": 48_213}


def example(fact: Fact) -> Any:
    """The event, whole: every field has a value that could stand there, unless it is mostly empty."""
    message: Any = GetMessageClass(fact.descriptor)()
    _fill(message, 0)
    message.meta.aggregate_id = _aggregate(fact, message)
    return message


def _aggregate(fact: Fact, message: Any) -> str:
    """As its owner would name it, near enough to read."""
    for field in (
        "evaluation_id",
        "result_id",
        "plan_id",
        "session_id",
        "visit_id",
        "cohort_id",
        *fact.options.subject,
    ):
        if field in fact.descriptor.fields_by_name:
            return str(getattr(message, field))
    return ""


def _fill(message: Any, depth: int) -> None:
    if message.DESCRIPTOR.full_name == "google.protobuf.Timestamp":
        message.seconds = _SECONDS
        return
    for field in message.DESCRIPTOR.fields:
        if is_map(field):
            getattr(message, field.name)["12"] = "3"
        elif field.message_type is not None:
            # A tree in itself (an instrument's) is shown to its first branches.
            if depth < 2 and field.message_type is not message.DESCRIPTOR:
                one = getattr(message, field.name)
                child = one.add() if field.is_repeated else one
                child.SetInParent()
                _fill(child, depth + 1)
        elif field.is_repeated:
            getattr(message, field.name).append(_value(field))
        elif field.containing_oneof is None or not message.WhichOneof(field.containing_oneof.name):
            setattr(message, field.name, _value(field))


def _value(field: Any) -> Any:
    if field.enum_type is not None:
        values = field.enum_type.values
        return values[min(1, len(values) - 1)].number
    match field.cpp_type:
        case FieldDescriptor.CPPTYPE_STRING:
            return b"" if field.type == FieldDescriptor.TYPE_BYTES else _WORDS.get(field.name, _made(field.name))
        case FieldDescriptor.CPPTYPE_BOOL:
            return False
        case _:
            return _NUMBERS.get(field.name, 1)


def _made(name: str) -> str:
    return f"{name.removesuffix('_id')[0]}-1" if name.endswith("_id") else f"({name.replace('_', ' ')})"
