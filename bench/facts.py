"""Facts on their way: the relay from a backlog beside bare publishing, and consumers beside the bare transaction. The
broker is one of their own, as the platform starts it, so that nothing else hears them."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from livinglab.assessment.v1 import events_pb2
from nats.aio.client import Client
from pymongo import WriteConcern

from bench.rows import Row, at_least, middle
from chassis import mongo, naming
from chassis.events import stream
from chassis.events.outbox import Relay
from stack import servers
from stack.system import System

_BACKLOG, _EFFECTS = 20_000, 2_000
_AGGREGATES = 500
_IN_FLIGHT = 256
_AT_ONCE = 64
_ROUNDS = 2
_LOOK_SECONDS = 0.01
_DURABLE = WriteConcern(w="majority", j=True)


async def rows(system: System) -> AsyncIterator[Row]:
    """Facts a second, the middle of rounds of both in turn."""
    client = mongo.connect(system.addresses()["mongodb"])
    try:
        async with _broker() as nc:
            pairs = [(await _relayed(client, nc), await _published(nc)) for _ in range(_ROUNDS)]
            what = f"relay of a backlog of {_BACKLOG:,}, bare: publish_async with {_IN_FLIGHT} in flight"
            yield at_least("relay", what, *_middles(pairs), "facts/s", 0.5)
            pairs = [(await _consumed(client, nc), await _written(client)) for _ in range(_ROUNDS)]
            what = "consumer with inbox and an effect, bare: the transaction of two documents"
            yield at_least("consumer", what, *_middles(pairs), "facts/s", 0.85)
    finally:
        client.close()


def _middles(pairs: list[tuple[float, float]]) -> tuple[float, float]:
    return middle([ours for ours, _ in pairs]), middle([bare for _, bare in pairs])


@asynccontextmanager
async def _broker() -> AsyncIterator[Client]:
    with tempfile.TemporaryDirectory() as folder:
        server = servers.nats(Path(folder) / "nats")
        await server.start()
        try:
            async with await stream.connect(server.uri, "bench") as nc:
                yield nc
        finally:
            await server.stop()


@asynccontextmanager
async def _database(client: Any, name: str) -> AsyncIterator[mongo.Database]:
    db = mongo.Database(client, f"bench_{name}")
    await client.drop_database(db.name)
    await db.prepare({"effects": []})
    try:
        yield db
    finally:
        await client.drop_database(db.name)


@asynccontextmanager
async def _stream(nc: Client) -> AsyncIterator[Any]:
    """Of assessment, empty."""
    js = nc.jetstream(publish_async_max_pending=_IN_FLIGHT)
    await stream.ensure_stream(js, "assessment", 1)
    try:
        yield js
    finally:
        await js.delete_stream(naming.stream("assessment"))


def _fact(number: int, aggregates: int) -> events_pb2.AnswersSaved:
    event = events_pb2.AnswersSaved(institution="32.11", evaluation_id=str(number % aggregates), answered=number)
    event.meta.aggregate_id, event.meta.version = event.evaluation_id, 1 + number // aggregates
    return event


async def _relayed(client: Any, nc: Client) -> float:
    async with _database(client, "relay") as db, _stream(nc) as js:
        for first in range(0, _BACKLOG, _AGGREGATES):

            async def told(tx: mongo.Tx, first: int = first) -> None:
                for number in range(first, first + _AGGREGATES):
                    tx.add(_fact(number, _AGGREGATES))

            await db.transaction(told)
        return await _rate(Relay(db, nc, "assessment").run(), _BACKLOG, lambda: _stored(js))


async def _stored(js: Any) -> int:
    return int((await js.stream_info(naming.stream("assessment"))).state.messages)


async def _published(nc: Client) -> float:
    """The same messages, made beforehand."""
    ready = [(naming.subject(event), event.SerializeToString(), _headers(event)) for event in _facts(_BACKLOG)]
    async with _stream(nc) as js:
        started = time.perf_counter()
        for subject, payload, headers in ready:
            await js.publish_async(subject, payload, headers=headers)
        await js.publish_async_completed()
        return _BACKLOG / (time.perf_counter() - started)


def _facts(count: int, aggregates: int = _AGGREGATES) -> list[events_pb2.AnswersSaved]:
    events = [_fact(number, aggregates) for number in range(count)]
    for event in events:
        event.meta.event_id = naming.new_id()
        event.meta.occurred_time.GetCurrentTime()
    return events


def _headers(event: events_pb2.AnswersSaved) -> dict[str, str]:
    return {naming.MESSAGE_ID: event.meta.event_id, **naming.ce_headers(event, "/livinglab/assessment")}


async def _consumed(client: Any, nc: Client) -> float:
    async with _database(client, "consumer") as db, _stream(nc) as js:
        for event in _facts(_EFFECTS, _EFFECTS):
            await js.publish_async(naming.subject(event), event.SerializeToString(), headers=_headers(event))
        await js.publish_async_completed()

        async def handle(tx: mongo.Tx, fact: Any) -> None:
            row = {"_id": fact.evaluation_id, "answered": fact.answered}
            await db["effects"].insert_one(row, session=tx.session)

        consumer = stream.Consumer(db, nc, "bench", [stream.Reaction(events_pb2.AnswersSaved, handle)])
        return await _rate(consumer.run(), _EFFECTS, lambda: db["effects"].estimated_document_count())


async def _rate(work: Any, count: int, done: Callable[[], Awaitable[int]]) -> float:
    """Facts a second from its start until all are there; then it ends."""
    started = time.perf_counter()
    task = asyncio.create_task(work)
    try:
        while await done() < count:
            if task.done():
                task.result()
            await asyncio.sleep(_LOOK_SECONDS)
        return count / (time.perf_counter() - started)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _written(client: Any) -> float:
    async with _database(client, "bare") as db:
        raw = client.get_database(db.name, write_concern=_DURABLE)
        numbers = iter(range(_EFFECTS))

        async def one_after_the_other() -> None:
            for number in numbers:
                async with await client.start_session() as session, session.start_transaction(write_concern=_DURABLE):
                    await raw["inbox"].insert_one({"_id": str(number)}, session=session)
                    await raw["effects"].insert_one({"_id": str(number), "answered": number}, session=session)

        started = time.perf_counter()
        await asyncio.gather(*(one_after_the_other() for _ in range(_AT_ONCE)))
        return _EFFECTS / (time.perf_counter() - started)
