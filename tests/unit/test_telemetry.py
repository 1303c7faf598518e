"""What a traceparent says about whether somebody keeps the trace."""

import pytest

from chassis import telemetry

_IDS = "00-4e5734fde1ef7589338802fbdd2a0db8-2349998f5fbbff5c-"


@pytest.mark.parametrize(("flags", "kept"), [("00", False), ("01", True), ("02", False), ("03", True), ("ff", True)])
def test_only_the_sampled_bit_counts(flags: str, kept: bool) -> None:
    assert telemetry.is_sampled(_IDS + flags) is kept


def test_no_traceparent_is_not_kept() -> None:
    assert telemetry.is_sampled("") is False
