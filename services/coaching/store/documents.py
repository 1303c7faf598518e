"""Documents as messages and messages as documents, and what coaching reads of an instrument."""

from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from typing import Any, TypeVar

from google.protobuf import json_format
from google.protobuf.message import Message
from livinglab.assessment.v1 import instrument_pb2
from livinglab.coaching.v1 import coaching_pb2 as pb

from services.coaching.model.instrument import Instrument, Node

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


def versioned(row: dict[str, Any], message_class: type[M]) -> M:
    """The message that a document holds; fields of another release are left out."""
    known = {name: row[name] for name in row.keys() & message_class.DESCRIPTOR.fields_by_name.keys()}
    told = {**known, "id": row["_id"], "etag": str(row["version"])}
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
    known = {name: row[name] for name in ("name", "email", "capacity", "rehearsal")}
    return pb.Coach(id=row["coach_id"], **known)


def instrument_of(instrument: instrument_pb2.Instrument) -> Instrument:
    """What coaching reads of a published instrument."""
    scale = instrument.scale
    root = Node("", "", Fraction(1), _is_mean(instrument.aggregation), False, _nodes(instrument.nodes))
    binary = scale.kind == instrument_pb2.SCALE_KIND_BINARY
    steps = tuple(Decimal(text) for text in scale.values)
    whole = scale.kind == instrument_pb2.SCALE_KIND_ORDINAL
    lowest = _lowest_decides(instrument)
    return Instrument(Decimal(scale.min), Decimal(scale.max), binary, root, steps, lowest, whole)


def _lowest_decides(group: instrument_pb2.Instrument | instrument_pb2.Node) -> bool:
    below = group.nodes if isinstance(group, instrument_pb2.Instrument) else group.children
    return group.aggregation == instrument_pb2.AGGREGATION_MIN or any(map(_lowest_decides, below))


def _nodes(nodes: Iterable[instrument_pb2.Node]) -> tuple[Node, ...]:
    return tuple(
        Node(
            number=node.number,
            name=node.name,
            weight=Fraction(node.weight or "1"),
            mean=_is_mean(node.aggregation),
            awaited=bool(node.awaited_from),
            children=_nodes(node.children),
        )
        for node in nodes
    )


def _is_mean(aggregation: instrument_pb2.Aggregation.ValueType) -> bool:
    return aggregation == instrument_pb2.AGGREGATION_MEAN
