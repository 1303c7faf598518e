"""Two releases of one service on one broker: what the newer one listens to besides is heard from its first fact on,
once, while the older one runs beside it, after it was rolled back, and when it comes again."""

import asyncio
from contextlib import asynccontextmanager
from typing import Any

from livinglab.assessment.v1 import events_pb2
from nats.aio.client import Client
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from chassis import mongo, naming
from chassis.events import durables, stream
from stack.servers import Server
from tests.harness.consuming import beside, counting, effects
from tests.harness.service import publish
from tests.harness.waiting import eventually

OLD = (events_pb2.AnswersSaved,)
NEW = (events_pb2.AnswersSaved, events_pb2.EvaluationOpened)


class Releases:
    """Runs releases of a service that listens to these kinds, each over a connection of its own."""

    def __init__(self, db: mongo.Database, broker: Server) -> None:
        self.db = db
        self.broker = broker

    @asynccontextmanager
    async def running(self, kinds: Any) -> Any:
        nc = await stream.connect(self.broker.uri, "test")
        async with nc, beside(stream.Consumer(self.db, nc, "benchmark", [counting(self.db, k) for k in kinds]).run()):
            yield

    async def told(self, *names: str) -> None:
        """Facts called s… are of the kind that both releases know, those called o… of the one that the newer knows."""
        for name in names:
            fact: Any = events_pb2.AnswersSaved() if name.startswith("s") else events_pb2.EvaluationOpened()
            fact.institution = "32.11"
            await publish(self.broker.uri, fact, event_id=name, aggregate_id="e1")

    async def heard(self, *names: str) -> None:
        """Exactly these, each once."""

        async def all_of_them() -> bool:
            return set(names) <= set(await effects(self.db))

        await eventually(all_of_them, timeout=20)
        assert await effects(self.db) == dict.fromkeys(names, 1)


async def test_a_reaction_that_a_release_adds_hears_every_earlier_fact_once(
    db: mongo.Database, broker: Server, nc: Client
) -> None:
    releases = Releases(db, broker)
    await releases.told("o1", "s1", "o2")
    async with releases.running(OLD):
        await releases.heard("s1")
        async with releases.running(NEW):
            # Both run: a rolling update.
            await releases.heard("s1", "o1", "o2")
            await releases.told("s2", "o3")
            await releases.heard("s1", "o1", "o2", "s2", "o3")
        # Rolled back: what the older one does not know waits.
        await releases.told("o4", "s3")
        await releases.heard("s1", "o1", "o2", "s2", "o3", "s3")
    async with releases.running(OLD):
        await releases.told("o5", "s4")
        await releases.heard("s1", "o1", "o2", "s2", "o3", "s3", "s4")
    # Forward again, also where the inbox has forgotten.
    await db["inbox"].delete_many({})
    async with releases.running(NEW):
        await releases.told("s5")
        await releases.heard("s1", "o1", "o2", "s2", "o3", "s3", "s4", "o4", "o5", "s5")


async def test_a_service_that_had_one_durable_for_all_kinds_goes_on_where_that_one_was(
    db: mongo.Database, broker: Server, nc: Client
) -> None:
    releases, js = Releases(db, broker), nc.jetstream()
    await releases.told("s1", "o1", "s2", "s3")
    config = ConsumerConfig(
        durable_name="benchmark",
        deliver_policy=DeliverPolicy.ALL,
        deliver_subject="deliver.ASSESSMENT.benchmark",
        deliver_group="benchmark",
        ack_policy=AckPolicy.EXPLICIT,
        filter_subjects=[naming.subject_filter(kind) for kind in OLD],
    )
    taking = await nc.subscribe("deliver.ASSESSMENT.benchmark", queue="benchmark")
    await js.add_consumer("ASSESSMENT", config)
    for _ in range(2):
        await (await taking.next_msg(timeout=10)).ack_sync()
    async with releases.running(NEW):
        await releases.heard("o1", "s3")
        # Its release still listens.
        assert "benchmark" in [info.name for info in await js.consumers_info("ASSESSMENT")]
    await taking.unsubscribe()
    await nc.flush()
    async with releases.running(NEW):

        async def retired() -> bool:
            return "benchmark" not in [info.name for info in await js.consumers_info("ASSESSMENT")]

        await eventually(retired)
        await releases.heard("o1", "s3")


async def test_processes_of_a_service_that_start_at_once_agree_on_where_it_stands(
    db: mongo.Database, broker: Server, nc: Client
) -> None:
    await Releases(db, broker).told("s1", "o1")
    together = [durables.ensure_durable(nc.jetstream(), "benchmark", kind) for kind in NEW * 4]
    await asyncio.gather(*together)
    [saved, opened] = sorted(
        [lag async for lag in durables.lags(nc.jetstream(), "assessment")], key=lambda lag: lag.durable
    )
    assert [saved.durable, opened.durable] == ["benchmark_v1_AnswersSaved", "benchmark_v1_EvaluationOpened"]
    assert (saved.waiting, saved.in_hand, saved.listening) == (1, 0, False)
    assert saved.since is not None
