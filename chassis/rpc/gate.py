"""The one server interceptor: identity, policy, size, rules, deadline, errors, logs, metrics and trace."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext
from typing import Any

import grpc
import grpc.aio
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from livinglab.common.v1 import options_pb2
from nats.errors import Error as NatsError
from pymongo.errors import ConnectionFailure, ExecutionTimeout, PyMongoError, ServerSelectionTimeoutError

from chassis import auth, status, telemetry
from chassis.config import Settings
from chassis.errors import Kind, Refused, unavailable
from chassis.rpc.draining import Calls
from chassis.rpc.method import Method, Observed, metadata
from chassis.rpc.reading import Reader, drain
from chassis.rpc.turns import Turns

# Longest upload whose caller set no deadline; each of its messages has the usual one.
_STREAM_SECONDS = 3_600.0
_VISITS_AT_ONCE = 4
_STRANGERS = frozenset({Kind.UNAUTHENTICATED, Kind.PERMISSION_DENIED})
# What another role of the caller may be allowed or shown.
_OF_THE_ROLE = frozenset({Kind.PERMISSION_DENIED, Kind.NOT_FOUND})


class Gate(grpc.aio.ServerInterceptor):
    """What it does not know (health, reflection) passes as it is. The library is told that every method takes a
    stream: then nothing of a request is read before the gate asks for it, and it asks when it knows who calls."""

    def __init__(self, settings: Settings, methods: dict[str, MethodDescriptor]) -> None:
        self._verifier = auth.verifier(settings)
        self._visitors = auth.Visitors(settings.anonymous_calls_per_minute, settings.trusted_proxies)
        self._turns = Turns(settings.calls_at_once, settings.calls_waiting)
        # Anybody may be many addresses: each gets little at once.
        self._visits = Turns(_VISITS_AT_ONCE, settings.calls_waiting)
        self._deadline = settings.deadline_seconds
        self._methods = {path: Method(method) for path, method in methods.items()}
        self._handlers: dict[str, Any] = {}
        self.calls = Calls()

    @property
    def largest(self) -> int:
        """Bytes of the largest message that any method takes: of a larger one the library reads the length and no
        more."""
        return max((method.most_bytes for method in self._methods.values()), default=0)

    async def intercept_service(self, continuation: Callable[[Any], Awaitable[Any]], handler_call_details: Any) -> Any:
        """Wraps each method once."""
        path = handler_call_details.method
        handler = self._handlers.get(path)
        if handler is None:
            handler = await continuation(handler_call_details)
            method = self._methods.get(path)
            if handler is None or method is None:
                return handler
            handler = self._handlers[path] = self._wrapped(handler, method)
        return handler

    def _wrapped(self, handler: Any, method: Method) -> Any:
        reader, write = Reader(method, handler.request_deserializer), handler.response_serializer
        if handler.unary_unary:
            call = self._unary(handler.unary_unary, method, reader)
            return grpc.stream_unary_rpc_method_handler(call, None, write)
        if handler.unary_stream:
            streaming = self._streaming(handler.unary_stream, method, reader)
            return grpc.stream_stream_rpc_method_handler(streaming, None, write)
        if handler.stream_unary:
            call = self._collecting(handler.stream_unary, method, reader)
            return grpc.stream_unary_rpc_method_handler(call, None, write)
        raise TypeError(f"{method.path} streams both ways: the gate has no rule for that yet")

    def _unary(self, behaviour: Callable[..., Awaitable[Message]], method: Method, reader: Reader) -> Any:
        async def call(contents: AsyncIterator[bytes], context: Any) -> Message:
            with Observed(method, context) as observed:
                try:
                    with self.calls:
                        async with asyncio.timeout(self._seconds(context)):
                            identity, roles = await self._admitted(context, method)
                            async with self._turn(identity):
                                request = await reader.only(contents)
                                return await _in_turn(identity, roles, method, lambda: behaviour(request, context))
                except Exception as error:
                    refused = _as_refused(error, method)
                    observed.refused(refused)
                await context.abort_with_status(status.to_status(refused))
                raise AssertionError("unreachable")

        return call

    def _streaming(self, behaviour: Callable[..., AsyncGenerator[Message]], method: Method, reader: Reader) -> Any:
        async def call(contents: AsyncIterator[bytes], context: Any) -> AsyncIterator[Message]:
            with Observed(method, context) as observed:
                try:
                    with self.calls:
                        async with asyncio.timeout(self._seconds(context)):
                            identity, roles = await self._admitted(context, method)
                            async with self._turn(identity):
                                request = await reader.only(contents)
                        serve = _each_in_turn(identity, roles, method, lambda: behaviour(request, context))
                        async with aclosing(serve) as responses:
                            async for response in responses:
                                yield response
                        return
                except Exception as error:
                    refused = _as_refused(error, method)
                    observed.refused(refused)
                await context.abort_with_status(status.to_status(refused))

        return call

    def _collecting(self, behaviour: Callable[..., Awaitable[Message]], method: Method, reader: Reader) -> Any:
        async def call(contents: AsyncIterator[bytes], context: Any) -> Message:
            with Observed(method, context) as observed:
                try:
                    with self.calls:
                        remaining = context.time_remaining()
                        async with asyncio.timeout(_STREAM_SECONDS if remaining is None else remaining):
                            identity, roles = await self._admitted(context, method)
                            async with self._turn(identity):
                                requests = reader.each(contents, self._deadline)
                                # A stream is read once: it is the first role's.
                                return await _in_turn(identity, roles[:1], method, lambda: behaviour(requests, context))
                except Exception as error:
                    refused = _as_refused(error, method)
                    observed.refused(refused)
                if refused.kind not in _STRANGERS:
                    await drain(contents)
                await context.abort_with_status(status.to_status(refused))
                raise AssertionError("unreachable")

        return call

    async def _admitted(self, context: Any, method: Method) -> tuple[auth.Identity, tuple[int, ...]]:
        """Who calls, and in which roles, from what came before the body."""
        authorization = metadata(context, "authorization")
        if authorization or options_pb2.ROLE_PUBLIC not in method.roles:
            identity = await self._verifier.identify(authorization)
        else:
            identity = self._visitors.admit(context.peer(), metadata(context, "x-forwarded-for"))
        return identity, auth.require_roles(identity, method.roles, method.name)

    def _turn(self, identity: auth.Identity) -> AbstractAsyncContextManager[None]:
        """Processes of ours bound themselves."""
        if options_pb2.ROLE_SYSTEM in identity.roles:
            return nullcontext()
        return (self._visits if identity.peer else self._turns).turn(identity.key)

    def _seconds(self, context: Any) -> float:
        remaining = context.time_remaining()
        return self._deadline if remaining is None else min(remaining, self._deadline)


async def _in_turn(
    identity: auth.Identity, roles: tuple[int, ...], method: Method, serve: Callable[[], Awaitable[Message]]
) -> Message:
    """Serves a call in one role of the caller; what that one may not do or see, in the next. So two roles in one token
    never open more than each of them alone."""
    first: Refused | None = None
    for role in roles:
        caller = auth.set_caller(identity, role)
        try:
            response = await serve()
            method.confirm(caller)
            return response
        except Refused as refused:
            if refused.kind not in _OF_THE_ROLE:
                raise
            first = first or refused
    assert first is not None
    raise first


async def _each_in_turn(
    identity: auth.Identity, roles: tuple[int, ...], method: Method, serve: Callable[[], AsyncGenerator[Message]]
) -> AsyncGenerator[Message]:
    """As `_in_turn`, until the first response."""
    first: Refused | None = None
    for role in roles:
        caller, begun = auth.set_caller(identity, role), False
        try:
            async with aclosing(serve()) as responses:
                async for response in responses:
                    method.confirm(caller)
                    begun = True
                    yield response
            return
        except Refused as refused:
            if begun or refused.kind not in _OF_THE_ROLE:
                raise
            first = first or refused
    assert first is not None
    raise first


def _as_refused(error: Exception, method: Method) -> Refused:
    if isinstance(error, Refused):
        return error
    # Before TimeoutError: the broker's own is one.
    if isinstance(error, NatsError):
        return unavailable("the broker", waited=True)
    if isinstance(error, TimeoutError):
        return Refused(Kind.DEADLINE_EXCEEDED, "DEADLINE", f"{method.name} did not end in time")
    if isinstance(error, ConnectionFailure | ExecutionTimeout) or (
        isinstance(error, PyMongoError) and error.has_error_label("RetryableWriteError")
    ):
        return unavailable("the database", waited=isinstance(error, ServerSelectionTimeoutError))
    if isinstance(error, grpc.aio.AioRpcError) and error.code() in status.CUT_OFF:
        return unavailable("another service", waited=True)
    telemetry.log.exception("a method failed", method=method.path)
    return Refused(Kind.INTERNAL, "INTERNAL", f"{method.name} failed; the trace id leads to its log line")
