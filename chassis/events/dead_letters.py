"""Events that a service could not handle, or could not publish: set aside with the reason, listed, and settled when
they are replayed or discarded."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from livinglab.common.v1 import dead_letter_service_pb2 as pb
from nats.aio.msg import Msg
from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from chassis import mongo, naming, pages, telemetry
from chassis.mongo import Database, Tx


@dataclass(frozen=True)
class Letter:
    """One event that waits to be replayed; `handled` where its effect here has happened and only an effect
    elsewhere is missing, `outgoing` where it is a fact of the service's own that nobody has heard of."""

    id: str
    type: str
    subject: str
    headers: Mapping[str, str]
    payload: bytes
    handled: bool
    outgoing: bool


class Gone(Exception):
    """Somebody else has settled the letter meanwhile."""


def id_of(msg: Msg) -> str:
    """Its stream and place: ASSESSMENT:1204."""
    return f"{msg.metadata.stream}:{msg.metadata.sequence.stream}"


async def set_aside(db: Database, msg: Msg, error: Exception, failures: int) -> None:
    """Keeps a message that cannot be handled. The same message again replaces what was kept of it."""
    headers = dict(msg.headers or {})
    now = datetime.now(UTC)
    # The inbox forgets in time; the letter remembers, so that a late replay does not repeat the effect.
    handled = await db["inbox"].find_one({"_id": headers.get(naming.CE_ID, "")}) is not None
    row = {
        "subject": msg.subject,
        "headers": headers,
        "payload": msg.data,
        "reason": reason_of(error),
        "tries": failures,
        "time": now,
        "last_time": now,
        "handled": handled,
    }
    await db["dead_letters"].replace_one({"_id": id_of(msg)}, row, upsert=True)
    telemetry.DEAD_LETTERS.labels(headers.get("ce-type", "unknown")).inc()
    telemetry.log.error("an event was set aside", subject=msg.subject, exc_info=error)


async def set_aside_unpublished(db: Database, event_id: str, headers: Mapping[str, str], error: Exception) -> None:
    """Moves what the broker refuses for good out of the outbox, so that it holds up nothing behind it."""
    now = datetime.now(UTC)
    tried = {"reason": reason_of(error), "tries": 1, "time": now, "last_time": now}

    async def body(tx: Tx) -> None:
        row = await db["outbox"].find_one_and_delete({"_id": event_id}, session=tx.session)
        if row is not None:
            letter = {"subject": row["subject"], "headers": dict(headers), "payload": row["payload"], "outgoing": True}
            await db["dead_letters"].insert_one({"_id": f"OUTBOX:{event_id}", **letter, **tried}, session=tx.session)

    await db.transaction(body)
    telemetry.DEAD_LETTERS.labels(headers.get("ce-type", "unknown")).inc()
    telemetry.log.error("the broker refuses a fact", event_id=event_id, reason=tried["reason"])


def reason_of(error: Exception) -> str:
    """What is kept of an error for people."""
    return f"{type(error).__name__}: {error}"


async def page(db: Database, request: pb.ListDeadLettersRequest) -> tuple[list[pb.DeadLetter], str]:
    """Letters by id, as many as one answer has room for, and the token of the next page."""
    wanted = {"headers.ce-type": request.type} if request.type else {}
    return await pages.page(db["dead_letters"], wanted, request, _message)


async def find(db: Database, letter_id: str) -> Letter | None:
    """The letter, unless it is none any more."""
    row = await db["dead_letters"].find_one({"_id": letter_id})
    if row is None:
        return None
    headers = row["headers"]
    return Letter(
        letter_id,
        headers.get("ce-type", ""),
        row["subject"],
        headers,
        row["payload"],
        row.get("handled", False),
        row.get("outgoing", False),
    )


async def settle(db: Database, tx: Tx, record: dict[str, Any]) -> None:
    """It is a letter no more, and the record says why; Gone where it was none."""
    if not (await db["dead_letters"].delete_one({"_id": record["letter"]}, session=tx.session)).deleted_count:
        raise Gone(record["letter"])
    await db["replays"].insert_one(record, session=tx.session)


async def discard(db: Database, tx: Tx, record: dict[str, Any]) -> None:
    """It is a letter no more; the record keeps all of it. Gone where it was none."""
    row = await db["dead_letters"].find_one_and_delete({"_id": record["letter"]}, session=tx.session)
    if row is None:
        raise Gone(record["letter"])
    record["type"] = row["headers"].get("ce-type", "")
    await db["replays"].insert_one({**record, "what": row}, session=tx.session)


async def note_handled(db: Database, tx: Tx, letter_id: str) -> None:
    """Its effect here has happened; it stays for the effect elsewhere. Gone where it was none."""
    change = {"$set": {"handled": True}}
    if not (await db["dead_letters"].update_one({"_id": letter_id}, change, session=tx.session)).matched_count:
        raise Gone(letter_id)


async def note_failure(db: Database, record: dict[str, Any]) -> None:
    """It stays, with the reason of its last try. A repeat of the same request adds nothing."""

    async def body(tx: Tx) -> None:
        await db["replays"].insert_one(record, session=tx.session)
        change = {"$set": {"reason": record["reason"], "last_time": record["time"]}, "$inc": {"tries": 1}}
        found = await db["dead_letters"].find_one_and_update(
            {"_id": record["letter"]}, change, return_document=ReturnDocument.AFTER, session=tx.session
        )
        if found is None:
            raise Gone(record["letter"])

    with suppress(DuplicateKeyError):
        await db.transaction(body)


async def record_of(db: Database, record_id: str) -> dict[str, Any] | None:
    """What one request did with one letter."""
    found: dict[str, Any] | None = await db["replays"].find_one({"_id": record_id})
    return found


async def end_of(db: Database, letter_id: str) -> dict[str, Any] | None:
    """The replay that handled the letter, or how it was given up."""
    ends = [pb.REPLAY_OUTCOME_APPLIED, pb.REPLAY_OUTCOME_DISCARDED]
    return await db.newest("replays", {"letter": letter_id, "outcome": {"$in": ends}})


def _message(row: dict[str, Any]) -> pb.DeadLetter:
    return pb.DeadLetter(
        id=row["_id"],
        type=row["headers"].get("ce-type", ""),
        subject=row["subject"],
        headers=row["headers"],
        payload=row["payload"],
        reason=row["reason"],
        tries=row["tries"],
        set_aside_time=mongo.timestamp(row["time"]),
        last_try_time=mongo.timestamp(row.get("last_time", row["time"])),
        outgoing=row.get("outgoing", False),
    )
