"""Facts of a race of 600 bodies, five years and 47 indicators, and how many of them come into the stream at once."""

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from livinglab.assessment.v1 import evaluation_pb2
from livinglab.assessment.v1 import events_pb2 as assessment_pb
from nats.aio.client import Client

from chassis import naming
from chassis.events import stream
from directory import official_regions

INSTRUMENT = "race-47"
BODIES, YEARS, INDICATORS = 600, ("2018", "2019", "2020", "2021", "2022"), 47
_TOGETHER = 1_000

Fact = assessment_pb.EvaluationSubmitted


def bodies() -> list[str]:
    """The official regions, and as many invented ones as are missing."""
    codes = list(official_regions())
    return codes + [f"X{n}" for n in range(BODIES - len(codes))]


def facts(first: int, end: int) -> Iterator[Fact]:
    """Version after version of every result, as revisions come in: those from the number `first` up to `end`."""
    codes = bodies()
    for number in range(first, end):
        version, rest = divmod(number, BODIES * len(YEARS))
        year, at = YEARS[rest // BODIES], rest % BODIES
        yield fact(codes[at], year, version + 1, 100 + (at * 7 + version * 31 + int(year)) % 400)


def fact(code: str, year: str, version: int, hundredths: int) -> Fact:
    """One result, with a value for each indicator."""
    event = Fact(
        institution=code,
        instrument=INSTRUMENT,
        instrument_version=1,
        period=year,
        stage=evaluation_pb2.STAGE_SELF_ASSESSMENT,
        score=evaluation_pb2.Score(index=f"{hundredths / 100:.2f}", predicate="Cukup"),
        values={str(n): str(1 + (hundredths + n) % 5) for n in range(1, INDICATORS + 1)},
    )
    event.meta.event_id = naming.new_id()
    event.meta.aggregate_id = f"{code}:{INSTRUMENT}:{year}"
    event.meta.version = version
    event.meta.occurred_time.GetCurrentTime()
    return event


def headers(event: Fact) -> dict[str, str]:
    """As the relay of assessment writes them."""
    meta = event.meta
    return {
        naming.MESSAGE_ID: meta.event_id,
        naming.CE_ID: meta.event_id,
        "ce-type": event.DESCRIPTOR.full_name,
        naming.CE_SUBJECT: meta.aggregate_id,
        naming.CE_SEQUENCE: str(meta.version),
    }


async def fill(nc: Client, events: Iterator[Fact]) -> None:
    """Puts them into the stream, a thousand in one synced write, which the stream allows for as long as that takes."""
    js = nc.jetstream()
    await stream.ensure_stream(js, "assessment", 1)
    name = naming.stream("assessment")
    config = (await _asked(nc, f"STREAM.INFO.{name}", b""))["config"]
    await _asked(nc, f"STREAM.UPDATE.{name}", json.dumps({**config, "allow_atomic": True}).encode())
    while batch := list(islice(events, _TOGETHER)):
        await _written(nc, batch)
    await stream.ensure_stream(js, "assessment", 1)


async def _written(nc: Client, batch: Sequence[Fact]) -> None:
    together = naming.new_id()
    for at, event in enumerate(batch, 1):
        told = {**headers(event), "Nats-Batch-Id": together, "Nats-Batch-Sequence": str(at)}
        if at < len(batch):
            await nc.publish(naming.subject(event), event.SerializeToString(), headers=told)
    told["Nats-Batch-Commit"] = "1"
    answer = await nc.request(naming.subject(event), event.SerializeToString(), headers=told, timeout=60)
    count = json.loads(answer.data).get("count")
    assert count == len(batch), answer.data


async def _asked(nc: Client, what: str, content: bytes) -> Any:
    answer = json.loads((await nc.request(f"$JS.API.{what}", content, timeout=30)).data)
    assert "error" not in answer, answer
    return answer


async def take_for(nc: Client, service: str, count: int) -> None:
    """Acknowledges that many of the stream's facts in the service's place while it is away, as if it had heard them
    and lost its database since."""
    js = nc.jetstream()
    name = naming.stream("assessment")
    durable = naming.durable(service, Fact)
    taking = await nc.subscribe(naming.deliver_subject(name, durable), queue=durable)
    for _ in range(count):
        await (await taking.next_msg(timeout=30)).ack()
    await nc.flush()
    await taking.unsubscribe()
    left = await js.consumer_info(name, durable)
    assert not left.num_pending, left
