"""The race of 600 bodies, five years and 47 indicators: reading it, hearing of a change, building it anew."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc.aio
import nats
from livinglab.assessment.v1 import events_pb2 as assessment_pb
from livinglab.benchmark.v1 import service_pb2 as pb
from livinglab.benchmark.v1 import steward_service_pb2 as steward_pb
from livinglab.benchmark.v1.service_pb2_grpc import BenchmarkServiceStub
from livinglab.benchmark.v1.steward_service_pb2_grpc import StewardServiceStub
from nats.aio.client import Client
from nats.js.api import AckPolicy, ConsumerConfig
from pymongo import AsyncMongoClient, WriteConcern
from pymongo.read_concern import ReadConcern

from bench import race_facts
from bench.race_facts import BODIES, INDICATORS, INSTRUMENT, YEARS
from bench.rows import Row, at_least, middle, percentile, within
from chassis import naming
from stack.system import System
from stack.waiting import advancing

_IN_FLIGHT, _QUERIES, _ROUNDS = 32, 1_600, 5
_NEWS = 150
# Heard as they come: each body's result of each year, once.
_LIVE = BODIES * len(YEARS)
# What the rebuild reads: all of them, revised more than thirty times.
_FACTS = 100_000
_BARE_FACTS = 3_000
_SIDE_BY_SIDE = 64
_BATCH = 500


async def rows(system: System) -> AsyncIterator[Row]:
    """The race as it is read and watched, then the rebuild of a database that was lost."""
    metadata = (("authorization", f"Bearer {system.fleet.issuer.token('manager')}"),)
    others = [member for name, member in system.fleet.members.items() if name != "benchmark"]
    await asyncio.gather(*(other.stop() for other in others))
    what = f"{BODIES} bodies, {len(YEARS)} years, {INDICATORS} indicators"
    nc = await nats.connect(system.platform.addresses.nats)
    async with nc, AsyncMongoClient[dict[str, Any]](system.platform.addresses.mongodb) as client:
        await race_facts.fill(nc, race_facts.facts(0, _LIVE))
        await _arrived(client)
        async with grpc.aio.insecure_channel(system.fleet.address("benchmark")) as channel:
            queries = await _queries(channel, metadata)
            yield within("ranking-p99", f"full ranking, {_IN_FLIGHT} in flight: {what}", queries, 20.0, "ms")
            news = percentile(await _news(BenchmarkServiceStub(channel), metadata, nc), 0.99)
            yield within("watch-p99", "one new result to the changed ranking at a watcher", news, 100.0, "ms")
        rebuilt = await _rebuilt(system, nc, client, metadata)
        bare = await _bare(nc.jetstream(), client)
        yield at_least("rebuild", f"projections rebuilt from {_FACTS} facts", rebuilt, bare, "1/s", 0.5)
    await system.fleet.start_again([other.name for other in others])


async def _arrived(client: AsyncMongoClient[dict[str, Any]]) -> None:
    """The live consumer has taken every fact."""

    async def taken() -> int:
        return int(await client["benchmark"]["history"].count_documents({"instrument": INSTRUMENT}))

    await advancing(taken, _LIVE)


async def _queries(channel: grpc.aio.Channel, metadata: Any) -> float:
    """p99 in milliseconds of the full ranking with movement, the middle of some rounds: workers ask for each year in
    turn. An answer is read whole;
    the first of each year is parsed and counted, and every other must be the same, so that it is the service that is
    measured and not what one client makes of 600 rows."""
    took: list[float] = []
    known: dict[str, bytes] = {}
    ask: Any = channel.unary_unary(
        f"/{pb.DESCRIPTOR.services_by_name['BenchmarkService'].full_name}/GetRanking",
        request_serializer=pb.GetRankingRequest.SerializeToString,
    )

    async def worker(number: int) -> None:
        for call in range(_QUERIES // _IN_FLIGHT):
            at = 1 + (number + call) % (len(YEARS) - 1)
            race = pb.Race(instrument=INSTRUMENT, period=YEARS[at])
            request = pb.GetRankingRequest(race=race, since_period=YEARS[at - 1], page_size=1_000)
            started = time.perf_counter()
            answer = await ask(request, metadata=metadata, timeout=30)
            took.append((time.perf_counter() - started) * 1000)
            if YEARS[at] not in known:
                known[YEARS[at]] = answer
                assert len(pb.GetRankingResponse.FromString(answer).rows) == BODIES
            assert answer == known[YEARS[at]]

    slowest = []
    # The first round warms up.
    for _ in range(1 + _ROUNDS):
        took.clear()
        await asyncio.gather(*(worker(number) for number in range(_IN_FLIGHT)))
        slowest.append(percentile(took, 0.99))
    return middle(slowest[1:])


async def _news(stub: Any, metadata: Any, nc: Client) -> list[float]:
    """Milliseconds from a fact's publication to the changed ranking at a watcher, one after the other."""
    race = pb.Race(instrument=INSTRUMENT, period=YEARS[-1])
    watching = stub.WatchRanking(pb.WatchRankingRequest(race=race), metadata=metadata)
    await watching.read()
    took = []
    js, code = nc.jetstream(), race_facts.bodies()[0]
    for n in range(_NEWS):
        event = race_facts.fact(code, YEARS[-1], 2 + n, 101 + n * 2)
        headers = race_facts.headers(event)
        started = time.perf_counter()
        await js.publish(naming.subject(event), event.SerializeToString(), headers=headers, timeout=30)
        while not any(row.institution == code for row in (await asyncio.wait_for(watching.read(), 30)).rows):
            pass
        took.append((time.perf_counter() - started) * 1000)
    watching.cancel()
    return took


