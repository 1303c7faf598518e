"""Random requests and streams to the services of evidence and results: never UNKNOWN or INTERNAL comes back."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from livinglab.assessment.v1 import evidence_service_pb2 as pb
from livinglab.assessment.v1 import results_service_pb2
from livinglab.assessment.v1.evidence_service_pb2_grpc import EvidenceServiceStub

from chassis import auth
from chassis.errors import Kind
from stack.issuer import Issuer
from tests.harness.evaluation import BANDUNG, SPBE, SUMEDANG, People, request_id
from tests.harness.generated.fuzzed_service import FuzzedService, drawn_until, fuzzed_service
from tests.harness.generated.random_messages import messages
from tests.harness.servers import Servers
from tests.harness.service import BOUND, Running

SERVICES = [
    pb.DESCRIPTOR.services_by_name["EvidenceService"],
    results_service_pb2.DESCRIPTOR.services_by_name["ResultService"],
]
METHODS = [method for service in SERVICES for method in service.methods]
TYPED = frozenset({"OK", *(kind.value for kind in Kind)} - {"INTERNAL", "UNAVAILABLE", "DEADLINE_EXCEEDED"})
CONTENT = b"%PDF-1.7 a document"
DIGEST = hashlib.sha256(CONTENT).hexdigest()
EXAMPLES = 100


@dataclass
class World:
    """An evaluation with evidence, one with an assessor too, a file, and an upload under way."""

    evaluations: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    uploads: list[str] = field(default_factory=list)


async def prepared(running: Running) -> World:
    world = World()
    operator = running.as_role(EvidenceServiceStub, "operator", SUMEDANG)
    for name, content in (("a.pdf", CONTENT), ("b.pdf", CONTENT + b"2")):
        request = pb.StartUploadRequest(
            request_id=request_id(),
            institution=SUMEDANG,
            file_name=name,
            size=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            document_date="2022-01-01",
        )
        world.uploads.append((await operator.StartUpload(request)).upload.id)
    sent = pb.SendUploadRequest(upload_id=world.uploads[0], data=CONTENT)
    world.files.append((await operator.SendUpload(iter([sent]))).upload.evidence.id)
    people = People(running)
    for period in ("2022", "2023"):
        await people.open(period)
        world.evaluations.append(people.evaluation_id)
        await people.assign("ani")
        await operator.AttachEvidence(
            pb.AttachEvidenceRequest(
                request_id=request_id(),
                evaluation_id=people.evaluation_id,
                evidence_id=world.files[0],
                indicators=["1", "2"],
                level=2,
            )
        )
    handed_in = pb.HandInEvidenceRequest(request_id=request_id(), evaluation_id=people.evaluation_id)
    await operator.HandInEvidence(handed_in)
    return world


@pytest.fixture(scope="module")
def fuzzed(
    servers: Servers, issuer: Issuer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[FuzzedService[World]]:
    with fuzzed_service(servers, issuer, tmp_path_factory.mktemp("fuzz"), prepared) as service:
        yield service


def pools(world: World) -> Mapping[str, Sequence[str]]:
    return {
        "request_id": ["", *(f"r{n}" for n in range(10_000))],
        "evaluation_id": world.evaluations,
        "from_evaluation_id": world.evaluations,
        "to_evaluation_id": world.evaluations,
        "evidence_id": world.files,
        "upload_id": [*world.uploads, ""],
        "file_name": ["a.pdf", "../a", "a\nb"],
        "sha256": [DIGEST, DIGEST.upper(), DIGEST[:-1], "0" * 64],
        "document_date": ["2022-01-01", "2022-W01-1", "2999-01-01", "2022-02-30"],
        "valid_until": ["", "", "2999-12-31", "2021-12-31"],
        "revises": ["", "", *world.files],
        "change": ["", "", "signed by the regent"],
        "indicator": ["1", "2", "48", "1-2", ""],
        "indicators": ["1", "2", "48"],
        "pages": ["", "3, 5-7", "9-"],
        "minutes": ["", "12:30-14:05", "99"],
        "reason": ["", "not signed"],
        "etag": ["", "1", "2"],
        "institution": [SUMEDANG, SUMEDANG, BANDUNG, "99.99", ""],
        "instrument": [SPBE, "pemdi-8-2026", "spbe-1", ""],
        "period": ["2022", "2022-1", "22", ""],
        "stage": ["em", "publication", "Int", "sometime", ""],
        "value": ["3", "3.84", "9", "1e9", ""],
        "unreadable": ["", "", "is not CSV"],
        "page_token": ["", "YQ==", "!!"],
    }


@pytest.mark.parametrize("method", METHODS, ids=lambda method: str(method.name))
def test_no_input_is_answered_by_a_crash(fuzzed: FuzzedService[World], method: Any) -> None:
    roles = [auth.role_name(role) for role in auth.policy_of(method).roles]
    several = st.lists(messages(method.input_type, pools(fuzzed.world)), max_size=4)

    seen: set[str] = set()

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(several, st.sampled_from(roles), st.sampled_from([SUMEDANG, SUMEDANG, BANDUNG]))
    def check(requests: list[Message], role: str, institution: str) -> None:
        if not requests and not method.client_streaming:
            return
        bound = institution if role in BOUND else ""
        code = fuzzed.run(fuzzed.call(method, requests, role, bound, "ani"))
        assert code in TYPED, (code, role)
        seen.add(code)

    drawn_until(lambda: len(seen) > 1, check)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: str(method.name))
def test_bytes_that_are_no_message_are_a_fault_of_the_caller(fuzzed: FuzzedService[World], method: Any) -> None:
    role = auth.role_name(auth.policy_of(method).roles[0])

    @settings(max_examples=20, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.one_of(st.binary(max_size=200), st.just(b"\x0a\xff\xff")), min_size=1, max_size=3))
    def check(contents: list[bytes]) -> None:
        code = fuzzed.run(fuzzed.call(method, contents, role, SUMEDANG, "ani"))
        assert code in TYPED, code

    check()
