"""Reading a service's stream from its start: every fact of some kinds up to where the stream ended when asked."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import DecodeError, Message
from nats.aio.msg import Msg
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError

from chassis import naming, telemetry

_BATCH = 1_000
_WAIT_SECONDS = 5.0
# The server forgets a reader that asks for nothing.
_IDLE_SECONDS = 60


@dataclass
class Past:
    """The facts of some kinds of one service; `total` of them, up to the sequence `last`. `unreadable` counts those met
    so far that hold no message of their kind: they are passed by, for whoever reads the past could never end."""

    js: JetStreamContext
    service: str
    events: Sequence[type[Message]]
    total: int
    last: int
    unreadable: int = 0

    async def batches(self) -> AsyncIterator[list[Any]]:
        """The facts in the stream's order. Those that came since `last` may end the final batch."""
        if not self.total:
            return
        by_type = {event.DESCRIPTOR.full_name: event for event in self.events}
        reader = await self.js.pull_subscribe(
            "", durable=None, stream=naming.stream(self.service), config=_config(self.events)
        )
        try:
            read = 0
            while read < self.total:
                try:
                    messages = await reader.fetch(min(_BATCH, self.total - read), timeout=_WAIT_SECONDS)
                except NatsTimeoutError:
                    continue
                read += len(messages)
                yield [event for msg in messages if (event := self._read(by_type, msg)) is not None]
        finally:
            await reader.unsubscribe()

    def _read(self, by_type: Mapping[str, type[Message]], msg: Msg) -> Any:
        """The event, or None; one of another kind under a subject of ours is nobody's fault."""
        kind = by_type.get((msg.headers or {}).get("ce-type", ""))
        try:
            return kind.FromString(msg.data) if kind else None
        except DecodeError as error:
            self.unreadable += 1
            place = f"{msg.metadata.stream}:{msg.metadata.sequence.stream}"
            telemetry.log.warning("an unreadable event is passed by", place=place, because=str(error))
            return None


async def past(js: JetStreamContext, service: str, events: Sequence[type[Message]]) -> Past:
    """What a service's stream holds now; nothing where the service never published."""
    try:
        last = (await js.stream_info(naming.stream(service))).state.last_seq
    except NotFoundError:
        return Past(js, service, events, 0, 0)
    info = await js.add_consumer(naming.stream(service), _config(events))
    total = info.num_pending or 0
    if info.name:
        await js.delete_consumer(naming.stream(service), info.name)
    return Past(js, service, events, total, last)


def _config(events: Sequence[type[Message]]) -> ConsumerConfig:
    return ConsumerConfig(
        deliver_policy=DeliverPolicy.ALL,
        ack_policy=AckPolicy.NONE,
        filter_subjects=[naming.subject_filter(event) for event in events],
        inactive_threshold=_IDLE_SECONDS,
        mem_storage=True,
    )
