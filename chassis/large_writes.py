"""Writes that are too large for one transaction: stored in parts first, decided in one transaction, then carried out
part by part.

Before the decision nobody sees anything of it, and after a crash nothing counts. After the decision every part is
carried out: by the process that was asked or, if that one ends, by any other replica. Writers of the same kind take
turns, so what one has read still holds when it decides."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from google.protobuf.message import Message
from pymongo import IndexModel
from pymongo.errors import PyMongoError

from chassis import auth, mongo, naming, telemetry
from chassis.errors import Refused

M = TypeVar("M", bound=Message)
# Carries out one part: the messages, and on whose behalf.
Apply = Callable[[mongo.Tx, Sequence[bytes], str], Awaitable[None]]

# Far below what a transaction may leave unwritten in the cache of a small server, with the facts and the indexes.
_PART_MESSAGES, _PART_BYTES = 1_000, 4 * 2**20
_LOOK_SECONDS = 2.0
# A decision comes within seconds of what was laid down for it.
_LEFTOVER_AFTER = timedelta(hours=1)


class LargeWrites:
    """Those of one kind, in two collections of the service's database: whose turn it is, and the parts."""

    def __init__(self, db: mongo.Database, kind: str, apply: Apply) -> None:
        self._db = db
        self._kind = kind
        self._apply = apply
        self._turns, self._parts = db["large_writes"], db["large_write_parts"]

    async def prepare(self) -> None:
        """Collections and the first turn; once at start-up."""
        await self._db.prepare({"large_writes": [], "large_write_parts": [IndexModel([("of", 1), ("n", 1)])]})
        await self._turns.update_one({"_id": self._kind}, {"$setOnInsert": {"turn": 0, "of": None}}, upsert=True)

    async def once(
        self, request: Message, judge: Callable[[], Awaitable[tuple[M, Sequence[Message]]]], response: type[M]
    ) -> M:
        """As `Database.once`, for a write of any size. `judge` reads, and returns the answer and what is to be stored;
        it is asked again where another write came in between. Returns once everything is stored."""
        while True:
            turn = (await self.finish())["turn"]
            parts = _Parts("", 0, [])
            try:
                answer, messages = await judge()
                parts = await self._laid_down(messages)
                decide = self._decision(turn, answer, parts)
            except Refused as fault:
                decide = _refusal(fault)
            try:
                answer = await self._db.once(request, decide, response)
            except _TurnTaken:
                await self._forget(parts)
                continue
            await self.finish()
            # Of a repeat, whose parts were carried out when it was asked for first.
            await self._forget(parts)
            return answer

    async def finish(self) -> dict[str, Any]:
        """Carries out what has been decided and is not done yet; the row of the turns, of which nothing waits then."""
        while True:
            write: dict[str, Any] = await self._turns.find_one({"_id": self._kind})
            if write["of"] is None:
                return write
            await self._db.transaction(lambda tx, write=write: self._step(tx, write))  # type: ignore[misc]

    async def run(self) -> None:
        """Until cancelled: goes on with what a process that ended has left."""
        seen: Any = None
        while True:
            try:
                write = await self._turns.find_one({"_id": self._kind})
                # One that moves has somebody who carries it out.
                if write["of"] is not None and write == seen:
                    telemetry.log.info("a large write goes on", kind=self._kind, part=write["done"])
                    await self.finish()
                elif write["of"] is None:
                    await self._sweep()
                seen = write
            except PyMongoError as error:
                telemetry.log.warning("a large write waits", because=f"{type(error).__name__}: {error}"[:200])
            await asyncio.sleep(_LOOK_SECONDS)

    async def _laid_down(self, messages: Sequence[Message]) -> "_Parts":
        """Stores more than one part for later."""
        parts = _in_parts(messages)
        name = naming.new_id()
        if len(parts) > 1:
            now = datetime.now(UTC)
            for n, part in enumerate(parts):
                await self._parts.insert_one({"_id": f"{name}:{n}", "of": name, "n": n, "time": now, "messages": part})
            return _Parts(name, len(parts), [])
        return _Parts(name, 0, parts[0] if parts else [])

    async def _forget(self, parts: "_Parts") -> None:
        if parts.count:
            await self._parts.delete_many({"of": parts.name})

    def _decision(self, turn: int, answer: M, parts: "_Parts") -> Callable[[mongo.Tx], Awaitable[M]]:
        async def decide(tx: mongo.Tx) -> M:
            later = {"of": parts.name, "parts": parts.count, "done": 0, "actor": auth.actor("")} if parts.count else {}
            taken = await self._turns.update_one(
                {"_id": self._kind, "turn": turn, "of": None},
                {"$inc": {"turn": 1}, **({"$set": later} if later else {})},
                session=tx.session,
            )
            if not taken.modified_count:
                raise _TurnTaken
            if parts.at_once:
                await self._apply(tx, parts.at_once, auth.actor(""))
            return answer

        return decide

    async def _step(self, tx: mongo.Tx, write: dict[str, Any]) -> None:
        """One part, unless another process has done it."""
        n, last = write["done"], write["done"] + 1 == write["parts"]
        change = {"$set": {"of": None, "done": n + 1}} if last else {"$set": {"done": n + 1}}
        mine = await self._turns.update_one(
            {"_id": self._kind, "of": write["of"], "done": n}, change, session=tx.session
        )
        if mine.modified_count:
            part = await self._parts.find_one({"_id": f"{write['of']}:{n}"}, session=tx.session)
            await self._apply(tx, part["messages"], write["actor"])
            await self._parts.delete_one({"_id": part["_id"]}, session=tx.session)

    async def _sweep(self) -> None:
        """Parts that nobody decided on."""
        await self._parts.delete_many({"time": {"$lt": datetime.now(UTC) - _LEFTOVER_AFTER}})


class _Parts:
    def __init__(self, name: str, count: int, at_once: Sequence[bytes]) -> None:
        """Of a write: `count` parts laid down by that name, or what one transaction takes at once."""
        self.name, self.count, self.at_once = name, count, at_once


class _TurnTaken(Exception):
    """What was read stands no longer."""


def _refusal(fault: Refused) -> Callable[[mongo.Tx], Awaitable[Any]]:
    async def refuse(_: mongo.Tx) -> Any:
        raise fault

    return refuse


def _in_parts(messages: Sequence[Message]) -> list[list[bytes]]:
    parts: list[list[bytes]] = []
    size = 0
    for message in messages:
        content = message.SerializeToString()
        size += len(content)
        if not parts or len(parts[-1]) == _PART_MESSAGES or size > _PART_BYTES:
            parts.append([])
            size = len(content)
        parts[-1].append(content)
    return parts
