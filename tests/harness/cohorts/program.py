"""Program on real servers with its neighbours played, and cohorts of the living lab with few participants."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import grpc
import grpc.aio
from google.protobuf import message_factory
from google.protobuf.descriptor import ServiceDescriptor
from livinglab.assessment.v1 import evaluation_pb2
from livinglab.assessment.v1 import events_pb2 as assessment_events
from livinglab.assessment.v1 import service_pb2 as assessment
from livinglab.coaching.v1 import events_pb2 as coaching_events
from livinglab.coaching.v1 import service_pb2 as coaching
from livinglab.common.v1 import options_pb2
from livinglab.notify.v1 import service_pb2 as notify
from livinglab.program.v1 import service_pb2 as pb
from livinglab.program.v1.service_pb2_grpc import ProgramServiceStub

from chassis.runtime import Process
from programs.files.definition import PROGRAMS, load_cohort
from services.program import worker
from stack.ports import free_ports
from tests.harness.service import Running

SUMEDANG, BANDUNG, GARUT = "32.11", "32.04", "32.05"
COHORT = PROGRAMS / "cohorts" / "living-lab-2022.yaml"
HEAD, SECRETARY = options_pb2.ROLE_HEAD, options_pb2.ROLE_SECRETARY


def request_id() -> str:
    return uuid.uuid4().hex


def launching(*institutions: str, seconds_per_day: str = "600", **spec: Any) -> pb.LaunchCohortRequest:
    """The living lab with a few participants, under a name of its own."""
    loaded = load_cohort(COHORT)
    cohort = loaded.cohort.message
    roster = [p for p in cohort.roster if p.institution in (institutions or (SUMEDANG, BANDUNG))]
    del cohort.roster[:]
    cohort.roster.extend(roster)
    cohort.id = f"test-{uuid.uuid4().hex[:12]}"
    cohort.seconds_per_day = seconds_per_day
    for name, value in spec.items():
        setattr(cohort, name, value)
    return pb.LaunchCohortRequest(request_id=request_id(), definition=loaded.definition.message, cohort=cohort)


def manager(program: Running) -> Any:
    return program.as_role(ProgramServiceStub, "manager")


PLAYED = {"assessment": assessment.DESCRIPTOR, "coaching": coaching.DESCRIPTOR, "notify": notify.DESCRIPTOR}


class Neighbours:
    """Assessment, coaching and notify as program sees them: they take every call and remember it."""

    def __init__(self) -> None:
        self.calls: list[Any] = []
        # Service to its address; it listens there while it is in `_servers`.
        self.addresses = dict(zip(PLAYED, (f"127.0.0.1:{port}" for port in free_ports(len(PLAYED))), strict=True))
        self._servers: dict[str, Any] = {}
        # Institutions that coaching refuses a coach for good.
        self.without_coach = {GARUT}
        # Services that take calls and never answer.
        self.hanging: set[str] = set()

    async def start(self, name: str) -> None:
        """One of them listens."""
        server = self._servers[name] = grpc.aio.server()
        for described in PLAYED[name].services_by_name.values():
            server.add_generic_rpc_handlers([self.handlers(described)])
        server.add_insecure_port(self.addresses[name])
        await server.start()

    async def stop(self, name: str) -> None:
        """Connections to it are refused from here on."""
        if server := self._servers.pop(name, None):
            await server.stop(None)

    def of(self, kind: type[Any]) -> list[Any]:
        """The calls of one kind, without repeats."""
        return list({call.request_id: call for call in self.calls if isinstance(call, kind)}.values())

    def handlers(self, service: ServiceDescriptor) -> grpc.GenericRpcHandler:
        """For those methods of a service that are played here."""
        played = {
            method.name: grpc.unary_unary_rpc_method_handler(
                getattr(self, method.name),
                message_factory.GetMessageClass(method.input_type).FromString,
                message_factory.GetMessageClass(method.output_type).SerializeToString,
            )
            for method in service.methods
            if hasattr(self, method.name)
        }
        return grpc.method_handlers_generic_handler(service.full_name, played)

    async def OpenEvaluation(self, request: Any, context: Any) -> Any:
        self.calls.append(request)
        state = evaluation_pb2.EVALUATION_STATE_OPEN
        return assessment.OpenEvaluationResponse(evaluation=evaluation_pb2.Evaluation(id="e", state=state))

    async def ScheduleSession(self, request: Any, context: Any) -> Any:
        self.calls.append(request)
        return coaching.ScheduleSessionResponse()

    async def CancelSession(self, request: Any, context: Any) -> Any:
        self.calls.append(request)
        return coaching.CancelSessionResponse()

    async def AssignCoach(self, request: Any, context: Any) -> Any:
        self.calls.append(request)
        if request.institution in self.without_coach:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "no coach has a place left")
        return coaching.AssignCoachResponse()

    async def SendMessages(self, request: Any, context: Any) -> Any:
        self.calls.append(request)
        if "notify" in self.hanging:
            await asyncio.Event().wait()
        return notify.SendMessagesResponse()


@asynccontextmanager
async def working(program: Running, build_id: str = "") -> AsyncIterator[Neighbours]:
    """A worker of that build, and neighbours for it to call."""
    neighbours = Neighbours()
    for name in PLAYED:
        await neighbours.start(name)
    listen, metrics = free_ports(2)
    changed = {
        "peers": neighbours.addresses,
        "listen": f"127.0.0.1:{listen}",
        "metrics_listen": f"127.0.0.1:{metrics}",
        "build_id": build_id,
    }
    async with AsyncExitStack() as stack:
        process = Process("program-worker", program.process.settings.model_copy(update=changed), stack)
        await worker.main(process)
        try:
            yield neighbours
        finally:
            process.stopping.set()
            assert await process.finish() == 0
            for name in PLAYED:
                await neighbours.stop(name)


async def do_everything(program: Running, cohort_id: str, institution: str, *left_out: str) -> None:
    """Facts of the services, before their phases and all at once."""
    facts: dict[str, list[Any]] = {
        "governance-attended": [
            coaching_events.AttendanceRecorded(institution=institution, phase="governance", role=role)
            for role in (SECRETARY, HEAD)
        ],
        "workshop-attended": [
            coaching_events.AttendanceRecorded(institution=institution, phase="workshop", role=role)
            for role in (HEAD, options_pb2.ROLE_OPERATOR)
        ],
        "plan-approved": [coaching_events.PlanApproved(institution=institution)],
        "commitment-signed": [coaching_events.AgreementSigned(institution=institution, phase="summit")],
        "followed-up": [coaching_events.ActionCompleted(institution=institution, done=1, total=2)],
        "evaluations": [
            assessment_events.EvaluationSubmitted(
                institution=institution,
                instrument="spbe-59-2020",
                period=period,
                stage=evaluation_pb2.STAGE_SELF_ASSESSMENT,
            )
            for period in ("2022", "2023")
        ],
    }
    for duty, told in facts.items():
        for fact in told if duty not in left_out else []:
            await program.hear(fact, cohort_id=cohort_id, rehearsal=cohort_id)
