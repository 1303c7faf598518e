"""gRPC out: channels that carry identity, trace and a deadline."""

from collections.abc import Callable
from typing import Any

import grpc
import grpc.aio

from chassis import tracing
from chassis.tls import PLAIN, Tls

LARGEST_MESSAGE = 8 * 2**20
_CALL_SECONDS = 10.0
# Every write is idempotent by its request_id, so the library may repeat a call that found nobody, or that a server
# cut off when it stopped, for which the library says CANCELLED. What the caller itself takes back is not repeated.
_RETRY = """{"methodConfig": [{"name": [{}], "retryPolicy": {"maxAttempts": 5, "initialBackoff": "0.1s",
"maxBackoff": "2s", "backoffMultiplier": 3, "retryableStatusCodes": ["UNAVAILABLE", "CANCELLED"]}}],
"loadBalancingConfig": [{"round_robin": {}}]}"""
_CHANNEL_OPTIONS = [
    ("grpc.service_config", _RETRY),
    ("grpc.max_receive_message_length", LARGEST_MESSAGE),
    ("grpc.max_send_message_length", LARGEST_MESSAGE),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.initial_reconnect_backoff_ms", 100),
    # A lone replica that moves is looked for again this soon.
    ("grpc.dns_min_time_between_resolutions_ms", 2_000),
    ("grpc.max_reconnect_backoff_ms", 2_000),
]


def _completed(details: Any, authorization: Callable[[], str], seconds: float | None) -> Any:
    """Adds identity, trace and a deadline to a call that has none."""
    metadata = grpc.aio.Metadata(*(details.metadata or ()))
    if metadata.get("authorization") is None and (header := authorization()):
        metadata.add("authorization", header)
    if traceparent := tracing.traceparent():
        metadata.add("traceparent", traceparent)
    timeout = details.timeout if details.timeout is not None else seconds
    return grpc.aio.ClientCallDetails(details.method, timeout, metadata, details.credentials, details.wait_for_ready)


class _UnaryOutgoing(grpc.aio.UnaryUnaryClientInterceptor):
    def __init__(self, authorization: Callable[[], str]) -> None:
        self._authorization = authorization

    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return await continuation(_completed(client_call_details, self._authorization, _CALL_SECONDS), request)


class _StreamOutgoing(grpc.aio.UnaryStreamClientInterceptor):
    def __init__(self, authorization: Callable[[], str]) -> None:
        self._authorization = authorization

    async def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return await continuation(_completed(client_call_details, self._authorization, None), request)


class _UploadOutgoing(grpc.aio.StreamUnaryClientInterceptor):
    def __init__(self, authorization: Callable[[], str]) -> None:
        self._authorization = authorization

    async def intercept_stream_unary(self, continuation: Any, client_call_details: Any, request_iterator: Any) -> Any:
        return await continuation(_completed(client_call_details, self._authorization, None), request_iterator)


def channel(address: str, authorization: Callable[[], str], tls: Tls = PLAIN) -> grpc.aio.Channel:
    """A channel to another process that carries identity, trace and a deadline."""
    interceptors = [_UnaryOutgoing(authorization), _StreamOutgoing(authorization), _UploadOutgoing(authorization)]
    return tls.channel(address, _CHANNEL_OPTIONS, interceptors)
