"""The rules of what a visit is made of and what follows it: a duty done makes the difference between a trip and a copy.
Decisions return facts."""

from datetime import date, datetime, timedelta

from livinglab.coaching.v1 import follow_up_events_pb2 as events_pb2
from livinglab.coaching.v1 import follow_up_pb2 as pb
from livinglab.coaching.v1 import follow_up_service_pb2 as rpc
from livinglab.coaching.v1 import visit_pb2
from livinglab.common.v1.meta_pb2 import Meta

from chassis.errors import Violation, invalid, not_found, precondition
from services.coaching.model.versions import advance
from services.coaching.model.visits import require_ahead

# The program looks after two months.
TERM = timedelta(days=60)
_FURTHEST = timedelta(days=730)
_MOST_DUTIES = 100


def opened(visit: visit_pb2.Visit, known: pb.VisitFollowUp | None) -> pb.VisitFollowUp:
    """What is kept beside the visit; from when it was held it has a term."""
    found = pb.VisitFollowUp()
    if known is not None:
        found.CopyFrom(known)
    found.id, found.visitor, found.host = visit.id, visit.visitor, visit.host
    found.cohort_id, found.rehearsal = visit.cohort_id, visit.rehearsal
    if visit.state == visit_pb2.VISIT_STATE_HELD:
        found.term_date = (date.fromisoformat(visit.end_date) + TERM).isoformat()
    advance(found)
    return found


def arranged(
    visit: visit_pb2.Visit, known: pb.VisitFollowUp | None, request: rpc.ArrangeVisitRequest
) -> tuple[pb.VisitFollowUp, events_pb2.VisitArranged]:
    """Its programme and delegation as they are from now on."""
    require_ahead(visit)
    found = opened(visit, known)
    del found.programme[:], found.delegation[:]
    found.programme.extend(request.programme)
    found.delegation.extend(request.delegation)
    fact = events_pb2.VisitArranged(
        meta=_meta(found),
        institution=found.visitor,
        host=found.host,
        visit_id=found.id,
        points=len(found.programme),
        delegates=len(found.delegation),
    )
    return found, fact


def with_duties(
    visit: visit_pb2.Visit, known: pb.VisitFollowUp | None, request: rpc.AddVisitDutiesRequest
) -> tuple[pb.VisitFollowUp, events_pb2.VisitDutiesAdded]:
    """The visit with more duties; every fault of them is named."""
    if visit.state != visit_pb2.VISIT_STATE_HELD:
        raise precondition("VISIT_STATE", f"visit {visit.id} was not held: duties follow a visit")
    found = opened(visit, known)
    last = date.fromisoformat(visit.end_date)
    faults = []
    for n, duty in enumerate(request.duties):
        if duty.id or duty.outcome or duty.done_by:
            faults.append(Violation(f"duties[{n}]", "is new: its id is given here, and it is not done yet"))
        if duty.due_date < visit.end_date:
            faults.append(Violation(f"duties[{n}].due_date", f"is before the visit's last day, {visit.end_date}"))
        elif duty.due_date > (last + _FURTHEST).isoformat():
            faults.append(Violation(f"duties[{n}].due_date", "is more than two years after the visit"))
    if len(found.duties) + len(request.duties) > _MOST_DUTIES:
        faults.append(Violation("duties", f"would be more than {_MOST_DUTIES} of one visit"))
    if faults:
        raise invalid(faults)
    for duty in request.duties:
        found.duties.add().CopyFrom(duty)
        found.duties[-1].id = str(len(found.duties))
    fact = events_pb2.VisitDutiesAdded(
        meta=_meta(found),
        institution=found.visitor,
        host=found.host,
        visit_id=found.id,
        duties=len(found.duties),
        added=len(request.duties),
    )
    return found, fact


def completed(
    known: pb.VisitFollowUp, request: rpc.CompleteVisitDutyRequest, done_by: str, now: datetime
) -> events_pb2.VisitDutyDone | None:
    """One duty is done; no fact where the same was said before."""
    duty = next((one for one in known.duties if one.id == request.duty_id), None)
    if duty is None:
        raise not_found("duty", f"{request.duty_id} of visit {known.id}")
    if duty.done_by:
        if duty.outcome != request.outcome:
            raise precondition("DUTY_DONE", f"duty {duty.id} is done, as {duty.done_by} said: {duty.outcome[:200]}")
        return None
    duty.outcome, duty.done_by = request.outcome, done_by
    duty.done_time.FromDatetime(now)
    advance(known)
    return events_pb2.VisitDutyDone(
        meta=_meta(known),
        institution=known.visitor,
        host=known.host,
        visit_id=known.id,
        duty_id=duty.id,
        done=done(known),
        duties=len(known.duties),
    )


def missed(known: pb.VisitFollowUp, now: datetime) -> events_pb2.VisitFollowUpMissed | None:
    """Its term is over by the visitor's day of `now` and nothing was done; once. A rehearsal's days are not those of
    the calendar."""
    over = bool(known.term_date) and known.term_date < now.date().isoformat()
    if known.rehearsal or not over or done(known) or known.HasField("escalate_time"):
        return None
    known.escalate_time.FromDatetime(now)
    advance(known)
    return events_pb2.VisitFollowUpMissed(
        meta=_meta(known),
        institution=known.visitor,
        host=known.host,
        visit_id=known.id,
        term_date=known.term_date,
        duties=len(known.duties),
    )


def done(known: pb.VisitFollowUp) -> int:
    """How many duties are done."""
    return sum(bool(one.done_by) for one in known.duties)


def _meta(known: pb.VisitFollowUp) -> Meta:
    return Meta(
        aggregate_id=f"follow-up:{known.id}",
        version=int(known.etag),
        cohort_id=known.cohort_id,
        rehearsal=known.rehearsal,
    )
