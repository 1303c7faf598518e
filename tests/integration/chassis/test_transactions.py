"""run_transaction on a real mongod whose commands are made to fail."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pymongo.errors import OperationFailure

from chassis import mongo
from tests.harness.servers import Servers


@pytest.fixture
async def db(servers: Servers) -> AsyncIterator[mongo.Database]:
    client = mongo.connect(servers.mongo_uri)
    db = mongo.Database(client, "transactions")
    await db.prepare({"counters": [], "log": []})
    yield db
    await client.admin.command({"configureFailPoint": "failCommand", "mode": "off"})
    await client.drop_database("transactions")
    client.close()


async def fail(db: mongo.Database, times: int, **data: Any) -> int:
    """How often a command was made to fail before."""
    point = {"configureFailPoint": "failCommand", "mode": {"times": times}, "data": data}
    return int((await db.client.admin.command(point))["count"])


async def increment(db: mongo.Database) -> int:
    async def body(tx: mongo.Tx) -> int:
        await db["counters"].update_one({"_id": "n"}, {"$inc": {"n": 1}}, upsert=True, session=tx.session)
        found = await db["counters"].find_one({"_id": "n"}, session=tx.session)
        return int(found["n"])

    return await db.transaction(body)


async def test_a_commit_whose_answer_was_lost_is_asked_for_again_and_counts_once(db: mongo.Database) -> None:
    await fail(db, 3, failCommands=["commitTransaction"], closeConnection=True)
    assert await increment(db) == 1
    assert await increment(db) == 2


async def test_a_commit_without_majority_yet_is_asked_for_again(db: mongo.Database) -> None:
    timed_out = {"code": 64, "codeName": "WriteConcernFailed", "errmsg": "waiting for replication timed out"}
    await fail(db, 2, failCommands=["commitTransaction"], writeConcernError=timed_out)
    assert await increment(db) == 1


async def test_a_transient_error_runs_the_whole_callback_again(db: mongo.Database) -> None:
    await fail(db, 2, failCommands=["update"], errorCode=112, errorLabels=["TransientTransactionError"])
    assert await increment(db) == 1


async def test_an_error_that_another_try_cannot_mend_is_raised_and_nothing_is_stored(db: mongo.Database) -> None:
    await fail(db, 1, failCommands=["update"], errorCode=2)
    with pytest.raises(OperationFailure):
        await increment(db)
    assert await db["counters"].count_documents({}) == 0


async def test_a_callback_that_fails_leaves_nothing(db: mongo.Database) -> None:
    async def body(tx: mongo.Tx) -> None:
        await db["log"].insert_one({"_id": 1}, session=tx.session)
        raise LookupError

    with pytest.raises(LookupError):
        await db.transaction(body)
    assert await db["log"].count_documents({}) == 0


async def test_contenders_all_get_through(db: mongo.Database) -> None:
    await asyncio.gather(*(increment(db) for _ in range(20)))
    assert await increment(db) == 21


async def test_writers_of_one_thing_begin_once_each_and_writers_of_others_do_not_wait(db: mongo.Database) -> None:
    begun, entered, leave = 0, asyncio.Event(), asyncio.Event()

    async def counted(tx: mongo.Tx) -> None:
        nonlocal begun
        begun += 1
        await db["counters"].update_one({"_id": "n"}, {"$inc": {"n": 1}}, upsert=True, session=tx.session)

    async def standing(tx: mongo.Tx) -> None:
        entered.set()
        await leave.wait()

    first = asyncio.create_task(db.transaction(standing, "a plan"))
    await entered.wait()
    behind = [asyncio.create_task(db.transaction(counted, "a plan")) for _ in range(20)]
    behind.pop().cancel()
    assert await db.transaction(read_nothing, "another plan") == "read"
    assert begun == 0
    leave.set()
    await asyncio.gather(first, *behind)
    kept = await db["counters"].find_one({"_id": "n"})
    assert (begun, kept) == (19, {"_id": "n", "n": 19})


async def read_nothing(tx: mongo.Tx) -> str:
    return "read"


async def test_a_call_that_is_cancelled_leaves_nothing_and_joins_no_later_transaction(
    servers: Servers, db: mongo.Database
) -> None:
    """With one connection, which a held read keeps: the cancelled write is sent only after the next transaction began,
    by the driver's thread, which cannot be cancelled."""
    client = mongo.connect(f"{servers.mongo_uri}{'&' if '?' in servers.mongo_uri else '/?'}maxPoolSize=1&appName=one")
    one = mongo.Database(client, db.name)
    await client.admin.command("ping")
    sessions: list[Any] = []

    async def insert(id_: int, sent: asyncio.Event) -> None:
        async def body(tx: mongo.Tx) -> None:
            sessions.append(tx.session)
            sent.set()
            await one["log"].insert_one({"_id": id_}, session=tx.session)

        await one.transaction(body)

    try:
        before = await fail(db, 1, failCommands=["find"], blockConnection=True, blockTimeMS=1_000, appName="one")
        held = asyncio.ensure_future(one["log"].find_one())
        entered = {"waitForFailPoint": "failCommand", "timesEntered": before + 1, "maxTimeMS": 20_000}
        await db.client.admin.command(entered)
        cancelled = asyncio.create_task(insert(1, sent := asyncio.Event()))
        await sent.wait()
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        await insert(2, asyncio.Event())
        await held
    finally:
        client.close()
    assert [row["_id"] async for row in db["log"].find()] == [2]
    assert sessions[0] is not sessions[1]


async def test_a_deadline_ends_the_tries(db: mongo.Database) -> None:
    await fail(db, 1_000, failCommands=["insert"], errorCode=112, errorLabels=["TransientTransactionError"])

    async def body(session: Any) -> None:
        await db["log"].insert_one({"_id": 1}, session=session)

    with pytest.raises(OperationFailure):
        await mongo.run_transaction(mongo.Sessions(db.client), body, seconds=0.3)


async def test_two_processes_of_one_service_prepare_its_database_at_the_same_moment(db: mongo.Database) -> None:
    for round_ in range(5):
        others = [mongo.Database(db.client, f"{db.name}_{round_}") for _ in range(4)]
        await asyncio.gather(*(other.prepare({"things": []}) for other in others))
        assert "things" in await db.client[others[0].name].list_collection_names()
        await db.client.drop_database(others[0].name)
