"""Launches one of our cohorts and a bare one, with the same participants, and waits for both in the same way."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import grpc.aio
from livinglab.common.v1 import options_pb2
from livinglab.program.v1 import definition_pb2
from livinglab.program.v1 import service_pb2 as pb
from livinglab.program.v1 import steering_service_pb2 as steering_pb
from livinglab.program.v1.service_pb2_grpc import ProgramServiceStub
from livinglab.program.v1.steering_service_pb2_grpc import SteeringServiceStub
from pymongo import AsyncMongoClient
from temporalio.client import Client

from bench.bare.workflows import TASK_QUEUE, BareParticipant, BareProgram
from chassis import naming
from chassis.temporal.client import connect
from directory import official_regions
from stack.issuer import Issuer
from stack.waiting import POLL_SECONDS, advancing

# Of a phase; a day takes a minute: none closes by the calendar while it is measured, and the last of four can be moved
# to the first day (by a year at most).
_DAYS = 120


@dataclass(frozen=True)
class Connected:
    """The clients of a measurement."""

    issuer: Issuer
    temporal: Client
    mongo: AsyncMongoClient[dict[str, Any]]
    program: grpc.aio.Channel
    coaching: grpc.aio.Channel

    def token(self, role: str, institution: str = "") -> Any:
        """Metadata of a call."""
        return (("authorization", f"Bearer {self.issuer.token(role, institution=institution)}"),)


@asynccontextmanager
async def connected(addresses: Mapping[str, str], issuer: Issuer) -> AsyncIterator[Connected]:
    """For as long as the block lasts, to a platform of this revision or of another."""
    async with (
        AsyncMongoClient[dict[str, Any]](addresses["mongodb"]) as mongo,
        grpc.aio.insecure_channel(addresses["program"]) as program,
        grpc.aio.insecure_channel(addresses["coaching"]) as coaching,
    ):
        yield Connected(issuer, await connect(addresses["temporal"], "default"), mongo, program, coaching)


class Launched(Protocol):
    """What is measured of both kinds."""

    async def launch(self) -> float:
        """Seconds until every participant's first activities are done."""

    async def end(self) -> None:
        """Nothing of it runs any more."""


class OurCohort:
    """Launched by its API, as managers do it."""

    def __init__(self, at: Connected, participants: int, phases: int = 1, look_seconds: float = POLL_SECONDS) -> None:
        """Looking costs the servers something: where their CPU is measured, it is done less often."""
        self._at = at
        self._look_seconds = look_seconds
        self.id = f"bench-{naming.new_id()[-12:]}"
        self.institutions = _institutions(participants)
        self.phases = [f"phase-{number}" for number in range(1, phases + 1)]
        self._program = ProgramServiceStub(at.program)
        self._manager = at.token("manager")

    async def launch(self) -> float:
        """Seconds until every participant's first activities are done."""
        started = time.perf_counter()
        request = pb.LaunchCohortRequest(
            request_id=naming.new_id(), definition=_definition(self.phases), cohort=_spec(self.id, self.institutions)
        )
        await self._program.LaunchCohort(request, metadata=self._manager, timeout=60)
        await _all_begun(self._at, self.id, len(self.institutions), self._look_seconds)
        return time.perf_counter() - started

    async def end(self) -> None:
        """Cancels it and waits until everybody has left."""
        request = pb.CancelCohortRequest(request_id=naming.new_id(), cohort_id=self.id, reason="measured")
        await self._program.CancelCohort(request, metadata=self._manager, timeout=60)

        async def gone() -> int:
            return int((await self.standing()).withdrawn)

        await advancing(gone, len(self.institutions))

    async def let_follow(self) -> None:
        """Each further phase opens as soon as the one before it is over."""
        steering = SteeringServiceStub(self._at.program)
        for number, phase in enumerate(self.phases[1:], start=1):
            order = steering_pb.ReschedulePhaseRequest(
                request_id=naming.new_id(), cohort_id=self.id, phase=phase, open_days=-number * _DAYS, reason="measured"
            )
            await steering.ReschedulePhase(order, metadata=self._manager, timeout=60)

    async def standing(self) -> Any:
        """As the read model has it."""
        answer = await self._program.GetCohort(pb.GetCohortRequest(cohort_id=self.id), metadata=self._manager)
        return answer.cohort


