"""What the relay publishes is a CloudEvent to a reader that is not ours."""

import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import nats
import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_binary
from cloudevents.core.formats.json import JSONFormat
from livinglab.benchmark.v1 import events_pb2
from nats.js.errors import NotFoundError

from chassis import mongo
from chassis.events import stream
from chassis.events.outbox import Relay
from tests.harness.consuming import beside
from tests.harness.servers import Servers
from tests.harness.waiting import eventually


@pytest.fixture
async def db(servers: Servers) -> AsyncIterator[mongo.Database]:
    client = mongo.connect(servers.mongo_uri)
    db = mongo.Database(client, f"cloudevents_{secrets.token_hex(4)}")
    await db.prepare({})
    yield db
    await client.drop_database(db.name)
    client.close()


async def test_a_foreign_binary_mode_reader_takes_our_headers_as_they_are(db: mongo.Database, nats_url: str) -> None:
    event = events_pb2.ClusterSet(name="selatan", institutions=["32.11"])
    event.meta.aggregate_id, event.meta.version = 'cluster:"Jawa Barat" 100% é', 7

    async def told(tx: mongo.Tx) -> None:
        tx.add(event)

    await db.transaction(told)
    async with await nats.connect(nats_url) as nc:
        js = nc.jetstream()
        await stream.ensure_stream(js, "benchmark", 1)

        async def first() -> object:
            try:
                return await js.get_msg("BENCHMARK", 1)
            except NotFoundError:
                return None

        async with beside(Relay(db, nc, "benchmark").run()):
            await eventually(first)
        message = await js.get_msg("BENCHMARK", 1)
    assert message.headers
    read = from_binary(HTTPMessage(message.headers, message.data or b""), JSONFormat())
    assert read.get_specversion() == "1.0"
    assert read.get_id() == event.meta.event_id
    assert read.get_source() == "/livinglab/benchmark"
    assert read.get_type() == "livinglab.benchmark.v1.ClusterSet"
    assert read.get_subject() == 'cluster:"Jawa Barat" 100% é'
    assert read.get_datacontenttype() == "application/protobuf"
    assert read.get_dataschema() == "pkg:pypi/livinglab-protos?file=livinglab/benchmark/v1/events.proto"
    assert read.get_extension("sequence") == "7"
    when = read.get_time()
    assert isinstance(when, datetime)
    assert when.utcoffset() == timedelta(0)
    assert abs(when - event.meta.occurred_time.ToDatetime(UTC)) < timedelta(milliseconds=1)
    data = read.get_data()
    assert isinstance(data, bytes)
    assert events_pb2.ClusterSet.FromString(data) == event
