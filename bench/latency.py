"""From the commit of a fact to the reaction of another service: assessment's submission, benchmark's projection."""

from collections.abc import AsyncIterator
from typing import Any

import grpc.aio
from livinglab.assessment.v1 import events_pb2
from livinglab.assessment.v1.service_pb2_grpc import AssessmentServiceStub
from pymongo import AsyncMongoClient

from bench.answering import Load
from bench.rows import Row, percentile, within
from stack.system import System
from stack.waiting import advancing

_FACTS = 150


async def rows(system: System) -> AsyncIterator[Row]:
    """One submission after the other, nothing else going on."""
    async with grpc.aio.insecure_channel(system.fleet.address("assessment")) as channel:
        load = Load(AssessmentServiceStub(channel), system)
        ids = await load.submit_one_by_one(_FACTS)
    async with AsyncMongoClient[dict[str, Any]](system.platform.addresses.mongodb) as client:
        told = await sent(client, set(ids))

        inbox, ours = client["benchmark"]["inbox"], {"_id": {"$in": list(told)}}

        async def heard() -> int:
            return int(await inbox.count_documents(ours))

        await advancing(heard, len(told))
        seen = {row["_id"]: row["time"] async for row in inbox.find(ours)}
    took = [(seen[key] - told[key]).total_seconds() * 1000 for key in told]
    yield within("reaction-p50", "commit to another service's reaction, median", percentile(took, 0.5), 10.0, "ms")
    yield within("reaction-p99", "the same, 99th percentile", percentile(took, 0.99), 50.0, "ms")


async def sent(client: Any, evaluations: set[str]) -> dict[str, Any]:
    """Event to when its transaction wrote it, just before the commit: what is measured includes the commit."""
    name = events_pb2.EvaluationSubmitted.DESCRIPTOR.full_name
    rows = client["assessment"]["outbox"].find({"type": name, "aggregate": {"$in": list(evaluations)}})
    return {row["_id"]: row["time"] async for row in rows}
