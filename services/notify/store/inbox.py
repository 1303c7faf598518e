"""The messages of a seat as an inbox: read, unread, and new ones as they come."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from livinglab.notify.v1 import inbox_service_pb2 as pb

from chassis import mongo, pages
from chassis.changes import Changes, keep_following
from chassis.errors import Kind, Refused, not_found
from services.notify.model import preferences
from services.notify.store.messages import Store

# At once, in one process, all together and of one seat.
MOST_WATCHERS = 500
MOST_OF_ONE = 20
# What a watcher may lag behind before it is told to read the list.
_BACKLOG = 100
_BATCH = 1_000
_SHOWN = ("template", "subject", "body", "cohort_id", "institution", "accept_time", "read_time", "seat", "rehearsal")


class InboxStore:
    """Documents in, messages out."""

    def __init__(self, store: Store) -> None:
        self.db = store.db
        self._messages = store.db["messages"]
        self._store = store

    async def page(self, seat: str, request: pb.ListInboxRequest, tx: mongo.Tx) -> tuple[list[pb.InboxEntry], str]:
        """Newest first, and the token of the next page."""
        query = _of(seat, request.rehearsal)
        if request.unread:
            query["read_time"] = None
        shown = dict.fromkeys(_SHOWN, 1)
        by = ("accept_time", -1)
        return await pages.page(self._messages, query, request, entry, by=by, fields=shown, session=tx.session)

    async def unread(self, seat: str, rehearsal: str, tx: mongo.Tx | None = None) -> int:
        """How many are not read yet."""
        query = {**_of(seat, rehearsal), "read_time": None}
        return int(await self._messages.count_documents(query, session=tx.session if tx else None))

    async def mark(self, tx: mongo.Tx, seat: str, ids: Sequence[str], *, read: bool) -> None:
        """NOT_FOUND where one is not of this seat; what was read before keeps its time."""
        query: dict[str, Any] = {"_id": {"$in": list(ids)}, "seat": seat}
        known = {row["_id"] async for row in self._messages.find(query, {"_id": 1}, session=tx.session)}
        for one in ids:
            if one not in known:
                raise not_found("message", one)
        moment = datetime.now(UTC) if read else None
        if read:
            query["read_time"] = None
        await self._store.mark_read(tx, query, moment)


def _of(seat: str, rehearsal: str) -> dict[str, Any]:
    # A digest is a letter of what is here already.
    return {"seat": seat, "rehearsal": rehearsal, "template": {"$ne": "digest"}}


def entry(row: dict[str, Any]) -> pb.InboxEntry:
    """A message as its reader finds it."""
    return pb.InboxEntry(
        message_id=row["_id"],
        template=row["template"],
        kind=preferences.kind(row["template"]),
        subject=row["subject"],
        body=row["body"],
        cohort_id=row["cohort_id"],
        institution=row["institution"],
        time=mongo.timestamp(row["accept_time"]),
        read_time=mongo.timestamp(row.get("read_time")),
    )


# None: something may have been missed.
News = pb.InboxEntry | None


class Arrivals:
    """New messages by seat, as they are committed: one change stream for all who watch."""

    def __init__(self, db: mongo.Database) -> None:
        self._db = db
        self._watchers: dict[tuple[str, str], set[asyncio.Queue[News]]] = defaultdict(set)
        self._count = 0

    async def run(self) -> None:
        """Follows the database until cancelled."""
        await keep_following("changes", self._follow)

    async def watch(self, seat: str, rehearsal: str) -> AsyncIterator[News]:
        """None first, and wherever something may have been missed; RESOURCE_EXHAUSTED where as many watch as may."""
        with self._counted(seat, rehearsal) as queue:
            yield None
            while True:
                yield await queue.get()

    @contextmanager
    def _counted(self, seat: str, rehearsal: str) -> Any:
        if self._count >= MOST_WATCHERS or len(self._watchers.get((seat, rehearsal), ())) >= MOST_OF_ONE:
            message = f"at most {MOST_WATCHERS} watch at once, and {MOST_OF_ONE} of one seat"
            raise Refused(Kind.RESOURCE_EXHAUSTED, "TOO_MANY_WATCHERS", message)
        queue: asyncio.Queue[News] = asyncio.Queue(_BACKLOG)
        watchers = self._watchers[seat, rehearsal]
        watchers.add(queue)
        self._count += 1
        try:
            yield queue
        finally:
            watchers.discard(queue)
            self._count -= 1
            if not watchers:
                self._watchers.pop((seat, rehearsal), None)

    async def _follow(self) -> None:
        async with await self._db.client.start_session() as session:
            shown = {f"fullDocument.{name}": 1 for name in (*_SHOWN, "_id")}
            match = {
                "operationType": "insert",
                "fullDocument.seat": {"$gt": ""},
                "fullDocument.template": {"$ne": "digest"},
            }
            stages: list[dict[str, Any]] = [{"$match": match}, {"$project": shown}]
            stream = await Changes.open(self._db, session, stages, collection="messages", batch=_BATCH)
            for watchers in self._watchers.values():
                for queue in watchers:
                    _put(queue, None)
            while True:
                for change in await stream.next():
                    row = change["fullDocument"]
                    for queue in self._watchers.get((row["seat"], row["rehearsal"]), ()):
                        _put(queue, entry(row))


def _put(queue: asyncio.Queue[News], news: News) -> None:
    """Who does not keep up reads the list instead."""
    if queue.full():
        while not queue.empty():
            queue.get_nowait()
        news = None
    queue.put_nowait(news)
