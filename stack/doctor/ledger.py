"""Every fact of every stream in one table on the disk, so that many checks can ask about them in little memory."""

import sqlite3
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import nats
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError

from chassis import naming, tls
from chassis.config import Settings
from chassis.events import facts
from stack.doctor.finding import Named

_FETCH_SECONDS = 10.0
_AT_ONCE = 500
# The server forgets a reader that asks for nothing.
_IDLE_SECONDS = 60
_TABLE = """
CREATE TABLE facts (stream TEXT, place INTEGER, id TEXT, type TEXT, aggregate TEXT, version INTEGER, cohort TEXT,
    rehearsal TEXT, seconds REAL, payload BLOB, PRIMARY KEY (stream, place)) WITHOUT ROWID;
"""
_INDEXES = """
CREATE INDEX by_id ON facts (id);
CREATE INDEX by_cohort ON facts (cohort, type);
CREATE INDEX by_type ON facts (type, aggregate, version);
"""


@dataclass(frozen=True)
class Durable:
    """How far a service has come among the facts of one kind: `place` is the last below which all are settled."""

    service: str
    stream: str
    name: str
    place: int
    waiting: int


@dataclass
class Ledger:
    """The facts, and how far their readers were before they were read."""

    table: sqlite3.Connection
    durables: list[Durable] = field(default_factory=list)
    unreadable: Named = field(default_factory=Named)
    # How many there are of each kind that this release does not know.
    newer: Counter[str] = field(default_factory=Counter)

    def ask(self, question: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        """Rows, one after the other."""
        yield from self.table.execute(question, values)

    def count(self, question: str = "", *values: Any) -> int:
        """How many facts there are for which that holds."""
        where = f" WHERE {question}" if question else ""
        found: int = self.table.execute(f"SELECT count(*) FROM facts{where}", values).fetchone()[0]
        return found

    def types(self) -> list[str]:
        """Full names of what there is."""
        return [row[0] for row in self.ask("SELECT DISTINCT type FROM facts ORDER BY type")]

    def of(self, event: Any) -> Iterator[Any]:
        """The facts of one kind, parsed, in their order."""
        name = event.DESCRIPTOR.full_name
        for (payload,) in self.ask("SELECT payload FROM facts WHERE type = ? ORDER BY place", name):
            yield event.FromString(payload)


@asynccontextmanager
async def read(nats_url: str) -> AsyncIterator[Ledger]:
    """Every message of every stream, oldest first; the table is gone at the end."""
    with tempfile.TemporaryDirectory(prefix="livinglab-doctor-") as folder:
        table = sqlite3.connect(f"{folder}/facts")
        table.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;" + _TABLE)
        ledger = Ledger(table)
        try:
            nc = await nats.connect(nats_url, max_reconnect_attempts=3, tls=tls.of(Settings()).context())
            async with nc:
                js = nc.jetstream()
                # Before the facts: what was settled then is among what is read now.
                for service in facts.services():
                    ledger.durables += await _durables(js, naming.stream(service))
                for service in facts.services():
                    await _fill(ledger, js, service)
            table.executescript(_INDEXES)
            yield ledger
        finally:
            table.close()


async def _durables(js: JetStreamContext, stream: str) -> list[Durable]:
    """Those of our own services."""
    found = []
    try:
        for info in await _all_consumers(js, stream):
            service = info.name.partition("_")[0]
            if info.config.durable_name and service in facts.services() and info.ack_floor:
                waiting = (info.num_pending or 0) + (info.num_ack_pending or 0)
                found.append(Durable(service, stream, info.name, info.ack_floor.stream_seq, waiting))
    except NotFoundError:
        pass
    return found


async def _all_consumers(js: JetStreamContext, stream: str) -> list[Any]:
    found: list[Any] = []
    while page := await js.consumers_info(stream, offset=len(found)):
        found += page
    return found


async def _fill(ledger: Ledger, js: JetStreamContext, service: str) -> None:
    stream = naming.stream(service)
    try:
        state = (await js.stream_info(stream)).state
    except NotFoundError:
        return
    # Asked for batch by batch: a subscription would hold whatever the broker is ahead by.
    config = ConsumerConfig(
        deliver_policy=DeliverPolicy.ALL,
        ack_policy=AckPolicy.NONE,
        inactive_threshold=_IDLE_SECONDS,
        mem_storage=True,
    )
    reader = await js.pull_subscribe(f"{service}.>", durable=None, stream=stream, config=config)
    place = 0 if state.messages else state.last_seq
    while place < state.last_seq:
        messages = await reader.fetch(_AT_ONCE, timeout=_FETCH_SECONDS)
        place = messages[-1].metadata.sequence.stream
        rows = [_row(ledger, stream, m.metadata.sequence.stream, m.headers or {}, m.data) for m in messages]
        _store(ledger, rows)
    await reader.unsubscribe()


def _row(ledger: Ledger, stream: str, place: int, headers: dict[str, str], payload: bytes) -> tuple[Any, ...]:
    kind, event_id = headers.get("ce-type", ""), headers.get(naming.CE_ID, "")
    event = facts.read(kind, payload)
    if event is None:
        if kind.startswith("livinglab.") and kind not in facts.kinds():
            ledger.newer[kind] += 1
        else:
            ledger.unreadable += [f"{stream}:{place}"]
        return (stream, place, event_id, kind, headers.get(naming.CE_SUBJECT, ""), 0, "", "", 0.0, b"")
    meta = event.meta
    when = meta.occurred_time.seconds + meta.occurred_time.nanos / 1e9
    return (
        *(stream, place, event_id, kind, meta.aggregate_id, meta.version, meta.cohort_id, meta.rehearsal, when),
        payload,
    )


def _store(ledger: Ledger, rows: Iterable[tuple[Any, ...]]) -> None:
    ledger.table.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
