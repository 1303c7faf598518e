"""A gRPC server: what it serves, its health, its end."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import grpc.aio
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_reflection.v1alpha import reflection

from chassis import tls
from chassis.config import Settings
from chassis.outgoing import LARGEST_MESSAGE
from chassis.rpc.gate import Gate

_SERVER_OPTIONS = [
    ("grpc.max_send_message_length", LARGEST_MESSAGE),
    ("grpc.so_reuseport", 0),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    # So that a client's balancer finds new replicas.
    ("grpc.max_connection_age_ms", 600_000),
    ("grpc.max_connection_age_grace_ms", 60_000),
]


@dataclass(frozen=True)
class Served:
    """One service to serve: its descriptor, its implementation and the generated function that adds it."""

    descriptor: ServiceDescriptor
    servicer: Any
    add: Callable[[Any, grpc.aio.Server], None]


class Server:
    """A gRPC server with health for each service and reflection. Not serving until `ready`."""

    def __init__(self, settings: Settings, served: Sequence[Served]) -> None:
        self._names = ["", *(s.descriptor.full_name for s in served)]
        self._health = HealthServicer()
        methods = {f"/{s.descriptor.full_name}/{m.name}": m for s in served for m in s.descriptor.methods}
        self._gate = Gate(settings, methods)
        self._server = grpc.aio.server(
            interceptors=[self._gate],
            options=[*_SERVER_OPTIONS, ("grpc.max_receive_message_length", self._gate.largest)],
            maximum_concurrent_rpcs=settings.maximum_concurrent_rpcs,
        )
        added: Any = _ByPath(self._server)
        for s in served:
            s.add(s.servicer, added)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, added)
        reflection.enable_server_reflection(
            [*self._names[1:], reflection.SERVICE_NAME, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name],
            added,
        )
        credentials = tls.of(settings).server()
        if credentials is None:
            port = self._server.add_insecure_port(settings.listen)
        else:
            port = self._server.add_secure_port(settings.listen, credentials)
        if port == 0:
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
