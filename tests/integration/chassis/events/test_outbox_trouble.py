"""The outbox in trouble: what no broker would take is refused where it is made, what the broker refuses is set aside,
and neither holds up what is behind it; the figures are true meanwhile."""

from typing import Any

import pytest
from livinglab.assessment.v1 import events_pb2
from livinglab.common.v1 import dead_letter_service_pb2 as pb
from nats.aio.client import Client

from chassis import mongo, naming, telemetry
from chassis.errors import Kind, Refused
from chassis.events import dead_letters, gauges
from chassis.events.outbox import Publisher, Relay
from stack.servers import Server
from tests.harness.consuming import beside
from tests.harness.service import published
from tests.harness.waiting import eventually


def fact(name: str, size: int = 0) -> events_pb2.AnswersSaved:
    event = events_pb2.AnswersSaved(institution="32.11", evaluation_id="x" * size)
    event.meta.aggregate_id = name
    event.meta.version = 1
    return event


async def store(db: mongo.Database, *facts: events_pb2.AnswersSaved) -> None:
    async def body(tx: mongo.Tx) -> None:
        await db["effects"].insert_one({"facts": len(facts)}, session=tx.session)
        for one in facts:
            tx.add(one)

    await db.transaction(body)


async def pending(db: mongo.Database) -> int:
    return int(await db["outbox"].count_documents({"pending": True}))


def figure(gauge: Any) -> float:
    return float(next(iter(gauge.collect())).samples[0].value)


async def test_a_fact_at_the_limit_is_told_and_one_above_it_is_refused_with_the_limit_and_nothing_is_stored(
    db: mongo.Database, nc: Client, broker: Server
) -> None:
    about = len(fact("e1").SerializeToString()) + 120
    await store(db, fact("e1", mongo.LARGEST_FACT - about))
    with pytest.raises(Refused) as refused:
        await store(db, fact("e2"), fact("e3", mongo.LARGEST_FACT))
    assert (refused.value.kind, refused.value.reason) == (Kind.RESOURCE_EXHAUSTED, "FACT_TOO_LARGE")
    assert "AnswersSaved" in refused.value.message
    assert "at most 1,000,000" in refused.value.message
    assert await db["effects"].count_documents({}) == 1
    async with beside(Relay(db, nc, "assessment").run()):
        await eventually(lambda: published(broker.uri, events_pb2.AnswersSaved), ignoring=(Exception,))
    assert [one.meta.aggregate_id for one in await published(broker.uri, events_pb2.AnswersSaved)] == ["e1"]


async def test_what_the_broker_refuses_is_set_aside_and_all_others_are_published(
    db: mongo.Database, nc: Client, broker: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As an older release stored it; the second is above the limit with its headers only.
    monkeypatch.setattr(mongo, "LARGEST_FACT", 2_000_000)
    with_headers = nc.max_payload - len(fact("e2").SerializeToString()) - 200
    await store(db, *(fact(f"a{n}") for n in range(40)), fact("e1", 1_100_000), fact("e2", with_headers))
    await store(db, *(fact(f"b{n}") for n in range(40)))

    async def all_told() -> bool:
        return len(await published(broker.uri, events_pb2.AnswersSaved)) == 80 and not await pending(db)

    async with beside(Relay(db, nc, "assessment").run()):
        await eventually(all_told)
    letters, _ = await dead_letters.page(db, pb.ListDeadLettersRequest())
    # Both were stored within the same millisecond, so in no order.
    found = sorted((one.headers[naming.CE_SUBJECT], one.outgoing) for one in letters)
    assert found == [("e1", True), ("e2", True)]
    assert all("takes at most 1,048,576" in one.reason and one.id.startswith("OUTBOX:") for one in letters)
    await gauges._stored(db)
    assert telemetry.DEAD_LETTERS_WAITING.labels("out")._value.get() == 2


async def test_what_was_published_before_another_row_failed_is_marked(
    db: mongo.Database, nc: Client, broker: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store(db, *(fact(f"a{n}") for n in range(20)), fact("broken"))
    publish = Publisher.publish

    async def shaky(self: Publisher, subject: str, payload: bytes, headers: Any) -> None:
        if headers[naming.CE_SUBJECT] == "broken":
            raise TimeoutError
        await publish(self, subject, payload, headers)

    monkeypatch.setattr(Publisher, "publish", shaky)
    async with beside(Relay(db, nc, "assessment").run()), beside(gauges.measure(db, nc.jetstream(), "assessment")):

        async def one_left() -> bool:
            return await pending(db) == 1

        await eventually(one_left)
        await store(db, *(fact(f"b{n}") for n in range(3)))
        monkeypatch.setattr(gauges, "_LOOK_SECONDS", 0.02)
        await eventually(lambda: figure(telemetry.OUTBOX_PENDING) > 0)
        await eventually(lambda: figure(telemetry.OUTBOX_OLDEST) > 0)
        monkeypatch.setattr(Publisher, "publish", publish)

        async def none_left() -> bool:
            return not await pending(db)

        await eventually(none_left)
    assert len(await published(broker.uri, events_pb2.AnswersSaved)) == 24


async def test_the_figures_are_true_while_the_broker_is_away(
    db: mongo.Database, nc: Client, broker: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gauges, "_LOOK_SECONDS", 0.02)
    await broker.kill()
    await store(db, fact("e1"), fact("e2"))
    async with beside(Relay(db, nc, "assessment").run()), beside(gauges.measure(db, nc.jetstream(), "assessment")):
        await eventually(lambda: figure(telemetry.OUTBOX_PENDING) == 2)
        await broker.start()
        await eventually(lambda: figure(telemetry.OUTBOX_PENDING) == 0, timeout=20)
