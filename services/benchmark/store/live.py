"""Tells which races have changed, by a change stream. Answers are remembered until their race changes, and watchers
wake then. While the stream is down nothing is remembered."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Hashable, Iterable
from functools import partial
from typing import Any, TypeVar, cast

from livinglab.benchmark.v1 import service_pb2 as pb
from pymongo.errors import PyMongoError

from chassis import telemetry
from chassis.changes import Changes
from services.benchmark.store.projections import Store

T = TypeVar("T")
RaceKey = tuple[str, str, str, str]
Stamp = tuple[int, ...]

_BATCH = 1_000
_RETRY_SECONDS = 0.25
_REMEMBERED = 512
# Whose change concerns every race, as that of a group's members does.
_SETTINGS = ("clusters", "targets", "hosts", "populations")


def race_key(race: pb.Race, period: str) -> RaceKey:
    """One period of a race, without its group; an empty period is all of them."""
    return race.instrument, period, race.stage, race.rehearsal


class Live:
    """The state of each race as a number that grows, and what was answered at that number."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._open = False
        self._epoch = 0
        self._moved: dict[RaceKey, int] = {}
        self._remembered: OrderedDict[Hashable, tuple[Stamp, Any]] = OrderedDict()
        self._being_made: dict[tuple[Hashable, Stamp], asyncio.Task[Any]] = {}
        self._news = asyncio.Event()

    async def run(self) -> None:
        """Follows the database until cancelled; anew when another generation serves."""
        while True:
            try:
                await self._follow()
            except PyMongoError as error:
                telemetry.log.warning("changes are read anew", because=f"{type(error).__name__}: {error}"[:200])
                self._forget(open_=False)
                await asyncio.sleep(_RETRY_SECONDS)

    def stamp(self, keys: Iterable[RaceKey]) -> Stamp:
        """Differs from an earlier one as soon as a change of any of these races is known."""
        return (self._epoch, *(self._moved.get(key, 0) for key in keys))

    async def moved(self, keys: Iterable[RaceKey], since: Stamp) -> Stamp:
        """Waits for a stamp that differs."""
        keys = list(keys)
        while (stamp := self.stamp(keys)) == since:
            await self._news.wait()
        return stamp

    async def caught_up(self) -> None:
        """Waits until answers are of the generation that the database says serves."""
        while True:
            news = self._news
            if not self._open or self._store.reads(await self._store.serving()):
                return
            await news.wait()

    def everything_moved(self) -> None:
        """Every race has moved, as by another name of an institution."""
        self._epoch += 1
        self._tell()

    async def remembered(
        self, name: Hashable, keys: Iterable[RaceKey], make: Callable[[], Coroutine[Any, Any, T]]
    ) -> T:
        """The answer of that name for the races as they stand, made only when one of them has moved, and once for all
        who ask meanwhile. It is read after its stamp was taken: nobody gets one from before a change that they know."""
        if not self._open:
            return await make()
        keys = list(keys)
        stamp = self.stamp(keys)
        known = self._remembered.get(name)
        if known is not None and known[0] == stamp:
            self._remembered.move_to_end(name)
            return cast(T, known[1])
        making = self._being_made.get((name, stamp))
        if making is None:
            making = asyncio.create_task(self._make(name, keys, stamp, make))
            self._being_made[name, stamp] = making
            making.add_done_callback(partial(self._made, (name, stamp)))
        # One who no longer waits leaves it to the others.
        return cast(T, await asyncio.shield(making))

    async def _make(
        self, name: Hashable, keys: list[RaceKey], stamp: Stamp, make: Callable[[], Coroutine[Any, Any, T]]
    ) -> T:
        answer = await make()
        if self._open and self.stamp(keys) == stamp:
            self._remembered[name] = stamp, answer
            while len(self._remembered) > _REMEMBERED:
                self._remembered.popitem(last=False)
        return answer

    def _made(self, key: tuple[Hashable, Stamp], making: asyncio.Task[Any]) -> None:
        del self._being_made[key]
        # Looked at here too, for the case that nobody waits any more.
        if not making.cancelled():
            making.exception()

    async def _follow(self) -> None:
        async with await self._store.db.client.start_session() as session:
            serving = await self._store.serving()
            # Not of what a rebuild fills.
            names = [f"results{serving}", f"members{serving}", "generations", *_SETTINGS]
            stages: list[dict[str, Any]] = [
                {"$match": {"ns.coll": {"$in": names}}},
                {
                    "$project": {
                        "ns.coll": 1,
                        "operationType": 1,
                        **{
                            f"fullDocument.{name}": 1
                            for name in ("instrument", "period", "stage", "rehearsal", "withdrawn_from")
                        },
                    }
                },
            ]
            stream = await Changes.open(self._store.db, session, stages, batch=_BATCH)
            if serving != await self._store.serving():
                return
            self._store.serve(serving)
            self._forget(open_=True)
            while True:
                changes = await stream.next()
                if any(change["ns"]["coll"] == "generations" for change in changes) and (
                    serving != await self._store.serving()
                ):
                    return
                if changes:
                    self._take(changes)

    def _take(self, changes: list[dict[str, Any]]) -> None:
        names = {change["ns"]["coll"] for change in changes}
        if any(name.startswith(("members", *_SETTINGS)) for name in names):
            self._epoch += 1
        for change in changes:
            row = change.get("fullDocument")
            # One that was taken out moves the race that it was in.
            row = row.get("withdrawn_from", row) if row else row
            if row and change["ns"]["coll"].startswith("results") and change["operationType"] != "update":
                for period in (row["period"], ""):
                    key = row["instrument"], period, row["stage"], row["rehearsal"]
                    self._moved[key] = self._moved.get(key, 0) + 1
        self._tell()

    def _forget(self, *, open_: bool) -> None:
        self._open = open_
        if not open_:
            self._store.serve(None)
        self._epoch += 1
        self._remembered.clear()
        self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
