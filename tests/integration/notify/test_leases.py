"""Who may send a message: one process at a time, and the next one once the lease of a dead one is over."""

import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from livinglab.notify.v1 import service_pb2 as pb

from chassis import mongo
from services.notify.model import messages as model
from services.notify.store.messages import Claimed, Store
from tests.harness.servers import Servers

LONG, OVER = timedelta(minutes=5), timedelta(0)


@pytest.fixture
async def store(servers: Servers) -> AsyncIterator[Store]:
    """A store that no process delivers from, with one message."""
    client = mongo.connect(servers.mongo_uri)
    store = Store(mongo.Database(client, f"t{secrets.token_hex(4)}_notify"))
    await store.prepare()
    now = mongo.timestamp(datetime.now(UTC))
    message = pb.Message(id="m1", state=pb.MESSAGE_STATE_QUEUED, accept_time=now, next_attempt_time=now)

    async def add(tx: mongo.Tx) -> None:
        await store.add(tx, [message])

    await store.db.transaction(add)
    yield store
    await client.drop_database(store.db.name)
    client.close()


async def claimed(store: Store, lease: timedelta) -> Claimed:
    found = await store.claim(lease)
    assert found is not None
    return found


async def delivered(store: Store, claim: Claimed) -> bool:
    message = pb.Message()
    message.CopyFrom(claim.message)
    fact = model.settle(message, model.Taken(), claim.version + 1, datetime.now(UTC), 0.0)
    return await store.settle(claim, message, fact)


async def test_what_one_process_holds_no_other_gets(store: Store) -> None:
    first = await claimed(store, LONG)
    assert first.message.id == "m1"
    assert await store.claim(LONG) is None
    assert await delivered(store, first)
    assert await store.claim(LONG) is None


async def test_a_lease_that_is_over_frees_the_message_and_its_holder_records_nothing_more(store: Store) -> None:
    first = await claimed(store, OVER)
    second = await claimed(store, LONG)
    assert second.message.id == "m1"
    await store.renew(first, OVER)
    assert await store.claim(LONG) is None
    assert not await delivered(store, first)
    assert await store.db["outbox"].count_documents({}) == 0
    assert await delivered(store, second)
    assert await store.db["outbox"].count_documents({}) == 1


async def test_a_renewed_lease_lasts_longer(store: Store) -> None:
    first = await claimed(store, OVER)
    await store.renew(first, LONG)
    assert await store.claim(LONG) is None
    due = await store.next_due()
    assert due is not None
    assert due > datetime.now(UTC)
