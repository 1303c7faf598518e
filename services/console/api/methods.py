"""Which methods are open over HTTP: those that read, and the writes that integrations need. Both from the contract."""

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from google.protobuf.descriptor import Descriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from livinglab.common.v1 import options_pb2

START = "/api"
_PACKAGE = "livinglab."
# Files of services that this process asks; those of letters and their keepers stay between machines.
_FILES = (
    "livinglab.assessment.v1.evidence_service_pb2",
    "livinglab.assessment.v1.results_service_pb2",
    "livinglab.assessment.v1.service_pb2",
    "livinglab.assessment.v1.understanding_pb2",
    "livinglab.assessment.v1.verification_pb2",
    "livinglab.benchmark.v1.analysis_service_pb2",
    "livinglab.benchmark.v1.service_pb2",
    "livinglab.benchmark.v1.steward_service_pb2",
    "livinglab.coaching.v1.follow_up_service_pb2",
    "livinglab.coaching.v1.plan_service_pb2",
    "livinglab.coaching.v1.practice_service_pb2",
    "livinglab.coaching.v1.service_pb2",
    "livinglab.coaching.v1.visit_service_pb2",
    "livinglab.program.v1.audit_service_pb2",
    "livinglab.program.v1.directory_service_pb2",
    "livinglab.program.v1.overview_service_pb2",
    "livinglab.program.v1.report_service_pb2",
    "livinglab.program.v1.service_pb2",
)
_WRITES = frozenset(
    {
        "assessment.v1.ResultService.ImportResults",
        "assessment.v1.ResultService.WithdrawResult",
        "assessment.v1.EvidenceService.StartUpload",
        "assessment.v1.EvidenceService.SendUpload",
        "assessment.v1.EvidenceService.HandInEvidence",
        "assessment.v1.EvidenceService.AttachEvidence",
        "assessment.v1.EvidenceService.DetachEvidence",
        "program.v1.DirectoryService.ImportInstitutions",
        "program.v1.DirectoryService.WithdrawInstitution",
    }
)
_USUAL_BYTES = 65_536


@dataclass(frozen=True)
class Method:
    """One method. `process` is who serves it, `many` that it takes messages one after the other, of which HTTP sends
    one."""

    descriptor: MethodDescriptor
    writes: bool

    @property
    def process(self) -> str:
        return str(self.descriptor.full_name).removeprefix(_PACKAGE).split(".", 1)[0]

    @property
    def path(self) -> str:
        """/api/assessment.v1.ResultService/ListResults."""
        service = str(self.descriptor.containing_service.full_name).removeprefix(_PACKAGE)
        return f"{START}/{service}/{self.descriptor.name}"

    @property
    def call(self) -> str:
        """As gRPC names it."""
        return f"/{self.descriptor.containing_service.full_name}/{self.descriptor.name}"

    @property
    def many(self) -> bool:
        return bool(self.descriptor.client_streaming)

    @property
    def request(self) -> type[Message]:
        return GetMessageClass(self.descriptor.input_type)

    @property
    def answer(self) -> type[Message]:
        return GetMessageClass(self.descriptor.output_type)

    @property
    def policy(self) -> options_pb2.Policy:
        return self.descriptor.GetOptions().Extensions[options_pb2.policy]

    @property
    def most_bytes(self) -> int:
        """Of a body in JSON, which has more of them than the message."""
        return 2 * (self.policy.max_request_bytes or _USUAL_BYTES)


@cache
def methods() -> Mapping[str, Method]:
    """By their paths."""
    return {one.path: one for one in _every()}


def _every() -> Iterator[Method]:
    for name in _FILES:
        for service in importlib.import_module(name).DESCRIPTOR.services_by_name.values():
            for descriptor in service.methods:
                known = str(descriptor.full_name).removeprefix(_PACKAGE) in _WRITES
                if known or _reads(descriptor):
                    yield Method(descriptor, known)


def _reads(descriptor: MethodDescriptor) -> bool:
    """A write is known by its request_id; what streams is for those who have gRPC."""
    streams = descriptor.client_streaming or descriptor.server_streaming
    request: Descriptor = descriptor.input_type
    return not streams and "request_id" not in request.fields_by_name
