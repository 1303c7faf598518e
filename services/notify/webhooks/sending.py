"""Out of the log to one receiver: what is due is posted, a few at once, and what came of it is recorded."""

import asyncio
import random
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from livinglab.common.v1 import options_pb2
from livinglab.notify.v1 import service_pb2
from livinglab.notify.v1 import webhook_pb2 as pb
from prometheus_client import Counter, Histogram

from chassis import mongo, telemetry
from services.notify.model import signatures, webhooks
from services.notify.model.rules import one_line
from services.notify.model.sealing import CannotBeOpened
from services.notify.model.webhooks import Answer
from services.notify.posting import Poster
from services.notify.store.deliveries import DeliveryStore, Due
from services.notify.store.messages import DatabaseFailure, Store
from services.notify.store.webhooks import Receiver, WebhookStore
from services.notify.writing.writer import Writer

CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
_AT_ONCE = 4
# Longer than a try may take: who crashes in the middle of one lets it come again.
LEASE_OVER_TRY = timedelta(seconds=15)
_LONGEST_REST = 5.0
_RETRY_SECONDS = 1.0
# How long tries under way may take when the process ends or the receiver is changed.
FINISH_SECONDS = 5.0
_SECONDS = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0, 3600.0, 86_400.0)

TRIES = Counter("livinglab_webhook_tries_total", "Facts posted to receivers, by what they made of them", ["outcome"])
SECONDS = Histogram("livinglab_webhook_seconds", "From a fact until its receiver has accepted it", buckets=_SECONDS)


class Sending:
    """To one receiver; another that is slow or away delays nothing here."""

    def __init__(
        self,
        store: WebhookStore,
        log: DeliveryStore,
        messages: Store,
        writer: Writer,
        poster: Poster,
        try_seconds: float,
    ) -> None:
        self._store = store
        self._messages = messages
        self._writer = writer
        self._log = log
        self._poster = poster
        self._lease = timedelta(seconds=try_seconds) + LEASE_OVER_TRY

    async def run(self, receiver: Receiver, woken: asyncio.Event) -> None:
        """Until cancelled; then what is under way may still end, so that it need not be sent again."""
        under_way: set[asyncio.Task[int]] = set()
        failures = receiver.failures
        try:
            while True:
                try:
                    done = {one for one in under_way if one.done()}
                    under_way -= done
                    for one in done:
                        failures = one.result()
                    most = _AT_ONCE if failures < webhooks.AWAY_AFTER else 1
                    if len(under_way) >= most:
                        await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
                        continue
                    woken.clear()
                    due = await self._log.claim(receiver.id, self._lease)
                    if due is not None:
                        task = asyncio.create_task(self._deliver(receiver, due))
                        # What ends is looked at soon: it says how many may be under way.
                        task.add_done_callback(lambda _: woken.set())
                        under_way.add(task)
                        continue
                    await self._rest(receiver, woken)
                except DatabaseFailure as error:
                    telemetry.log.warning("waiting", for_="MongoDB", because=type(error).__name__)
                    await asyncio.sleep(_RETRY_SECONDS)
        finally:
            try:
                if under_way:
                    await asyncio.wait(under_way, timeout=FINISH_SECONDS)
            finally:
                for one in under_way:
                    one.cancel()

    async def _rest(self, receiver: Receiver, woken: asyncio.Event) -> None:
        due = await self._log.next_due(receiver.id)
        seconds = (due - datetime.now(UTC)).total_seconds() if due else _LONGEST_REST
        with suppress(TimeoutError):
            async with asyncio.timeout(min(max(seconds, 0.01), _LONGEST_REST)):
                await woken.wait()

    async def _deliver(self, receiver: Receiver, due: Due) -> int:
        """How many tries in a row have failed now."""
        now = datetime.now(UTC)
        try:
            held = receiver.secrets(self._store.seal, now)
            headers = {"content-type": CONTENT_TYPE, **signatures.headers(due.event_id, now, due.body, held)}
            answer = await self._poster.post(receiver.url, headers, due.body)
        except CannotBeOpened as error:
            telemetry.log.error("a webhook cannot be signed for", webhook=receiver.id, because=str(error))
            answer = Answer(0, str(error))
        except Exception as error:
            # One fact that nobody thought of must not hold up the others.
            telemetry.log.exception("a fact cannot be posted", webhook=receiver.id)
            answer = Answer(0, type(error).__name__)
        TRIES.labels(_outcome(answer)).inc()
        if answer.accepted and due.fact_time is not None:
            SECONDS.observe(max(0.0, (datetime.now(UTC) - due.fact_time).total_seconds()))
        while True:
            try:
                return await self._record(receiver, due, answer)
            except DatabaseFailure as error:
                telemetry.log.warning("waiting", for_="MongoDB", because=type(error).__name__)
                await asyncio.sleep(_RETRY_SECONDS)

    async def _record(self, receiver: Receiver, due: Due, answer: Answer) -> int:
        now = datetime.now(UTC)
        again = None if answer.accepted else webhooks.next_try(due.attempts + 1, now, answer, random.random())
        # A receiver that wants no more may be started again by somebody: nothing is given up by it.
        if answer.gone and again is None:
            again = now
        state = pb.DELIVERY_STATE_ACCEPTED if answer.accepted else pb.DELIVERY_STATE_WAITING
        if not answer.accepted and again is None:
            state = pb.DELIVERY_STATE_FAILED
        reason = await self._reason(receiver, answer, state, now)
        notices = await self._writer.compose([_notice(receiver, reason)], "", "") if reason else []

        async def body(tx: mongo.Tx) -> int:
            if not await self._log.settle(tx, due, webhooks.tried(answer, now), state, again, now):
                return 0
            before = await self._store.note(tx, receiver.id, answer, now)
            if before is None:
                return 0
            if answer.accepted:
                if before["failures"] >= webhooks.AWAY_AFTER:
                    await self._log.hurry(tx, receiver.id)
                return 0
            if reason and await self._store.disable(tx, before, reason):
                await self._messages.add(tx, notices)
            return int(before["failures"]) + 1

        failures = await self._store.db.transaction(body)
        if notices:
            self._writer.wake()
        return failures

    async def _reason(self, receiver: Receiver, answer: Answer, state: int, now: datetime) -> str:
        """Why it gets no more; "" where it does."""
        known = None if answer.accepted else await self._store.receiver(receiver.id)
        if known is None:
            return ""
        return webhooks.disabled_because(answer, state == pb.DELIVERY_STATE_FAILED, known.failing_since, now)


def _notice(receiver: Receiver, reason: str) -> service_pb2.Draft:
    """For the managers, in their inbox."""
    values = {
        "name": "Bapak/Ibu",
        "host": webhooks.host(receiver.url),
        "reason": one_line(reason),
        "webhook_id": receiver.id,
    }
    recipient = service_pb2.Recipient(language="id", role=options_pb2.ROLE_MANAGER)
    return service_pb2.Draft(template="webhook_disabled", recipient=recipient, values=values)


def _outcome(answer: Answer) -> str:
    """Bounded: a label."""
    return f"{answer.status // 100}xx" if answer.status else "none"
