"""The methods that are open over HTTP as an OpenAPI 3.1 document, made from the contract."""

from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from livinglab.common.v1 import options_pb2

from services.console.api.methods import Method, methods
from services.console.api.problems import MEDIA

_PACKAGE = "livinglab."
_INTEGERS = {
    FieldDescriptor.TYPE_INT32: "int32",
    FieldDescriptor.TYPE_SINT32: "int32",
    FieldDescriptor.TYPE_SFIXED32: "int32",
    FieldDescriptor.TYPE_UINT32: "int64",
    FieldDescriptor.TYPE_FIXED32: "int64",
}
_GOOGLE: Mapping[str, dict[str, Any]] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": {"type": "string", "pattern": r"^-?\d+(\.\d+)?s$"},
    "google.protobuf.FieldMask": {"type": "string"},
    "google.protobuf.Struct": {"type": "object"},
}
_DESCRIPTION = (
    "The reading methods of the services, and the writes that integrations need, as JSON by the names of the contract. "
    "A bearer token says who asks; without one a caller is the public. A write is done once by its request_id, which "
    "may stand in the header Idempotency-Key. What is refused is told as problem details (RFC 9457)."
)


def document(comments: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The document. `comments` are those of methods, messages and fields by their full names, where they are known."""
    told = comments or {}
    every = methods().values()
    schemas: dict[str, Any] = {"problem": _problem()}
    for method in every:
        for descriptor in (method.descriptor.input_type, method.descriptor.output_type):
            _collect(descriptor, schemas, told)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Living Lab", "version": _version(), "description": _DESCRIPTION},
        "servers": [{"url": "/"}],
        "paths": {method.path: _path(method, told) for method in every},
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _version() -> str:
    try:
        return version("livinglab")
    except PackageNotFoundError:
        # An image has the code and no distribution.
        return "0"


def _path(method: Method, comments: Mapping[str, str]) -> dict[str, Any]:
    name = str(method.descriptor.full_name).removeprefix(_PACKAGE)
    roles = [options_pb2.Role.Name(one).removeprefix("ROLE_").lower() for one in method.policy.roles]
    public = "public" in roles
    about: dict[str, Any] = {
        "tags": [name.rpartition(".")[0]],
        "summary": method.descriptor.name,
        "description": comments.get(str(method.descriptor.full_name), "") or f"For {', '.join(roles)}.",
        "security": [{"token": []}, *([{}] if public else [])],
        "responses": {
            "200": {"description": "The answer.", "content": {"application/json": {"schema": _ref(method, False)}}},
            "default": {
                "description": "It was refused.",
                "content": {MEDIA: {"schema": {"$ref": "#/components/schemas/problem"}}},
            },
        },
    }
    body = {"required": True, "content": {"application/json": {"schema": _ref(method, True)}}}
    path = {"post": {**about, "operationId": f"{name}.post", "requestBody": body}}
    if not method.writes:
        asked = [*_parameters(method.descriptor.input_type, "", comments)]
        path["get"] = {**about, "operationId": f"{name}.get", "parameters": asked}
    return path


def _parameters(descriptor: Descriptor, start: str, comments: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Values, lists of them and times; what lies within a message with dots."""
    for field in descriptor.fields:
        inner = field.message_type
        if inner is not None and inner.full_name not in _GOOGLE:
            if not field.is_repeated and not start:
                yield from _parameters(inner, f"{field.name}.", comments)
            continue
        yield {
            "name": start + field.name,
            "in": "query",
            "required": False,
            "description": comments.get(str(field.full_name), ""),
            "schema": _schema(field),
        }


def _ref(method: Method, asked: bool) -> dict[str, Any]:
    descriptor = method.descriptor.input_type if asked else method.descriptor.output_type
    return {"$ref": f"#/components/schemas/{_name(descriptor)}"}


def _name(descriptor: Descriptor | EnumDescriptor) -> str:
    return str(descriptor.full_name).removeprefix(_PACKAGE)


def _collect(descriptor: Descriptor, schemas: dict[str, Any], comments: Mapping[str, str]) -> None:
    """The message and all that it needs, each once."""
    if descriptor.full_name in _GOOGLE or _name(descriptor) in schemas:
        return
    made: dict[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}
    if said := comments.get(str(descriptor.full_name), ""):
        made["description"] = said
    schemas[_name(descriptor)] = made
    for field in descriptor.fields:
        made["properties"][field.name] = _described(_schema(field), comments.get(str(field.full_name), ""))
        if field.enum_type is not None:
            _enum(field.enum_type, schemas)
        elif field.message_type is not None and not field.message_type.GetOptions().map_entry:
            _collect(field.message_type, schemas, comments)
        elif field.message_type is not None:
            value = field.message_type.fields_by_name["value"]
            if value.message_type is not None:
                _collect(value.message_type, schemas, comments)
            elif value.enum_type is not None:
                _enum(value.enum_type, schemas)


def _enum(enum: EnumDescriptor, schemas: dict[str, Any]) -> None:
    schemas[_name(enum)] = {"type": "string", "enum": [value.name for value in enum.values]}


def _described(schema: dict[str, Any], comment: str) -> dict[str, Any]:
    return {**schema, "description": comment} if comment else schema


def _schema(field: FieldDescriptor) -> dict[str, Any]:
    inner = field.message_type
    if inner is not None and inner.GetOptions().map_entry:
        return {"type": "object", "additionalProperties": _one(inner.fields_by_name["value"])}
    return {"type": "array", "items": _one(field)} if field.is_repeated else _one(field)


def _one(field: FieldDescriptor) -> dict[str, Any]:
    if field.message_type is not None:
        known = _GOOGLE.get(str(field.message_type.full_name))
        return dict(known) if known else {"$ref": f"#/components/schemas/{_name(field.message_type)}"}
    if field.enum_type is not None:
        return {"$ref": f"#/components/schemas/{_name(field.enum_type)}"}
    match field.type:
        case FieldDescriptor.TYPE_BOOL:
            return {"type": "boolean"}
        case FieldDescriptor.TYPE_STRING:
            return {"type": "string"}
        case FieldDescriptor.TYPE_BYTES:
            return {"type": "string", "contentEncoding": "base64"}
        case FieldDescriptor.TYPE_DOUBLE | FieldDescriptor.TYPE_FLOAT:
            return {"type": "number"}
        case kind if kind in _INTEGERS:
            return {"type": "integer", "format": _INTEGERS[kind]}
        case _:
            # Numbers of 64 bits are strings in answers: JSON's readers lose digits of larger ones.
            return {"type": ["string", "integer"], "format": "int64"}


def _problem() -> dict[str, Any]:
    text = {"type": "string"}
    fault = {"type": "object", "properties": {"field": text, "description": text}}
    return {
        "type": "object",
        "required": ["type", "title", "status", "detail", "reason"],
        "properties": {
            "type": text,
            "title": {**text, "description": "The kind, as gRPC names it."},
            "status": {"type": "integer"},
            "detail": {**text, "description": "For people."},
            "reason": {**text, "description": "For programs."},
            "violations": {"type": "array", "items": fault, "description": "Every fault by its place."},
            "resource": {"type": "object", "properties": {"type": text, "name": text}},
        },
    }
