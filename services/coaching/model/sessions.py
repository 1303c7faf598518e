"""The rules of sessions: put on the calendar, moved, cancelled, and who attended. Decisions return facts."""

from datetime import UTC, datetime, timedelta

from livinglab.coaching.v1 import coaching_pb2 as pb
from livinglab.coaching.v1 import events_pb2
from livinglab.coaching.v1 import service_pb2 as rpc
from livinglab.common.v1.meta_pb2 import Meta

from chassis.errors import Violation, invalid, precondition
from services.coaching.model.pairing.coaches import require_realm, seat_name
from services.coaching.model.versions import advance

# People sign in before it begins.
_DOORS = timedelta(hours=2)


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
        state=pb.SESSION_STATE_SCHEDULED,
        etag=known.etag if known else "1",
        reason=known.reason if known else "",
        shifted_days=request.shifted_days,
    )
    if known is not None:
        if known.cohort_id != session.cohort_id:
            raise precondition("OTHER_COHORT", f"session {known.id} belongs to cohort {known.cohort_id}")
        require_realm(known.rehearsal, session.rehearsal, f"session {known.id}")
        require_on(known)
        if known == session:
            return known, None
        session.reason = ""
        advance(session)
    return session, _scheduled_fact(session)


def moved(request: rpc.MoveSessionRequest, session: pb.Session, now: datetime) -> events_pb2.SessionScheduled | None:
    """Gives the session other times; no fact where they are the same."""
    _require_times(request)
    require_on(session)
    if (session.start_time, session.end_time) == (request.start_time, request.end_time):
        return None
    _require_ahead(session, now)
    session.start_time.CopyFrom(request.start_time)
    session.end_time.CopyFrom(request.end_time)
    session.reason = request.reason
    advance(session)
    return _scheduled_fact(session)


def cancelled(session: pb.Session, reason: str, now: datetime) -> events_pb2.SessionCancelled | None:
    """Calls the session off; no fact where it was before, and the first reason stays."""
    if session.state == pb.SESSION_STATE_CANCELLED:
        return None
    _require_ahead(session, now)
    session.state = pb.SESSION_STATE_CANCELLED
    session.reason = reason
    advance(session)
    return events_pb2.SessionCancelled(
        meta=_meta(f"session:{session.id}", int(session.etag), session),
        session_id=session.id,
        phase=session.phase,
        reason=reason,
    )


def require_on(session: pb.Session) -> None:
    """FAILED_PRECONDITION with the reason for which the session was called off."""
    if session.state == pb.SESSION_STATE_CANCELLED:
        raise precondition("SESSION_CANCELLED", f"session {session.id} was cancelled: {session.reason}")


def require_begun(session: pb.Session, now: datetime) -> None:
    """FAILED_PRECONDITION before people may take their seats; a rehearsal has no clock on the wall."""
    if not session.rehearsal and now < session.start_time.ToDatetime(UTC) - _DOORS:
        raise precondition("SESSION_AHEAD", f"session {session.id} begins at {session.start_time.ToJsonString()}")


def seat_id(request: rpc.RecordAttendanceRequest) -> str:
    """One seat a session, institution and role."""
    return f"{request.session_id}/{request.institution}/{seat_name(request.role)}"


def attended(request: rpc.RecordAttendanceRequest, session: pb.Session) -> events_pb2.AttendanceRecorded:
    """The fact of the first record of a seat."""
    return events_pb2.AttendanceRecorded(
        meta=_meta(f"attendance:{seat_id(request)}", 1, session),
        institution=request.institution,
        session_id=session.id,
        phase=session.phase,
        role=request.role,
        delegate=request.delegate,
    )


def _scheduled_fact(session: pb.Session) -> events_pb2.SessionScheduled:
    return events_pb2.SessionScheduled(
        meta=_meta(f"session:{session.id}", int(session.etag), session),
        session_id=session.id,
        phase=session.phase,
        title=session.title,
        place=session.place,
        start_time=session.start_time,
        end_time=session.end_time,
        time_zone=session.time_zone,
        reason=session.reason,
        shifted_days=session.shifted_days,
    )


def _require_times(request: rpc.ScheduleSessionRequest | rpc.MoveSessionRequest) -> None:
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


def _require_ahead(session: pb.Session, now: datetime) -> None:
    if session.start_time.ToDatetime(UTC) <= now:
        raise precondition("SESSION_BEGUN", f"session {session.id} began at {session.start_time.ToJsonString()}")


def _meta(aggregate_id: str, version: int, session: pb.Session) -> Meta:
    return Meta(aggregate_id=aggregate_id, version=version, cohort_id=session.cohort_id, rehearsal=session.rehearsal)
