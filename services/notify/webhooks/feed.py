"""From the streams into the log: which facts a receiver gets, and what is posted of each."""

import asyncio
import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from urllib.parse import unquote

from livinglab.common.v1 import options_pb2

from chassis import mongo, naming, telemetry
from chassis.events import facts
from chassis.events.facts import Broker, BrokerFailure, Fact, NoStream
from services.notify.model import webhooks
from services.notify.store.deliveries import DeliveryStore, Taken
from services.notify.store.messages import DatabaseFailure
from services.notify.store.webhooks import Receiver, WebhookStore

_RETRY_SECONDS = 1.0
# How often room for more is looked for, and a stream that nobody has published to yet.
_LOOK_SECONDS = 2.0
# Facts that are not for the receiver are passed by; how far is noted after so many.
_PASSED_BY = 1_000


class _Elsewhere(Exception):
    """It is to be read from another place by now."""


class Feed:
    """Takes up facts of one service for one receiver, as long as it has room for them."""

    def __init__(self, nc: Broker, store: WebhookStore, log: DeliveryStore) -> None:
        self._nc = nc
        self._store = store
        self._log = log

    async def run(self, receiver: Receiver, service: str, woken: asyncio.Event) -> None:
        """Until cancelled; `woken` is set whenever something is to be posted."""
        stream = naming.stream(service)
        place = receiver.places.get(stream)
        while True:
            try:
                if await self._is_full(receiver):
                    # The stream keeps what comes.
                    await asyncio.sleep(_LOOK_SECONDS)
                    continue
                async with facts.coming(self._nc, service, _asked(receiver, service), place, receiver.since) as coming:
                    noted = place or 0
                    async for batch in coming:
                        taken, reached = list(_taken(receiver, batch)), batch[-1].place
                        if taken or reached - noted >= _PASSED_BY:
                            await self._take_up(receiver, stream, reached, taken)
                            noted = reached
                        place = reached
                        if taken:
                            woken.set()
                            if await self._is_full(receiver):
                                break
            except NoStream:
                await asyncio.sleep(_LOOK_SECONDS)
            except _Elsewhere:
                # Whoever runs this ends it, unless all is as it was by the time that they look.
                receiver = await self._known(receiver)
                place = receiver.places.get(stream)
            except (*BrokerFailure, DatabaseFailure) as error:
                telemetry.log.warning("waiting", for_="facts for a webhook", because=type(error).__name__)
                await asyncio.sleep(_RETRY_SECONDS)
                # A commit whose answer was lost may have been one.
                receiver = await self._known(receiver)
                place = receiver.places.get(stream, place)

    async def _is_full(self, receiver: Receiver) -> bool:
        return await self._log.waiting(receiver.id, webhooks.MOST_WAITING) >= webhooks.MOST_WAITING

    async def _known(self, receiver: Receiver) -> Receiver:
        """As it stands now, once it is sent to and the database answers."""
        while True:
            with suppress(DatabaseFailure):
                if (found := await self._store.receiver(receiver.id)) is not None:
                    return found
            await asyncio.sleep(_RETRY_SECONDS)

    async def _take_up(self, receiver: Receiver, stream: str, place: int, taken: list[Taken]) -> None:
        """The facts and how far they reach, together: after a crash none is missing and none is there twice."""

        async def body(tx: mongo.Tx) -> bool:
            if not await self._store.advance(tx, receiver, stream, place):
                return False
            if taken:
                await self._log.take_up(tx, receiver.id, taken)
            return True

        if not await self._store.db.transaction(body):
            raise _Elsewhere


def _asked(receiver: Receiver, service: str) -> list[str]:
    """What the broker is asked for: filters that overlap it would refuse, so of several all is asked for."""
    own = [one for one in receiver.subjects if one.split(".", 1)[0] == service]
    return own if len(own) == 1 and len(receiver.subjects) == 1 else naming.stream_subjects(service)


def _taken(receiver: Receiver, batch: Iterable[Fact]) -> Iterator[Taken]:
    for fact in batch:
        if webhooks.matches(receiver.subjects, fact.subject) and _may_hear(receiver, fact):
            yield Taken(
                event_id=unquote(fact.headers.get(naming.CE_ID, "")) or f"{fact.stream}-{fact.place}",
                type=fact.type,
                subject=fact.subject,
                stream=fact.stream,
                place=fact.place,
                fact_time=_time(fact),
                body=_body(receiver, fact),
            )


def _may_hear(receiver: Receiver, fact: Fact) -> bool:
    """What is public; what its institution may hear; all of it where the platform team says so."""
    kind = facts.kinds().get(fact.type)
    if kind is None or fact.event is None:
        return receiver.everything
    if fact.event.meta.rehearsal and not receiver.rehearsals:
        return False
    heard_by = facts.audience(kind)
    own = bool(receiver.institution) and fact.subject == (
        naming.subject_filter(kind).removesuffix(">") + receiver.institution
    )
    return (
        receiver.everything
        or heard_by == options_pb2.AUDIENCE_PUBLIC
        or (heard_by == options_pb2.AUDIENCE_INSTITUTION and own)
    )


def _body(receiver: Receiver, fact: Fact) -> bytes:
    """A CloudEvent in JSON. Who did it is no business of outsiders: issuers put names there."""
    event = fact.event
    if event is not None and not receiver.everything:
        event = type(event).FromString(fact.payload)
        event.meta.ClearField("actor")
    return json.dumps(facts.cloud_event(fact, event), ensure_ascii=False, separators=(",", ":")).encode()


def _time(fact: Fact) -> datetime | None:
    try:
        return datetime.fromisoformat(fact.headers["ce-time"])
    except (KeyError, ValueError):
        return None
