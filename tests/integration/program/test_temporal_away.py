"""While Temporal is away, whatever needs it is refused with UNAVAILABLE, before our clients' patience ends."""

import asyncio
import time
from collections.abc import Awaitable
from typing import Any

import pytest
from livinglab.program.v1 import command_pb2
from livinglab.program.v1 import workflow_pb2 as pb
from temporalio.client import Client

from chassis.errors import Kind, Refused
from programs import names
from services.program.engine.client import Engine
from tests.harness.servers import Servers, go_on, hang


@pytest.mark.parametrize("hangs", [False, True], ids=["stopped", "hanging"])
async def test_starts_signals_orders_and_questions_are_unavailable_soon(
    temporal: Client, servers: Servers, hangs: bool
) -> None:
    """Also where its process is there and answers nothing."""
    engine, server = Engine(temporal), servers.server("temporal")
    asked: list[Awaitable[Any]] = [
        engine.start_participant(pb.ParticipantInput(cohort_id="c1", institution="32.11")),
        engine.signal("c1", "32.11", "news", pb.ParticipantInput()),
        engine.steer("c1", command_pb2.Command(request_id="r1")),
        engine.progress("c1"),
    ]
    await (hang(server) if hangs else server.stop())
    started = time.monotonic()
    try:
        answers = await asyncio.gather(*asked, return_exceptions=True)
    finally:
        if hangs:
            go_on(server)
        else:
            await server.start()
    for answer in answers:
        assert isinstance(answer, Refused)
        assert answer.kind is Kind.UNAVAILABLE
    assert time.monotonic() - started < 9


async def test_how_a_cohort_stands_is_unavailable_where_no_worker_is_there(temporal: Client) -> None:
    """Temporal's client ends such a call with a status of its own."""
    kind, queue = "ProgramWorkflow", names.TASK_QUEUE
    await temporal.start_workflow(kind, pb.ProgramInput(), id=names.workflow_id("c2"), task_queue=queue)
    with pytest.raises(Refused) as refused:
        await Engine(temporal).progress("c2")
    assert refused.value.kind is Kind.UNAVAILABLE
