"""Receivers of facts: one record each, with its secrets, which are sealed, and how far it has got."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from livinglab.notify.v1 import webhook_pb2 as pb
from livinglab.notify.v1.webhook_events_pb2 import WebhookDisabled

from chassis import mongo
from chassis.errors import Kind, Refused, not_found
from services.notify.model import signatures, webhooks
from services.notify.model.sealing import CannotBeOpened, Seal
from services.notify.model.webhooks import Answer

INDEXES: dict[str, list[Any]] = {"webhooks": []}
_ACTIVE = pb.WEBHOOK_STATE_ACTIVE


@dataclass(frozen=True)
class Receiver:
    """A webhook as those who send to it need it. `course` changes when it is to be read from somewhere else; `held`
    are its secrets as they are kept, and until when."""

    id: str
    url: str
    subjects: tuple[str, ...]
    institution: str
    everything: bool
    rehearsals: bool
    places: Mapping[str, int]
    since: datetime
    course: int
    held: tuple[tuple[str, datetime | None], ...]
    failures: int
    failing_since: datetime | None

    def secrets(self, seal: Seal, now: datetime) -> list[str]:
        """What signs now, the newest first. CannotBeOpened where a key is missing; what a rotation has left behind is
        then left out."""
        found = list[str]()
        for one, until in self.held:
            try:
                if until is None or until > now:
                    found.append(seal.open(one, self.id))
            except CannotBeOpened:
                if until is None:
                    raise
        return found


class WebhookStore:
    """Documents in, messages out; secrets go to who sends, and nowhere else."""

    def __init__(self, db: mongo.Database, seal: Seal) -> None:
        self.db = db
        self.seal = seal
        self._rows = db["webhooks"]

    async def add(self, tx: mongo.Tx, webhook: pb.Webhook, since: datetime, held: Sequence[str]) -> None:
        """A new one. RESOURCE_EXHAUSTED where there are as many as there may be."""
        if await self._rows.count_documents({}, session=tx.session) >= webhooks.MOST:
            raise Refused(Kind.RESOURCE_EXHAUSTED, "TOO_MANY_WEBHOOKS", f"there are {webhooks.MOST} webhooks already")
        row = {
            "_id": webhook.id,
            "url": webhook.url,
            "subjects": list(webhook.subjects),
            "institution": webhook.institution,
            "everything": webhook.everything,
            "rehearsals": webhook.rehearsals,
            "description": webhook.description,
            "state": webhook.state,
            "reason": "",
            "created_by": webhook.created_by,
            "create_time": webhook.create_time.ToDatetime(UTC),
            "held": [self._kept(webhook.id, one) for one in held],
            "places": {},
            "since": since,
            "course": 1,
            "version": 1,
            "failures": 0,
            "failing_since": None,
            "last_success": None,
            "last_error": "",
            "clock": 0,
        }
        await self._rows.insert_one(row, session=tx.session)

    async def get(self, webhook_id: str, tx: mongo.Tx | None = None) -> pb.Webhook:
        """NOT_FOUND where there is none."""
        return _message(await self._row(webhook_id, tx))

    async def all(self) -> list[pb.Webhook]:
        """By id."""
        return [_message(row) async for row in self._rows.find().sort("_id", 1)]

    async def change(self, tx: mongo.Tx, webhook_id: str, change: Mapping[str, Any]) -> pb.Webhook:
        """These fields have these values from now on."""
        renewed = self._renewed(await self._row(webhook_id, tx))
        whole = {**({"held": renewed} if renewed else {}), **change}
        await self._rows.update_one({"_id": webhook_id}, {"$set": whole, "$inc": {"version": 1}}, session=tx.session)
        return await self.get(webhook_id, tx)

    async def start(self, tx: mongo.Tx, webhook_id: str) -> pb.Webhook:
        """It goes on where it was."""
        change = {"state": _ACTIVE, "reason": "", "failures": 0, "failing_since": None}
        return await self.change(tx, webhook_id, change)

    async def rotate(self, tx: mongo.Tx, webhook_id: str, held: Sequence[str], until: datetime) -> pb.Webhook:
        """These sign from now on, those of now too until then, and none of before."""
        row = await self._row(webhook_id, tx)
        before = [{**one, "until": until} for one in self._renewed(row) or row["held"] if one["until"] is None]
        return await self.change(tx, webhook_id, {"held": [self._kept(webhook_id, one) for one in held] + before})

    async def seal_all(self) -> int:
        """Whatever stands in plain or under an earlier key is sealed with the first one; how many records."""
        count = 0
        if not self.seal.seals:
            return count
        for one in await self._rows.find({}, {"_id": 1}).to_list(None):

            async def body(tx: mongo.Tx, webhook_id: str = one["_id"]) -> int:
                row = await self._rows.find_one({"_id": webhook_id}, session=tx.session)
                if row is None or not (renewed := self._renewed(row)):
                    return 0
                await self._rows.update_one({"_id": webhook_id}, {"$set": {"held": renewed}}, session=tx.session)
                return 1

            count += await self.db.transaction(body)
        return count

    async def replay(self, tx: mongo.Tx, webhook_id: str, places: Mapping[str, int], since: datetime | None) -> None:
        """It is read from these places on, or each stream from that time on."""
        moved: dict[str, Any] = {f"places.{stream}": place for stream, place in places.items()}
        if since is not None:
            moved = {"places": {}, "since": since}
        await self._rows.update_one({"_id": webhook_id}, {"$set": moved, "$inc": {"course": 1}}, session=tx.session)

    async def remove(self, tx: mongo.Tx, webhook_id: str) -> None:
        """NOT_FOUND where there is none."""
        if not (await self._rows.delete_one({"_id": webhook_id}, session=tx.session)).deleted_count:
            raise not_found("webhook", webhook_id)

    async def receivers(self) -> list[Receiver]:
        """Those that are sent to."""
        return [_receiver(row) async for row in self._rows.find({"state": _ACTIVE})]

    async def receiver(self, webhook_id: str) -> Receiver | None:
        """None for one that is not sent to any more."""
        row = await self._rows.find_one({"_id": webhook_id, "state": _ACTIVE})
        return _receiver(row) if row else None

    async def disabled(self) -> int:
        """How many are."""
        count: int = await self._rows.count_documents({"state": pb.WEBHOOK_STATE_DISABLED})
        return count

    async def advance(self, tx: mongo.Tx, receiver: Receiver, stream: str, place: int) -> bool:
        """Notes how far it has got; False where it is read from somewhere else by now, or not at all."""
        held = {"_id": receiver.id, "course": receiver.course, "state": _ACTIVE}
        found = await self._rows.update_one(held, {"$set": {f"places.{stream}": place}}, session=tx.session)
        return bool(found.matched_count)

    async def note(self, tx: mongo.Tx, webhook_id: str, answer: Answer, now: datetime) -> Mapping[str, Any] | None:
        """What a try says about its receiver; the record before it, None for one that is gone."""
        clock = round(answer.clock.total_seconds()) if webhooks.clock_words(answer.clock) and answer.clock else 0
        if answer.accepted:
            told: dict[str, Any] = {"failures": 0, "failing_since": None, "last_success": now, "last_error": ""}
        else:
            told = {
                "failures": {"$add": ["$failures", 1]},
                "failing_since": {"$ifNull": ["$failing_since", now]},
                "last_error": {"$literal": webhooks.told(answer) or f"HTTP {answer.status}"},
            }
        found: Mapping[str, Any] | None = await self._rows.find_one_and_update(
            {"_id": webhook_id}, [{"$set": {**told, "clock": clock}}], session=tx.session
        )
        return found

    async def disable(self, tx: mongo.Tx, before: Mapping[str, Any], reason: str) -> bool:
        """Nothing is sent to it any more, which is a fact; False where it was so before."""
        version = before["version"] + 1
        change = {"state": pb.WEBHOOK_STATE_DISABLED, "reason": reason, "version": version}
        held = {"_id": before["_id"], "state": _ACTIVE}
        if (await self._rows.update_one(held, {"$set": change}, session=tx.session)).matched_count:
            fact = WebhookDisabled(webhook_id=before["_id"], host=webhooks.host(before["url"]), reason=reason)
            fact.meta.aggregate_id, fact.meta.version = before["_id"], version
            tx.add(fact)
            return True
        return False

    def _kept(self, webhook_id: str, secret: str, until: datetime | None = None) -> dict[str, Any]:
        # Beside a sealed key stands its public half: who only looks needs no key.
        return {"secret": self.seal.seal(secret, webhook_id), "public": _public_half(secret), "until": until}

    def _renewed(self, row: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Its secrets under the first key; none where nothing is to be done, or one of them does not open."""
        held, webhook_id = row["held"], row["_id"]
        if not any(self.seal.is_stale(one["secret"]) for one in held):
            return []
        try:
            opened = [(self.seal.open(one["secret"], webhook_id), one["until"]) for one in held]
        except CannotBeOpened:
            return []
        return [self._kept(webhook_id, secret, until) for secret, until in opened]

    async def _row(self, webhook_id: str, tx: mongo.Tx | None) -> Mapping[str, Any]:
        row: Mapping[str, Any] | None = await self._rows.find_one(
            {"_id": webhook_id}, session=tx.session if tx else None
        )
        if row is None:
            raise not_found("webhook", webhook_id)
        return row


