"""What the tests of coaching share: its callers, a coach, an assignment, and looking at what came of it."""

import uuid
from typing import TYPE_CHECKING, TypeVar

from google.protobuf.message import Message
from livinglab.coaching.v1 import service_pb2 as pb
from livinglab.coaching.v1.service_pb2_grpc import CoachingServiceStub

from tests.harness.service import Running
from tests.harness.waiting import eventually

if TYPE_CHECKING:
    from livinglab.coaching.v1.service_pb2_grpc import CoachingServiceAsyncStub

E = TypeVar("E", bound=Message)
SUMEDANG, BANDUNG = "32.11", "32.04"
COHORT = "ll-2022"


def request_id() -> str:
    """A new one."""
    return uuid.uuid4().hex


def called_by(coaching: Running, role: str, institution: str = "", subject: str = "") -> "CoachingServiceAsyncStub":
    """Coaching, as that person calls it."""
    return coaching.as_role(CoachingServiceStub, role, institution, subject)


async def published(coaching: Running, event: type[E], count: int) -> list[E]:
    """The events of that kind, once nothing waits to be published and there are as many."""

    async def all_of_them() -> list[E]:
        waiting = await coaching.db["outbox"].count_documents({"pending": True})
        found = await coaching.published(event)
        return found if not waiting and len(found) >= count else []

    return await eventually(all_of_them)


async def count(coaching: Running, collection: str) -> int:
    """How many documents a collection has."""
    return int(await coaching.db[collection].count_documents({}))


async def coach(coaching: Running, coach_id: str = "coach-1", capacity: int = 8, rehearsal: str = "") -> None:
    """Registers a coach."""
    request = pb.RegisterCoachRequest(
        request_id=request_id(),
        coach_id=coach_id,
        name="Pendamping",
        email="pendamping@coach.example",
        capacity=capacity,
        rehearsal=rehearsal,
    )
    await called_by(coaching, "manager").RegisterCoach(request)


def assignment(institution: str = SUMEDANG, cohort_id: str = COHORT, rehearsal: str = "") -> pb.AssignCoachRequest:
    """Asks for a coach."""
    return pb.AssignCoachRequest(
        request_id=request_id(), cohort_id=cohort_id, institution=institution, rehearsal=rehearsal
    )
