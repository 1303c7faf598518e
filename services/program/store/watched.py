"""Tells watchers which cohorts have changed, by one change stream for all of them. After a time without the stream
every watcher is told, so that nothing is missed."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import contextmanager
from typing import Any

from livinglab.program.v1 import cohort_pb2

from chassis.changes import Changes, keep_following
from chassis.errors import Kind, Refused
from programs.phases import has_ended
from services.program.store.cohorts import Store

# At once, in one process, all together and by one person.
MOST_WATCHERS = 500
MOST_OF_ONE = 20
_BATCH = 1_000
# A watcher is told at most this often: bursts of facts come as one change.
_WATCH_SECONDS = 0.2
_COLLECTIONS = ("cohorts", "participants")


class Watched:
    """The state of each cohort as a number that grows, and the cohort as it was read at that number: once for all."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._epoch = 0
        self._moved: Counter[str] = Counter()
        self._news = asyncio.Event()
        self._watchers: Counter[str] = Counter()
        self._reading: dict[str, tuple[tuple[int, int], asyncio.Task[cohort_pb2.Cohort]]] = {}

    async def run(self) -> None:
        """Follows the database until cancelled."""
        await keep_following("changes", self._follow)

    async def watch(self, cohort_id: str, watcher: str) -> AsyncIterator[cohort_pb2.Cohort]:
        """The cohort now, and again after each change, until it has ended. NOT_FOUND; RESOURCE_EXHAUSTED where as many
        watch as may."""
        with self._counted(watcher):
            stamp = self._stamp(cohort_id)
            last = await self._read(cohort_id, stamp)
            yield last
            while not has_ended(last.state):
                while self._stamp(cohort_id) == stamp:
                    await self._news.wait()
                await asyncio.sleep(_WATCH_SECONDS)
                stamp = self._stamp(cohort_id)
                cohort = await self._read(cohort_id, stamp)
                if cohort != last:
                    last = cohort
                    yield last

    @contextmanager
    def _counted(self, watcher: str) -> Any:
        if self._watchers.total() >= MOST_WATCHERS or self._watchers[watcher] >= MOST_OF_ONE:
            message = f"at most {MOST_WATCHERS} watch at once, and {MOST_OF_ONE} of one person"
            raise Refused(Kind.RESOURCE_EXHAUSTED, "TOO_MANY_WATCHERS", message)
        self._watchers[watcher] += 1
        try:
            yield
        finally:
            self._watchers[watcher] -= 1
            if not self._watchers[watcher]:
                del self._watchers[watcher]

    def _stamp(self, cohort_id: str) -> tuple[int, int]:
        return self._epoch, self._moved[cohort_id]

    async def _read(self, cohort_id: str, stamp: tuple[int, int]) -> cohort_pb2.Cohort:
        """Read after its stamp was taken: nobody gets one from before a change that they know."""
        known = self._reading.get(cohort_id)
        if known is None or known[0] != stamp:
            known = self._reading[cohort_id] = stamp, asyncio.create_task(self._store.cohort(cohort_id))
            known[1].add_done_callback(lambda reading: self._done(cohort_id, reading))
        # One who no longer waits leaves it to the others.
        return await asyncio.shield(known[1])

    def _done(self, cohort_id: str, reading: "asyncio.Task[cohort_pb2.Cohort]") -> None:
        if self._reading.get(cohort_id, (None, None))[1] is reading:
            del self._reading[cohort_id]
        # Looked at here too, for the case that nobody waits any more.
        if not reading.cancelled():
            reading.exception()

    async def _follow(self) -> None:
        async with await self._store.db.client.start_session() as session:
            stages: list[dict[str, Any]] = [
                {"$match": {"ns.coll": {"$in": list(_COLLECTIONS)}}},
                {"$project": {"documentKey._id": 1}},
            ]
            stream = await Changes.open(self._store.db, session, stages, batch=_BATCH)
            # What changed while nobody followed.
            self._epoch += 1
            self._tell()
            while True:
                changes = await stream.next()
                # A participant's key begins with its cohort's.
                for name in {change["documentKey"]["_id"].split(":", 1)[0] for change in changes}:
                    self._moved[name] += 1
                if changes:
                    self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
