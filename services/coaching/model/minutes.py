"""What a session is about and leads to for one institution: agenda, notes, next steps, feedback, no-shows. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from livinglab.coaching.v1 import coaching_pb2, plan_service_pb2
from livinglab.coaching.v1 import minutes_events_pb2 as events
from livinglab.coaching.v1 import minutes_pb2 as pb
from livinglab.coaching.v1 import minutes_service_pb2 as rpc
from livinglab.common.v1.meta_pb2 import Meta

from chassis.errors import Violation, invalid, not_found, precondition
from services.coaching.model import plan as plans
from services.coaching.model import proof, sessions
from services.coaching.model.versions import advance, require_current

# Of a plan on which nothing is late: what is due next.
_NEXT = 3
_MOST = 50


def minutes_id(session_id: str, institution: str) -> str:
    """One a session and institution."""
    return f"{session_id}/{institution}"


def empty(session: coaching_pb2.Session, institution: str) -> pb.Minutes:
    """Where nothing was written yet."""
    return pb.Minutes(
        id=minutes_id(session.id, institution),
        session_id=session.id,
        institution=institution,
        cohort_id=session.cohort_id,
        rehearsal=session.rehearsal,
        etag="0",
    )


def agenda(
    plan: coaching_pb2.Plan | None,
    comments: Iterable[plan_service_pb2.PlanComment],
    earlier: Iterable[pb.Minutes],
    today: date,
    zone: str,
) -> Iterator[pb.AgendaItem]:
    """What a plan and earlier sessions ask for, what hurts most first. In a rehearsal nothing is late: its days are not
    those of the calendar."""
    if plan is None:
        yield _item(pb.AGENDA_SOURCE_PLAN, "Rencana aksi belum disusun")
        return
    if plan.state == coaching_pb2.PLAN_STATE_RETURNED:
        yield _item(pb.AGENDA_SOURCE_PLAN, f"Rencana dikembalikan: {plan.reason}")
    if plan.HasField("amendment"):
        yield _item(pb.AGENDA_SOURCE_PLAN, f"Usulan perubahan menunggu keputusan: {plan.amendment.reason}")
    actions = {action.id: action for action in plans.live(plan)}
    late = proof.measure(plan, None if plan.rehearsal else today, zone)
    for action in map(actions.__getitem__, late.overdue):
        yield _item(pb.AGENDA_SOURCE_OVERDUE, f"Lewat {action.due_date}: {_named(action)}", action.id)
    for action in (actions[one] for one in late.stalled if one not in set(late.overdue)):
        yield _item(pb.AGENDA_SOURCE_STALLED, f"Tidak ada kabar: {_named(action)}", action.id)
    for comment in comments:
        yield _item(pb.AGENDA_SOURCE_COMMENT, comment.text, comment.action_id)
    for step in (step for one in earlier for step in one.next_steps if not step.done_by):
        yield _item(pb.AGENDA_SOURCE_NEXT_STEP, f"Disepakati, belum selesai: {step.text}", step.action_id)
    named = {*late.overdue, *late.stalled}
    waiting = [one for one in actions.values() if not proof.is_reported(one) and one.id not in named]
    for action in sorted(waiting, key=lambda one: one.due_date or "9999")[:_NEXT]:
        yield _item(pb.AGENDA_SOURCE_NEXT_ACTION, f"Berikutnya: {_named(action)}", action.id)


def set_agenda(
    known: pb.Minutes, session: coaching_pb2.Session, request: rpc.SetAgendaRequest, asked: Sequence[pb.AgendaItem]
) -> events.AgendaSet:
    """`asked` comes before what people say."""
    sessions.require_on(session)
    require_current(known, request.etag, "minutes")
    own = [pb.AgendaItem(title=i.title, action_id=i.action_id, source=pb.AGENDA_SOURCE_PEOPLE) for i in request.items]
    del known.agenda[:]
    known.agenda.extend([*asked, *own][:_MOST])
    advance(known)
    return events.AgendaSet(**_about(known), items=len(known.agenda))


def write(
    known: pb.Minutes, session: coaching_pb2.Session, request: rpc.WriteMinutesRequest, who: str, now: datetime
) -> events.MinutesWritten:
    """Notes, and steps in the place of those that are not done. INVALID_ARGUMENT for a step due before the session."""
    _require_held(session, now)
    require_current(known, request.etag, "minutes")
    first = _day(session)
    faults = [
        Violation(f"next_steps[{n}].due_date", f"{one.due_date} is before the session on {first}")
        for n, one in enumerate(request.next_steps)
        if one.due_date and not session.rehearsal and one.due_date < first
    ]
    if faults:
        raise invalid(faults)
    known.notes, known.noted_by = request.notes, who
    known.note_time.FromDatetime(now)
    done = [step for step in known.next_steps if step.done_by]
    # What an earlier release wrote has no count.
    last = max(known.steps_given, *(int(step.id) for step in known.next_steps), 0)
    fresh = [
        pb.NextStep(id=str(last + n), text=s.text, action_id=s.action_id, owner=s.owner, due_date=s.due_date)
        for n, s in enumerate(request.next_steps, 1)
    ]
    del known.next_steps[:]
    known.next_steps.extend([*done, *fresh])
    known.steps_given = last + len(fresh)
    advance(known)
    return events.MinutesWritten(**_about(known), next_steps=len(known.next_steps))


def complete(
    known: pb.Minutes, request: rpc.CompleteNextStepRequest, who: str, now: datetime
) -> events.NextStepDone | None:
    """One step is done; no fact where the same was said before."""
    step = next((one for one in known.next_steps if one.id == request.step_id), None)
    if step is None:
        raise not_found("next step", f"{request.step_id} of session {known.session_id}")
    if step.done_by:
        if step.outcome != request.outcome:
            raise precondition("STEP_DONE", f"step {step.id} is done, as {step.done_by} said: {step.outcome[:200]}")
        return None
    step.outcome, step.done_by = request.outcome, who
    step.done_time.FromDatetime(now)
    advance(known)
    done = sum(bool(one.done_by) for one in known.next_steps)
    return events.NextStepDone(**_about(known), step_id=step.id, done=done, agreed=len(known.next_steps))


def feedback(
    known: pb.Minutes,
    session: coaching_pb2.Session,
    request: rpc.GiveFeedbackRequest,
    side: pb.FeedbackSide.ValueType,
    who: str,
    now: datetime,
) -> events.SessionFeedbackGiven:
    """In the place of what the same person said before."""
    _require_held(session, now)
    kept = [one for one in known.feedback if one.given_by != who]
    said = pb.Feedback(side=side, rating=request.rating, text=request.text, given_by=who)
    said.give_time.FromDatetime(now)
    del known.feedback[:]
    known.feedback.extend([*kept, said])
    advance(known)
    return events.SessionFeedbackGiven(**_about(known), side=side, rating=request.rating)


def missed(
    known: pb.Minutes, session: coaching_pb2.Session, coach_id: str, now: datetime
) -> events.SessionMissed | None:
    """Nobody came; no fact where that was told."""
    if known.HasField("miss_time"):
        return None
    known.miss_time.FromDatetime(now)
    advance(known)
    return events.SessionMissed(
        **_about(known), phase=session.phase, title=session.title, coach_id=coach_id, day=_day(session)
    )


def made_up(
    known: pb.Minutes, session: coaching_pb2.Session, reason: str, who: str, *, came: bool, now: datetime
) -> events.NoShowFollowedUp:
    """Why nobody came, and how it is made up for."""
    sessions.require_on(session)
    over = session.rehearsal or session.end_time.ToDatetime(UTC) <= now
    if came or not over:
        why = "somebody of it came" if came else "it is not over"
        raise precondition("NOT_MISSED", f"{known.institution} did not miss session {session.id}: {why}")
    known.miss_reason, known.made_up_by = reason, who
    advance(known)
    return events.NoShowFollowedUp(**_about(known), reason=reason)


def _require_held(session: coaching_pb2.Session, now: datetime) -> None:
    sessions.require_on(session)
    sessions.require_begun(session, now)


def _item(source: pb.AgendaSource.ValueType, title: str, action_id: str = "") -> pb.AgendaItem:
    return pb.AgendaItem(source=source, title=title[:500], action_id=action_id)


def _named(action: coaching_pb2.Action) -> str:
    return f"{action.indicator} {action.description or action.indicator_name}"


def _day(session: coaching_pb2.Session) -> str:
    zone = ZoneInfo(session.time_zone or "UTC")
    return session.start_time.ToDatetime(UTC).astimezone(zone).date().isoformat()


def _about(known: pb.Minutes) -> dict[str, Any]:
    meta = Meta(
        aggregate_id=f"minutes:{known.id}",
        version=int(known.etag),
        cohort_id=known.cohort_id,
        rehearsal=known.rehearsal,
    )
    return {
        "meta": meta,
        "institution": known.institution,
        "session_id": known.session_id,
        "minutes_id": known.id,
    }
