"""MongoDB as every store uses it: transactions that retry as the server asks, idempotent commands."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import IndexModel
from pymongo.errors import CollectionInvalid, DuplicateKeyError, NotPrimaryError, OperationFailure
from pymongo.read_concern import ReadConcern

from chassis import auth, naming, telemetry
from chassis.errors import Kind, Refused
from chassis.transactions import ACKNOWLEDGED, Lines
from chassis.transactions import Sessions as Sessions
from chassis.transactions import run_transaction as run_transaction

T = TypeVar("T")
M = TypeVar("M", bound=Message)

_NAMESPACE_EXISTS = 48
# In bytes. Brokers take 1 MiB by default, headers included.
LARGEST_FACT = 1_000_000
# What a fact says of its identity, time and actor, at most.
_META_BYTES = 400
_REQUESTS_KEPT_SECONDS = 7 * 86_400
_INBOX_KEPT_SECONDS = 30 * 86_400
# After the last one of a fact.
_FAILURES_KEPT_SECONDS = 86_400
# A published row stays this long, so that a person can see what went out.
_OUTBOX_KEPT_SECONDS = 3_600

_CHASSIS_INDEXES: Mapping[str, Sequence[IndexModel]] = {
    "outbox": [
        IndexModel([("pending", 1), ("_id", 1)], partialFilterExpression={"pending": True}),
        IndexModel([("published_time", 1)], expireAfterSeconds=_OUTBOX_KEPT_SECONDS),
    ],
    "inbox": [IndexModel([("time", 1)], expireAfterSeconds=_INBOX_KEPT_SECONDS)],
    "requests": [IndexModel([("time", 1)], expireAfterSeconds=_REQUESTS_KEPT_SECONDS)],
    "failures": [IndexModel([("time", 1)], expireAfterSeconds=_FAILURES_KEPT_SECONDS)],
    "dead_letters": [],
    "replays": [IndexModel([("letter", 1)])],
    "leases": [],
}


class Tx:
    """One try of a transaction. Whatever it writes and the events that it adds commit together or not at all."""

    def __init__(self, session: Any) -> None:
        self.session = session
        self.rows: list[dict[str, Any]] = []

    def add(self, event: Message) -> None:
        """Publishes a fact when, and only when, the transaction commits. The decision has filled in the aggregate, its
        version, cohort and rehearsal; identity, time and actor are made here. RESOURCE_EXHAUSTED for one that no
        broker would take: what others could never hear of is not stored either."""
        meta = event.meta  # type: ignore[attr-defined]
        if not meta.aggregate_id or meta.version < 1:
            raise ValueError(f"{event.DESCRIPTOR.full_name} says no aggregate or version")
        meta.event_id = naming.new_id()
        now = datetime.now(UTC)
        meta.occurred_time.FromDatetime(now)
        meta.actor = meta.actor or auth.actor(naming.owner(type(event)))
        payload = event.SerializeToString()
        if len(payload) > LARGEST_FACT:
            raise _too_large(event, len(payload))
        self.rows.append(
            {
                "_id": meta.event_id,
                "pending": True,
                "aggregate": meta.aggregate_id,
                "version": meta.version,
                "type": event.DESCRIPTOR.full_name,
                "subject": naming.subject(event),
                "payload": payload,
                "traceparent": telemetry.traceparent(),
                "time": now,
            }
        )


class Database:
    """One service's own database."""

    def __init__(self, client: AsyncIOMotorClient, name: str) -> None:
        self.client = client
        self.name = name
        self._db = client.get_database(name, write_concern=ACKNOWLEDGED, read_concern=ReadConcern("majority"))
        self._collections: dict[str, Any] = {}
        self._sessions = Sessions(client)
        self._lines = Lines()

    def __getitem__(self, collection: str) -> Any:
        found = self._collections.get(collection)
        if found is None:
            # Made once: the driver would build it anew for each use.
            found = self._collections[collection] = self._db[collection]
        return found

    async def command(self, command: dict[str, Any], session: Any) -> Any:
        """What the server answers to a raw command."""
        return await self._db.command(command, session=session)

    async def prepare(self, indexes: Mapping[str, Sequence[IndexModel]]) -> None:
        """Creates collections and indexes; a collection made inside concurrent transactions raises WriteConflict."""
        existing = set(await self._db.list_collection_names())
        for name, models in {**_CHASSIS_INDEXES, **indexes}.items():
            if name not in existing:
                await self._create(name)
            if models:
                await self._db[name].create_indexes(list(models))

    async def _create(self, name: str) -> None:
        """Another process of the same service may start at the same moment."""
        try:
            await self._db.create_collection(name)
        except CollectionInvalid:
            return
        except OperationFailure as error:
            if error.code != _NAMESPACE_EXISTS:
                raise

    async def transaction(self, callback: Callable[[Tx], Awaitable[T]], thing: str = "") -> T:
        """Runs the callback in a transaction, again when the server says that another try may pass. The
        callback only reads and writes through its Tx: it may run many times. Those that name the same thing, which
        they would all write, run one after the other; none of them starts another for it inside."""

        async def body(session: Any) -> T:
            tx = Tx(session)
            result = await callback(tx)
            if tx.rows:
                await self["outbox"].insert_many(tx.rows, session=session)
            return result

        async with self._lines.of(thing):
            return await run_transaction(self._sessions, body)

    async def newest(self, collection: str, wanted: dict[str, Any]) -> dict[str, Any] | None:
        """One document as a transaction sees it, which a majority has when this returns. A plain read may not see yet
        what a transaction has just met: it waits for nothing and shows what a majority has."""

        async def body(tx: Tx) -> dict[str, Any] | None:
            found: dict[str, Any] | None = await self[collection].find_one(wanted, session=tx.session)
            return found

        return await self.transaction(body)

    async def forget_request(self, tx: Tx, request: Message) -> None:
        """Takes the answer back of a write that came to nothing: the caller may ask again."""
        await self["requests"].delete_one({"_id": _request_key(request)}, session=tx.session)

    async def once(
        self, request: Message, decide: Callable[[Tx], Awaitable[M]], response: type[M], thing: str = ""
    ) -> M:
        """Serves a write once per request_id and caller: the repeat gets the first answer, stored in the same
        transaction. The same request_id with another content is refused. `thing` is as of `transaction`."""
        request_id: str = request.request_id  # type: ignore[attr-defined]
        key = _request_key(request)
        content = hashlib.sha256(request.SerializeToString(deterministic=True)).digest()

        async def body(tx: Tx) -> M:
            answer = await decide(tx)
            row = {"_id": key, "content": content, "answer": answer.SerializeToString(), "time": datetime.now(UTC)}
            await self["requests"].insert_one(row, session=tx.session)
            return answer

        try:
            return await self.transaction(body, thing)
        except (Refused, DuplicateKeyError) as error:
            # Looked up only now: a first request, by far the most, is not slowed by it. A repeat is refused by
            # the state that the first one left, or by the key.
            first = await self.newest("requests", {"_id": key})
            if first is None:
                raise
            if first["content"] != content:
                raise Refused(
                    Kind.ALREADY_EXISTS, "REQUEST_ID_REUSED", f"request_id {request_id} stands for another request"
                ) from error
            return response.FromString(first["answer"])


