"""The trace that a call belongs to: started, continued from the caller, passed on. Loads nothing heavy, since every
command of the CLI imports it."""

import random
from contextlib import AbstractContextManager

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_PROPAGATOR = TraceContextTextMapPropagator()
# Hands out spans of whatever provider is set when the first one starts.
_TRACER = trace.get_tracer("livinglab")
_TRACEPARENT = "traceparent"
# In the context of a root that was drawn to be kept.
DRAWN = otel_context.create_key("drawn")


class Kept:
    """How many of the traces that begin here somebody keeps."""

    share = 1.0


def span(name: str, kind: SpanKind, traceparent: str | None = None) -> AbstractContextManager[Span]:
    """A span under the given parent, or under the current one. Where nobody keeps it, to know the trace in logs and to
    hand it on is enough, and costs little."""
    context = otel_context.get_current()
    if traceparent:
        context = _PROPAGATOR.extract({_TRACEPARENT: traceparent})
        if not is_sampled(traceparent):
            return _Unsampled(context)
    elif not trace.get_current_span(context).get_span_context().is_valid:
        if random.random() >= Kept.share:
            return _Unsampled(_begun(context))
        context = otel_context.set_value(DRAWN, True, context)
    return _TRACER.start_as_current_span(name, context=context, kind=kind)


def begun() -> AbstractContextManager[Span]:
    """A trace that begins here, without a provider: whoever is called keeps theirs of it."""
    ids = SpanContext(
        random.getrandbits(128) | 1,
        random.getrandbits(64) | 1,
        is_remote=False,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
    )
    return trace.use_span(NonRecordingSpan(ids))


def _begun(context: Context) -> Context:
    """A trace that begins here and that nobody keeps."""
    ids = SpanContext(random.getrandbits(128) | 1, random.getrandbits(64) | 1, is_remote=False)
    return trace.set_span_in_context(NonRecordingSpan(ids), context)


class _Unsampled(AbstractContextManager[Span]):
    def __init__(self, context: Context) -> None:
        self._context = context

    def __enter__(self) -> Span:
        self._token = otel_context.attach(self._context)
        return trace.get_current_span(self._context)

    def __exit__(self, *_: object) -> None:
        otel_context.detach(self._token)


def traceparent() -> str:
    """The current position in the trace, to hand on; empty outside of any."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return carrier.get(_TRACEPARENT, "")


def is_sampled(traceparent: str) -> bool:
    """Whether somebody keeps the trace; where nobody does, handing it on is enough."""
    # The last bit of the flags; the others say other things, such as that the id is random.
    return traceparent[-1:] in "13579bdf" and bool(traceparent)
