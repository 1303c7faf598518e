"""Transactions that are tried again as the server asks, and the sessions that they run in."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import ReadPreference, WriteConcern
from pymongo.errors import ConnectionFailure, PyMongoError, ServerSelectionTimeoutError
from pymongo.read_concern import ReadConcern

T = TypeVar("T")

ACKNOWLEDGED = WriteConcern(w="majority", j=True)
_TRANSACTION_SECONDS = 10.0
_COMMIT_MS = 5_000
# Well below the half hour after which a server forgets a session.
_IDLE_SECONDS = 300.0


class Sessions:
    """Sessions that wait for their next transaction: starting one costs a crossing into the driver's threads, like
    any command. One whose call may still be on its way is not kept: after a cancellation the driver's thread goes on
    with it, and would join whatever the session does next."""

    def __init__(self, client: AsyncIOMotorClient) -> None:
        self._client = client
        self._idle: list[tuple[float, Any]] = []
        self._ending: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Any]:
        """One that nobody else uses."""
        session = self._recent() or await self._client.start_session()
        try:
            yield session
        except BaseException as error:
            answered = isinstance(error, Exception) and not isinstance(error, ConnectionFailure)
            if answered and not session.in_transaction:
                self._idle.append((time.monotonic(), session))
            else:
                # Beside the caller, who is told now: the server may not answer.
                self._retire(session)
            raise
        self._idle.append((time.monotonic(), session))

    def _retire(self, session: Any) -> None:
        async def end() -> None:
            with suppress(PyMongoError):
                await session.end_session()

        task = asyncio.ensure_future(end())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    def _recent(self) -> Any:
        while self._idle:
            since, session = self._idle.pop()
            if time.monotonic() - since < _IDLE_SECONDS:
                return session
        return None


class Lines:
    """Where this process's writers of one thing stand one behind the other. Together they would only undo each other:
    all but one of those that a server meets at once begin anew, and on a busy machine that is most of its work.
    Writers in other processes still meet there."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def of(self, thing: str) -> AsyncIterator[None]:
        """This caller's turn; at once for the thing without a name."""
        if not thing:
            yield
            return
        lock = self._locks.get(thing)
        if lock is None:
            lock = self._locks[thing] = asyncio.Lock()
        async with lock:
            yield


async def run_transaction(
    sessions: Sessions, body: Callable[[Any], Awaitable[T]], seconds: float = _TRANSACTION_SECONDS
) -> T:
    """The whole body again on TransientTransactionError, the commit again on UnknownTransactionCommitResult,
    until the deadline. motor's own with_transaction does not retry a commit that failed."""
    deadline = time.monotonic() + seconds
    for attempt in range(1_000_000):
        try:
            async with sessions.session() as session:
                return await _attempt(session, body, deadline)
        except PyMongoError as error:
            if not error.has_error_label("TransientTransactionError") or _given_up(error, deadline):
                raise
        # Contenders wait for a random while that grows, so that one of them gets through.
        await asyncio.sleep(random.uniform(0, min(0.5, 0.002 * 2**attempt)))
    raise AssertionError("unreachable")


async def _attempt(session: Any, body: Callable[[Any], Awaitable[T]], deadline: float) -> T:
    session.start_transaction(
        read_concern=ReadConcern("snapshot"),
        write_concern=ACKNOWLEDGED,
        read_preference=ReadPreference.PRIMARY,
        max_commit_time_ms=_COMMIT_MS,
    )
    try:
        result = await body(session)
        await _commit(session, deadline)
        return result
    except (ConnectionFailure, asyncio.CancelledError):
        # A server that hangs would not hear of it either; it ends the transaction by itself. A cancelled call that has
        # not been sent yet would be sent outside of the transaction once that is ended: it ends with the session.
        raise
    except BaseException:
        await _abort(session)
        raise


async def _commit(session: Any, deadline: float) -> None:
    while True:
        try:
            await session.commit_transaction()
            return
        except PyMongoError as error:
            if not error.has_error_label("UnknownTransactionCommitResult") or _given_up(error, deadline):
                raise
            await asyncio.sleep(0.01)


def _given_up(error: PyMongoError, deadline: float) -> bool:
    """The driver has waited for a server by itself: whoever asked is told before their own patience ends."""
    return isinstance(error, ServerSelectionTimeoutError) or time.monotonic() > deadline


async def _abort(session: Any) -> None:
    if session.in_transaction:
        with suppress(PyMongoError):
            await session.abort_transaction()
