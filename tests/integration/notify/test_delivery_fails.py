"""A delivery that failed for a reason that nobody thought of ends the process, whatever the others come to."""

import asyncio
import secrets
from datetime import UTC, datetime
from typing import Any

import pytest
from livinglab.notify.v1 import service_pb2 as pb

from chassis import mongo
from chassis.config import Settings
from services.notify.delivery import Delivery
from services.notify.postman import Postman
from services.notify.store.messages import Claimed, Store
from tests.harness.servers import Servers


async def test_a_failed_delivery_is_not_forgotten_when_the_next_one_succeeds(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = mongo.connect(servers.mongo_uri)
    store = Store(mongo.Database(client, f"t{secrets.token_hex(4)}_notify"))
    await store.prepare()
    now = mongo.timestamp(datetime.now(UTC))
    messages = [
        pb.Message(
            id=name,
            recipient=pb.Recipient(name=name, email="p@example.org", language="id"),
            subject="Undangan",
            body="isi",
            state=pb.MESSAGE_STATE_QUEUED,
            accept_time=now,
            next_attempt_time=now,
        )
        for name in ("m1", "m2")
    ]

    async def add(tx: mongo.Tx) -> None:
        await store.add(tx, messages)

    await store.db.transaction(add)
    settle, first_failed, second_settled = store.settle, asyncio.Event(), asyncio.Event()

    async def shaky(claimed: Claimed, message: Any, fact: Any) -> bool:
        if claimed.message.id == "m1":
            first_failed.set()
            raise LookupError("nobody thought of this")
        await first_failed.wait()
        done = await settle(claimed, message, fact)
        second_settled.set()
        return done

    monkeypatch.setattr(store, "settle", shaky)
    delivery = Delivery(store, Postman(Settings(smtp_address=f"{servers.smtp_host}:{servers.smtp_port}")))
    with pytest.raises(LookupError, match="nobody thought"):
        await asyncio.wait_for(delivery.run(), 20)
    assert second_settled.is_set()
    await client.drop_database(store.db.name)
    client.close()
