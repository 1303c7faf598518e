"""The contract as an AsyncAPI 3.1 document: a channel a fact, its payload as the proto that a parser can read alone."""

from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.json_format import MessageToDict

from chassis import naming
from schemas.contract import Fact, closure, facts, is_map
from schemas.examples import example

# Of a field, as a proto writes it.
SCALARS = {
    getattr(FieldDescriptor, f"TYPE_{name.upper()}"): name
    for name in (
        *("double", "float", "int64", "uint64", "int32", "fixed64", "fixed32", "bool", "string", "bytes"),
        *("uint32", "sfixed32", "sfixed64", "sint32", "sint64"),
    )
}
_DESCRIPTION = (
    "Facts in the past tense, as CloudEvents 1.0 over NATS JetStream in binary mode. Delivery is at least once and in "
    "order per aggregate; ce-sequence counts an aggregate's versions. See docs/events.md."
)


def document() -> dict[str, Any]:
    """The document, to be written as YAML or JSON."""
    every = facts()
    return {
        "asyncapi": "3.1.0",
        "info": {
            "title": "Living Lab",
            "version": version("livinglab"),
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
            "tags": [{"name": service} for service in sorted({fact.service for fact in every})],
        },
        "defaultContentType": naming.CONTENT_TYPE,
        "servers": {
            "broker": {
                "host": "{host}",
                "protocol": "nats",
                "description": "NATS with JetStream: the stream of a service is its name in capitals.",
                "variables": {"host": {"default": "127.0.0.1:4222"}},
            }
        },
        "channels": {fact.type: _channel(fact) for fact in every},
        "operations": {f"tell{fact.name}": _operation(fact) for fact in every},
        "components": {
            "messages": {fact.type: _message(fact) for fact in every},
            "messageTraits": {"cloudEvent": {"headers": _headers()}},
        },
    }


def _channel(fact: Fact) -> dict[str, Any]:
    return {
        "address": fact.address,
        "title": fact.name,
        "description": fact.meaning,
        "tags": [{"name": fact.service}, {"name": f"heard by: {fact.audience}"}],
        "parameters": {
            field: {"description": fact.comments.get(field) or f"The event's {field}, each part of it a token."}
            for field in fact.options.subject
        },
        "messages": {fact.name: {"$ref": f"#/components/messages/{fact.type}"}},
    }


def _operation(fact: Fact) -> dict[str, Any]:
    return {"action": "send", "channel": {"$ref": f"#/channels/{fact.type}"}, "summary": fact.meaning}


def _message(fact: Fact) -> dict[str, Any]:
    event = example(fact)
    return {
        "name": fact.type,
        "title": fact.name,
        "summary": fact.meaning,
        "description": f"ce-subject names {fact.options.key}, ce-sequence counts its versions.",
        "contentType": naming.CONTENT_TYPE,
        "traits": [{"$ref": "#/components/messageTraits/cloudEvent"}],
        "payload": {"schemaFormat": "application/vnd.google.protobuf;version=3", "schema": proto(fact.descriptor)},
        # Not as `examples`: tools check those against the payload, which is binary and not this JSON.
        "x-example": {
            "headers": naming.ce_headers(event, f"/livinglab/{fact.service}"),
            "payload": MessageToDict(event, preserving_proto_field_name=True),
        },
    }


def _headers() -> dict[str, Any]:
    text = {"type": "string", "minLength": 1}
    return {
        "type": "object",
        "required": [
            *("ce-specversion", naming.CE_ID, "ce-source", "ce-type", "ce-time", naming.CE_SUBJECT),
            *(naming.CE_SEQUENCE, "ce-datacontenttype", "ce-dataschema"),
        ],
        "properties": {
            "ce-specversion": {"const": "1.0"},
            naming.CE_ID: {**text, "description": "Identity of the event; a repeat carries the same. Nats-Msg-Id too."},
            "ce-source": {"type": "string", "format": "uri-reference", "description": "The service that tells it."},
            "ce-type": {**text, "description": "Full name of the message."},
            "ce-time": {"type": "string", "format": "date-time"},
            naming.CE_SUBJECT: {**text, "description": "The aggregate, percent-encoded as CloudEvents asks."},
            naming.CE_SEQUENCE: {"type": "string", "pattern": "^[1-9][0-9]*$", "description": "Its version, a number."},
            "ce-datacontenttype": {"const": naming.CONTENT_TYPE},
            "ce-dataschema": {
                "type": "string",
                "format": "uri",
                "description": "File of the package livinglab-protos.",
            },
            naming.TRACEPARENT: {"type": "string", "description": "W3C trace context, where there is one."},
        },
    }


def proto(descriptor: Descriptor) -> str:
    """The message and all that it needs in one file of its package: the same on the wire, readable without imports of
    ours. Names of other packages stand without them."""
    lines = ['syntax = "proto3";', f"package {descriptor.file.package};", 'import "google/protobuf/timestamp.proto";']
    named: dict[str, str] = {}
    for one in closure(descriptor):
        other = named.setdefault(one.name, one.full_name)
        if other != one.full_name:
            raise ValueError(f"{other} and {one.full_name} would have one name in the schema of {descriptor.full_name}")
        lines += _enum(one) if isinstance(one, EnumDescriptor) else _text(one)
    return "\n".join(lines) + "\n"


def _enum(enum: EnumDescriptor) -> Iterator[str]:
    yield f"enum {enum.name} {{"
    yield from (f"  {value.name} = {value.number};" for value in enum.values)
    yield "}"


def _text(message: Descriptor) -> Iterator[str]:
    yield f"message {message.name} {{"
    for oneof in message.oneofs:
        if not _optional(oneof.fields[0]):
            yield f"  oneof {oneof.name} {{"
            yield from (f"    {_type(field)} {field.name} = {field.number};" for field in oneof.fields)
            yield "  }"
    for field in message.fields:
        if field.containing_oneof is None or _optional(field):
            label = "repeated " if field.is_repeated and not is_map(field) else "optional " if _optional(field) else ""
            yield f"  {label}{_type(field)} {field.name} = {field.number};"
    yield "}"


def _optional(field: FieldDescriptor) -> bool:
    """Its oneof was made by the compiler, for a proto3 field with presence."""
    return field.containing_oneof is not None and field.containing_oneof.name == f"_{field.name}"


def _type(field: FieldDescriptor) -> str:
    if is_map(field):
        entry = field.message_type
        assert entry is not None
        return f"map<{_type(entry.fields_by_name['key'])}, {_type(entry.fields_by_name['value'])}>"
    if field.message_type is not None:
        full = field.message_type.full_name
        return full if full.startswith("google.") else field.message_type.name
    return field.enum_type.name if field.enum_type is not None else SCALARS[field.type]
