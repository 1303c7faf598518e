"""Facts from JetStream: a service's consumer, which handles each fact once, tries again what fails, and sets aside what
cannot be handled."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import nats
from google.protobuf.message import DecodeError, Message
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from opentelemetry.trace import SpanKind
from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError, PyMongoError

from chassis import naming, telemetry
from chassis.errors import Kind, Refused
from chassis.events.dead_letters import Letter, id_of, set_aside
from chassis.events.durables import ensure_durable, retire
from chassis.events.durables import ensure_stream as ensure_stream
from chassis.mongo import Database, Tx

# The server is told this often that a message is still being worked on; must be well below
# durables.ACK_WAIT_SECONDS, after which it would deliver the message again.
_SAY_SECONDS = 1.5
_UNDER_WAY = 64
_CONNECT_SECONDS = 2.5
_TRIES = 8
_LONGEST_PAUSE = 5.0
_TRANSIENT = frozenset({Kind.UNAVAILABLE, Kind.DEADLINE_EXCEEDED, Kind.ABORTED})


@dataclass(frozen=True)
class Reaction:
    """What a service does when it hears one kind of fact. `handle` works in the database, in the same transaction that
    records the event as seen, so its effect happens exactly once. `after` is for an effect outside of the database. It
    runs after the commit, and again at each redelivery until it succeeds, so it must be idempotent."""

    event: type[Message]
    handle: Callable[[Tx, Any], Awaitable[None]] | None = None
    after: Callable[[Any], Awaitable[None]] | None = None
    # What `handle` writes, where facts of several aggregates write the same: it is done for one after the other.
    thing: Callable[[Any], str] | None = None


# Something more to write in the transaction of the reaction.
Settle = Callable[[Tx], Awaitable[None]]


async def connect(url: str, name: str, tls: ssl.SSLContext | None = None) -> Client:
    """A connection that reconnects for ever once it is made. TimeoutError while the broker cannot be reached at first:
    the caller tries again."""

    async def on_error(error: Exception) -> None:
        telemetry.log.warning("nats", error=str(error) or type(error).__name__)

    async with asyncio.timeout(_CONNECT_SECONDS):
        return await nats.connect(
            url,
            name=name,
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.25,
            allow_reconnect=True,
            connect_timeout=2,
            error_cb=on_error,
            tls=tls,
        )


class Consumer:
    """Runs the reactions of one service. A fact that has arrived waits for a free slot; meanwhile the broker is told
    that it is being worked on, so that it is not delivered to another replica as well."""

    def __init__(self, db: Database, nc: Client, name: str, reactions: Sequence[Reaction], replicas: int = 1) -> None:
        self._db = db
        self._nc = nc
        self._js = nc.jetstream()
        self._name = name
        self._replicas = replicas
        self._by_type = {r.event.DESCRIPTOR.full_name: r for r in reactions}
        if len(self._by_type) != len(reactions):
            # The later one would hide the earlier, which nobody would notice.
            raise ValueError(f"{name} reacts twice to one kind of fact")
        self._slots = asyncio.Semaphore(_UNDER_WAY)
        self._last: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._held: dict[int, Msg] = {}
        self._ending = False

    async def run(self) -> None:
        """Consumes until cancelled. Then it finishes the facts that are being handled and hands the waiting ones back
        to the broker."""
        owners = await self._streams()
        subscriptions = [await self._subscribe(r.event) for r in self._by_type.values()]
        await retire(self._js, self._name, map(naming.stream, owners))
        try:
            await self._say_that_we_live()
        finally:
            self._ending = True
            for subscription in subscriptions:
                await subscription.unsubscribe()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def prepare(self) -> None:
        """What it reads from, where it stands there: the streams and durables, without taking anything."""
        await self._streams()
        for reaction in self._by_type.values():
            await ensure_durable(self._js, self._name, reaction.event)

    async def _streams(self) -> set[str]:
        owners = {naming.owner(r.event) for r in self._by_type.values()}
        for owner in owners:
            await ensure_stream(self._js, owner, self._replicas)
        return owners

    async def _say_that_we_live(self) -> None:
        """Keeps the broker from delivering the waiting facts to somebody else."""
        while True:
            await asyncio.sleep(_SAY_SECONDS)
            for key, msg in list(self._held.items()):
                # A message that was answered meanwhile is left alone: "in progress" would undo, say, a redelivery in a
                # second.
                if key in self._held:
                    with suppress(NatsError):
                        await msg.in_progress()

    async def _subscribe(self, event: type[Message]) -> Any:
        durable = naming.durable(self._name, event)
        deliver = naming.deliver_subject(naming.stream(naming.owner(event)), durable)
        # Subscribe first: the durable delivers as soon as it exists.
        subscription = await self._nc.subscribe(deliver, queue=durable, cb=self._take)
        await ensure_durable(self._js, self._name, event)
        return subscription

    async def _take(self, msg: Msg) -> None:
        """Facts about the same aggregate are handled one after the other, those about others at the same time."""
        self._held[id(msg)] = msg
        key = (msg.headers or {}).get(naming.CE_SUBJECT, msg.subject)
        task = asyncio.create_task(self._in_turn(self._last.get(key), msg))
        self._last[key] = task
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._forget(key, msg, done))

    def _forget(self, key: str, msg: Msg, done: asyncio.Task[None]) -> None:
        self._held.pop(id(msg), None)
        self._tasks.discard(done)
        if self._last.get(key) is done:
            del self._last[key]

    async def _in_turn(self, before: asyncio.Task[None] | None, msg: Msg) -> None:
        if before is not None:
            await asyncio.wait([before])
        async with self._slots:
            if self._ending:
                with suppress(NatsError):
                    await self._answer(msg, msg.nak())
                return
            await self._handle(msg)

    async def _handle(self, msg: Msg) -> None:
        headers = msg.headers or {}
        event_type = headers.get("ce-type", "")
        reaction = self._by_type.get(event_type)
        label = event_type if reaction else "unknown"
        try:
            span = telemetry.span(f"react {label}", SpanKind.CONSUMER, headers.get(naming.TRACEPARENT))
            with span, telemetry.REACTION_SECONDS.labels(label).time():
                outcome = await self._settle(msg, reaction)
        except (NatsError, PyMongoError) as error:
            # It was not acknowledged, so the broker delivers it again.
            telemetry.log.warning("an event stays unsettled", type=label, error=str(error))
            outcome = "unsettled"
        telemetry.EVENTS_HANDLED.labels(label, outcome).inc()

    async def _settle(self, msg: Msg, reaction: Reaction | None) -> str:
        try:
            reaction, event = _understood(reaction, msg.data)
            fresh = await self._apply(reaction, event)
            if reaction.after:
                await reaction.after(event)
            await self._answer(msg, msg.ack())
            return "applied" if fresh else "repeated"
        except Exception as error:
            return await self._refuse(msg, error)

    async def _answer(self, msg: Msg, answer: Awaitable[None]) -> None:
        self._held.pop(id(msg), None)
        await answer

    async def replay(self, letter: Letter, handled: Settle, settle: Settle) -> None:
        """Handles a fact that was set aside, as if it had just arrived; raises what goes wrong. `settle` is written in
        the transaction of `handle`. Where the reaction has an `after`, `handled` is written there instead, and `settle`
        when `after` has succeeded."""
        reaction, event = _understood(self._by_type.get(letter.type), letter.payload)
        settled = False
        if reaction.handle and not letter.handled:
            settled = await self._apply(reaction, event, handled if reaction.after else settle) and not reaction.after
        if reaction.after:
            await reaction.after(event)
        if not settled:
            await self._db.transaction(settle)

    async def _apply(self, reaction: Reaction, event: Any, also: Settle | None = None) -> bool:
        """Runs `handle` in its transaction; False, and no effect, when the event was seen before."""
        handle = reaction.handle
        if handle is None:
            return True

        async def body(tx: Tx) -> None:
            row = {"_id": event.meta.event_id, "time": datetime.now(UTC)}
            if also:
                await also(tx)
            await self._db["inbox"].insert_one(row, session=tx.session)
            await handle(tx, event)

        try:
            await self._db.transaction(body, reaction.thing(event) if reaction.thing else "")
        except DuplicateKeyError as error:
            if (error.details or {}).get("keyValue", {}) != {"_id": event.meta.event_id}:
                raise
            return False
        return True

    async def _refuse(self, msg: Msg, error: Exception) -> str:
        """Decides what becomes of a fact whose handling failed. While a server or another service is down, it is tried
        again without end; any other failure is tried a few times, and then the fact is set aside."""
        if _transient(error):
            delay = min(_LONGEST_PAUSE, 0.1 * 2 ** min(msg.metadata.num_delivered, 10))
            await self._answer(msg, msg.nak(delay=delay))
            return "later"
        failures = await self._failures(msg)
        if failures < _TRIES and not isinstance(error, DecodeError):
            telemetry.log.warning("a reaction failed", subject=msg.subject, failures=failures, exc_info=error)
            await self._answer(msg, msg.nak(delay=min(_LONGEST_PAUSE, 0.1 * 2**failures)))
            return "again"
        await set_aside(self._db, msg, error, failures)
        await self._answer(msg, msg.term())
        return "dead"

    async def _failures(self, msg: Msg) -> int:
        """How often this fact has failed, this time included, over all replicas. The broker's count of deliveries is no
        measure: it also grows while another server is down, and when a process is killed."""
        change = {"$inc": {"times": 1}, "$set": {"time": datetime.now(UTC)}}
        row = await self._db["failures"].find_one_and_update(
            {"_id": id_of(msg)}, change, upsert=True, return_document=ReturnDocument.AFTER
        )
        return int(row["times"])


def _understood(reaction: Reaction | None, payload: bytes) -> tuple[Reaction, Any]:
    if reaction is None:
        raise ValueError("nobody here reacts to this type of event")
    return reaction, reaction.event.FromString(payload)


def _transient(error: Exception) -> bool:
    if isinstance(error, Refused):
        return error.kind in _TRANSIENT
    return isinstance(error, PyMongoError | NatsError | TimeoutError | OSError) and not isinstance(
        error, DuplicateKeyError
    )
