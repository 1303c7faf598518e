"""Who is sent to now: of all replicas one does it at a time, each receiver by itself."""

import asyncio
from contextlib import suppress
from dataclasses import replace

from prometheus_client import Gauge

from chassis import telemetry
from chassis.events import facts
from chassis.events.lease import RENEW_SECONDS, Lease, LeaseLost
from chassis.runtime import ended
from services.notify.model import webhooks
from services.notify.store.messages import DatabaseFailure
from services.notify.store.webhooks import Receiver, WebhookStore
from services.notify.webhooks.feed import Feed
from services.notify.webhooks.sending import FINISH_SECONDS, Sending

# How soon another replica's change is seen; our own wakes us.
_LOOK_SECONDS = 1.0
_RETRY_SECONDS = 0.5
_AGAIN_SECONDS = 2.0
# What is under way may still end; who goes on beyond it is asked again.
_PATIENCE_SECONDS = 2 * FINISH_SECONDS
DISABLED = Gauge("livinglab_webhooks_disabled", "Receivers that nothing is sent to any more")


class Desk:
    """Runs what each receiver needs, and begins anew with one that was changed."""

    def __init__(self, store: WebhookStore, feed: Feed, sending: Sending) -> None:
        self._lease = Lease(store.db, "webhooks")
        self._store = store
        self._feed = feed
        self._sending = sending
        self._woken = asyncio.Event()
        self._running: dict[str, tuple[Receiver, asyncio.Event, asyncio.Task[None]]] = {}

    def wake(self, webhook_id: str) -> None:
        """Something of it is new: it was changed, or is to be sent again."""
        self._woken.set()
        if known := self._running.get(webhook_id):
            known[1].set()

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                try:
                    DISABLED.set(await self._store.disabled())
                    if not await self._lease.take():
                        await asyncio.sleep(RENEW_SECONDS)
                        continue
                    async with asyncio.TaskGroup() as tasks:
                        tasks.create_task(self._lease.keep())
                        tasks.create_task(self._serve())
                except* (DatabaseFailure, LeaseLost, TimeoutError) as group:
                    causes = [f"{type(one).__name__}: {one}"[:200] for one in group.exceptions]
                    telemetry.log.warning("webhooks start again", because=causes)
                    await asyncio.sleep(_RETRY_SECONDS)
        finally:
            await self._lease.give_back()

    async def _serve(self) -> None:
        if sealed := await self._store.seal_all():
            telemetry.log.info("secrets of webhooks were sealed", webhooks=sealed)
        try:
            while True:
                self._woken.clear()
                wanted = {one.id: _what_matters(one) for one in await self._store.receivers()}
                stale = [one for one, known in self._running.items() if wanted.get(one) != known[0]]
                await self._end(stale)
                for one in wanted.values():
                    if one.id not in self._running:
                        self._begin(one)
                DISABLED.set(await self._store.disabled())
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_SECONDS):
                        await self._woken.wait()
        finally:
            await self._end(list(self._running))

    def _begin(self, receiver: Receiver) -> None:
        woken = asyncio.Event()
        self._running[receiver.id] = (receiver, woken, asyncio.create_task(self._run(receiver, woken)))

    async def _end(self, ids: list[str]) -> None:
        await ended([self._running.pop(one)[2] for one in ids], _PATIENCE_SECONDS)

    async def _run(self, receiver: Receiver, woken: asyncio.Event) -> None:
        """What goes wrong with one is no matter of the others."""
        while True:
            try:
                found = await self._store.receiver(receiver.id)
                if found is not None:
                    services = webhooks.services_of(found.subjects, facts.services())
                    works = [*(self._feed.run(found, one, woken) for one in services), self._sending.run(found, woken)]
                    await _together([asyncio.create_task(work) for work in works])
            except Exception:
                telemetry.log.exception("a webhook is begun again", webhook=receiver.id)
            await asyncio.sleep(_AGAIN_SECONDS)


async def _together(tasks: list[asyncio.Task[None]]) -> None:
    """Until one of them fails, whose fault is raised. No TaskGroup: that asks each of its tasks to end but once."""
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in tasks:
            if task.done():
                task.result()
    finally:
        await ended(tasks, _PATIENCE_SECONDS)


def _what_matters(receiver: Receiver) -> Receiver:
    """What a receiver begins anew for, and not what its own sending notes."""
    return replace(receiver, places={}, failures=0, failing_since=None)
