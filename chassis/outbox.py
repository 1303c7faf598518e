"""The relay: publishes what the outbox holds, in commit order, one relay at a time per service."""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from opentelemetry.trace import SpanKind
from pymongo import ReturnDocument
from pymongo.errors import PyMongoError

from chassis import naming, telemetry
from chassis.changes import Changes
from chassis.mongo import Database

_LEASE_SECONDS = 4.0
_RENEW_SECONDS = 1.0
_ACK_SECONDS = 5.0
_BATCH = 500
_RETRY_SECONDS = 0.25
_DATA_SCHEMA = "livinglab/protos#"

Row = dict[str, Any]


class Relay:
    """Starts from the table and not from what a request remembers: a crash at any line publishes again and
    loses nothing. The lease keeps two replicas from publishing side by side, which would cost order."""

    def __init__(self, db: Database, js: JetStreamContext, service: str) -> None:
        self._db = db
        self._js = js
        self._source = f"/livinglab/{service}"
        self._holder = naming.new_id()
        self._done: set[str] = set()

    async def run(self) -> None:
        """Relays until cancelled."""
        try:
            while True:
                try:
                    if not await self._take_lease():
                        await asyncio.sleep(_RENEW_SECONDS)
                        continue
                    async with asyncio.TaskGroup() as tasks:
                        tasks.create_task(self._keep_lease())
                        tasks.create_task(self._relay())
                except* (PyMongoError, NatsError, LeaseLost, TimeoutError) as group:
                    causes = [f"{type(e).__name__}: {e}"[:200] for e in group.exceptions]
                    telemetry.log.warning("the relay starts again", because=causes)
                    await asyncio.sleep(_RETRY_SECONDS)
        finally:
            with suppress(PyMongoError):
                await self._db["leases"].delete_one({"_id": "relay", "holder": self._holder})

    async def _take_lease(self) -> bool:
        """By the database's clock, which both replicas share."""
        free = {"$or": [{"$lt": ["$expires", "$$NOW"]}, {"$eq": ["$holder", self._holder]}]}
        expires = {"$add": ["$$NOW", int(_LEASE_SECONDS * 1000)]}
        lease = await self._db["leases"].find_one_and_update(
            {"_id": "relay"},
            [
                {"$set": {"free": {"$ifNull": [free, True]}}},
                {"$set": {"holder": {"$cond": ["$free", self._holder, "$holder"]}}},
                {"$set": {"expires": {"$cond": ["$free", expires, "$expires"]}}},
                {"$unset": "free"},
            ],
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        return bool(lease["holder"] == self._holder)

    async def _keep_lease(self) -> None:
        while True:
            await asyncio.sleep(_RENEW_SECONDS)
            async with asyncio.timeout(_LEASE_SECONDS - _RENEW_SECONDS):
                if not await self._take_lease():
                    raise LeaseLost("another replica relays")

    async def _relay(self) -> None:
        """The change stream is opened before the backlog is read: what commits in between is in both."""
        self._done.clear()
        async with await self._db.client.start_session() as session:
            inserts = [{"$match": {"operationType": "insert"}}]
            changes = await Changes.open(self._db, session, inserts, collection="outbox", batch=_BATCH)
            await self._publish_backlog(session)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._publish_from(changes))
                tasks.create_task(self._measure())

    async def _publish_backlog(self, session: Any) -> None:
        outbox = self._db["outbox"]
        while True:
            oldest = await outbox.find({"pending": True}, session=session).sort("_id").limit(_BATCH).to_list(None)
            if not oldest:
                return
            # All of an aggregate at once: ids of two replicas' clocks may not follow its versions.
            aggregates = {"pending": True, "aggregate": {"$in": list({row["aggregate"] for row in oldest})}}
            rows = await outbox.find(aggregates, session=session).to_list(None)
            await self._publish(sorted(rows, key=lambda row: (row["version"], row["_id"])))
            self._done.update(row["_id"] for row in rows)

    async def _publish_from(self, changes: Changes) -> None:
        while True:
            rows = [change["fullDocument"] for change in await changes.next()]
            await self._publish([row for row in rows if row["_id"] not in self._done])

    async def _publish(self, rows: Sequence[Row]) -> None:
        """Aggregates side by side, each one's events one after the other."""
        by_aggregate: dict[str, list[Row]] = {}
        for row in rows:
            by_aggregate.setdefault(row["aggregate"], []).append(row)
        await asyncio.gather(*(self._publish_in_order(row) for row in by_aggregate.values()))
        if rows:
            await self._mark(row["_id"] for row in rows)

    async def _publish_in_order(self, rows: Iterable[Row]) -> None:
        for row in rows:
            if telemetry.is_sampled(row["traceparent"]):
                with telemetry.span(f"publish {row['subject']}", SpanKind.PRODUCER, row["traceparent"]):
                    await self._publish_one(row, telemetry.traceparent())
            else:
                await self._publish_one(row, row["traceparent"])
            telemetry.EVENTS_PUBLISHED.labels(row["type"]).inc()

    async def _publish_one(self, row: Row, traceparent: str) -> None:
        headers = {
            naming.MESSAGE_ID: row["_id"],
            "ce-specversion": "1.0",
            naming.CE_ID: row["_id"],
            "ce-source": self._source,
            "ce-type": row["type"],
            "ce-time": _rfc3339(row["time"]),
            naming.CE_SUBJECT: row["aggregate"],
            naming.CE_SEQUENCE: str(row["version"]),
            "ce-datacontenttype": "application/protobuf",
            "ce-dataschema": _DATA_SCHEMA + row["type"],
        }
        if traceparent:
            headers[naming.TRACEPARENT] = traceparent
        await self._js.publish(row["subject"], row["payload"], timeout=_ACK_SECONDS, headers=headers)

    async def _mark(self, ids: Iterable[str]) -> None:
        change = {"$unset": {"pending": ""}, "$set": {"published_time": datetime.now(UTC)}}
        await self._db["outbox"].update_many({"_id": {"$in": list(ids)}}, change)

    async def _measure(self) -> None:
        while True:
            oldest = await self._db["outbox"].find_one({"pending": True}, {"time": 1}, sort=[("_id", 1)])
            telemetry.OUTBOX_PENDING.set(await self._db["outbox"].count_documents({"pending": True}))
            age = (datetime.now(UTC) - oldest["time"]).total_seconds() if oldest else 0.0
            telemetry.OUTBOX_OLDEST.set(max(0.0, age))
            await asyncio.sleep(5)


class LeaseLost(Exception):
    """Another replica holds the lease now."""


def _rfc3339(at: datetime) -> str:
    """With its offset, whatever the driver made of it."""
    aware = at if at.tzinfo else at.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
