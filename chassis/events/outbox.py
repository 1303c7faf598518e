"""The relay: publishes the rows of the outbox in commit order. Of all replicas of a service one does it at a time."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from nats.aio.client import Client
from nats.errors import BadSubjectError, MaxPayloadError
from nats.errors import Error as NatsError
from nats.js.errors import APIError
from opentelemetry.trace import SpanKind
from pymongo.errors import PyMongoError

from chassis import naming, telemetry
from chassis.changes import Changes
from chassis.events.dead_letters import set_aside_unpublished
from chassis.events.lease import RENEW_SECONDS, Lease, LeaseLost
from chassis.mongo import Database

_ACK_SECONDS = 5.0
_BATCH = 500
_RETRY_SECONDS = 0.25
# Of JetStream: the message, or its headers, exceed what the stream may hold.
_FOR_GOOD = frozenset({10054, 10097})
# What the protocol adds to each header, and to all of them.
_HEADER_BYTES, _HEADERS_BYTES = 4, 12

Row = dict[str, Any]


class Relay:
    """Starts from the table and not from what a request remembers: a crash at any line publishes again and
    loses nothing. The lease keeps two replicas from publishing side by side, which would cost order."""

    def __init__(self, db: Database, nc: Client, service: str) -> None:
        self._db = db
        self._publisher = Publisher(nc)
        self._source = f"/livinglab/{service}"
        self._lease = Lease(db, "relay")
        self._done: set[str] = set()
        # Not marked yet.
        self._published: list[str] = []
        self._something_published = asyncio.Event()

    async def run(self) -> None:
        """Relays until cancelled."""
        try:
            while True:
                try:
                    if not await self._lease.take():
                        await asyncio.sleep(RENEW_SECONDS)
                        continue
                    async with asyncio.TaskGroup() as tasks:
                        tasks.create_task(self._lease.keep())
                        tasks.create_task(self._relay())
                except* (PyMongoError, NatsError, LeaseLost, TimeoutError) as group:
                    causes = [f"{type(e).__name__}: {e}"[:200] for e in group.exceptions]
                    telemetry.log.warning("the relay starts again", because=causes)
                    await asyncio.sleep(_RETRY_SECONDS)
        finally:
            await self._lease.give_back()

    async def _relay(self) -> None:
        """The change stream is opened before the backlog is read: what commits in between is in both."""
        self._done.clear()
        async with await self._db.client.start_session() as session:
            inserts = [{"$match": {"operationType": "insert"}}]
            changes = await Changes.open(self._db, session, inserts, collection="outbox", batch=_BATCH)
            await self._publish_backlog(session)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._publish_from(changes))
                tasks.create_task(self._mark_behind())

    async def _publish_backlog(self, session: Any) -> None:
        outbox = self._db["outbox"]
        while True:
            oldest = await outbox.find({"pending": True}, session=session).sort("_id").limit(_BATCH).to_list(None)
            if not oldest:
                return
            # All of an aggregate at once: ids of two replicas' clocks may not follow its versions.
            aggregates = {"pending": True, "aggregate": {"$in": list({row["aggregate"] for row in oldest})}}
            rows = await outbox.find(aggregates, session=session).to_list(None)
            await self._mark(await self._publish(sorted(rows, key=lambda row: (row["version"], row["_id"]))))
            self._done.update(row["_id"] for row in rows)

    async def _publish_from(self, changes: Changes) -> None:
        while True:
            rows = [change["fullDocument"] for change in await changes.next()]
            self._published += await self._publish([row for row in rows if row["_id"] not in self._done])
            if self._published:
                self._something_published.set()

    async def _publish(self, rows: Sequence[Row]) -> list[str]:
        """Aggregates side by side, each one's events one after the other; which of them were published, to be marked.
        Where one was not, the others are marked here and the first fault is raised."""
        by_aggregate: dict[str, list[Row]] = {}
        for row in rows:
            by_aggregate.setdefault(row["aggregate"], []).append(row)
        published: list[str] = []
        ends = await asyncio.gather(
            *(self._publish_in_order(row, published) for row in by_aggregate.values()), return_exceptions=True
        )
        for fault in ends:
            if fault is not None:
                await self._mark(published)
                raise fault
        return published

    async def _publish_in_order(self, rows: Iterable[Row], published: list[str]) -> None:
        for row in rows:
            if telemetry.is_sampled(row["traceparent"]):
                with telemetry.span(f"publish {row['subject']}", SpanKind.PRODUCER, row["traceparent"]):
                    taken = await self._publish_one(row, telemetry.traceparent())
            else:
                taken = await self._publish_one(row, row["traceparent"])
            if taken:
                published.append(row["_id"])
                telemetry.EVENTS_PUBLISHED.labels(row["type"]).inc()

    async def _publish_one(self, row: Row, traceparent: str) -> bool:
        """False where the broker will never take it."""
        attributes = naming.attributes(
            row["type"], self._source, row["_id"], row["time"], row["aggregate"], row["version"]
        )
        headers = {naming.MESSAGE_ID: row["_id"], **attributes}
        if traceparent:
            headers[naming.TRACEPARENT] = traceparent
        try:
            await self._publisher.publish(row["subject"], row["payload"], headers)
        except RefusedForGood as error:
            await set_aside_unpublished(self._db, row["_id"], headers, error)
            return False
        return True

    async def _mark_behind(self) -> None:
        """Beside the publishing, which need not wait for it: a row that a crash leaves unmarked is published again."""
        try:
            while True:
                await self._something_published.wait()
                self._something_published.clear()
                await self._mark_published()
        finally:
            with suppress(PyMongoError):
                await self._mark_published()

    async def _mark_published(self) -> None:
        published = self._published
        self._published = []
        try:
            await self._mark(published)
        except BaseException:
            # For the last try, at the end.
            self._published += published
            raise

    async def _mark(self, ids: Sequence[str]) -> None:
        if ids:
            change = {"$unset": {"pending": ""}, "$set": {"published_time": datetime.now(UTC)}}
            await self._db["outbox"].update_many({"_id": {"$in": list(ids)}}, change)


class RefusedForGood(Exception):
    """The broker will not take this message, however often it is offered."""


class Publisher:
    """Puts messages into a stream; returns once the broker has them on its disk."""

    def __init__(self, nc: Client) -> None:
        self._nc = nc
        self._js = nc.jetstream()

    async def publish(self, subject: str, payload: bytes, headers: Mapping[str, str]) -> None:
        """RefusedForGood where another try would be in vain."""
        size = len(payload) + sum(len(name) + len(value.encode()) + _HEADER_BYTES for name, value in headers.items())
        # The client looks at the payload alone, and the server hangs up on what is larger with its headers.
        if size + _HEADERS_BYTES > self._nc.max_payload:
            raise RefusedForGood(f"{size:,} bytes, and the broker takes at most {self._nc.max_payload:,}")
        try:
            await self._js.publish(subject, payload, timeout=_ACK_SECONDS, headers=dict(headers))
        except (MaxPayloadError, BadSubjectError) as error:
            raise RefusedForGood(str(error)) from error
        except APIError as error:
            if error.err_code in _FOR_GOOD:
                raise RefusedForGood(str(error)) from error
            raise
