"""Every service at once in the test's loop, a small world in them, and any method called by its descriptor."""

import importlib
import random
import uuid
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc.aio
import livinglab
from google.protobuf import message_factory
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from livinglab.assessment.v1 import evaluation_pb2, evidence_service_pb2, service_pb2, understanding_pb2
from livinglab.assessment.v1.evidence_service_pb2_grpc import EvidenceServiceStub
from livinglab.assessment.v1.service_pb2_grpc import AssessmentServiceStub
from livinglab.assessment.v1.understanding_pb2_grpc import UnderstandingServiceStub
from livinglab.coaching.v1 import coaching_pb2, visit_service_pb2
from livinglab.coaching.v1 import service_pb2 as coaching_pb
from livinglab.coaching.v1.service_pb2_grpc import CoachingServiceStub
from livinglab.coaching.v1.visit_service_pb2_grpc import VisitServiceStub
from livinglab.notify.v1 import service_pb2 as notify_pb
from livinglab.notify.v1.service_pb2_grpc import NotifyServiceStub
from livinglab.program.v1.service_pb2_grpc import ProgramServiceStub
from temporalio.client import Client

from chassis.status import from_rpc_error
from programs import names
from services.coaching.store.documents import fields
from stack.issuer import Issuer
from tests.harness.cohorts.program import launching
from tests.harness.namespace import own_namespace
from tests.harness.servers import Servers
from tests.harness.service import Running, running_service

OWN, OTHER = "32.11", "32.04"
# Of either of them: an indicator and an action of each are in its care.
AGENCY = "Dinas Kesehatan"
SPBE, PERIOD, COHORT = "spbe-59-2020", "2022", "ll-2022"
SERVICES = ("assessment", "benchmark", "coaching", "notify", "program")


def methods() -> list[tuple[str, MethodDescriptor]]:
    """Every method of every contract, with the service whose process answers it; what all serve, by one of them."""
    found: dict[str, tuple[str, MethodDescriptor]] = {}
    # The schemas' own package holds the same again.
    for folder in livinglab.__path__:
        for path in sorted(Path(folder).rglob("*_pb2.py")):
            name, version, module = path.relative_to(folder).with_suffix("").parts
            descriptor = importlib.import_module(f"livinglab.{name}.{version}.{module}").DESCRIPTOR
            served_by = "coaching" if name == "common" else name
            for service in descriptor.services_by_name.values():
                found |= {one.full_name: (served_by, one) for one in service.methods}
    assert found
    return list(found.values())


@dataclass
class Everything:
    """The services, and the ids of what each institution has in them."""

    running: dict[str, Running]
    ids: dict[str, dict[str, str]] = field(default_factory=dict)
    _channels: dict[tuple[str, ...], Any] = field(default_factory=dict)

    async def call(
        self,
        name: str,
        method: MethodDescriptor,
        request: Message | bytes,
        *roles: str,
        institution: str = "",
        subject: str = "",
    ) -> tuple[str, str, bytes]:
        """How a call ends: code, reason, and what came back."""
        key = (name, *roles, institution, subject)
        channel = self._channels.get(key)
        if channel is None:
            at = self.running[name]
            agency = AGENCY if "agency" in roles else ""
            token = at.issuer.token(*roles, institution=institution, agency=agency, subject=subject) if roles else ""
            channel = self._channels[key] = at.with_token(lambda channel: channel, token)
        sends, answers = (
            "stream" if method.client_streaming else "unary",
            "stream" if method.server_streaming else "unary",
        )
        assert method.containing_service is not None
        path = f"/{method.containing_service.full_name}/{method.name}"
        content = request if isinstance(request, bytes) else request.SerializeToString()
        stub = getattr(channel, f"{sends}_{answers}")(path, bytes, bytes)
        try:
            call = stub(iter([content]) if method.client_streaming else content, timeout=20)
            if not method.server_streaming:
                return "OK", "", await call
            async for part in call:
                call.cancel()
                return "OK", "", part
        except grpc.aio.AioRpcError as error:
            refused = from_rpc_error(error)
            return error.code().name, refused.reason, b""
        return "OK", "", b""

    def request(self, method: MethodDescriptor, institution: str) -> Message:
        """A sensible request about what that institution has."""
        pool = {
            **self.ids[institution],
            "institution": institution,
            "visitor": institution,
            "host": OTHER if institution == OWN else OWN,
            "instrument": SPBE,
            "period": PERIOD,
            "cohort_id": COHORT,
            "reason": "because",
            "target": "3.0",
        }

        def value(one: FieldDescriptor) -> Any:
            if one.name == "request_id":
                return uuid.uuid4().hex
            return pool.get(one.name, "")

        return _filled(method.input_type, value)


def _filled(descriptor: Any, value: Callable[[FieldDescriptor], Any], depth: int = 0) -> Message:
    message = message_factory.GetMessageClass(descriptor)()
    for one in descriptor.fields:
        if one.type == FieldDescriptor.TYPE_STRING and not one.is_repeated:
            setattr(message, one.name, value(one))
        elif _ours(one) and depth < 3:
            inner = _filled(one.message_type, value, depth + 1)
            if inner.ByteSize():
                getattr(message, one.name).CopyFrom(inner)
    return message


def _ours(one: FieldDescriptor) -> bool:
    inner = one.message_type
    return inner is not None and not one.is_repeated and inner.full_name.startswith("livinglab.")


