"""Reported against proven: what verified evaluations show of a plan, and how far its work is. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

from livinglab.coaching.v1 import coaching_pb2 as pb
from livinglab.coaching.v1 import plan_events_pb2
from livinglab.coaching.v1 import plan_service_pb2 as rpc

from instruments import periods
from instruments.rounding import written
from services.coaching.model.plan import advance, live, meta
from services.coaching.model.planning import Evaluation

# Without news for so long, work stands still.
STALLED_DAYS = 21
# When people look whether something visible was done.
CHECKPOINT_DAYS = 61


def later(begun: Evaluation, evaluation_id: str, instrument: str, period: str) -> bool:
    """Whether an evaluation can prove a plan that was drafted from `begun`: another one by the same instrument, of no
    earlier period. Levels of two instruments are never held against each other."""
    same = begun.instrument == instrument and begun.id != evaluation_id
    return same and periods.sort_key(period) >= periods.sort_key(begun.period)


def prove(
    plan: pb.Plan, values: Mapping[str, Decimal], evaluation_id: str, now: datetime
) -> plan_events_pb2.ActionsProven | None:
    """What a verified evaluation shows: an action is proven where its indicator stands higher than when the plan was
    drafted. One that this evaluation had proven and, corrected, does not any more is taken back. None where nothing
    is other than it was."""
    proven, withdrawn, other = [], [], False
    for action in live(plan):
        value = values.get(action.indicator)
        if value is None:
            continue
        if value > Decimal(action.from_value):
            if not action.proven_value:
                proven.append(action.id)
                action.proven_time.FromDatetime(now)
            other = other or action.proven_value != f"{value:f}"
            action.proven_value, action.proven_evaluation_id = f"{value:f}", evaluation_id
        elif action.proven_evaluation_id == evaluation_id:
            withdrawn.append(action.id)
            action.proven_value = action.proven_evaluation_id = ""
            action.ClearField("proven_time")
    if not (proven or withdrawn or other):
        return None
    advance(plan, plan.state)
    counted = live(plan)
    return plan_events_pb2.ActionsProven(
        meta=meta(plan),
        institution=plan.institution,
        plan_id=plan.id,
        proven_ids=proven,
        withdrawn_ids=withdrawn,
        evaluation_id=evaluation_id,
        reported=sum(map(is_reported, counted)),
        proven=sum(map(is_proven, counted)),
        total=len(counted),
    )


def is_reported(action: pb.Action) -> bool:
    """Its owner said, with evidence, that it is done."""
    return action.state == pb.ACTION_STATE_DONE


def is_proven(action: pb.Action) -> bool:
    """A verified level of its indicator has moved."""
    return bool(action.proven_value)


def measure(plan: pb.Plan, today: date | None, zone: str) -> rpc.PlanProgress:
    """How far a plan is at the end of a day of its institution's calendar, where one is given."""
    actions = live(plan)
    reported, proven = [a for a in actions if is_reported(a)], [a for a in actions if is_proven(a)]
    found = rpc.PlanProgress(
        plan_id=plan.id,
        institution=plan.institution,
        state=plan.state,
        actions=len(actions),
        reported=len(reported),
        proven=len(proven),
        from_index=plan.from_index,
        to_index=plan.to_index,
        reported_index=_index(plan, reported),
        proven_index=_index(plan, proven),
        burn_up=_burn_up(plan, actions, zone),
        cost=_total(actions),
        reported_cost=_total(reported),
    )
    if today is not None:
        found.as_of = today.isoformat()
        found.overdue.extend(a.id for a in actions if is_overdue(a, today))
        found.stalled.extend(a.id for a in actions if _is_stalled(plan, a, today, zone))
        found.forecast_date = _forecast(plan, actions, reported, today, zone)
        _look(plan, actions, found, today, zone)
    found.on_track = not found.overdue and not found.stalled
    return found


def is_overdue(action: pb.Action, today: date) -> bool:
    """Its last day is over: it ended at midnight there."""
    return bool(action.due_date) and not is_reported(action) and today.isoformat() > action.due_date


def _is_stalled(plan: pb.Plan, action: pb.Action, today: date, zone: str) -> bool:
    """It should be under way, and nothing was heard of it for three weeks."""
    if is_reported(action):
        return False
    begun = action.state == pb.ACTION_STATE_IN_PROGRESS
    if not begun and (not action.start_date or action.start_date > today.isoformat()):
        return False
    heard = _day(action.progress_time, zone) if begun else date.fromisoformat(action.start_date)
    return today - heard > timedelta(days=STALLED_DAYS)


