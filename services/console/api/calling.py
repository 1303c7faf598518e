"""A request over HTTP as a call of the method that its address names, with the token of who asks."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import grpc.aio
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from google.protobuf.message import Message
from starlette.requests import Request
from starlette.responses import Response

from chassis import telemetry
from chassis.errors import Kind, Refused, invalid_field, not_found
from chassis.status import from_rpc_error
from services.console.api import openapi
from services.console.api.methods import Method, methods
from services.console.api.problems import problem
from services.console.session.neighbours import Person
from services.console.session.people import origin

_SECONDS = 30.0
_JSON = "application/json"
_TOO_LARGE = 413


class Api:
    """Calls the services; `channel` opens one to a process by its name."""

    def __init__(self, channel: Callable[[str], Any]) -> None:
        self._channel = channel
        self._channels: dict[str, Any] = {}

    async def answer(self, request: Request) -> Response:
        """The answer as JSON, by the names of the contract, or what was refused."""
        try:
            method = methods().get(request.url.path)
            if method is None:
                raise not_found("method", request.url.path)
            if request.method == "GET" and method.writes:
                raise invalid_field("", "writes are sent by POST")
            answer = await self._ask(method, await _message(request, method), _person(request))
        except _TooLarge as large:
            return problem(large.refused, _TOO_LARGE)
        except Refused as refused:
            return problem(refused)
        except grpc.aio.AioRpcError as error:
            return problem(from_rpc_error(error))
        except Exception as error:
            telemetry.log.error("an answer over HTTP failed", error=f"{type(error).__name__}: {error}"[:300])
            return problem(Refused(Kind.INTERNAL, "INTERNAL", "this should not have happened"))
        told = MessageToDict(answer, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
        # No cookie is ever looked at here, so pages of others may read what anybody may.
        headers = {"cache-control": "no-store", "access-control-allow-origin": "*"}
        return Response(json.dumps(told, ensure_ascii=False), 200, headers, _JSON)

    async def document(self, _: Request) -> Response:
        """The OpenAPI document."""
        headers = {"cache-control": "public, max-age=300", "access-control-allow-origin": "*"}
        return Response(json.dumps(openapi.document(), ensure_ascii=False), 200, headers, _JSON)

    async def _ask(self, method: Method, message: Message, person: Person) -> Message:
        channel = self._channels.get(method.process)
        if channel is None:
            channel = self._channels[method.process] = self._channel(method.process)
        made = channel.stream_unary if method.many else channel.unary_unary
        call = made(
            method.call,
            request_serializer=method.request.SerializeToString,
            response_deserializer=method.answer.FromString,
        )
        asked: Any = iter([message]) if method.many else message
        found: Message = await call(asked, metadata=person.metadata(), timeout=_SECONDS)
        return found


class _TooLarge(Exception):
    def __init__(self, most: int) -> None:
        self.refused = Refused(Kind.RESOURCE_EXHAUSTED, "BODY_TOO_LARGE", f"a body has at most {most:,} bytes here")


def _person(request: Request) -> Person:
    """Who shows a token is asked for with it, whatever it is worth; everybody else is the public."""
    shown = request.headers.get("authorization", "")
    if not shown:
        return Person(origin=origin(request))
    scheme, _, token = shown.partition(" ")
    if scheme.lower() != "bearer" or not token.strip().isascii() or not token.strip().isprintable():
        raise Refused(Kind.UNAUTHENTICATED, "NO_BEARER", "authorization must be a bearer token")
    return Person(token=token.strip() or "-")


async def _message(request: Request, method: Method) -> Message:
    fields = _of_query(request, method) if request.method == "GET" else await _of_body(request, method)
    made = method.request()
    if method.writes and "request_id" in made.DESCRIPTOR.fields_by_name and not fields.get("request_id"):
        fields["request_id"] = request.headers.get("idempotency-key", "")
    try:
        return ParseDict(fields, made)
    except (ParseError, ValueError, TypeError) as error:
        raise invalid_field("", " ".join(str(error).split())[:300]) from error


async def _of_body(request: Request, method: Method) -> dict[str, Any]:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > method.most_bytes:
            raise _TooLarge(method.most_bytes)
    try:
        fields = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise invalid_field("", "the body is no JSON") from error
    if not isinstance(fields, dict):
        raise invalid_field("", "the body is no JSON object")
    return fields


def _of_query(request: Request, method: Method) -> dict[str, Any]:
    """?institution=32.11&page_size=5; again for a list, with dots for what lies within."""
    found: dict[str, Any] = {}
    for key, value in request.query_params.multi_items():
        at, descriptor = found, method.request.DESCRIPTOR
        *outer, last = key.split(".")
        for step in outer:
            field = _field(descriptor, step, key)
            if field.message_type is None or field.is_repeated:
                raise invalid_field(key, "is no field of this request")
            at, descriptor = at.setdefault(step, {}), field.message_type
        field = _field(descriptor, last, key)
        told: Any = {"true": True, "false": False}.get(value, value) if field.type == field.TYPE_BOOL else value
        if field.is_repeated:
            at.setdefault(last, []).append(told)
        elif last in at:
            raise invalid_field(key, "is given twice")
        else:
            at[last] = told
    return found


def _field(descriptor: Any, name: str, key: str) -> Any:
    known: Mapping[str, Any] = descriptor.fields_by_name
    if name not in known:
        raise invalid_field(key, "is no field of this request")
    return known[name]
