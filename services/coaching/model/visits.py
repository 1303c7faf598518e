"""The rules of study visits: planned, held with what they taught, called off. Decisions return facts."""

from collections.abc import Container
from datetime import date

from livinglab.coaching.v1 import events_pb2
from livinglab.coaching.v1 import visit_pb2 as pb
from livinglab.coaching.v1 import visit_service_pb2 as rpc
from livinglab.common.v1.meta_pb2 import Meta

from chassis.errors import Refused, Violation, precondition
from services.coaching.model.pairing.coaches import require_realm
from services.coaching.model.versions import advance


def faults(request: rpc.PlanVisitRequest, institutions: Container[str]) -> list[Violation]:
    """What the field rules cannot see of a visit to be planned."""
    found = [
        Violation(field, f"{getattr(request, field)} is not a known institution, or not known here yet")
        for field in ("visitor", "host")
        if getattr(request, field) not in institutions
    ]
    if request.host == request.visitor:
        found.append(Violation("host", "is the visitor itself"))
    if request.cohort_id and not request.phase:
        found.append(Violation("phase", "is required in a cohort"))
    if request.phase and not request.cohort_id:
        found.append(Violation("cohort_id", "is required: whose phase is it?"))
    # Dates of this shape compare as days do.
    if request.end_date and request.end_date < request.start_date:
        found.append(Violation("end_date", "must not be before start_date"))
    return found


def planned(
    request: rpc.PlanVisitRequest, visit_id: str, known: pb.Visit | None, accepted_by: str = ""
) -> tuple[pb.Visit, events_pb2.VisitPlanned | None]:
    """The visit as it is from now on, and the fact unless nothing has changed. `accepted_by` is who speaks for the
    host too; other days are to be accepted anew."""
    visit = pb.Visit(
        id=visit_id,
        visitor=request.visitor,
        host=request.host,
        cohort_id=request.cohort_id,
        phase=request.phase,
        start_date=request.start_date,
        end_date=request.end_date or request.start_date,
        rehearsal=request.rehearsal,
        state=pb.VISIT_STATE_PLANNED,
        accepted_by=accepted_by,
        etag="1",
    )
    if known is not None:
        _require_same(known, visit)
        if known.state == pb.VISIT_STATE_CANCELLED:
            raise _cancelled(known)
        if (known.start_date, known.end_date) == (visit.start_date, visit.end_date):
            return known, None
        if known.state == pb.VISIT_STATE_HELD:
            raise _held(known)
        visit.etag = str(int(known.etag) + 1)
    fact = events_pb2.VisitPlanned(
        meta=_meta(visit),
        institution=visit.visitor,
        host=visit.host,
        visit_id=visit.id,
        phase=visit.phase,
        start_date=visit.start_date,
        end_date=visit.end_date,
    )
    return visit, fact


def require_ahead(visit: pb.Visit) -> None:
    """Neither held nor called off."""
    if visit.state == pb.VISIT_STATE_CANCELLED:
        raise _cancelled(visit)
    if visit.state == pb.VISIT_STATE_HELD:
        raise _held(visit)


def accepted(visit: pb.Visit, accepted_by: str) -> events_pb2.VisitAccepted | None:
    """The host knows of the visit and agrees; no fact where it did before."""
    require_ahead(visit)
    if visit.accepted_by:
        return None
    visit.accepted_by = accepted_by
    advance(visit)
    return events_pb2.VisitAccepted(
        meta=_meta(visit), institution=visit.visitor, host=visit.host, visit_id=visit.id, phase=visit.phase
    )


def held(
    visit: pb.Visit, request: rpc.ConfirmVisitHeldRequest, confirmed_by: str, today: date, *, by_host: bool = False
) -> events_pb2.VisitHeld | None:
    """Keeps what the visit taught; no fact where the same was kept before. `today` is the day at the host; where the
    host has not accepted it, only the host says that it was held."""
    if visit.state == pb.VISIT_STATE_CANCELLED:
        raise _cancelled(visit)
    if visit.state == pb.VISIT_STATE_HELD:
        if list(visit.lessons) != list(request.lessons):
            raise _held(visit)
        return None
    if not visit.rehearsal and visit.start_date > today.isoformat():
        raise precondition("VISIT_AHEAD", f"visit {visit.id} begins on {visit.start_date}, today is {today}")
    if not visit.accepted_by:
        if not by_host:
            raise precondition("NOT_ACCEPTED", f"{visit.host} has not accepted visit {visit.id}")
        visit.accepted_by = confirmed_by
    visit.state = pb.VISIT_STATE_HELD
    visit.lessons.extend(request.lessons)
    visit.confirmed_by = confirmed_by
    advance(visit)
    return events_pb2.VisitHeld(
        meta=_meta(visit),
        institution=visit.visitor,
        host=visit.host,
        visit_id=visit.id,
        phase=visit.phase,
        start_date=visit.start_date,
        end_date=visit.end_date,
        indicators=dict.fromkeys(indicator for lesson in visit.lessons for indicator in lesson.indicators),
    )


def cancelled(visit: pb.Visit, reason: str) -> events_pb2.VisitCancelled | None:
    """Calls the visit off; no fact where it was before, and the first reason stays."""
    if visit.state == pb.VISIT_STATE_CANCELLED:
        return None
    if visit.state == pb.VISIT_STATE_HELD:
        raise _held(visit)
    visit.state = pb.VISIT_STATE_CANCELLED
    visit.reason = reason
    advance(visit)
    return events_pb2.VisitCancelled(
        meta=_meta(visit),
        institution=visit.visitor,
        host=visit.host,
        visit_id=visit.id,
        phase=visit.phase,
        reason=reason,
    )


def _require_same(known: pb.Visit, visit: pb.Visit) -> None:
    """Only its days change: another visitor, host, cohort or phase is another visit."""
    require_realm(known.rehearsal, visit.rehearsal, f"visit {known.id}")
    different = [
        field for field in ("visitor", "host", "cohort_id", "phase") if getattr(known, field) != getattr(visit, field)
    ]
    if different:
        raise precondition("OTHER_VISIT", f"visit {known.id} has another {', '.join(different)}")


def _held(visit: pb.Visit) -> Refused:
    return precondition("VISIT_HELD", f"visit {visit.id} was held, as {visit.confirmed_by} said: that stands")


def _cancelled(visit: pb.Visit) -> Refused:
    return precondition("VISIT_CANCELLED", f"visit {visit.id} was cancelled: {visit.reason}")


def _meta(visit: pb.Visit) -> Meta:
    return Meta(
        aggregate_id=f"visit:{visit.id}",
        version=int(visit.etag),
        cohort_id=visit.cohort_id,
        rehearsal=visit.rehearsal,
    )
