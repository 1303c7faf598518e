"""While Temporal is away a start is refused with UNAVAILABLE, before our clients' patience ends."""

import time

import pytest
from livinglab.program.v1 import workflow_pb2 as pb
from temporalio.client import Client

from chassis.errors import Kind, Refused
from services.program.engine.client import Engine
from tests.harness.servers import Servers


async def test_a_start_without_temporal_is_unavailable_soon(temporal: Client, servers: Servers) -> None:
    engine = Engine(temporal)
    start = pb.ParticipantInput(cohort_id="c1", institution="32.11")
    await servers.server("temporal").stop()
    started = time.monotonic()
    try:
        with pytest.raises(Refused) as refused:
            await engine.start_participant(start)
    finally:
        await servers.server("temporal").start()
    assert refused.value.kind is Kind.UNAVAILABLE
    assert time.monotonic() - started < 9
