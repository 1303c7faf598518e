"""Logs in JSON with the trace id, metrics over HTTP, traces that cross every boundary."""

import logging
import sys
from collections.abc import Callable, MutableMapping
from typing import Any

import structlog
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, SamplingResult, TraceIdRatioBased
from opentelemetry.trace import StatusCode
from prometheus_client import Counter, Gauge, Histogram, start_http_server

from chassis.config import Settings
from chassis.tracing import DRAWN, Kept, is_sampled, span, traceparent

__all__ = ["is_sampled", "span", "traceparent"]

log: structlog.stdlib.BoundLogger = structlog.get_logger()

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
RPC_SECONDS = Histogram("livinglab_rpc_seconds", "Time to serve a call", ["service", "method"], buckets=_FAST)
RPC_TOTAL = Counter("livinglab_rpc_total", "Calls served", ["service", "method", "code"])
OUTBOX_PENDING = Gauge("livinglab_outbox_pending", "Events stored and not yet published")
OUTBOX_OLDEST = Gauge("livinglab_outbox_oldest_seconds", "Age of the oldest of them")
EVENTS_PUBLISHED = Counter("livinglab_events_published_total", "Events acknowledged by the broker", ["event"])
EVENTS_HANDLED = Counter(
    "livinglab_events_handled_total", "Events taken in, by what became of them", ["event", "outcome"]
)
REACTION_SECONDS = Histogram("livinglab_reaction_seconds", "Time to handle an event", ["event"], buckets=_FAST)
DEAD_LETTERS = Counter("livinglab_dead_letters_total", "Events set aside, kept for replay", ["event"])
DEAD_LETTERS_WAITING = Gauge(
    "livinglab_dead_letters_waiting", "Events set aside that nobody has looked after", ["direction"]
)
REPLAYS = Counter(
    "livinglab_dead_letter_replays_total", "Replays and discards, by what became of them", ["event", "outcome"]
)
LAG = Gauge(
    "livinglab_consumer_lag_events", "Events of a stream that a consumer has not settled", ["stream", "consumer"]
)
LAG_SECONDS = Gauge("livinglab_consumer_lag_seconds", "Age of the oldest of them", ["stream", "consumer"])


def start(settings: Settings, process: str) -> Callable[[], None]:
    """Sets up logs, traces and the metrics endpoint; returns what ends them in order."""
    _start_logs(settings, process)
    provider = _start_traces(settings, process)
    host, _, port = settings.metrics_listen.rpartition(":")
    server, thread = start_http_server(int(port), host)

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()
        provider.shutdown()

    return stop


def _start_logs(settings: Settings, process: str) -> None:
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _with_trace(process),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=settings.log_level, force=True)
    # The drivers repeat at each try what our own lines say once.
    for noisy in ("pymongo", "nats", "temporalio", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _with_trace(process: str) -> Callable[[Any, str, MutableMapping[str, Any]], MutableMapping[str, Any]]:
    def add(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["process"] = process
        context = trace.get_current_span().get_span_context()
        if context.is_valid:
            event["trace_id"] = format(context.trace_id, "032x")
        return event

    return add


def _start_traces(settings: Settings, process: str) -> TracerProvider:
    provider = TracerProvider(
        resource=Resource.create({"service.name": process}),
        sampler=ParentBased(_Roots(settings.trace_ratio)),
        shutdown_on_exit=False,
    )
    if settings.otlp_endpoint:
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=settings.otlp_endpoint)))
    if settings.trace_file:
        out = settings.trace_file.open("a", buffering=1)
        exporter = ConsoleSpanExporter(out=out, formatter=lambda span: span.to_json(indent=None) + "\n")
        provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=500))
    trace.set_tracer_provider(provider)
    return provider


class _Roots(TraceIdRatioBased):
    """Draws which traces that begin here are kept, once: not again those that `span` has drawn."""

    def __init__(self, share: float) -> None:
        super().__init__(share)
        Kept.share = share

    def should_sample(self, parent_context: Context | None, trace_id: int, *rest: Any, **named: Any) -> SamplingResult:
        """As drawn before, or by the id."""
        drawn = otel_context.get_value(DRAWN, parent_context)
        return super().should_sample(parent_context, 0 if drawn else trace_id, *rest, **named)


def refused(code: str, reason: str, message: str, *, ours: bool) -> None:
    """The current span ends with this code of gRPC; an error where it is our own failure and not the caller's."""
    current = trace.get_current_span()
    if current.is_recording():
        current.set_attributes({"rpc.grpc.status_code": code, "livinglab.reason": reason})
        if ours:
            current.set_status(StatusCode.ERROR, message)
