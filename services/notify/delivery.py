"""The dispatcher: takes what is due, has it sent, records what became of it. Several replicas may run side by side."""

import asyncio
import random
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Protocol

from livinglab.notify.v1 import service_pb2 as pb
from prometheus_client import Counter

from chassis import telemetry
from services.notify.model import messages as model
from services.notify.model.messages import Outcome, Taken, Turned, Unreachable
from services.notify.store.messages import Claimed, DatabaseFailure, Store

_AT_ONCE = 4
_SEND_SECONDS = 60.0
# Short, so that a crash holds a message up for seconds only; renewed for as long as the sending takes.
_LEASE = timedelta(seconds=12)
_RENEW_SECONDS = 4.0
# What another replica left is found no later than this; our own messages wake us.
_LONGEST_REST = 5.0
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
# How long mails under way may take when the process ends.
FINISH_SECONDS = 8.0

MAILS = Counter("livinglab_mails_total", "Mails offered to the mail server, by what it made of them", ["outcome"])
SHORT = Counter(
    "livinglab_short_messages_total", "Messages offered to the gateway, by what it made of them", ["outcome"]
)


class Post(Protocol):
    """What takes messages, of one channel."""

    async def send(self, message: pb.Message) -> Outcome:
        """Offers it once. Never raises for what the other side or the network does."""

    async def close(self) -> None:
        """Nothing is sent any more."""


class Delivery:
    """A loop that claims one message after the other and sends a few at once."""

    def __init__(self, store: Store, postman: Post, *, short: bool = False) -> None:
        """`short` delivers what is for phones, otherwise everything else: each channel has a loop and a patience of
        its own, so that one that is down holds up no other."""
        self._short = short
        self._counted = SHORT if short else MAILS
        self._whom = "the gateway" if short else "the mail server"
        self._store = store
        self._postman = postman
        self._woken = asyncio.Event()
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._under_way: set[asyncio.Task[None]] = set()
        self._pause = 0.0
        self._resume = 0.0
        self._failed: BaseException | None = None

    def wake(self) -> None:
        """There is something new to send."""
        self._woken.set()

    async def run(self) -> None:
        """Delivers until cancelled; then what is under way may still end, so that it need not be sent again."""
        try:
            while self._failed is None:
                await self._slots.acquire()
                claimed = await self._take()
                if claimed is None:
                    self._slots.release()
                    continue
                task = asyncio.create_task(self._deliver(claimed))
                self._under_way.add(task)
                task.add_done_callback(self._ended)
            raise self._failed
        finally:
            if self._under_way:
                await asyncio.wait(self._under_way, timeout=FINISH_SECONDS)
            await self._postman.close()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._slots.release()
        if not task.cancelled() and (failed := task.exception()):
            # The first one stands, whatever the others come to; the loop need not rest before it sees it.
            self._failed = self._failed or failed
            self.wake()

    async def _take(self) -> Claimed | None:
        """The next message; None after a rest that was long enough to look again."""
        await asyncio.sleep(max(0.0, self._resume - time.monotonic()))
        self._woken.clear()
        try:
            claimed = await self._store.claim(_LEASE, short=self._short)
            if claimed is None:
                await self._rest(await self._store.next_due(short=self._short))
        except DatabaseFailure as error:
            telemetry.log.warning("waiting", for_="MongoDB", because=type(error).__name__)
            await asyncio.sleep(1)
            return None
        return claimed

    async def _rest(self, due: datetime | None) -> None:
        """Until a message comes in or one becomes due."""
        seconds = (due - datetime.now(UTC)).total_seconds() if due else _LONGEST_REST
        with suppress(TimeoutError):
            async with asyncio.timeout(min(max(seconds, 0.01), _LONGEST_REST)):
                await self._woken.wait()

    async def _deliver(self, claimed: Claimed) -> None:
        renewing = asyncio.create_task(self._keep(claimed))
        try:
            outcome = await self._send(claimed.message)
            self._note(claimed, outcome)
            await self._record(claimed, outcome)
        finally:
            renewing.cancel()

    async def _keep(self, claimed: Claimed) -> None:
        while True:
            await asyncio.sleep(_RENEW_SECONDS)
            with suppress(DatabaseFailure):
                await self._store.renew(claimed, _LEASE)

    async def _record(self, claimed: Claimed, outcome: Outcome) -> None:
        """Until it is stored, or somebody else has the message since the lease could not be renewed."""
        message = pb.Message()
        message.CopyFrom(claimed.message)
        fact = model.settle(message, outcome, claimed.version + 1, datetime.now(UTC), random.random())
        while True:
            try:
                if not await self._store.settle(claimed, message, fact):
                    telemetry.log.warning("a lease was lost", message=message.id)
                # It may be the next to become due.
                self.wake()
                return
            except DatabaseFailure as error:
                telemetry.log.warning("waiting", for_="MongoDB", because=type(error).__name__)
                await asyncio.sleep(0.5)

    async def _send(self, message: pb.Message) -> Outcome:
        try:
            async with asyncio.timeout(_SEND_SECONDS):
                return await self._postman.send(message)
        except TimeoutError:
            return Turned(f"no answer within {_SEND_SECONDS:g} seconds", for_good=False)
        except Exception as error:
            # One message that nobody thought of must not hold up the others.
            telemetry.log.exception("a message cannot be sent", message=message.id)
            return Turned(type(error).__name__, for_good=False)

    def _note(self, claimed: Claimed, outcome: Outcome) -> None:
        """While the mail server is away fewer and fewer messages are offered to it."""
        if isinstance(outcome, Unreachable):
            self._counted.labels("unreachable").inc()
            # Those that were under way together say it once.
            if time.monotonic() >= self._resume:
                self._pause = min(_LONGEST_PAUSE, max(_FIRST_PAUSE, self._pause * 2))
                self._resume = time.monotonic() + self._pause * random.uniform(0.75, 1)
                telemetry.log.warning("waiting", for_=self._whom, seconds=self._pause)
            return
        self._pause = self._resume = 0.0
        if isinstance(outcome, Taken):
            self._counted.labels("taken").inc()
        else:
            self._counted.labels("refused" if outcome.for_good else "postponed").inc()
            telemetry.log.info("a mail was refused", message=claimed.message.id, for_good=outcome.for_good)
