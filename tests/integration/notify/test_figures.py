"""What is told of letters to whoever operates the platform, read from what is stored."""

import secrets
from datetime import UTC, datetime, timedelta

from livinglab.notify.v1 import service_pb2 as pb
from prometheus_client import REGISTRY

from chassis import mongo
from services.notify.store.figures import Figures
from services.notify.store.messages import Store
from tests.harness.servers import Servers


def told(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(f"livinglab_messages_{name}", labels)


async def test_letters_that_wait_and_those_that_were_given_up_are_told(servers: Servers) -> None:
    client = mongo.connect(servers.mongo_uri)
    store = Store(mongo.Database(client, f"t{secrets.token_hex(4)}_notify"))
    await store.prepare()
    now, letters = datetime.now(UTC), store.db["messages"]
    failed, old = {"state": pb.MESSAGE_STATE_FAILED, "rehearsal": ""}, now - timedelta(days=2)
    await letters.insert_many(
        [
            {"_id": "due", "state": pb.MESSAGE_STATE_QUEUED, "due_time": now - timedelta(minutes=10)},
            {"_id": "leased", "state": pb.MESSAGE_STATE_QUEUED, "due_time": now + timedelta(minutes=1)},
            {"_id": "held", "state": pb.MESSAGE_STATE_HELD, "due_time": now},
            {"_id": "failed", **failed, "accept_time": now},
            {"_id": "failed long ago", **failed, "accept_time": old},
            {"_id": "failed in a rehearsal", **failed, "rehearsal": "r", "accept_time": now},
        ]
    )
    figures = Figures(store.db)
    await figures.look()
    assert (told("waiting", state="queued"), told("waiting", state="held")) == (2, 1)
    assert 600 <= (told("overdue_seconds") or 0) < 700
    assert (told("failed_last_day", rehearsal="false"), told("failed_last_day", rehearsal="true")) == (1, 1)
    await letters.delete_many({})
    await figures.look()
    assert (told("waiting", state="queued"), told("overdue_seconds")) == (0, 0)
    assert told("failed_last_day", rehearsal="false") == 0
    await client.drop_database(store.db.name)
    client.close()
