"""One record a message, with its text and what became of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from livinglab.notify.v1 import service_pb2 as pb
from pymongo import IndexModel, ReturnDocument
from pymongo.errors import PyMongoError

from chassis import mongo, naming, pages
from chassis.errors import Kind, Refused, not_found
from services.notify.model import messages as model
from services.notify.model import seats
from services.notify.model.messages import Fact
from services.notify.store import addresses, deliveries, keys, preferences, templates, waits, webhooks

# For those who must go on without the database for a while.
DatabaseFailure = PyMongoError

_INBOX = IndexModel(
    [("seat", 1), ("rehearsal", 1), ("accept_time", -1), ("_id", 1)], partialFilterExpression={"seat": {"$gt": ""}}
)
_INDEXES = {
    "messages": [
        IndexModel([("cohort_id", 1), ("_id", 1)]),
        IndexModel([("key", 1)], unique=True, partialFilterExpression={"key": {"$exists": True}}),
        IndexModel([("due_time", 1)], partialFilterExpression={"state": pb.MESSAGE_STATE_QUEUED}),
        IndexModel([("state", 1), ("due_time", 1)], partialFilterExpression={"state": pb.MESSAGE_STATE_HELD}),
        IndexModel([("accept_time", 1)], partialFilterExpression={"state": pb.MESSAGE_STATE_FAILED}),
        IndexModel([("email", 1), ("accept_time", 1)]),
        _INBOX,
    ]
}
_WITHOUT_TEXT = {"body": 0, "tries": 0, "events": 0}


@dataclass(frozen=True)
class Claimed:
    """A message that this process alone may send, until its lease ends. `version` is that of its record."""

    message: pb.Message
    version: int
    holder: str


class Store:
    """Documents in, messages out."""

    def __init__(self, db: mongo.Database) -> None:
        self.db = db
        self._messages = db["messages"]

    async def prepare(self) -> None:
        """Collections and indexes; once at start-up."""
        more = (waits, preferences, templates, webhooks, deliveries, keys, addresses)
        await self.db.prepare({**_INDEXES, **{name: found for one in more for name, found in one.INDEXES.items()}})

    async def add(self, tx: mongo.Tx, messages: Sequence[pb.Message]) -> list[str]:
        """Stores new messages, to be sent when they are due; their ids, that of the first one for those of a known
        key. What is for the inbox alone has arrived."""
        keys = [_key(message) for message in messages]
        known: dict[str, str] = {}
        if named := [key for key in keys if key]:
            query = {"key": {"$in": named}}
            async for row in self._messages.find(query, {"key": 1}, session=tx.session):
                known[row["key"]] = row["_id"]
        rows, ids = [], []
        for key, message in zip(keys, messages, strict=True):
            if key in known:
                ids.append(known[key])
                continue
            rows.append({**_row(message), "version": 1})
            ids.append(message.id)
            if message.phone:
                rows.append({**_row(model.short(message, naming.new_id())), "version": 1})
            if message.state == pb.MESSAGE_STATE_DELIVERED:
                tx.add(model.delivered(message, 1))
            if key:
                known[key] = message.id
        if rows:
            await self._messages.insert_many(rows, session=tx.session)
        return ids

    async def claim(self, lease: timedelta, *, short: bool = False) -> Claimed | None:
        """Takes the message that is due for longest, of those for phones or of the others. A lease is a due time in
        the future by the database's clock, which the replicas share: whoever crashes lets it pass, and the message is
        due again."""
        holder = naming.new_id()
        row = await self._messages.find_one_and_update(
            {**_queued(short), "$expr": {"$lte": ["$due_time", "$$NOW"]}},
            [{"$set": {"due_time": _until(lease), "holder": holder}}],
            sort=[("due_time", 1)],
            return_document=ReturnDocument.AFTER,
        )
        return Claimed(_message(row), row["version"], holder) if row else None

    async def renew(self, claimed: Claimed, lease: timedelta) -> None:
        """Lets the lease end later, if it still holds."""
        held = {"_id": claimed.message.id, "holder": claimed.holder}
        await self._messages.update_one(held, [{"$set": {"due_time": _until(lease)}}])

    async def next_due(self, *, short: bool = False) -> datetime | None:
        """When the next message becomes due; None when none waits."""
        row = await self._messages.find_one(_queued(short), {"due_time": 1}, sort=[("due_time", 1)])
        return row["due_time"] if row else None

    async def settle(self, claimed: Claimed, message: pb.Message, fact: Fact | None) -> bool:
        """Records what became of a claimed message together with the fact that follows; False when the lease was
        lost and somebody else has the message now."""

        async def decide(tx: mongo.Tx) -> bool:
            held = {"_id": message.id, "holder": claimed.holder, "version": claimed.version}
            # Set, not replaced: what its reader did with it meanwhile stays.
            row = {**_row(message), "version": claimed.version + 1}
            result = await self._messages.update_one(held, {"$set": row, "$unset": {"holder": ""}}, session=tx.session)
            if result.matched_count and fact is not None:
                tx.add(fact)
            return bool(result.matched_count)

        return await self.db.transaction(decide)

    async def sent_in_the_hour(self, emails: Iterable[str]) -> dict[str, int]:
        """How many real messages were written to each address within the last hour."""
        since = datetime.now(UTC) - timedelta(hours=1)
        match = {"email": {"$in": sorted({one for one in emails if one})}, "accept_time": {"$gt": since}}
        stages = [
            {"$match": {**match, "rehearsal": "", "channel": {"$ne": pb.CHANNEL_INBOX}}},
            {"$group": {"_id": "$email", "count": {"$sum": 1}}},
        ]
        return {row["_id"]: row["count"] for row in await self._messages.aggregate(stages).to_list(None)}

    async def held(self, most: int) -> list[pb.Message]:
        """Messages that one person wants together and whose morning has come, oldest first."""
        due = {"state": pb.MESSAGE_STATE_HELD, "$expr": {"$lte": ["$due_time", "$$NOW"]}}
        first = await self._messages.find_one(due, sort=[("due_time", 1)])
        if first is None:
            return []
        same = {key: first[key] for key in ("email", "seat", "cohort_id", "rehearsal")}
        rows = await self._messages.find({**due, **same}).sort("_id", 1).limit(most).to_list(None)
        return [_message(row) for row in rows]

    async def digest(self, tx: mongo.Tx, ids: Sequence[str], sent_as: str) -> bool:
        """Notes that they are sent as a part of another; False where somebody else has sent them."""
        query = {"_id": {"$in": list(ids)}, "state": pb.MESSAGE_STATE_HELD}
        change = {
            "$set": {"state": pb.MESSAGE_STATE_DIGESTED, "sent_as": sent_as, "due_time": None},
            "$inc": {"version": 1},
        }
        result = await self._messages.update_many(query, change, session=tx.session)
        if result.modified_count not in (0, len(ids)):
            raise Refused(Kind.ABORTED, "DIGESTED", "somebody sends some of them now")
        return bool(result.modified_count)

    async def mark_read(self, tx: mongo.Tx, which: dict[str, Any], moment: datetime | None) -> None:
        """When the messages that this finds were read by whom they are for; None for not yet."""
        await self._messages.update_many(which, {"$set": {"read_time": moment}}, session=tx.session)

    async def get(self, message_id: str) -> pb.Message:
        """NOT_FOUND where there is none."""
        row = await self._messages.find_one({"_id": message_id})
        if row is None:
            raise not_found("message", message_id)
        return _message(row)

    async def page(self, keys: dict[str, Any], request: pb.ListMessagesRequest) -> tuple[list[pb.Message], str]:
        """Messages without their text, oldest first, and the token of the next page."""
        return await pages.page(self._messages, keys, request, _message, fields=_WITHOUT_TEXT)

    async def counts(self, cohort_id: str) -> list[pb.MessageCount]:
        """How many messages of a cohort are in each state, by template."""
        stages = [
            {"$match": {"cohort_id": cohort_id}},
            {"$group": {"_id": {"template": "$template", "state": "$state"}, "count": {"$sum": 1}}},
            {"$sort": {"_id.template": 1, "_id.state": 1}},
        ]
        rows = await self._messages.aggregate(stages).to_list(None)
        return [
            pb.MessageCount(template=row["_id"]["template"], state=row["_id"]["state"], count=row["count"])
            for row in rows
        ]


def _queued(short: bool) -> dict[str, Any]:
    channel = pb.CHANNEL_GATEWAY if short else {"$ne": pb.CHANNEL_GATEWAY}
    return {"state": pb.MESSAGE_STATE_QUEUED, "channel": channel}


def _until(lease: timedelta) -> dict[str, Any]:
    return {"$add": ["$$NOW", int(lease.total_seconds() * 1000)]}


def _key(message: pb.Message) -> str:
    return f"{message.cohort_id}:{message.key}" if message.key else ""


def _row(message: pb.Message) -> dict[str, Any]:
    waits = message.state in (pb.MESSAGE_STATE_QUEUED, pb.MESSAGE_STATE_HELD)
    return {
        "_id": message.id,
        "template": message.template,
        "name": message.recipient.name,
        "email": message.recipient.email,
        "language": message.recipient.language,
        "institution": message.recipient.institution,
        "role": message.recipient.role,
        "subject_of": message.recipient.subject,
        "seat": "" if message.channel == pb.CHANNEL_GATEWAY else seats.of(message.recipient),
        "channel": message.channel,
        "phone": message.phone,
        "rule": message.rule,
        "values": dict(message.values),
        "subject": message.subject,
        "body": message.body,
        "state": message.state,
        "attempts": message.attempts,
        "last_error": message.last_error,
        "accept_time": message.accept_time.ToDatetime(UTC),
        "delivery_time": message.delivery_time.ToDatetime(UTC) if message.HasField("delivery_time") else None,
        "due_time": message.next_attempt_time.ToDatetime(UTC) if waits else None,
        "cohort_id": message.cohort_id,
        "rehearsal": message.rehearsal,
        "events": [one.SerializeToString() for one in message.events],
        "tries": [one.SerializeToString() for one in message.tries],
        **({"key": _key(message)} if message.key else {}),
    }


def _message(row: dict[str, Any]) -> pb.Message:
    return pb.Message(
        id=row["_id"],
        template=row["template"],
        recipient=pb.Recipient(
            name=row["name"],
            email=row["email"],
            language=row["language"],
            institution=row["institution"],
            role=row.get("role", 0),
            subject=row.get("subject_of", ""),
        ),
        channel=row.get("channel", pb.CHANNEL_EMAIL),
        phone=row.get("phone", ""),
        rule=row.get("rule", ""),
        values=row["values"],
        subject=row["subject"],
        body=row.get("body", ""),
        state=row["state"],
        attempts=row["attempts"],
        last_error=row["last_error"],
        accept_time=mongo.timestamp(row["accept_time"]),
        delivery_time=mongo.timestamp(row["delivery_time"]),
        next_attempt_time=mongo.timestamp(row["due_time"]),
        cohort_id=row["cohort_id"],
        rehearsal=row["rehearsal"],
        tries=[pb.Attempt.FromString(one) for one in row.get("tries", ())],
        events=[pb.CalendarEvent.FromString(one) for one in row.get("events", ())],
        sent_as=row.get("sent_as", ""),
        key=row.get("key", "").removeprefix(f"{row['cohort_id']}:"),
    )
