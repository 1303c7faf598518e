"""What a consumer has in hand is its own until it is done, and only failures count as failures."""

import asyncio
import time
from typing import Any

import pytest
from livinglab.assessment.v1 import events_pb2
from nats.aio.client import Client

from chassis import mongo, naming
from chassis.errors import unavailable
from chassis.events import durables, stream
from stack.servers import Server
from tests.harness.consuming import beside, counting, effects
from tests.harness.servers import go_on, hang
from tests.harness.service import publish
from tests.harness.waiting import eventually

KINDS = (events_pb2.AnswersSaved, events_pb2.EvaluationOpened, events_pb2.EvaluationSubmitted)
EACH = 40


async def test_who_starts_while_the_broker_answers_too_late_waits_for_it(
    nc: Client, broker: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    js = nc.jetstream(timeout=0.2)
    asked, known = [0], js.consumer_info

    async def counted(*about: Any) -> Any:
        asked[0] += 1
        return await known(*about)

    monkeypatch.setattr(js, "consumer_info", counted)
    await hang(broker)
    try:
        starting = asyncio.create_task(durables.ensure_durable(js, "benchmark", events_pb2.AnswersSaved))
        await eventually(lambda: asked[0] > 2)
    finally:
        go_on(broker)
    await starting
    assert [lag.durable async for lag in durables.lags(js, "assessment")] == [
        naming.durable("benchmark", events_pb2.AnswersSaved)
    ]


async def test_facts_that_wait_for_a_free_slot_are_held_and_come_once(
    db: mongo.Database, nc: Client, broker: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durables, "ACK_WAIT_SECONDS", 1)
    monkeypatch.setattr(stream, "_SAY_SECONDS", 0.2)
    monkeypatch.setattr(stream, "_UNDER_WAY", 4)
    leave = asyncio.Event()

    async def slow(event: object) -> None:
        await leave.wait()

    for kind in KINDS:
        for n in range(EACH):
            await publish(broker.uri, kind(institution="32.11"), event_id=f"{kind.__name__}{n}", aggregate_id=f"a{n}")
    reactions = [stream.Reaction(kind, counting(db, kind).handle, slow) for kind in KINDS]
    consumer = stream.Consumer(db, nc, "benchmark", reactions)
    async with beside(consumer.run()):

        async def in_hand() -> list[int]:
            return [lag.in_hand async for lag in durables.lags(nc.jetstream(), "assessment")]

        async def all_in_hand() -> bool:
            return await in_hand() == [EACH] * len(KINDS)

        await eventually(all_in_hand)
        arrived = time.monotonic()
        # Much longer than what dies with a process may stay unheard of.
        await eventually(lambda: time.monotonic() - arrived > 3)
        leave.set()

        async def none_in_hand() -> bool:
            return await in_hand() == [0] * len(KINDS)

        await eventually(none_in_hand, timeout=20)
        for info in await nc.jetstream().consumers_info("ASSESSMENT"):
            # Each was handed out once.
            assert info.delivered is not None
            assert info.delivered.consumer_seq == EACH
    assert len(await effects(db)) == EACH * len(KINDS)


async def test_a_fact_that_waited_out_an_outage_may_still_fail_and_be_tried_again(
    db: mongo.Database, nc: Client, broker: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "_LONGEST_PAUSE", 0.01)
    tries = 0

    async def after(event: object) -> None:
        nonlocal tries
        tries += 1
        if tries <= 12:
            raise unavailable("Temporal")
        if tries <= 15:
            raise RuntimeError("not yet")

    reaction = stream.Reaction(events_pb2.AnswersSaved, counting(db, events_pb2.AnswersSaved).handle, after)
    await publish(broker.uri, events_pb2.AnswersSaved(institution="32.11"), event_id="f1")
    async with beside(stream.Consumer(db, nc, "benchmark", [reaction]).run()):
        await eventually(lambda: tries == 16)

        async def settled() -> bool:
            return all([not lag.in_hand async for lag in durables.lags(nc.jetstream(), "assessment")])

        await eventually(settled)
    assert await db["dead_letters"].count_documents({}) == 0
    assert await effects(db) == {"f1": 1}


async def test_a_fact_that_fails_for_good_is_set_aside_after_eight_failures_of_all_processes(
    db: mongo.Database, nc: Client, broker: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "_LONGEST_PAUSE", 0.01)
    tries = 0

    async def handle(tx: mongo.Tx, event: object) -> None:
        nonlocal tries
        tries += 1
        if tries % 2:
            raise unavailable("Temporal")
        raise RuntimeError("never")

    reaction = stream.Reaction(events_pb2.AnswersSaved, handle)
    consumers = [stream.Consumer(db, nc, "benchmark", [reaction]) for _ in range(2)]
    await publish(broker.uri, events_pb2.AnswersSaved(institution="32.11"), event_id="f1")
    async with beside(consumers[0].run()), beside(consumers[1].run()):
        letter = await eventually(lambda: db["dead_letters"].find_one({}))
    assert (letter["tries"], letter["reason"], tries) == (8, "RuntimeError: never", 16)
