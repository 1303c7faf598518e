"""Documents as messages and messages as documents."""

from typing import Any, TypeVar

from google.protobuf import json_format
from google.protobuf.message import Message
from livinglab.coaching.v1 import coaching_pb2 as pb

M = TypeVar("M", bound=Message)


def fields(message: Message) -> dict[str, Any]:
    """A message's fields for a document, its id and etag aside."""
    row = json_format.MessageToDict(
        message,
        preserving_proto_field_name=True,
        always_print_fields_with_no_presence=True,
        use_integers_for_enums=True,
    )
    return {name: value for name, value in row.items() if name not in ("id", "etag")}


def versioned(row: dict[str, Any], message_class: type[M], *, etag: bool = True) -> M:
    """The message that a document holds; fields of another release are left out."""
    known = {name: row[name] for name in row.keys() & message_class.DESCRIPTOR.fields_by_name.keys()}
    told = {**known, "id": row["_id"], **({"etag": str(row["version"])} if etag else {})}
    return json_format.ParseDict(told, message_class(), ignore_unknown_fields=True)


def plan_of(row: dict[str, Any]) -> pb.Plan:
    """A plan; one that was stored before its actions had versions of their own has the first of each."""
    plan = versioned(row, pb.Plan)
    plan.order_etag = plan.order_etag or "1"
    for action in plan.actions:
        action.etag = action.etag or "1"
    return plan


def session_of(row: dict[str, Any]) -> pb.Session:
    """A session; one that was stored before sessions could be cancelled is on."""
    session = versioned(row, pb.Session)
    session.state = session.state or pb.SESSION_STATE_SCHEDULED
    return session


def coach_of(row: dict[str, Any]) -> pb.Coach:
    """A coach; the document's id is made of the realm and the coach's."""
    return versioned({**row, "_id": row["coach_id"], "version": 0}, pb.Coach, etag=False)
