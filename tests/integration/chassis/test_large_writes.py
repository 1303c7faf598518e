"""Writes of more than one transaction can hold, on a real database: all or nothing, whoever ends in the middle."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence

import pytest
from livinglab.program.v1 import directory_service_pb2 as pb

from chassis import mongo
from chassis.errors import Refused, not_found
from chassis.large_writes import LargeWrites
from tests.harness.servers import Servers
from tests.harness.waiting import eventually

Answer = pb.ImportInstitutionsResponse
MANY = 2_500


@pytest.fixture
async def db(servers: Servers) -> AsyncIterator[mongo.Database]:
    client = mongo.connect(servers.mongo_uri)
    db = mongo.Database(client, f"large_{uuid.uuid4().hex[:8]}")
    await db.prepare({"rows": []})
    yield db
    await client.drop_database(db.name)
    client.close()


class Ended(Exception):
    """The process is gone."""


class Rows:
    """One process: stores each message once more, so that what is done twice shows. It ends at its nth part."""

    def __init__(self, db: mongo.Database, ends_at: int = 0) -> None:
        self._db, self._ends_at, self._parts = db, ends_at, 0
        self.writes = LargeWrites(db, "rows", self._apply)
        self.judged = 0

    async def _apply(self, tx: mongo.Tx, contents: Sequence[bytes], actor: str) -> None:
        self._parts += 1
        for content in contents:
            change = {"$inc": {"times": 1}}
            await self._db["rows"].update_one({"_id": content}, change, upsert=True, session=tx.session)
        if self._parts == self._ends_at:
            raise Ended

    async def write(self, prefix: str, count: int, request_id: str = "") -> int:
        rows = [pb.InstitutionRow(code=f"{prefix}{n}") for n in range(count)]

        async def judge() -> tuple[Answer, Sequence[pb.InstitutionRow]]:
            self.judged += 1
            return Answer(imported=count), rows

        request = pb.ImportInstitutionsRequest(request_id=request_id or uuid.uuid4().hex)
        return (await self.writes.once(request, judge, Answer)).imported


async def stored(db: mongo.Database) -> list[int]:
    return [row["times"] async for row in db["rows"].find()]


async def test_parts_go_on_after_the_process_that_began_them_has_ended(db: mongo.Database) -> None:
    first, second = Rows(db, ends_at=2), Rows(db)
    await first.writes.prepare()
    with pytest.raises(Ended):
        await first.write("a", MANY, "once")
    # The part that it was at is undone with it.
    assert await stored(db) == [1] * 1_000
    going_on = asyncio.create_task(second.writes.run())

    async def everything() -> bool:
        return await stored(db) == [1] * MANY

    await eventually(everything)
    going_on.cancel()
    # Whoever asked may ask again.
    assert await second.write("a", MANY, "once") == MANY
    assert await stored(db) == [1] * MANY
    assert await db["large_write_parts"].count_documents({}) == 0


async def test_whoever_writes_next_first_ends_what_was_decided(db: mongo.Database) -> None:
    first, second = Rows(db, ends_at=1), Rows(db)
    await first.writes.prepare()
    with pytest.raises(Ended):
        await first.write("a", MANY)
    assert await second.write("b", 1) == 1
    assert await stored(db) == [1] * (MANY + 1)


async def test_two_at_once_each_judge_by_what_the_other_has_left(db: mongo.Database) -> None:
    one, other = Rows(db), Rows(db)
    await one.writes.prepare()
    assert list(await asyncio.gather(one.write("a", MANY), other.write("b", MANY))) == [MANY, MANY]
    assert await stored(db) == [1] * (2 * MANY)
    assert one.judged + other.judged > 2


async def test_what_is_refused_or_never_decided_leaves_nothing(db: mongo.Database) -> None:
    rows = Rows(db)
    await rows.writes.prepare()

    async def judge() -> tuple[Answer, Sequence[pb.InstitutionRow]]:
        raise not_found("institution", "X")

    with pytest.raises(Refused):
        await rows.writes.once(pb.ImportInstitutionsRequest(request_id="r"), judge, Answer)
    for name in ("rows", "requests", "large_write_parts"):
        assert await db[name].count_documents({}) == 0