def _forecast(
    plan: pb.Plan, actions: Sequence[pb.Action], reported: Sequence[pb.Action], today: date, zone: str
) -> str:
    """The day when all is reported: the pace is index points a day since the approval."""
    if not reported or not plan.HasField("approve_time"):
        return ""
    last = max(_day(action.report_time, zone) for action in reported)
    if len(reported) == len(actions):
        return last.isoformat()
    gained, wanted = _gain(reported), _gain(actions)
    if not gained:
        return ""
    passed = max(1, (today - _day(plan.approve_time, zone)).days)
    days = -(-(wanted - gained) * passed // gained)
    # Beyond that nobody plans, and no calendar goes.
    return (today + timedelta(days=min(int(days), 36_500))).isoformat()


def _look(plan: pb.Plan, actions: Sequence[pb.Action], found: rpc.PlanProgress, today: date, zone: str) -> None:
    """The checkpoint, two months after the approval."""
    if not plan.HasField("approve_time"):
        return
    day = _day(plan.approve_time, zone) + timedelta(days=CHECKPOINT_DAYS)
    due = [action for action in actions if action.due_date and action.due_date <= day.isoformat()]
    done = [action for action in due if is_reported(action) and _day(action.report_time, zone) <= day]
    found.checkpoint.CopyFrom(rpc.Checkpoint(date=day.isoformat(), passed=today > day, due=len(due), done=len(done)))


def _burn_up(plan: pb.Plan, actions: Sequence[pb.Action], zone: str) -> list[rpc.BurnUpPoint]:
    """A point for the day of the approval, and one for each day on which something was reported or proven."""
    days = {_day(a.report_time, zone) for a in actions if is_reported(a)}
    days |= {_day(a.proven_time, zone) for a in actions if is_proven(a)}
    if plan.HasField("approve_time"):
        days.add(_day(plan.approve_time, zone))
    return [
        rpc.BurnUpPoint(
            date=day.isoformat(),
            reported_index=_index(plan, [a for a in actions if is_reported(a) and _day(a.report_time, zone) <= day]),
            proven_index=_index(plan, [a for a in actions if is_proven(a) and _day(a.proven_time, zone) <= day]),
        )
        for day in sorted(days)
    ]


def _index(plan: pb.Plan, actions: Sequence[pb.Action]) -> str:
    """The index with the gains of these: of all of them it is the plan's own, which was not rounded part by part."""
    if len(actions) == len(live(plan)):
        return plan.to_index
    return written(min(Fraction(plan.to_index), Fraction(plan.from_index) + _gain(actions)))


def _gain(actions: Iterable[pb.Action]) -> Fraction:
    return sum((Fraction(action.gain or "0") for action in actions), Fraction(0))


def _total(actions: Iterable[pb.Action]) -> str:
    told = [Decimal(action.cost) for action in actions if action.cost]
    return f"{sum(told, Decimal(0)):f}" if told else ""


def _day(stamp: object, zone: str) -> date:
    moment: datetime = stamp.ToDatetime(tzinfo=UTC)  # type: ignore[attr-defined]
    return moment.astimezone(ZoneInfo(zone)).date()


def together(
    plans: Sequence[pb.Plan], measured: Sequence[rpc.PlanProgress], followed_up: Sequence[bool]
) -> rpc.GetCohortProgressResponse:
    """A cohort's: `measured` are its approved plans, `followed_up` its visits."""
    ids = {one.plan_id for one in measured}
    actions = [action for plan in plans if plan.id in ids for action in live(plan)]
    reported, proven = [a for a in actions if is_reported(a)], [a for a in actions if is_proven(a)]
    costed = [a for a in reported if a.cost]
    worth = _gain(costed)
    return rpc.GetCohortProgressResponse(
        plans=len(plans),
        agreed=len(measured),
        on_track=sum(one.on_track for one in measured),
        actions=len(actions),
        reported=len(reported),
        proven=len(proven),
        gain_per_reported=written(_gain(reported) / len(reported)) if reported else "",
        gain_per_proven=written(_gain(proven) / len(proven)) if proven else "",
        cost_per_point=written(Fraction(_total(costed)) / worth) if worth else "",
        visits=len(followed_up),
        visits_followed_up=sum(followed_up),
        progress=measured,
    )


def follows_up(indicators: Iterable[str], plan: pb.Plan | None) -> bool:
    """Whether the visitor reported an action on what it saw; on anything where nobody said what that was."""
    if plan is None:
        return False
    seen = set(indicators)
    return any(is_reported(action) and (not seen or action.indicator in seen) for action in live(plan))
