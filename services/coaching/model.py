"""The rules of coaches, sessions, attendance and agreements. Decisions return new state and facts."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from livinglab.coaching.v1 import coaching_pb2 as pb
from livinglab.coaching.v1 import events_pb2
from livinglab.coaching.v1 import service_pb2 as rpc
from livinglab.common.v1 import options_pb2
from livinglab.common.v1.meta_pb2 import Meta

from chassis.errors import Violation, invalid, precondition

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
    """What the field rules cannot see: an institution that nobody knows, a realm that is not the cohort's, a seat
    that no region has. Fields that the request does not have are not looked at."""
    found = []
    fields = request.DESCRIPTOR.fields_by_name
    if "institution" in fields and request.institution not in institutions:
        found.append(Violation("institution", f"{request.institution} is not a known region"))
    if "cohort_id" in fields and "rehearsal" in fields and request.rehearsal not in ("", request.cohort_id):
        found.append(Violation("rehearsal", "is the cohort's id, or empty"))
    if "role" in fields and request.role not in SEATS:
        names = ", ".join(seat_name(role) for role in SEATS)
        found.append(Violation("role", f"is not the seat of a region's {names}"))
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
    """The coach with the most free capacity, the first by id among equals; `loads` counts the institutions that each
    has in this cohort. FAILED_PRECONDITION when nobody has a place left."""

    def by_places(coach: pb.Coach) -> tuple[int, str]:
        return loads.get(coach.id, 0) - coach.capacity, coach.id

    coach = min(coaches, key=by_places, default=None)
    if coach is None or loads.get(coach.id, 0) >= coach.capacity:
        raise precondition("NO_CAPACITY", f"no coach has a place left in cohort {request.cohort_id}")
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


def scheduled(
    request: rpc.ScheduleSessionRequest, known: pb.Session | None
) -> tuple[pb.Session, events_pb2.SessionScheduled | None]:
    """The session as it is from now on, and the fact unless nothing has changed."""
    _require_times(request)
    session = pb.Session(
        id=request.session_id,
        cohort_id=request.cohort_id,
        phase=request.phase,
        title=request.title,
        place=request.place,
        start_time=request.start_time,
        end_time=request.end_time,
        time_zone=request.time_zone,
        rehearsal=request.rehearsal,
        etag=known.etag if known else "1",
    )
    if known is not None:
        if known.cohort_id != session.cohort_id:
            raise precondition("OTHER_COHORT", f"session {known.id} belongs to cohort {known.cohort_id}")
        require_realm(known.rehearsal, session.rehearsal, f"session {known.id}")
        if known == session:
            return known, None
        session.etag = str(int(known.etag) + 1)
    fact = events_pb2.SessionScheduled(
        meta=_session_meta(f"session:{session.id}", int(session.etag), session),
        session_id=session.id,
        phase=session.phase,
        title=session.title,
        place=session.place,
        start_time=session.start_time,
        end_time=session.end_time,
        time_zone=session.time_zone,
    )
    return session, fact


def seat_id(request: rpc.RecordAttendanceRequest) -> str:
    """One seat a session, institution and role."""
    return f"{request.session_id}/{request.institution}/{seat_name(request.role)}"


def attended(request: rpc.RecordAttendanceRequest, session: pb.Session) -> events_pb2.AttendanceRecorded:
    """The fact of the first record of a seat."""
    return events_pb2.AttendanceRecorded(
        meta=_session_meta(f"attendance:{seat_id(request)}", 1, session),
        institution=request.institution,
        session_id=session.id,
        phase=session.phase,
        role=request.role,
        delegate=request.delegate,
    )


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


def _require_times(request: rpc.ScheduleSessionRequest) -> None:
    found = []
    for field in ("start_time", "end_time"):
        try:
            getattr(request, field).ToJsonString()
        except ValueError:
            found.append(Violation(field, "is not a time of the years 1 to 9999"))
    if not found and request.end_time.ToNanoseconds() <= request.start_time.ToNanoseconds():
        found.append(Violation("end_time", "must be after start_time"))
    if found:
        raise invalid(found)


def _session_meta(aggregate_id: str, version: int, session: pb.Session) -> Meta:
    return Meta(aggregate_id=aggregate_id, version=version, cohort_id=session.cohort_id, rehearsal=session.rehearsal)
