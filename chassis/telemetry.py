"""Logs in JSON with the trace id, metrics over HTTP, traces that cross every boundary."""

import json
import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

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


class _Log:
    """What happens, in a few words that stay the same, and beside them what is different each time."""

    def __init__(self) -> None:
        self._logger = logging.getLogger("livinglab")

    def info(self, event: str, **told: Any) -> None:
        """Worth knowing."""
        self._tell(logging.INFO, event, told)

    def warning(self, event: str, exc_info: BaseException | None = None, **told: Any) -> None:
        """Goes on by itself, though not as it should."""
        self._tell(logging.WARNING, event, told, exc_info)

    def error(self, event: str, exc_info: BaseException | None = None, **told: Any) -> None:
        """Somebody has to look."""
        self._tell(logging.ERROR, event, told, exc_info)

    def exception(self, event: str, **told: Any) -> None:
        """An error, with what is being handled."""
        self._tell(logging.ERROR, event, told, sys.exc_info()[1])

    def _tell(self, level: int, event: str, told: Any, error: BaseException | None = None) -> None:
        if self._logger.isEnabledFor(level):
            self._logger.log(level, "%s", event, exc_info=error, extra={"told": told})


log = _Log()

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
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_Lines(process))
    logging.basicConfig(handlers=[handler], level=settings.log_level, force=True)
    # The drivers repeat at each try what our own lines say once.
    for noisy in ("pymongo", "nats", "temporalio", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


class _Lines(logging.Formatter):
    """A line of JSON for each record, our own and the libraries': what was told, `event`, `level`, `timestamp`, the
    process, and the trace within which it happened."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """Values that JSON does not know are written as Python shows them."""
        line: dict[str, Any] = dict(getattr(record, "told", {}))
        when = datetime.fromtimestamp(record.created, UTC).replace(tzinfo=None)
        line |= {"event": record.getMessage(), "level": record.levelname.lower(), "timestamp": f"{when.isoformat()}Z"}
        line["process"] = self._process
        context = trace.get_current_span().get_span_context()
        if context.is_valid:
            line["trace_id"] = format(context.trace_id, "032x")
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=repr)


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
