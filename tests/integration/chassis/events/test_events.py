"""Outbox, relay, stream and consumer on real servers: nothing lost or doubled, in order, set aside when hopeless."""

import asyncio
from typing import Any

import nats
from livinglab.assessment.v1 import events_pb2
from nats.aio.client import Client
from pymongo import WriteConcern

from chassis import mongo, naming
from chassis.changes import Changes
from chassis.events import stream
from chassis.events.outbox import Relay
from stack.servers import Server
from tests.harness.service import publish, published
from tests.harness.waiting import eventually


class Running:
    """A relay or consumer that can be stopped like a crash."""

    def __init__(self, work: Any) -> None:
        self.task = asyncio.create_task(work)

    async def crash(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


def fact(version: int, aggregate: str = "e1") -> events_pb2.AnswersSaved:
    event = events_pb2.AnswersSaved(institution="32.11", evaluation_id=aggregate, answered=version)
    event.meta.aggregate_id = aggregate
    event.meta.version = version
    return event


async def store(db: mongo.Database, *facts: events_pb2.AnswersSaved) -> None:
    async def body(tx: mongo.Tx) -> None:
        for one in facts:
            tx.add(one)

    await db.transaction(body)


def versions(facts: list[events_pb2.AnswersSaved], aggregate: str = "e1") -> list[int]:
    return [f.meta.version for f in facts if f.meta.aggregate_id == aggregate]


async def all_published(db: mongo.Database) -> bool:
    return bool(await db["outbox"].count_documents({"pending": True}) == 0)


async def test_facts_stored_while_no_relay_ran_are_published_in_order(
    db: mongo.Database, nc: Client, broker: Server
) -> None:
    for version in range(1, 31):
        await store(db, fact(version, "e1"), fact(version, "e2"))
    relay = Running(Relay(db, nc, "assessment").run())
    await eventually(lambda: all_published(db))
    found = await published(broker.uri, events_pb2.AnswersSaved)
    assert versions(found, "e1") == versions(found, "e2") == list(range(1, 31))
    await relay.crash()


async def test_a_relay_killed_between_publish_and_mark_publishes_again_and_the_stream_keeps_one(
    db: mongo.Database, nc: Client, broker: Server
) -> None:
    await store(db, fact(1))
    row = await db["outbox"].find_one({})
    headers = {naming.MESSAGE_ID: row["_id"]}
    await nc.jetstream().publish(row["subject"], row["payload"], headers=headers)
    relay = Running(Relay(db, nc, "assessment").run())
    await eventually(lambda: all_published(db))
    assert versions(await published(broker.uri, events_pb2.AnswersSaved)) == [1]
    await relay.crash()


async def test_two_relays_of_one_service_publish_in_order_and_the_second_takes_over(
    db: mongo.Database, nc: Client, broker: Server
) -> None:
    first = Running(Relay(db, nc, "assessment").run())
    await eventually(lambda: db["leases"].find_one({"_id": "relay"}))
    second = Running(Relay(db, nc, "assessment").run())
    for version in range(1, 11):
        await store(db, fact(version))
    await first.crash()
    for version in range(11, 21):
        await store(db, fact(version))
    await eventually(lambda: all_published(db), timeout=15)
    assert versions(await published(broker.uri, events_pb2.AnswersSaved)) == list(range(1, 21))
    await second.crash()


async def test_facts_wait_for_a_broker_that_is_down(db: mongo.Database, nc: Client, broker: Server) -> None:
    relay = Running(Relay(db, nc, "assessment").run())
    await store(db, fact(1))
    await eventually(lambda: all_published(db))
    await broker.kill()
    await store(db, fact(2), fact(3))
    assert not await all_published(db)
    await broker.start()
    await eventually(lambda: all_published(db), timeout=20)
    assert versions(await published(broker.uri, events_pb2.AnswersSaved)) == [1, 2, 3]
    await relay.crash()


async def test_a_fact_not_yet_with_the_majority_when_a_relay_looks_is_in_its_backlog_or_its_stream(
    db: mongo.Database,
) -> None:
    at_once = db["outbox"].with_options(write_concern=WriteConcern(w=1, j=False))
    missed = []
    for row in map(str, range(20)):
        await at_once.insert_one({"_id": row, "pending": True})
        async with await db.client.start_session() as session:
            changes = await Changes.open(db, session, [], collection="outbox")
            seen = {one["_id"] for one in await db["outbox"].find({"pending": True}, session=session).to_list(None)}
            while row not in seen and (news := await changes.next()):
                seen |= {change["fullDocument"]["_id"] for change in news}
        missed += [row] if row not in seen else []
    assert missed == []


def counting(db: mongo.Database) -> stream.Reaction:
    async def handle(tx: mongo.Tx, event: events_pb2.AnswersSaved) -> None:
        change = {"$inc": {"times": 1}, "$push": {"versions": event.meta.version}}
        await db["effects"].update_one({"_id": event.meta.aggregate_id}, change, upsert=True, session=tx.session)

    return stream.Reaction(events_pb2.AnswersSaved, handle)


async def effect(db: mongo.Database, aggregate: str = "e1") -> dict[str, Any]:
    return await db["effects"].find_one({"_id": aggregate}) or {"times": 0, "versions": []}


async def test_an_event_delivered_twice_has_its_effect_once(db: mongo.Database, nc: Client, broker: Server) -> None:
    consumer = Running(stream.Consumer(db, nc, "benchmark", [counting(db)]).run())
    await publish(broker.uri, fact(1), version=1, aggregate_id="e1", event_id="same")
    # Beyond the broker's own window: the same event under another message id.
    headers = {naming.CE_ID: "same", "ce-type": events_pb2.AnswersSaved.DESCRIPTOR.full_name, naming.CE_SUBJECT: "e1"}
    again = fact(1)
    again.meta.event_id = "same"
    await nc.jetstream().publish(naming.subject(again), again.SerializeToString(), headers=headers)
    await publish(broker.uri, fact(2), version=2, aggregate_id="e1")

    async def second_came() -> bool:
        return 2 in (await effect(db))["versions"]

    await eventually(second_came)
    assert (await effect(db))["versions"] == [1, 2]
    await consumer.crash()


async def test_a_reaction_that_fails_at_first_is_tried_again(db: mongo.Database, nc: Client, broker: Server) -> None:
    tries = []
    good = counting(db).handle
    assert good is not None

    async def shaky(tx: mongo.Tx, event: events_pb2.AnswersSaved) -> None:
        tries.append(event.meta.version)
        await good(tx, event)
        if len(tries) < 3:
            raise RuntimeError("not yet")

    consumer = Running(stream.Consumer(db, nc, "benchmark", [stream.Reaction(events_pb2.AnswersSaved, shaky)]).run())
    await publish(broker.uri, fact(1), aggregate_id="e1")

    async def applied() -> bool:
        return bool((await effect(db))["times"] == 1)

    await eventually(applied)
    assert len(tries) == 3
    await consumer.crash()


async def test_an_event_that_cannot_be_read_is_set_aside_with_its_reason_and_the_next_one_is_handled(
    db: mongo.Database, nc: Client, broker: Server
) -> None:
    consumer = Running(stream.Consumer(db, nc, "benchmark", [counting(db)]).run())
    headers = {"ce-type": events_pb2.AnswersSaved.DESCRIPTOR.full_name, naming.CE_SUBJECT: "e1"}
    await nc.jetstream().publish("assessment.v1.AnswersSaved.32.11", b"\xff\xff\xff", headers=headers)
    await publish(broker.uri, fact(1), aggregate_id="e1")
    dead = await eventually(lambda: db["dead_letters"].find_one({}))
    assert dead["subject"] == "assessment.v1.AnswersSaved.32.11"
    assert dead["payload"] == b"\xff\xff\xff"
    assert "DecodeError" in dead["reason"]

    async def applied() -> bool:
        return bool((await effect(db))["times"] == 1)

    await eventually(applied)
    await consumer.crash()


async def test_a_consumer_killed_in_the_middle_goes_on_where_it_was(
    db: mongo.Database, nc: Client, broker: Server
) -> None:
    for version in range(1, 41):
        await publish(broker.uri, fact(version), version=version, aggregate_id="e1")
    first_nc = await nats.connect(broker.uri)
    first = Running(stream.Consumer(db, first_nc, "benchmark", [counting(db)]).run())

    async def some() -> bool:
        return bool((await effect(db))["times"] >= 5)

    await eventually(some)
    # The connection goes first: what is under way can neither be acknowledged nor refused.
    await first_nc.close()
    await first.crash()
    second = Running(stream.Consumer(db, nc, "benchmark", [counting(db)]).run())

    async def all_of_them() -> bool:
        return len((await effect(db))["versions"]) >= 40

    await eventually(all_of_them, timeout=40)
    assert sorted((await effect(db))["versions"]) == list(range(1, 41))
    await second.crash()