class BareCohort:
    """Workflows with the same activities on the engine alone."""

    def __init__(self, at: Connected, participants: int) -> None:
        self._at = at
        self.id = f"bare-{naming.new_id()[-12:]}"
        self.institutions = _institutions(participants)

    async def launch(self) -> float:
        """Seconds until every participant's activities are done."""
        started = time.perf_counter()
        await self._at.temporal.start_workflow(
            BareProgram.run, args=[self.id, self.institutions], id=self.id, task_queue=TASK_QUEUE
        )
        await _all_begun(self._at, self.id, len(self.institutions))
        return time.perf_counter() - started

    def workflow_id(self, institution: str) -> str:
        """Of a participant."""
        return f"{self.id}/{institution}"

    async def end(self) -> None:
        """Tells everybody, and waits."""
        handles = [self._at.temporal.get_workflow_handle(self.workflow_id(code)) for code in self.institutions]
        await asyncio.gather(*(handle.signal(BareParticipant.over) for handle in handles))
        await asyncio.gather(*(handle.result() for handle in handles))


async def _all_begun(at: Connected, cohort: str, participants: int, look_seconds: float = POLL_SECONDS) -> None:
    """Their evaluations are opened and their invitations are with notify."""
    for collection in (at.mongo["assessment"]["evaluations"], at.mongo["notify"]["messages"]):

        async def begun(collection: Any = collection) -> int:
            return int(await collection.count_documents({"cohort_id": cohort}))

        await advancing(begun, participants, pause=look_seconds)


def _institutions(count: int) -> list[str]:
    return [code for code, region in official_regions().items() if region.kind != "provinsi"][:count]


def _definition(phases: list[str]) -> definition_pb2.Definition:
    """In the first a self-assessment may be handed in; in each the commitment is signed."""
    today = datetime.now(UTC).date()
    defined = []
    for number, name in enumerate(phases):
        opens = today + timedelta(days=number * _DAYS)
        signature = definition_pb2.Duty(
            id=f"signed-{name}", kind=definition_pb2.DUTY_KIND_SIGN_COMMITMENT, required=True
        )
        assessment = definition_pb2.Duty(
            id="assessed", kind=definition_pb2.DUTY_KIND_SELF_ASSESS, instrument="spbe-59-2020", period="2022"
        )
        defined.append(
            definition_pb2.Phase(
                id=name,
                title=name,
                opens=opens.isoformat(),
                closes=(opens + timedelta(days=_DAYS - 1)).isoformat(),
                invites=[options_pb2.ROLE_REGENT],
                duties=[signature] if number else [assessment, signature],
                gate=definition_pb2.Gate(quorum_percent=100, on_miss=definition_pb2.ON_MISS_GO_ON),
            )
        )
    return definition_pb2.Definition(
        id="bench", version=1, title="Launch", source="made here", time_zone="Asia/Jakarta", phases=defined
    )


def _spec(cohort: str, institutions: list[str]) -> definition_pb2.CohortSpec:
    def regent(code: str) -> definition_pb2.Person:
        return definition_pb2.Person(
            role=options_pb2.ROLE_REGENT, name=f"Regent of {code}", email=f"regent@{code}.example", language="id"
        )

    return definition_pb2.CohortSpec(
        id=cohort,
        title="Launch",
        definition="bench",
        rehearsal=True,
        seconds_per_day="60",
        roster=[definition_pb2.Participant(institution=code, people=[regent(code)]) for code in institutions],
    )
