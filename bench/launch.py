"""Launching a cohort of 62 and of 514, against bare workflows with the same number of activities."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc.aio
from livinglab.common.v1 import options_pb2
from livinglab.program.v1 import definition_pb2
from livinglab.program.v1 import service_pb2 as pb
from livinglab.program.v1.service_pb2_grpc import ProgramServiceStub
from pymongo import AsyncMongoClient
from temporalio.client import Client
from temporalio.worker import Worker

from bench.bare_workflows import ACTIVITIES_EACH, TASK_QUEUE, BareActivities, BareParticipant, BareProgram
from bench.rows import Row, at_most, middle
from chassis import naming
from directory import official_regions
from stack.system import System
from stack.waiting import eventually

_ROUNDS = {62: 3, 514: 1}
_PATIENCE = 300.0
_DAYS = 300


async def rows(system: System) -> list[Row]:
    """Seconds from the launch until every participant's first activities are done; the median of the rounds."""
    client = await Client.connect(system.platform.addresses.temporal)
    bare = BareActivities(client)
    worker = Worker(
        client,
        task_queue=TASK_QUEUE,
        workflows=[BareProgram, BareParticipant],
        activities=[bare.nothing, bare.start_all],
    )
    found = []
    async with worker:
        for participants, rounds in _ROUNDS.items():
            pairs = []
            for _ in range(rounds):
                pairs.append((await _ours(system, participants), await _bare(client, bare, participants)))
            ours, other = middle([pair[0] for pair in pairs]), middle([pair[1] for pair in pairs])
            what = f"launch of {participants} until all have begun"
            found.append(at_most(f"launch-{participants}", what, ours, other, "s", 1.25))
    return found


async def _ours(system: System, participants: int) -> float:
    cohort = f"bench-{naming.new_id()[-12:]}"
    token = (("authorization", f"Bearer {system.fleet.issuer.token('manager')}"),)
    async with (
        grpc.aio.insecure_channel(system.fleet.address("program")) as channel,
        AsyncMongoClient[dict[str, Any]](system.platform.addresses.mongodb) as client,
    ):
        stub = ProgramServiceStub(channel)

        async def all_begun() -> bool:
            mine = {"cohort_id": cohort}
            opened = await client["assessment"]["evaluations"].count_documents(mine)
            invited = await client["notify"]["messages"].count_documents(mine)
            return bool(opened == participants and invited == participants)

        started = time.perf_counter()
        request = pb.LaunchCohortRequest(
            request_id=naming.new_id(), definition=_definition(), cohort=_spec(cohort, participants)
        )
        await stub.LaunchCohort(request, metadata=token, timeout=60)
        await eventually(all_begun, timeout=_PATIENCE)
        took = time.perf_counter() - started
        await stub.CancelCohort(
            pb.CancelCohortRequest(request_id=naming.new_id(), cohort_id=cohort, reason="measured"), metadata=token
        )

        async def all_gone() -> bool:
            answer = await stub.GetCohort(pb.GetCohortRequest(cohort_id=cohort), metadata=token)
            return bool(answer.cohort.withdrawn == participants)

        await eventually(all_gone, timeout=_PATIENCE)
    return took


async def _bare(client: Client, bare: BareActivities, participants: int) -> float:
    cohort = f"bare-{naming.new_id()[-12:]}"
    started = time.perf_counter()
    await client.start_workflow(BareProgram.run, args=[cohort, participants], id=cohort, task_queue=TASK_QUEUE)
    await eventually(lambda: bare.done.get(cohort) == participants * ACTIVITIES_EACH, timeout=_PATIENCE)
    took = time.perf_counter() - started
    handles = [client.get_workflow_handle(f"{cohort}/{number}") for number in range(participants)]
    await asyncio.gather(*(handle.signal(BareParticipant.over) for handle in handles))
    return took


def _definition() -> definition_pb2.Definition:
    today = datetime.now(UTC).date()
    phase = definition_pb2.Phase(
        id="present",
        title="Memahami masa kini",
        opens=today.isoformat(),
        closes=(today + timedelta(days=_DAYS)).isoformat(),
        invites=[options_pb2.ROLE_HEAD],
        duties=[
            definition_pb2.Duty(
                id="self-assessed",
                kind=definition_pb2.DUTY_KIND_SELF_ASSESS,
                instrument="spbe-59-2020",
                period="2022",
                required=True,
            )
        ],
        gate=definition_pb2.Gate(quorum_percent=100, on_miss=definition_pb2.ON_MISS_GO_ON),
    )
    return definition_pb2.Definition(
        id="bench", version=1, title="Launch", source="made here", time_zone="Asia/Jakarta", phases=[phase]
    )


def _spec(cohort: str, participants: int) -> definition_pb2.CohortSpec:
    codes = [code for code, region in official_regions().items() if region.kind != "provinsi"][:participants]
    return definition_pb2.CohortSpec(
        id=cohort,
        title="Launch",
        definition="bench",
        rehearsal=True,
        seconds_per_day="60",
        roster=[
            definition_pb2.Participant(
                institution=code,
                people=[
                    definition_pb2.Person(
                        role=options_pb2.ROLE_HEAD, name=f"Head of {code}", email=f"head@{code}.example", language="id"
                    )
                ],
            )
            for code in codes
        ],
    )
