"""The rebuild: projections made anew from the streams while the old ones serve, then swapped by one write.

From the moment that a generation is being built, live facts go to both. Every fact from before that moment is in a
stream by then and is read from there; so none is missing, and one that comes both ways is kept once, by its order."""

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Protocol

from google.protobuf.message import Message
from livinglab.benchmark.v1 import steward_service_pb2 as pb
from livinglab.program.v1.directory_events_pb2 import InstitutionRegistered

from chassis import naming, telemetry
from directory.projection import Institutions
from services.benchmark.store import facts
from services.benchmark.store.documents import Write
from services.benchmark.store.projections import Store


class Past(Protocol):
    """The facts of one service from the start of its stream."""

    @property
    def total(self) -> int: ...

    @property
    def unreadable(self) -> int: ...

    def batches(self) -> AsyncIterator[list[Any]]: ...


class Streams(Protocol):
    """How the past of a service is found."""

    async def __call__(self, service: str, events: Sequence[type[Message]]) -> Past: ...


async def rebuild(store: Store, institutions: Institutions, streams: Streams) -> AsyncIterator[pb.RebuildResponse]:
    """Does it, telling after each batch how far it is."""
    started = time.monotonic()
    building = await store.start_building()
    pasts = [(service, await streams(service, events)) for service, events in _sources().items()]
    total, read, strange = sum(past.total for _, past in pasts), 0, 0

    def told(*, done: bool = False) -> pb.RebuildResponse:
        return pb.RebuildResponse(
            read=read,
            total=total,
            done=done,
            milliseconds=int((time.monotonic() - started) * 1000),
            unreadable=strange + sum(past.unreadable for _, past in pasts),
        )

    try:
        yield told()
        for _, past in pasts:
            async for batch in past.batches():
                writes = [_writes(event) for event in batch]
                strange += writes.count(None)
                await store.fill(building, [write for some in writes for write in some or ()])
                await institutions.fill(event for event in batch if isinstance(event, InstitutionRegistered))
                for event in batch:
                    if isinstance(event, facts.SETTINGS):
                        await store.set(None, facts.of_setting(event))
                read += len(batch)
                yield told()
        await store.swap(building)
    finally:
        # Nothing where it was swapped.
        await store.abandon(building)
    yield told(done=True)


def _writes(event: Any) -> Sequence[Write] | None:
    """What a fact says; None for one that says what cannot be: it waits among the dead letters, and must not keep all
    others from being read."""
    of = facts.WRITES.get(type(event))
    try:
        return of(event) if of else ()
    except (ValueError, ArithmeticError, LookupError) as error:
        kind, place = event.DESCRIPTOR.full_name, event.meta.event_id
        telemetry.log.warning("an unreadable event is passed by", type=kind, event_id=place, because=repr(error))
        return None


def _sources() -> Mapping[str, list[type[Message]]]:
    """Which facts are read of which service."""
    found: dict[str, list[type[Message]]] = {}
    for event in (*facts.WRITES, *facts.SETTINGS, InstitutionRegistered):
        found.setdefault(naming.owner(event), []).append(event)
    return found
