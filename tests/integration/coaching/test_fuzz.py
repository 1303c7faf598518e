"""Random requests to the services of coaching: never UNKNOWN or INTERNAL comes back."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from livinglab.coaching.v1 import (
    assignment_service_pb2,
    follow_up_service_pb2,
    plan_service_pb2,
    practice_service_pb2,
    service_pb2,
    visit_service_pb2,
)
from livinglab.coaching.v1.service_pb2_grpc import CoachingServiceStub
from livinglab.coaching.v1.visit_service_pb2_grpc import VisitServiceStub

from chassis import auth
from chassis.errors import Kind
from stack.issuer import Issuer
from tests.harness.coaching import BANDUNG, COHORT, SUMEDANG, assignment, coach, request_id
from tests.harness.generated.fuzzed_service import FuzzedService, drawn_until, fuzzed_service
from tests.harness.generated.random_messages import messages
from tests.harness.servers import Servers
from tests.harness.service import BOUND, Running

SERVICES = [
    service_pb2.DESCRIPTOR.services_by_name["CoachingService"],
    plan_service_pb2.DESCRIPTOR.services_by_name["PlanService"],
    visit_service_pb2.DESCRIPTOR.services_by_name["VisitService"],
    practice_service_pb2.DESCRIPTOR.services_by_name["PracticeService"],
    follow_up_service_pb2.DESCRIPTOR.services_by_name["FollowUpService"],
    assignment_service_pb2.DESCRIPTOR.services_by_name["AssignmentService"],
]
METHODS = [method for service in SERVICES for method in service.methods]
# The service runs in this process, in another thread: what it draws for itself is none of the strategies' business.
pytestmark = pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")
TYPED = frozenset({"OK", *(kind.value for kind in Kind)} - {"INTERNAL", "UNAVAILABLE", "DEADLINE_EXCEEDED"})
SESSIONS, VISITS = ("s.1", "s.2"), ("v.1", "v.2")
EXAMPLES = 60


async def prepared(running: Running) -> None:
    """A coach who has a region, sessions to come and visits that are over."""
    await coach(running)
    await running.as_role(CoachingServiceStub, "system").AssignCoach(assignment())
    manager = running.as_role(CoachingServiceStub, "manager")
    for session_id in SESSIONS:
        session = service_pb2.ScheduleSessionRequest(
            request_id=request_id(),
            session_id=session_id,
            cohort_id=COHORT,
            phase="workshop",
            title="Lokakarya",
            time_zone="Asia/Jakarta",
        )
        # The year 2100.
        session.start_time.seconds, session.end_time.seconds = 4_102_444_800, 4_102_448_400
        await manager.ScheduleSession(session)
    for visit_id in VISITS:
        visit = visit_service_pb2.PlanVisitRequest(
            request_id=request_id(),
            visit_id=visit_id,
            visitor=BANDUNG,
            host=SUMEDANG,
            cohort_id=COHORT,
            phase="visit",
            start_date="2022-10-03",
        )
        await running.as_role(VisitServiceStub, "manager").PlanVisit(visit)


@pytest.fixture(scope="module")
def fuzzed(servers: Servers, issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FuzzedService[None]]:
    with fuzzed_service(servers, issuer, tmp_path_factory.mktemp("fuzz"), prepared, "coaching") as service:
        yield service


# All of them sound alone; wild messages bring the rest.
POOLS: Mapping[str, Sequence[str]] = {
    "request_id": [f"r{n}" for n in range(10_000)],
    "cohort_id": [COHORT, COHORT, "other"],
    "rehearsal": ["", "", COHORT],
    "phase": ["visit", "workshop"],
    "session_id": [*SESSIONS, "s.3"],
    "visit_id": [*VISITS, "v.3", ""],
    "visitor": [BANDUNG, SUMEDANG],
    "host": [SUMEDANG, BANDUNG],
    "institution": [SUMEDANG, BANDUNG],
    "start_date": ["2022-10-03", "2999-01-01"],
    "end_date": ["", "2999-01-01", "2022-10-04"],
    "due_date": ["", "2023-01-21"],
    "time_zone": ["Asia/Jakarta", "Asia/Jayapura"],
    "indicators": ["1", "35-2"],
    "reason": ["Banjir", "Gempa"],
    "coach_id": ["coach-1", "coach-2"],
    "email": ["a@b.example"],
    "plan_id": [f"plan:{COHORT}:{SUMEDANG}"],
    "target": ["", "3.5", "99"],
    "etag": ["", "1"],
    "page_token": ["", "YQ=="],
    "indicator": ["10", "35"],
    "institutions": [SUMEDANG, BANDUNG],
    "conflicts": ["32.73"],
    "languages": ["id", "en"],
    "level": ["3", "4"],
    "url": ["https://a.example/1"],
    "practice_id": ["", "p.1"],
    "budget": ["", "90000000"],
    "day_rate": ["", "500000"],
    "needs": ["1", "2"],
}


@pytest.mark.parametrize("method", METHODS, ids=lambda method: str(method.name))
def test_no_input_is_answered_by_a_crash(fuzzed: FuzzedService[None], method: Any) -> None:
    roles = [auth.role_name(role) for role in auth.policy_of(method).roles]
    seen: set[str] = set()

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(messages(method.input_type, POOLS), st.sampled_from(roles), st.sampled_from([SUMEDANG, BANDUNG]))
    def check(request: Message, role: str, institution: str) -> None:
        bound = institution if role in BOUND else ""
        code = fuzzed.run(fuzzed.call(method, [request], role, bound, "coach-1"))
        assert code in TYPED, (code, role)
        seen.add(code)

    drawn_until(lambda: len(seen) > 1, check)
