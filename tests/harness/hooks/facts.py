"""Facts on the streams as relays put them there, for those who send them on."""

import uuid

import nats
from livinglab.assessment.v1 import results_events_pb2

from chassis import naming
from chassis.events import stream

SUMEDANG = "32.11"


def result_withdrawn(institution: str = SUMEDANG) -> results_events_pb2.ResultWithdrawn:
    """A fact that is public, and that nobody gets a letter about."""
    return results_events_pb2.ResultWithdrawn(
        institution=institution, result_id="r", instrument="spbe-2020", period="2022"
    )


async def tell(nats_url: str, *events: object, rehearsal: str = "", actor: str = "Budi Santoso") -> list[str]:
    """They are published with every header, each about a thing of its own; their ids."""
    nc = await nats.connect(nats_url)
    async with nc:
        js = nc.jetstream()
        for event in events:
            meta = event.meta  # type: ignore[attr-defined]
            meta.event_id, meta.version, meta.aggregate_id = naming.new_id(), 1, uuid.uuid4().hex
            meta.actor, meta.rehearsal = actor, rehearsal
            meta.occurred_time.GetCurrentTime()
            owner = naming.owner(type(event))  # type: ignore[arg-type]
            await stream.ensure_stream(js, owner, 1)
            headers = {naming.MESSAGE_ID: meta.event_id, **naming.ce_headers(event, f"/livinglab/{owner}")}
            payload = event.SerializeToString()  # type: ignore[attr-defined]
            await js.publish(naming.subject(event), payload, headers=headers)  # type: ignore[arg-type]
    return [event.meta.event_id for event in events]  # type: ignore[attr-defined]
