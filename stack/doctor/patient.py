"""What the checks look at: the databases as they were at one instant, the facts, and Temporal where it can be
reached."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo import AsyncMongoClient

from stack.doctor.ledger import Ledger, read


@dataclass(frozen=True)
class Servers:
    """Where a platform's servers are; an empty Temporal is not asked. The prefix is that of its databases."""

    mongodb: str
    nats: str
    temporal: str = ""
    prefix: str = ""
    namespace: str = "default"


class Patient:
    """One platform."""

    def __init__(self, client: Any, servers: Servers, ledger: Ledger, since: datetime, is_over: bool) -> None:
        self._client = client
        self._prefix = servers.prefix
        self.servers = servers
        self.ledger = ledger
        # What is younger may still be on its way.
        self.since = since
        # Nothing moves any more: whatever waits, waits for ever.
        self.is_over = is_over

    def _of(self, service: str, collection: str) -> Any:
        return self._client[self._prefix + service][collection]

    def at_once(self) -> Any:
        """A session whose reads are all of one instant; for minutes at most, which is how long a server remembers."""
        return self._client.start_session(snapshot=True)

    async def count(self, service: str, collection: str, query: dict[str, Any]) -> int:
        """Documents for which that holds."""
        found: int = await self._of(service, collection).count_documents(query)
        return found

    async def rows(
        self, service: str, collection: str, query: dict[str, Any], shown: Sequence[str] = (), session: Any = None
    ) -> AsyncIterator[dict[str, Any]]:
        """Documents, one after the other."""
        projection = dict.fromkeys(shown, 1) if shown else None
        async for row in self._of(service, collection).find(query, projection, session=session):
            yield row

    async def collections(self, service: str) -> list[str]:
        """What a service keeps."""
        names: list[str] = await self._client[self._prefix + service].list_collection_names()
        return sorted(name for name in names if not name.startswith("system."))


@asynccontextmanager
async def examined(servers: Servers, grace: timedelta) -> AsyncIterator[Patient]:
    """First the streams, then the databases: whatever a fact tells is in a database by then. Without grace everything
    is over, and all of it counts."""
    since = datetime.now(UTC) - grace
    async with read(servers.nats) as ledger, AsyncMongoClient[dict[str, Any]](servers.mongodb, tz_aware=True) as client:
        yield Patient(client, servers, ledger, since, is_over=not grace)