async def _rebuilt(system: System, nc: Client, client: AsyncMongoClient[dict[str, Any]], metadata: Any) -> float:
    """Facts a second, from the command to the swap, in an empty database."""
    await system.fleet.members["benchmark"].stop()
    more = _FACTS - _LIVE - _NEWS
    await race_facts.fill(nc, race_facts.facts(_LIVE, _LIVE + more))
    await race_facts.take_for(nc, "benchmark", more)
    await client.drop_database("benchmark")
    await system.fleet.start("benchmark")
    async with grpc.aio.insecure_channel(system.fleet.address("benchmark")) as channel:
        steward: Any = StewardServiceStub(channel)
        telling = steward.Rebuild(steward_pb.RebuildRequest(request_id=naming.new_id()), metadata=metadata)
        last = [told async for told in telling][-1]
        race: Any = BenchmarkServiceStub(channel)
        asked = pb.GetRankingRequest(race=pb.Race(instrument=INSTRUMENT, period=YEARS[0]), page_size=1_000)
        answer = await race.GetRanking(asked, metadata=metadata, timeout=30)
    assert last.done
    # The official instruments were told too.
    assert last.read >= _FACTS
    assert len(answer.rows) == BODIES
    return float(last.read / (last.milliseconds / 1000))


async def _bare(js: Any, client: AsyncMongoClient[dict[str, Any]]) -> float:
    """Facts a second where each is fetched and put into a transaction of two documents, many side by side."""
    db = client.get_database("bare", write_concern=WriteConcern(w="majority", j=True))
    db = db.with_options(read_concern=ReadConcern("majority"))
    for name in ("results", "history"):
        await db[name].insert_one({"_id": "first"})
    wanted = naming.subject_filter(assessment_pb.EvaluationSubmitted)
    unacknowledged = ConsumerConfig(ack_policy=AckPolicy.NONE)
    subscription = await js.pull_subscribe(wanted, stream=naming.stream("assessment"), config=unacknowledged)
    slots = asyncio.Semaphore(_SIDE_BY_SIDE)

    async def apply(message: Any) -> None:
        async with slots:
            event = assessment_pb.EvaluationSubmitted.FromString(message.data)
            values = [{"item": item, "value": value} for item, value in event.values.items()]
            row = {"institution": event.institution, "index": event.score.index, "values": values}
            async with client.start_session() as session, await session.start_transaction():
                line = {"index": event.score.index}
                await db["history"].replace_one({"_id": event.meta.event_id}, line, upsert=True, session=session)
                await db["results"].replace_one({"_id": event.meta.event_id}, row, upsert=True, session=session)

    started = time.perf_counter()
    done = 0
    async for batch in _fetched(subscription):
        await asyncio.gather(*(apply(message) for message in batch))
        done += len(batch)
        if done >= _BARE_FACTS:
            break
    rate = done / (time.perf_counter() - started)
    await subscription.unsubscribe()
    return rate


async def _fetched(subscription: Any) -> AsyncIterator[list[Any]]:
    while True:
        yield await subscription.fetch(_BATCH, timeout=10)
