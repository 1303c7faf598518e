"""The log of webhooks: one record for each fact and receiver, with its body and every try."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from livinglab.notify.v1 import webhook_pb2 as pb
from livinglab.notify.v1 import webhook_service_pb2
from pymongo import IndexModel, ReturnDocument, UpdateOne

from chassis import mongo, naming, pages
from chassis.errors import not_found
from services.notify.model import webhooks

_WAITING, _FAILED = pb.DELIVERY_STATE_WAITING, pb.DELIVERY_STATE_FAILED
INDEXES = {
    "deliveries": [
        IndexModel([("webhook", 1), ("state", 1), ("due_time", 1)]),
        IndexModel([("webhook", 1), ("_id", 1)]),
        IndexModel([("end_time", 1)], expireAfterSeconds=30 * 86_400),
    ]
}
_WITHOUT_BODY = {"body": 0}


@dataclass(frozen=True)
class Taken:
    """A fact that was taken up for a receiver."""

    event_id: str
    type: str
    subject: str
    stream: str
    place: int
    fact_time: datetime | None
    body: bytes


@dataclass(frozen=True)
class Due:
    """One that this process alone may post, until its lease ends."""

    id: str
    webhook_id: str
    event_id: str
    fact_time: datetime | None
    body: bytes
    attempts: int
    holder: str


class DeliveryStore:
    """Documents in, messages out."""

    def __init__(self, db: mongo.Database) -> None:
        self.db = db
        self._rows = db["deliveries"]

    async def take_up(self, tx: mongo.Tx, webhook_id: str, taken: Sequence[Taken]) -> None:
        """They are due now; one that was there before, since it is read again, is sent again."""
        now = datetime.now(UTC)
        changes = [
            UpdateOne(
                {"_id": f"{webhook_id}:{one.event_id}"},
                {
                    "$setOnInsert": {"webhook": webhook_id, "accept_time": now, "tries": []},
                    "$set": {
                        "event_id": one.event_id,
                        "type": one.type,
                        "subject": one.subject,
                        "stream": one.stream,
                        "place": one.place,
                        "fact_time": one.fact_time,
                        "body": one.body,
                        **_due_now(now),
                    },
                    "$unset": {"holder": ""},
                },
                upsert=True,
            )
            for one in taken
        ]
        await self._rows.bulk_write(changes, session=tx.session)

    async def claim(self, webhook_id: str, lease: timedelta) -> Due | None:
        """Takes the one that is due for longest, by the database's clock."""
        holder = naming.new_id()
        row = await self._rows.find_one_and_update(
            {"webhook": webhook_id, "state": _WAITING, "$expr": {"$lte": ["$due_time", "$$NOW"]}},
            [{"$set": {"due_time": {"$add": ["$$NOW", int(lease.total_seconds() * 1000)]}, "holder": holder}}],
            sort=[("due_time", 1), ("stream", 1), ("place", 1)],
            return_document=ReturnDocument.AFTER,
        )
        if row is None:
            return None
        return Due(row["_id"], webhook_id, row["event_id"], row["fact_time"], row["body"], row["attempts"], holder)

    async def next_due(self, webhook_id: str) -> datetime | None:
        """When the next becomes due; None when none waits."""
        query = {"webhook": webhook_id, "state": _WAITING}
        row = await self._rows.find_one(query, {"due_time": 1}, sort=[("due_time", 1)])
        return row["due_time"] if row else None

    async def settle(
        self, tx: mongo.Tx, due: Due, tried: pb.DeliveryTry, state: int, next_try: datetime | None, now: datetime
    ) -> bool:
        """Records what became of one; False where somebody else has it by now, or asked for it again."""
        change: dict[str, Any] = {"state": state, "due_time": next_try, "attempts": due.attempts + 1}
        if state != _WAITING:
            change["end_time"] = now
        tries = {"$each": [tried.SerializeToString()], "$slice": -webhooks.TRIES_KEPT}
        found = await self._rows.update_one(
            {"_id": due.id, "holder": due.holder},
            {"$set": change, "$push": {"tries": tries}, "$unset": {"holder": ""}},
            session=tx.session,
        )
        return bool(found.matched_count)

    async def hurry(self, tx: mongo.Tx, webhook_id: str) -> None:
        """What waits for its turn is due now: its receiver is back."""
        query = {"webhook": webhook_id, "state": _WAITING, "holder": {"$exists": False}}
        await self._rows.update_many(query, {"$set": {"due_time": datetime.now(UTC)}}, session=tx.session)

    async def again(self, tx: mongo.Tx, webhook_id: str, ids: Sequence[str]) -> int:
        """These, or without any all that failed, are due now; how many. NOT_FOUND names the first that is not there."""
        query: dict[str, Any] = {"webhook": webhook_id, "state": _FAILED}
        if ids:
            query = {"webhook": webhook_id, "_id": {"$in": list(ids)}}
            known = {row["_id"] async for row in self._rows.find(query, {"_id": 1}, session=tx.session)}
            for one in ids:
                if one not in known:
                    raise not_found("delivery", one)
        change = {"$set": _due_now(datetime.now(UTC)), "$unset": {"holder": ""}}
        found = await self._rows.update_many(query, change, session=tx.session)
        return int(found.matched_count)

    async def remove(self, webhook_id: str) -> None:
        """The log of one."""
        await self._rows.delete_many({"webhook": webhook_id})

    async def counts(self, webhook_ids: Sequence[str]) -> Mapping[tuple[str, int], int]:
        """How many of each are in which state, by webhook and state; of those that are not accepted alone."""
        match = {"webhook": {"$in": list(webhook_ids)}, "state": {"$in": [_WAITING, _FAILED]}}
        group = {"_id": {"webhook": "$webhook", "state": "$state"}, "count": {"$sum": 1}}
        rows = await self._rows.aggregate([{"$match": match}, {"$group": group}]).to_list(None)
        return {(row["_id"]["webhook"], row["_id"]["state"]): row["count"] for row in rows}

    async def waiting(self, webhook_id: str, most: int) -> int:
        """How many of one are not accepted yet; counted up to `most`."""
        count: int = await self._rows.count_documents({"webhook": webhook_id, "state": _WAITING}, limit=most)
        return count

    async def get(self, delivery_id: str) -> pb.Delivery:
        """With its body. NOT_FOUND where there is none."""
        row = await self._rows.find_one({"_id": delivery_id})
        if row is None:
            raise not_found("delivery", delivery_id)
        return _message(row)

    async def page(self, request: webhook_service_pb2.ListDeliveriesRequest) -> tuple[list[pb.Delivery], str]:
        """Without their bodies, oldest first, and the token of the next page."""
        keys: dict[str, Any] = {"webhook": request.webhook_id}
        if request.state:
            keys["state"] = request.state
        return await pages.page(self._rows, keys, request, _message, fields=_WITHOUT_BODY)


def _due_now(now: datetime) -> dict[str, Any]:
    return {"state": _WAITING, "due_time": now, "attempts": 0, "end_time": None}


def _message(row: Mapping[str, Any]) -> pb.Delivery:
    return pb.Delivery(
        id=row["_id"],
        webhook_id=row["webhook"],
        event_id=row["event_id"],
        type=row["type"],
        subject=row["subject"],
        stream=row["stream"],
        place=row["place"],
        state=row["state"],
        attempts=row["attempts"],
        next_attempt_time=mongo.timestamp(row["due_time"]),
        accept_time=mongo.timestamp(row["accept_time"]),
        end_time=mongo.timestamp(row["end_time"]),
        tries=[pb.DeliveryTry.FromString(one) for one in row["tries"]],
        body=row.get("body", b"").decode(),
    )