def connect(uri: str) -> AsyncIOMotorClient:
    """A client; nothing is sent yet. Waits for a server are short, so that a refusal comes in time. One that hangs and
    keeps its connections is told by its heartbeats: they end what waits for it."""
    return AsyncIOMotorClient(
        uri,
        serverSelectionTimeoutMS=2_500,
        heartbeatFrequencyMS=1_000,
        connectTimeoutMS=2_500,
        socketTimeoutMS=30_000,
        waitQueueTimeoutMS=3_000,
        tz_aware=True,
        tzinfo=UTC,
    )


async def require_primary(uri: str) -> None:
    """NotPrimaryError where a server answers that takes no writes yet, such as one that is just being set up. Asked
    on a connection of its own: one that was made before the server was in its set never has sessions."""
    client = connect(uri)
    try:
        hello = await client.admin.command("hello")
    finally:
        client.close()
    if not hello.get("isWritablePrimary"):
        raise NotPrimaryError("the server is not primary")


def require_fits(event: Message) -> None:
    """RESOURCE_EXHAUSTED for a fact that `Tx.add` may refuse once it says who, when and which."""
    if (size := event.ByteSize() + _META_BYTES) > LARGEST_FACT:
        raise _too_large(event, size)


def _too_large(event: Message, size: int) -> Refused:
    message = (
        f"this is too much at once: its fact {event.DESCRIPTOR.name} would have {size:,} bytes, "
        f"at most {LARGEST_FACT:,} can be told to others"
    )
    return Refused(Kind.RESOURCE_EXHAUSTED, "FACT_TOO_LARGE", message)


def stored_precision(moment: datetime) -> datetime:
    """The moment as the database will give it back: in milliseconds."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def timestamp(moment: datetime | None) -> Timestamp | None:
    """An aware datetime as protobuf has it."""
    if moment is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp


def _request_key(request: Any) -> str:
    # Who moved to another institution since has no right to what the old one was told.
    return f"{request.DESCRIPTOR.name}:{auth.actor('')}:{request.request_id}" + auth.moved()
