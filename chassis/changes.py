"""A change stream of a database: every change in commit order, without a gap after what a reader has read before."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from bson.int64 import Int64
from bson.timestamp import Timestamp
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo.errors import PyMongoError

from chassis import telemetry
from chassis.mongo import Database

# How long one look waits when nothing comes.
_AWAIT_MS = 1_000
_RETRY_SECONDS = 0.25


async def committed_time(client: AsyncIOMotorClient) -> Timestamp:
    """The server's time up to which a majority has everything, and every reader sees it. A change stream that starts
    'now' starts after what was last written, which readers may not see yet: a change would be in neither."""
    hello = await client.admin.command("hello")
    time: Timestamp = hello["lastWrite"]["majorityOpTime"]["ts"]
    return time


async def keep_following(what: str, follow: Callable[[], Awaitable[None]]) -> None:
    """Follows until cancelled: begun anew whenever the database ends it, which is told with `what` is followed."""
    while True:
        try:
            await follow()
        except PyMongoError as error:
            telemetry.log.warning(f"{what} are read anew", because=f"{type(error).__name__}: {error}"[:200])
            await asyncio.sleep(_RETRY_SECONDS)


class Changes:
    """The changes of one collection, or of all of a database's. Read by the batch: the driver's own iterator would
    cross into its threads for each. An error ends it, and its reader starts again from the table."""

    def __init__(self, db: Database, session: Any, more: dict[str, Any]) -> None:
        self._db = db
        self._session = session
        self._more = more

    @classmethod
    async def open(
        cls, db: Database, session: Any, stages: Sequence[Mapping[str, Any]], *, collection: str = "", batch: int = 500
    ) -> "Changes":
        """From now on: what is not among the changes is seen by a read in the same session, and one of any session
        sees it too while the server stays the same."""
        started = await committed_time(db.client)
        answer = await db.command(
            {
                "aggregate": collection or 1,
                "pipeline": [{"$changeStream": {"startAtOperationTime": started}}, *stages],
                "cursor": {"batchSize": 0},
                "readConcern": {"level": "majority"},
            },
            session,
        )
        # For the case that another server becomes primary: it answers the session once it has come as far.
        session.advance_operation_time(started)
        cursor = Int64(answer["cursor"]["id"])
        collection = collection or "$cmd.aggregate"
        return cls(
            db, session, {"getMore": cursor, "collection": collection, "batchSize": batch, "maxTimeMS": _AWAIT_MS}
        )

    async def next(self) -> list[dict[str, Any]]:
        """As soon as there are some; empty after a while without."""
        answer = await self._db.command(self._more, self._session)
        changes: list[dict[str, Any]] = answer["cursor"]["nextBatch"]
        return changes
