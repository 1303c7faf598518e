"""The rules of coaches and agreements, and what every request must say. Decisions return new state and facts."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from livinglab.coaching.v1 import coaching_pb2 as pb
from livinglab.coaching.v1 import events_pb2
from livinglab.coaching.v1 import service_pb2 as rpc
from livinglab.common.v1 import options_pb2
from livinglab.common.v1.meta_pb2 import Meta

from chassis.errors import Violation, not_found, precondition
from services.coaching.model.pairing.matching import excluded

# Whose seats there are at a session: the people of a region.
SEATS = (options_pb2.ROLE_OPERATOR, options_pb2.ROLE_HEAD, options_pb2.ROLE_SECRETARY, options_pb2.ROLE_REGENT)


@dataclass(frozen=True, slots=True)
class Assignment:
    """Who coaches an institution in a cohort."""

    cohort_id: str
    institution: str
    coach_id: str
    rehearsal: str

    @property
    def id(self) -> str:
        """One assignment a cohort and institution."""
        return f"{self.cohort_id}/{self.institution}"


def faults(request: Any, institutions: Container[str]) -> list[Violation]:
    """What the field rules cannot see: an institution that nobody knows, a realm without a cohort, a seat
    that no region has, a reason that says nothing. Fields that the request does not have are not looked at."""
    found = []
    fields = request.DESCRIPTOR.fields_by_name
    if "institution" in fields and request.institution not in institutions:
        found.append(
            Violation("institution", f"{request.institution} is not a known institution, or not known here yet")
        )
    if "cohort_id" in fields and "rehearsal" in fields and request.rehearsal and not request.cohort_id:
        # A cohort that was split off a rehearsal goes on in that one: the realm need not be its own id.
        found.append(Violation("rehearsal", "is the realm of a cohort, which is not named"))
    if "role" in fields and request.role not in SEATS:
        names = ", ".join(seat_name(role) for role in SEATS)
        found.append(Violation("role", f"is not the seat of a region's {names}"))
    if "reason" in fields and not request.reason.strip():
        found.append(Violation("reason", "is required: say why"))
    return found


def seat_name(role: int) -> str:
    """operator, head ..."""
    return options_pb2.Role.Name(options_pb2.Role.ValueType(role)).removeprefix("ROLE_").lower()


def require_realm(rehearsal: str, asked: str, what: str) -> None:
    """A cohort is real or a rehearsal, never both."""
    if rehearsal != asked:
        realm = f"rehearsal {rehearsal}" if rehearsal else "the real program"
        raise precondition("REALM", f"{what} belongs to {realm}")


def assigned(
    request: rpc.AssignCoachRequest, coaches: Sequence[pb.Coach], loads: Mapping[str, int]
) -> tuple[pb.Coach, Assignment, events_pb2.CoachAssigned]:
    """The coach that is named, or the one with the most free capacity, the first by id among equals; `loads` counts the
    institutions that each has in this cohort. NOT_FOUND for a coach that is not among them; FAILED_PRECONDITION when
    there is none, no place is left, or a conflict excludes it."""

    def by_places(coach: pb.Coach) -> tuple[int, str]:
        return loads.get(coach.id, 0) - coach.capacity, coach.id

    if not coaches:
        raise precondition("NO_COACHES", "no coach is registered: a manager registers the first")
    free = [one for one in coaches if not excluded(one, request.institution)]
    if not free or (request.coach_id and request.coach_id in {one.id for one in coaches} - {one.id for one in free}):
        whose = f"coach {request.coach_id} has" if request.coach_id else "all coaches have"
        raise precondition("CONFLICT", f"{whose} a conflict with {request.institution}")
    if request.coach_id:
        coach = next((one for one in coaches if one.id == request.coach_id), None)
        if coach is None:
            raise not_found("coach", request.coach_id)
    else:
        coach = min(free, key=by_places)
    if loads.get(coach.id, 0) >= coach.capacity:
        whose = f"coach {coach.id}" if request.coach_id else "no coach"
        has = "has no" if request.coach_id else "has a"
        raise precondition("NO_CAPACITY", f"{whose} {has} place left in cohort {request.cohort_id}")
    assignment = Assignment(request.cohort_id, request.institution, coach.id, request.rehearsal)
    fact = events_pb2.CoachAssigned(
        meta=Meta(
            aggregate_id=f"assignment:{assignment.id}",
            version=1,
            cohort_id=request.cohort_id,
            rehearsal=request.rehearsal,
        ),
        institution=request.institution,
        coach_id=coach.id,
    )
    return coach, assignment, fact


def require_choice(request: rpc.AssignCoachRequest, coach: pb.Coach) -> None:
    """Who coaches it already is the one that was asked for, if one was."""
    if request.coach_id and request.coach_id != coach.id:
        raise precondition("HAS_COACH", f"{request.institution} is coached by {coach.name} ({coach.id})")


def agreement_id(request: rpc.SignAgreementRequest) -> str:
    """One agreement a cohort, phase and institution."""
    return f"{request.cohort_id}/{request.phase}/{request.institution}"


def signed(request: rpc.SignAgreementRequest) -> events_pb2.AgreementSigned:
    """The fact of the first signature."""
    return events_pb2.AgreementSigned(
        meta=Meta(
            aggregate_id=f"agreement:{agreement_id(request)}",
            version=1,
            cohort_id=request.cohort_id,
            rehearsal=request.rehearsal,
        ),
        institution=request.institution,
        phase=request.phase,
        signatory=request.signatory,
    )