@asynccontextmanager
async def everything(servers: Servers, issuer: Issuer, nats_url: str, **settings: Any) -> AsyncIterator[Everything]:
    """All five services; two institutions in one cohort, each with an evaluation, a file, a plan and its coach, a visit
    and a letter. The cohort's workflow has ended: no order waits for a worker."""
    temporal = await own_namespace(servers)
    async with AsyncExitStack() as stack:
        running = {}
        for name in SERVICES:
            more = {"temporal_namespace": temporal.namespace} if name == "program" else {}
            running[name] = await stack.enter_async_context(
                running_service(name, servers, issuer, nats_url, **more, **settings)
            )
        world = Everything(running)
        await _launched(running["program"], temporal)
        for institution in (OWN, OTHER):
            world.ids[institution] = await _owned(world, institution)
        yield world


async def _launched(program: Running, temporal: Client) -> None:
    request = launching(OWN, OTHER)
    request.cohort.id = COHORT
    await program.as_role(ProgramServiceStub, "manager").LaunchCohort(request)
    await temporal.get_workflow_handle(names.workflow_id(COHORT)).terminate()


async def _planned(coaching: Running, institution: str) -> str:
    """As the store keeps it, with what it is held against; nothing was submitted in this world."""
    evaluation = {
        "_id": f"submitted-{institution}",
        "version": 1,
        "institution": institution,
        "rehearsal": "",
        "instrument": SPBE,
        "instrument_version": 1,
        "period": PERIOD,
        "order": 202299,
        "submit_time": datetime.now(UTC),
        "index": "2.00",
        "values": [],
    }
    await coaching.db["evaluations"].insert_one(evaluation)
    plan = coaching_pb2.Plan(
        id=f"plan:{COHORT}:{institution}",
        cohort_id=COHORT,
        institution=institution,
        coach_id="the-coach",
        evaluation_id=str(evaluation["_id"]),
        state=coaching_pb2.PLAN_STATE_DRAFT,
        etag="1",
        from_index="2.00",
        to_index="2.10",
        actions=[coaching_pb2.Action(id="1", indicator="1", from_value="1", to_value="2", owner=AGENCY, etag="1")],
    )
    await coaching.db["plans"].insert_one({"_id": plan.id, "version": 1, **fields(plan)})
    return str(plan.id)


async def _written_to(notify: Running, institution: str) -> str:
    recipient = notify_pb.Recipient(name="Siti", email="siti@a.example", language="id", institution=institution)
    values = {"name": "Siti", "institution_name": institution, "cohort_title": "Lab"}
    draft = notify_pb.Draft(template="graduation", recipient=recipient, values=values)
    request = notify_pb.SendMessagesRequest(request_id=uuid.uuid4().hex, drafts=[draft], cohort_id=COHORT)
    [found] = (await notify.as_role(NotifyServiceStub, "manager").SendMessages(request)).message_ids
    return str(found)


async def _owned(world: Everything, institution: str) -> dict[str, str]:
    assessment, coaching = world.running["assessment"], world.running["coaching"]
    head = assessment.as_role(AssessmentServiceStub, "head", institution)
    opened = await head.OpenEvaluation(
        service_pb2.OpenEvaluationRequest(
            request_id=uuid.uuid4().hex, institution=institution, instrument=SPBE, period=PERIOD
        )
    )
    delegation = evaluation_pb2.Delegation(indicator="1", agency=AGENCY)
    await assessment.as_role(UnderstandingServiceStub, "head", institution).DelegateIndicators(
        understanding_pb2.DelegateIndicatorsRequest(
            request_id=uuid.uuid4().hex, evaluation_id=opened.evaluation.id, delegations=[delegation]
        )
    )
    announced = await assessment.as_role(EvidenceServiceStub, "operator", institution).StartUpload(
        evidence_service_pb2.StartUploadRequest(
            request_id=uuid.uuid4().hex,
            institution=institution,
            file_name="bukti.pdf",
            size=9,
            sha256="0" * 64,
            title="Bukti",
            document_date="2022-03-01",
        )
    )
    manager = coaching.as_role(CoachingServiceStub, "manager")
    await manager.RegisterCoach(
        coaching_pb.RegisterCoachRequest(
            request_id=uuid.uuid4().hex, coach_id="the-coach", name="Pendamping", email="a@b.example", capacity=8
        )
    )
    await manager.AssignCoach(
        coaching_pb.AssignCoachRequest(request_id=uuid.uuid4().hex, cohort_id=COHORT, institution=institution)
    )
    visit_id = f"visit-{institution}"
    await coaching.as_role(VisitServiceStub, "manager").PlanVisit(
        visit_service_pb2.PlanVisitRequest(
            request_id=uuid.uuid4().hex,
            visit_id=visit_id,
            visitor=institution,
            # Of neither of the two.
            host="32.73",
            start_date="2022-10-03",
        )
    )
    return {
        "evaluation_id": opened.evaluation.id,
        "upload_id": announced.upload.id,
        "evidence_id": announced.upload.id,
        "visit_id": visit_id,
        "plan_id": await _planned(coaching, institution),
        "message_id": await _written_to(world.running["notify"], institution),
    }


def pairs(roles: Iterable[str]) -> list[tuple[str, ...]]:
    """Each role alone, and every two of them."""
    named = list(roles)
    return [(one,) for one in named] + [(a, b) for n, a in enumerate(named) for b in named[n + 1 :]]


def seeded(seed: int) -> random.Random:
    """The same numbers for the same seed."""
    return random.Random(seed)
