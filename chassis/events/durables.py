"""Streams that every process agrees on, and where each service stands on them: a durable for each kind of fact.

A durable's position never moves back, so one that listened to several kinds would not hear the past of another that a
release adds, and would pass over its facts while an older release runs. With one for each kind a new reaction hears
everything once, and a release that does not know a kind leaves its durable alone until one comes that does."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TypeVar

from google.protobuf.message import Message
from nats.errors import TimeoutError as TooLate
from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    ConsumerInfo,
    DeliverPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import APIError, NotFoundError

from chassis import naming, telemetry

T = TypeVar("T")

# Longer than any relay's outage that is not looked at; repeats beyond it meet the inbox.
_DUPLICATE_SECONDS = 600
# What a consumer that died had in hand comes again after this long; one that lives says so in time.
ACK_WAIT_SECONDS = 5
# Of each kind; a consumer holds all of it from its arrival on.
_IN_HAND = 64
# Two processes of a service may start at the same moment.
_TRIES = 3
# Of one answer of the server.
_PAGE = 256


@dataclass(frozen=True)
class Lag:
    """How far a durable is behind: facts that were not handed out yet, those that are in hand, and since when the
    oldest of both waits. `listening` where somebody takes what comes."""

    stream: str
    durable: str
    subjects: tuple[str, ...]
    waiting: int
    in_hand: int
    listening: bool
    since: datetime | None


async def ensure_stream(js: JetStreamContext, service: str, replicas: int) -> None:
    """Creates the service's stream, or brings it to the settings of this version. Whoever comes first does it,
    so that processes start in any order. Facts are kept for good: projections are rebuilt from them."""
    config = StreamConfig(
        name=naming.stream(service),
        subjects=naming.stream_subjects(service),
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        duplicate_window=_DUPLICATE_SECONDS,
        num_replicas=replicas,
    )
    try:
        await _patiently(partial(js.add_stream, config))
    except APIError:
        await _patiently(partial(js.update_stream, config))


async def ensure_durable(js: JetStreamContext, service: str, event: type[Message]) -> None:
    """Where the service stands among the facts of one kind: at their beginning when it is new."""
    stream, name = naming.stream(naming.owner(event)), naming.durable(service, event)
    wanted = ConsumerConfig(
        durable_name=name,
        deliver_subject=naming.deliver_subject(stream, name),
        deliver_group=name,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=ACK_WAIT_SECONDS,
        max_deliver=-1,
        max_ack_pending=_IN_HAND,
        filter_subjects=[naming.subject_filter(event)],
    )
    for n in range(_TRIES):
        known = await _known(js, stream, name)
        start = known.config if known else await _start(js, stream, service, event)
        config = replace(wanted, deliver_policy=start.deliver_policy, opt_start_seq=start.opt_start_seq)
        try:
            await _patiently(partial(js.add_consumer, stream, config))
            return
        except APIError:
            if n == _TRIES - 1:
                raise


async def _start(js: JetStreamContext, stream: str, service: str, event: type[Message]) -> ConsumerConfig:
    """After what the one durable of all kinds, which there was before, has settled; what it had in hand comes again
    and meets the inbox."""
    before = await _known(js, stream, service)
    if before is None or before.ack_floor is None or naming.subject_filter(event) not in _filters(before.config):
        return ConsumerConfig(deliver_policy=DeliverPolicy.ALL)
    settled = before.ack_floor.stream_seq
    return ConsumerConfig(deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=settled + 1)


async def retire(js: JetStreamContext, service: str, streams: Iterable[str]) -> None:
    """Ends the one durable of all kinds, once nobody of the release that used it listens."""
    for stream in streams:
        before = await _known(js, stream, service)
        if before is not None and not before.push_bound:
            with suppress(NotFoundError):
                await _patiently(partial(js.delete_consumer, stream, service))


async def lags(js: JetStreamContext, service: str) -> AsyncIterator[Lag]:
    """Of each durable on a service's stream, whoever made it; nothing where the service never published."""
    stream, offset = naming.stream(service), 0
    while True:
        try:
            page = await js.consumers_info(stream, offset)
        except NotFoundError:
            return
        for info in page:
            if info.config.durable_name:
                yield await _lag(js, info)
        offset += len(page)
        if len(page) < _PAGE:
            return


async def _lag(js: JetStreamContext, info: ConsumerInfo) -> Lag:
    waiting, in_hand = info.num_pending or 0, info.num_ack_pending or 0
    return Lag(
        stream=info.stream_name,
        durable=info.name,
        subjects=_filters(info.config),
        waiting=waiting,
        in_hand=in_hand,
        listening=bool(info.push_bound or info.num_waiting),
        since=await _oldest(js, info) if waiting or in_hand else None,
    )


async def _oldest(js: JetStreamContext, info: ConsumerInfo) -> datetime | None:
    """When the oldest fact that is not settled came into the stream."""
    after = info.ack_floor.stream_seq if info.ack_floor else 0
    found = []
    for subject in _filters(info.config) or (">",):
        try:
            message = await js.get_msg(info.stream_name, seq=after + 1, subject=subject, next=True)
        except NotFoundError:
            continue
        if message.time:
            found.append(message.time)
    return min(found, default=None)


def _filters(config: ConsumerConfig) -> tuple[str, ...]:
    return tuple(config.filter_subjects or ()) or tuple(filter(None, [config.filter_subject]))


async def _known(js: JetStreamContext, stream: str, name: str) -> ConsumerInfo | None:
    try:
        return await _patiently(partial(js.consumer_info, stream, name))
    except NotFoundError:
        return None


async def _patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """A broker that is busy or comes back answers too late: whoever starts then waits for it, and does not end. What is
    asked here may be asked twice."""
    while True:
        try:
            return await ask()
        except TooLate:
            telemetry.log.warning("waiting", waiting_for="JetStream", because="it answers too late")
