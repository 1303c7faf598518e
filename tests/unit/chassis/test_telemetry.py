"""Which traces somebody keeps: what a traceparent says of it, and the share of those that begin here; lines of logs."""

import json
import logging
import re
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased
from opentelemetry.trace import SpanKind, StatusCode

from chassis import telemetry, tracing

_IDS = "00-4e5734fde1ef7589338802fbdd2a0db8-2349998f5fbbff5c-"


@pytest.mark.parametrize(("flags", "kept"), [("00", False), ("01", True), ("02", False), ("03", True), ("ff", True)])
def test_only_the_sampled_bit_counts(flags: str, kept: bool) -> None:
    assert telemetry.is_sampled(_IDS + flags) is kept


def test_no_traceparent_is_not_kept() -> None:
    assert telemetry.is_sampled("") is False


@pytest.mark.parametrize(("share", "least", "most"), [(0.0, 0, 0), (0.5, 400, 600), (1.0, 1000, 1000)])
def test_the_share_of_traces_that_begin_here_is_drawn_once(
    monkeypatch: pytest.MonkeyPatch, share: float, least: int, most: int
) -> None:
    monkeypatch.setattr(tracing.Kept, "share", 1.0)  # Put back afterwards.
    provider = TracerProvider(sampler=ParentBased(telemetry._Roots(share)), shutdown_on_exit=False)
    monkeypatch.setattr(tracing, "_TRACER", provider.get_tracer("test"))
    kept, seen = 0, set()
    for _ in range(1_000):
        with telemetry.span("root", SpanKind.SERVER, ""):
            trace = telemetry.traceparent()
            with telemetry.span("inner", SpanKind.INTERNAL):
                inner = telemetry.traceparent()
        kept += telemetry.is_sampled(trace)
        seen.add(trace.split("-")[1])
        assert inner.split("-")[1] == trace.split("-")[1]
        assert telemetry.is_sampled(inner) == telemetry.is_sampled(trace)
    assert least <= kept <= most
    assert len(seen) == 1_000
    assert telemetry.traceparent() == ""


@pytest.mark.parametrize(("code", "ours"), [("INTERNAL", True), ("PERMISSION_DENIED", False)])
def test_a_span_says_how_its_call_ended(monkeypatch: pytest.MonkeyPatch, code: str, ours: bool) -> None:
    monkeypatch.setattr(tracing.Kept, "share", 1.0)
    kept = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    monkeypatch.setattr(tracing, "_TRACER", provider.get_tracer("test"))
    with telemetry.span("call", SpanKind.SERVER, ""):
        telemetry.refused(code, "REASON", "what happened", ours=ours)
    (span,) = kept.get_finished_spans()
    assert span.attributes == {"rpc.grpc.status_code": code, "livinglab.reason": "REASON"}
    assert (span.status.status_code is StatusCode.ERROR) is ours
    # Nobody listens: nothing to say, and nothing goes wrong.
    telemetry.refused(code, "REASON", "what happened", ours=ours)


def test_a_line_is_json_with_what_was_told_the_process_the_trace_and_the_error(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tracing.Kept, "share", 1.0)
    with telemetry.span("root", SpanKind.SERVER, f"{_IDS}01"), caplog.at_level(logging.INFO):
        try:
            raise ValueError("50 %s")
        except ValueError as error:
            telemetry.log.exception("it failed", at=Path("x"))
            telemetry.log.warning("it failed", exc_info=error, failures=2)
        telemetry.log.info("100 %d")
        logging.getLogger("library").warning("%s of %d", "a", 2)
    ours, failed, plain, theirs = (json.loads(telemetry._Lines("notify").format(one)) for one in caplog.records)
    assert (ours["event"], ours["level"], ours["at"]) == ("it failed", "error", repr(Path("x")))
    assert (failed["level"], failed["failures"], plain["event"], theirs["event"]) == ("warning", 2, "100 %d", "a of 2")
    for line in (ours, failed):
        assert line["exception"].startswith("Traceback")
        assert line["exception"].endswith("ValueError: 50 %s")
    for line in (ours, failed, plain, theirs):
        assert line["process"] == "notify"
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z", line["timestamp"])