def _receiver(row: Mapping[str, Any]) -> Receiver:
    return Receiver(
        id=row["_id"],
        url=row["url"],
        subjects=tuple(row["subjects"]),
        institution=row["institution"],
        everything=row["everything"],
        rehearsals=row["rehearsals"],
        places=row["places"],
        since=row["since"],
        course=row["course"],
        held=tuple((one["secret"], one["until"]) for one in row["held"]),
        failures=row["failures"],
        failing_since=row["failing_since"],
    )


def _message(row: Mapping[str, Any]) -> pb.Webhook:
    held, now = row["held"], datetime.now(UTC)
    keys = [_public(one) for one in held if one["until"] is None or one["until"] > now]
    ends = [one["until"] for one in held if one["until"] is not None and one["until"] > now]
    return pb.Webhook(
        id=row["_id"],
        url=row["url"],
        subjects=row["subjects"],
        institution=row["institution"],
        everything=row["everything"],
        rehearsals=row["rehearsals"],
        description=row["description"],
        state=row["state"],
        reason=row["reason"],
        created_by=row["created_by"],
        create_time=mongo.timestamp(row["create_time"]),
        public_keys=[one for one in keys if one],
        rotation_end_time=mongo.timestamp(max(ends, default=None)),
        places=row["places"],
        last_success_time=mongo.timestamp(row["last_success"]),
        failing_since=mongo.timestamp(row["failing_since"]),
        last_error=row["last_error"],
        clock_offset_seconds=row["clock"],
    )


def _public(held: Mapping[str, Any]) -> str:
    """ "" for one that both sides know. A record of an earlier release has it in the key alone, which is in plain."""
    if "public" in held:
        return str(held["public"])
    return _public_half(held["secret"])


def _public_half(secret: str) -> str:
    return signatures.public_key(secret) if secret.startswith(signatures.PRIVATE) else ""
