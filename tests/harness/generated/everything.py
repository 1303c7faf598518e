"""Every service at once in the test's loop, a small world in them, and any method called by its descriptor."""

import importlib
import random
import uuid
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc.aio
from google.protobuf import message_factory
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from livinglab.assessment.v1 import evidence_service_pb2, service_pb2
from livinglab.assessment.v1.evidence_service_pb2_grpc import EvidenceServiceStub
from livinglab.assessment.v1.service_pb2_grpc import AssessmentServiceStub
from livinglab.coaching.v1 import service_pb2 as coaching_pb
from livinglab.coaching.v1 import visit_service_pb2
from livinglab.coaching.v1.service_pb2_grpc import CoachingServiceStub
from livinglab.coaching.v1.visit_service_pb2_grpc import VisitServiceStub

from chassis.status import from_rpc_error
from stack.issuer import Issuer
from tests.harness.namespace import own_namespace
from tests.harness.servers import Servers
from tests.harness.service import Running, running_service

OWN, OTHER = "32.11", "32.04"
SPBE, PERIOD, COHORT = "spbe-59-2020", "2022", "ll-2022"
BOUND = ("operator", "head", "secretary", "regent")
_FILES = {
    "assessment": ("service", "evidence_service", "results_service", "understanding", "verification"),
    "benchmark": ("service", "analysis_service", "steward_service"),
    "coaching": (
        "service",
        "plan_service",
        "visit_service",
        "practice_service",
        "assignment_service",
        "follow_up_service",
    ),
    "notify": ("service", "inbox_service", "template_service"),
    "program": (
        "service",
        "audit_service",
        "directory_service",
        "recipient_service",
        "report_service",
        "schedule_service",
        "steering_service",
    ),
}


def methods() -> list[tuple[str, MethodDescriptor]]:
    """Every method with the service whose process answers it."""
    found = []
    for name, files in _FILES.items():
        for file in files:
            module = importlib.import_module(f"livinglab.{name}.v1.{file}_pb2")
            for service in module.DESCRIPTOR.services_by_name.values():
                found += [(name, method) for method in service.methods]
    module = importlib.import_module("livinglab.common.v1.dead_letter_service_pb2")
    found += [("coaching", m) for s in module.DESCRIPTOR.services_by_name.values() for m in s.methods]
    return found


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
            token = at.issuer.token(*roles, institution=institution, subject=subject) if roles else ""
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
    """All five services; two institutions with an evaluation, a file, a plan's coach and visits."""
    temporal = await own_namespace(servers)
    async with AsyncExitStack() as stack:
        running = {}
        for name in _FILES:
            more = {"temporal_namespace": temporal.namespace} if name == "program" else {}
            running[name] = await stack.enter_async_context(
                running_service(name, servers, issuer, nats_url, **more, **settings)
            )
        world = Everything(running)
        for institution in (OWN, OTHER):
            world.ids[institution] = await _owned(world, institution)
        yield world


async def _owned(world: Everything, institution: str) -> dict[str, str]:
    assessment, coaching = world.running["assessment"], world.running["coaching"]
    head = assessment.as_role(AssessmentServiceStub, "head", institution)
    opened = await head.OpenEvaluation(
        service_pb2.OpenEvaluationRequest(
            request_id=uuid.uuid4().hex, institution=institution, instrument=SPBE, period=PERIOD
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
        "plan_id": f"plan:{COHORT}:{institution}",
    }


def pairs(roles: Iterable[str]) -> list[tuple[str, ...]]:
    """Each role alone, and every two of them."""
    named = list(roles)
    return [(one,) for one in named] + [(a, b) for n, a in enumerate(named) for b in named[n + 1 :]]


def seeded(seed: int) -> random.Random:
    """The same numbers for the same seed."""
    return random.Random(seed)
