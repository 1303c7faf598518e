"""gRPC in: one server interceptor for identity, policy, rules, deadline, errors, logs, metrics and trace."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import DecodeError, Message
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_reflection.v1alpha import reflection
from livinglab.common.v1 import options_pb2
from pymongo.errors import ConnectionFailure, ExecutionTimeout, PyMongoError, ServerSelectionTimeoutError

from chassis import auth, status, telemetry, validation
from chassis.config import Settings
from chassis.draining import Calls
from chassis.errors import Kind, Refused, Violation, invalid, unavailable
from chassis.method import Method, Observed, metadata
from chassis.outgoing import LARGEST_MESSAGE
from chassis.outgoing import channel as channel

# Longest upload whose caller set no deadline; each of its messages has the usual one.
_DRAIN_SECONDS = 2.0
_STRANGERS = frozenset({Kind.UNAUTHENTICATED, Kind.PERMISSION_DENIED})
_STREAM_SECONDS = 3_600.0
_SERVER_OPTIONS = [
    ("grpc.max_receive_message_length", LARGEST_MESSAGE),
    ("grpc.max_send_message_length", LARGEST_MESSAGE),
    ("grpc.so_reuseport", 0),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    # So that a client's balancer finds new replicas.
    ("grpc.max_connection_age_ms", 600_000),
    ("grpc.max_connection_age_grace_ms", 60_000),
]
# In place of a request that could not be read.
_UNREADABLE = object()


@dataclass(frozen=True)
class Served:
    """One service to serve: its descriptor, its implementation and the generated function that adds it."""

    descriptor: ServiceDescriptor
    servicer: Any
    add: Callable[[Any, grpc.aio.Server], None]


class Server:
    """A gRPC server with health for each service and reflection. Not serving until `ready`."""

    def __init__(self, settings: Settings, served: Sequence[Served]) -> None:
        verifier = auth.verifier(settings)
        self._names = ["", *(s.descriptor.full_name for s in served)]
        self._health = HealthServicer()
        methods = {f"/{s.descriptor.full_name}/{m.name}": m for s in served for m in s.descriptor.methods}
        visitors = auth.Visitors(settings.anonymous_calls_per_minute, settings.trusted_proxies)
        self._gate = Gate(verifier, visitors, methods, settings.deadline_seconds)
        self._server = grpc.aio.server(interceptors=[self._gate], options=_SERVER_OPTIONS)
        added: Any = _ByPath(self._server)
        for s in served:
            s.add(s.servicer, added)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, added)
        reflection.enable_server_reflection(
            [*self._names[1:], reflection.SERVICE_NAME, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name],
            added,
        )
        if self._server.add_insecure_port(settings.listen) == 0:
            raise OSError(f"cannot listen on {settings.listen}")

    async def start(self) -> None:
        """Answers health checks, with NOT_SERVING."""
        await self._tell(health_pb2.HealthCheckResponse.NOT_SERVING)
        await self._server.start()

    async def ready(self) -> None:
        """Everything that the services need is there."""
        await self._tell(health_pb2.HealthCheckResponse.SERVING)

    async def stop(self, grace: float) -> None:
        """Takes no new calls and lets those under way end; what takes longer than the grace is told UNAVAILABLE."""
        await self._health.enter_graceful_shutdown()
        telling = asyncio.create_task(self._gate.calls.end(grace))
        await self._server.stop(grace)
        telling.cancel()

    async def _tell(self, state: health_pb2.HealthCheckResponse.ServingStatus.ValueType) -> None:
        for name in self._names:
            await self._health.set(name, state)


class _ByPath:
    """The server as generated code adds to it, its methods found by their paths alone. The library waits for calls of
    each registered method apart and looks at all of these places whenever any call comes, so that a service of forty
    methods spends more on that than on the call. Of two handlers of one method the one that was added first serves."""

    def __init__(self, server: grpc.aio.Server) -> None:
        self.add_generic_rpc_handlers = server.add_generic_rpc_handlers

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Any]) -> None:
        """They were added by their paths too."""


class Gate(grpc.aio.ServerInterceptor):
    """The one interceptor. What it does not know (health, reflection) passes as it is."""

    def __init__(
        self, verifier: auth.Verifier, visitors: auth.Visitors, methods: dict[str, MethodDescriptor], deadline: float
    ) -> None:
        self._verifier = verifier
        self._visitors = visitors
        self._deadline = deadline
        self._methods = {path: Method(method) for path, method in methods.items()}
        self._handlers: dict[str, Any] = {}
        self.calls = Calls()

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
        if handler.unary_unary:
            return grpc.unary_unary_rpc_method_handler(
                self._unary(handler.unary_unary, method),
                _reader(handler.request_deserializer),
                handler.response_serializer,
            )
        if handler.unary_stream:
            return grpc.unary_stream_rpc_method_handler(
                self._streaming(handler.unary_stream, method),
                _reader(handler.request_deserializer),
                handler.response_serializer,
            )
        if handler.stream_unary:
            return grpc.stream_unary_rpc_method_handler(
                self._collecting(handler.stream_unary, method),
                _reader(handler.request_deserializer),
                handler.response_serializer,
            )
        raise TypeError(f"{method.path} streams both ways: the gate has no rule for that yet")

    def _unary(self, behaviour: Callable[..., Awaitable[Message]], method: Method) -> Callable[..., Any]:
        async def call(request: Message, context: Any) -> Message:
            with Observed(method, context) as observed:
                try:
                    with self.calls:
                        caller = await self._admitted(request, context, method)
                        async with asyncio.timeout(self._seconds(context)):
                            response = await behaviour(request, context)
                        method.confirm(caller)
                        return response
                except Exception as error:
                    refused = _as_refused(error, method)
                    observed.refused(refused)
                await context.abort_with_status(status.to_status(refused))
                raise AssertionError("unreachable")

        return call

    def _streaming(self, behaviour: Callable[..., AsyncIterator[Message]], method: Method) -> Callable[..., Any]:
        async def call(request: Message, context: Any) -> AsyncIterator[Message]:
            with Observed(method, context) as observed:
                try:
                    with self.calls:
                        caller = await self._admitted(request, context, method)
                        async for response in behaviour(request, context):
                            method.confirm(caller)
                            yield response
                        return
                except Exception as error:
                    refused = _as_refused(error, method)
                    observed.refused(refused)
                await context.abort_with_status(status.to_status(refused))

        return call

    def _collecting(self, behaviour: Callable[..., Awaitable[Message]], method: Method) -> Callable[..., Any]:
        async def call(requests: AsyncIterator[Message], context: Any) -> Message:
            with Observed(method, context) as observed:
                try:
                    with self.calls:
                        caller = await self._identified(context, method)
                        remaining = context.time_remaining()
                        async with asyncio.timeout(_STREAM_SECONDS if remaining is None else remaining):
                            response = await behaviour(self._checked(requests), context)
                        method.confirm(caller)
                        return response
                except Exception as error:
                    refused = _as_refused(error, method)
                    observed.refused(refused)
                if refused.kind not in _STRANGERS:
                    await _drain(requests)
                await context.abort_with_status(status.to_status(refused))
                raise AssertionError("unreachable")

        return call

    async def _checked(self, requests: AsyncIterator[Message]) -> AsyncIterator[Message]:
        """The messages of a stream, one at a time, each checked as a single request is; a caller who falls silent
        holds nothing for longer than a call may take."""
        waiting = aiter(requests)
        for n in itertools.count():
            try:
                async with asyncio.timeout(self._deadline):
                    request = await anext(waiting)
            except StopAsyncIteration:
                return
            faults = _faults(request)
            if faults:
                raise invalid(Violation(f"messages[{n}].{fault.field}", fault.description) for fault in faults)
            yield request

    async def _admitted(self, request: Message, context: Any, method: Method) -> auth.Caller:
        caller = await self._identified(context, method)
        faults = _faults(request)
        if faults:
            raise invalid(faults)
        return caller

    async def _identified(self, context: Any, method: Method) -> auth.Caller:
        authorization = metadata(context, "authorization")
        if authorization or options_pb2.ROLE_PUBLIC not in method.roles:
            identity = await self._verifier.identify(authorization)
        else:
            identity = self._visitors.admit(context.peer(), metadata(context, "x-forwarded-for"))
        return auth.set_caller(identity, auth.require_role(identity, method.roles, method.name))

    def _seconds(self, context: Any) -> float:
        remaining = context.time_remaining()
        return self._deadline if remaining is None else min(remaining, self._deadline)


async def _drain(requests: AsyncIterator[Message]) -> None:
    """A caller who is still sending takes the reset of its stream for the answer, so it may send on for a moment.
    From one who may not call at all, nothing is read."""
    with contextlib.suppress(TimeoutError, grpc.RpcError, Refused):
        async with asyncio.timeout(_DRAIN_SECONDS):
            async for _ in requests:
                pass


def _reader(deserialize: Callable[[bytes], Message]) -> Callable[[bytes], Any]:
    """Bytes that are no message of the method are the caller's fault; the library would call them INTERNAL."""

    def read(content: bytes) -> Any:
        try:
            return deserialize(content)
        except DecodeError:
            return _UNREADABLE

    return read


def _faults(request: Any) -> list[Violation]:
    if request is _UNREADABLE:
        return [Violation("", "is not a message of this method")]
    return validation.violations(request)


def _as_refused(error: Exception, method: Method) -> Refused:
    if isinstance(error, Refused):
        return error
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
