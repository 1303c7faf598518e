"""The race of 600 bodies, five years and 47 indicators: reading it, hearing of a change, building it anew."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc.aio
import nats
from livinglab.assessment.v1 import evaluation_pb2
from livinglab.assessment.v1 import events_pb2 as assessment_pb
from livinglab.benchmark.v1 import service_pb2 as pb
from livinglab.benchmark.v1 import steward_service_pb2 as steward_pb
from livinglab.benchmark.v1.service_pb2_grpc import BenchmarkServiceStub
from livinglab.benchmark.v1.steward_service_pb2_grpc import StewardServiceStub
from nats.js.api import AckPolicy, ConsumerConfig
from pymongo import AsyncMongoClient, WriteConcern
from pymongo.read_concern import ReadConcern

from bench.rows import Row, at_least, percentile, within
from chassis import naming, stream
from directory import official_regions
from stack.system import System
from stack.waiting import eventually

_INSTRUMENT = "race-47"
_BODIES, _YEARS, _INDICATORS = 600, ("2018", "2019", "2020", "2021", "2022"), 47
_IN_FLIGHT, _QUERIES = 32, 3_200
_NEWS = 150
# Facts that the rebuild reads: each body's five years, several times revised.
_FACTS = 20_000
_BARE_FACTS = 3_000
_SIDE_BY_SIDE = 64
_BATCH = 500


async def rows(system: System) -> list[Row]:
    """Fills the stream as assessment would, then measures."""
    nc = await nats.connect(system.platform.addresses.nats)
    async with nc:
        js = nc.jetstream()
        await stream.ensure_stream(js, "assessment", 1)
        await _publish(js, _facts())
        async with AsyncMongoClient[dict[str, Any]](system.platform.addresses.mongodb) as client:
            await _arrived(client)
            metadata = (("authorization", f"Bearer {system.fleet.issuer.token('manager')}"),)
            async with grpc.aio.insecure_channel(system.fleet.address("benchmark")) as channel:
                stub: Any = BenchmarkServiceStub(channel)
                queries = await _queries(stub, metadata)
                news = await _news(stub, metadata, js)
                rebuilt = await _rebuilt(StewardServiceStub(channel), metadata)
            bare = await _bare(js, client)
    what = f"{_BODIES} bodies, {len(_YEARS)} years, {_INDICATORS} indicators"
    return [
        within("ranking-p99", f"full ranking, {_IN_FLIGHT} in flight: {what}", percentile(queries, 0.99), 20.0, "ms"),
        within("watch-p99", "one new result to the changed ranking at a watcher", percentile(news, 0.99), 100.0, "ms"),
        at_least("rebuild", f"projections rebuilt from {_FACTS} facts", rebuilt, bare, "1/s", 0.5),
    ]


def _bodies() -> list[str]:
    """The official regions, and as many invented ones as are missing."""
    codes = list(official_regions())
    return codes + [f"X{n}" for n in range(_BODIES - len(codes))]


def _facts() -> Iterator[assessment_pb.EvaluationSubmitted]:
    """Version after version of every result, as revisions come in."""
    made = 0
    for version in range(1, _FACTS):
        for year in _YEARS:
            for at, code in enumerate(_bodies()):
                if made == _FACTS:
                    return
                made += 1
                yield _fact(code, year, version, 100 + (at * 7 + version * 31 + int(year)) % 400)


def _fact(code: str, year: str, version: int, hundredths: int) -> assessment_pb.EvaluationSubmitted:
    event = assessment_pb.EvaluationSubmitted(
        institution=code,
        instrument=_INSTRUMENT,
        instrument_version=1,
        period=year,
        stage=evaluation_pb2.STAGE_SELF_ASSESSMENT,
        score=evaluation_pb2.Score(index=f"{hundredths / 100:.2f}", predicate="Cukup"),
        values={str(n): str(1 + (hundredths + n) % 5) for n in range(1, _INDICATORS + 1)},
    )
    event.meta.event_id = naming.new_id()
    event.meta.aggregate_id = f"{code}:{_INSTRUMENT}:{year}"
    event.meta.version = version
    event.meta.occurred_time.GetCurrentTime()
    return event


async def _publish(js: Any, facts: Iterator[assessment_pb.EvaluationSubmitted]) -> None:
    batch: list[Any] = []
    for event in facts:
        batch.append(_sent(js, event))
        if len(batch) == _BATCH:
            await asyncio.gather(*batch)
            batch.clear()
    await asyncio.gather(*batch)


async def _sent(js: Any, event: assessment_pb.EvaluationSubmitted) -> None:
    meta = event.meta
    headers = {
        naming.MESSAGE_ID: meta.event_id,
        naming.CE_ID: meta.event_id,
        "ce-type": event.DESCRIPTOR.full_name,
        naming.CE_SUBJECT: meta.aggregate_id,
        naming.CE_SEQUENCE: str(meta.version),
    }
    await js.publish(naming.subject(event), event.SerializeToString(), headers=headers, timeout=30)


async def _arrived(client: AsyncMongoClient[dict[str, Any]]) -> None:
    """The live consumer has taken every fact."""

    async def all_taken() -> bool:
        taken = await client["benchmark"]["history"].count_documents({"instrument": _INSTRUMENT})
        return bool(taken >= _FACTS)

    await eventually(all_taken, timeout=300)


async def _queries(stub: Any, metadata: Any) -> list[float]:
    """Milliseconds of each full ranking with movement, workers in turn asking for each year."""
    took: list[float] = []

    async def worker(number: int) -> None:
        for call in range(_QUERIES // _IN_FLIGHT):
            at = 1 + (number + call) % (len(_YEARS) - 1)
            race = pb.Race(instrument=_INSTRUMENT, period=_YEARS[at])
            request = pb.GetRankingRequest(race=race, since_period=_YEARS[at - 1], page_size=1_000)
            started = time.perf_counter()
            answer = await stub.GetRanking(request, metadata=metadata, timeout=30)
            took.append((time.perf_counter() - started) * 1000)
            assert len(answer.rows) == _BODIES

    await asyncio.gather(*(worker(number) for number in range(_IN_FLIGHT)))
    took.clear()
    await asyncio.gather(*(worker(number) for number in range(_IN_FLIGHT)))
    return took


async def _news(stub: Any, metadata: Any, js: Any) -> list[float]:
    """Milliseconds from a fact's publication to the changed ranking at a watcher, one after the other."""
    race = pb.Race(instrument=_INSTRUMENT, period=_YEARS[-1])
    watching = stub.WatchRanking(pb.WatchRankingRequest(race=race), metadata=metadata)
    await watching.read()
    took = []
    code = _bodies()[0]
    for n in range(_NEWS):
        index = 101 + n * 2
        started = time.perf_counter()
        await _sent(js, _fact(code, _YEARS[-1], _FACTS + n, index))
        while not any(row.institution == code for row in (await asyncio.wait_for(watching.read(), 30)).rows):
            pass
        took.append((time.perf_counter() - started) * 1000)
    watching.cancel()
    return took


async def _rebuilt(stub: Any, metadata: Any) -> float:
    """Facts a second, from the command to the swap."""
    telling = stub.Rebuild(steward_pb.RebuildRequest(request_id=naming.new_id()), metadata=metadata)
    last = [told async for told in telling][-1]
    assert last.done
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
