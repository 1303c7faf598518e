"""What people ask a draft for, as the solver takes it; and its drafts as people read them."""

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction

from livinglab.coaching.v1 import coaching_pb2 as pb
from livinglab.coaching.v1 import drafting_pb2
from livinglab.coaching.v1 import plan_service_pb2 as plan_rpc

from chassis.errors import Violation, invalid, precondition
from instruments.rounding import written
from instruments.tree import Instrument, Item
from services.coaching.model import drafting
from services.coaching.model.drafting import DAYS, EFFORT, Draft, Needs, Prerequisite, Terms
from services.coaching.model.planning import MOST_ACTIONS, MOST_LEVELS, Evaluation, index_of, target


def terms(asked: drafting_pb2.PlanTerms, missing: Fraction, due_date: str, today: date, items: Sequence[Item]) -> Terms:
    """INVALID_ARGUMENT names what cannot be."""
    begins = asked.start_date or today.isoformat()
    if faults := list(_faults(asked, begins, due_date, {item.code for item in items})):
        raise invalid(faults)
    capacity = asked.capacity_days or None
    if asked.budget:
        paid = int(Fraction(asked.budget) // Fraction(asked.day_rate))
        capacity = paid if capacity is None else min(capacity, paid)
    levels = {step.level: step for step in asked.steps}
    return Terms(
        missing=missing,
        capacity=capacity,
        days=(date.fromisoformat(due_date) - date.fromisoformat(begins)).days if due_date else None,
        most_levels=asked.most_levels or MOST_LEVELS,
        most_actions=asked.most_actions or MOST_ACTIONS,
        prerequisites=tuple(Prerequisite(p.indicator, p.needs, Decimal(p.level)) for p in asked.prerequisites),
        effort={level: step.effort_days for level, step in levels.items()} or EFFORT,
        duration={level: step.days for level, step in levels.items()} or DAYS,
    )


def _faults(asked: drafting_pb2.PlanTerms, begins: str, due_date: str, known: set[str]) -> Iterator[Violation]:
    if due_date and due_date < begins:
        yield Violation("due_date", f"{due_date} is before work begins on {begins}")
    for name in ("budget", "day_rate"):
        if getattr(asked, name).startswith("-"):
            yield Violation(f"terms.{name}", "must not be negative")
    if asked.budget and not (asked.day_rate and Decimal(asked.day_rate)):
        yield Violation("terms.day_rate", "is required with a budget: what a day of work costs")
    if len({step.level for step in asked.steps}) < len(asked.steps):
        yield Violation("terms.steps", "names a level twice")
    for n, one in enumerate(asked.prerequisites):
        for name in ("indicator", "needs"):
            if getattr(one, name) not in known:
                yield Violation(f"terms.prerequisites[{n}].{name}", f"{getattr(one, name)} is no indicator of it")
        if one.indicator == one.needs:
            yield Violation(f"terms.prerequisites[{n}].needs", "is the indicator itself")


def preview(
    request: plan_rpc.PreviewDraftsRequest, evaluation: Evaluation, instrument: Instrument, today: date
) -> plan_rpc.PreviewDraftsResponse:
    """The best draft, its runners-up, or what the target would need."""
    items = instrument.items(evaluation.values)
    index = index_of(items)
    wanted = target(request.target, index, instrument.maximum)
    asked = terms(request.terms, wanted - index, request.due_date, today, items)
    answer = plan_rpc.PreviewDraftsResponse(
        evaluation_id=evaluation.id, from_index=evaluation.index, target=written(wanted)
    )
    best = drafting.draft(items, instrument, asked)
    if isinstance(best, Needs):
        answer.needs.CopyFrom(needs(best, index))
        return answer
    others = drafting.runners_up(items, instrument, asked, best, request.runners_up)
    names = {item.code: item.indicator.name for item in items}
    for one in [best, *others]:
        answer.drafts.append(_told(one, names, index, asked, request.terms.day_rate))
    alike = {item.code: _alike(item, asked) for item in items}
    known: dict[object, int] = {}
    for told in answer.drafts[0].items:
        # Items that weigh and stand alike are missed alike: one answer does for all of them.
        key = alike[told.indicator], told.to_value
        if key not in known:
            known[key] = drafting.without(items, instrument, asked, told.indicator) or 0
        told.effort_without = known[key]
    return answer


def _alike(item: Item, asked: Terms) -> object:
    """What tells an item from others; one that others need, or that needs another, is like none."""
    tied = any(item.code in (p.indicator, p.needs) for p in asked.prerequisites)
    return item.code if tied else (item.share, item.value)


def least_effort(
    asked: drafting_pb2.PlanTerms,
    wanted: Fraction,
    due_date: str,
    items: Sequence[Item],
    instrument: Instrument,
    *,
    today: date,
) -> list[pb.Action]:
    """The actions of the draft of least effort, what others need before them. FAILED_PRECONDITION with
    TARGET_OUT_OF_REACH says what it would need."""
    index = index_of(items)
    sought = terms(asked, wanted - index, due_date, today, items)
    best = drafting.draft(items, instrument, sought)
    if isinstance(best, Needs):
        told = needs(best, index)
        because = [Violation("target", f"the highest index under these terms is {told.most_index}")]
        if told.effort_days:
            because.append(Violation("terms.capacity_days", f"{told.effort_days} days of work would do"))
        if told.days:
            because.append(Violation("due_date", f"{told.days} days from the beginning would do"))
        raise precondition("TARGET_OUT_OF_REACH", f"index {written(wanted)} is out of reach", because)
    names = {item.code: item.indicator.name for item in items}
    found = _told(best, names, index, sought, asked.day_rate)
    raised = {item.indicator for item in found.items}
    before = {(p.indicator, p.needs): None for p in sought.prerequisites if {p.indicator, p.needs} <= raised}
    return [
        pb.Action(
            id=item.indicator,
            indicator=item.indicator,
            indicator_name=item.indicator_name,
            from_value=item.from_value,
            to_value=item.to_value,
            gain=item.gain,
            start_date=asked.start_date,
            due_date=due_date,
            state=pb.ACTION_STATE_PLANNED,
            etag="1",
            depends_on=[first for later, first in before if later == item.indicator],
            why=f"+{item.gain} untuk {item.effort_days} hari kerja"
            + (f"; diperlukan oleh {', '.join(item.needed_by)}" if item.needed_by else ""),
        )
        for item in found.items
    ]


def needs(found: Needs, index: Fraction) -> drafting_pb2.TargetNeeds:
    """As people read it."""
    return drafting_pb2.TargetNeeds(
        most_index=written(index + found.most_gain), effort_days=found.effort or 0, days=found.days or 0
    )


def _told(found: Draft, names: dict[str, str], index: Fraction, asked: Terms, day_rate: str) -> drafting_pb2.PlanDraft:
    answer = drafting_pb2.PlanDraft(to_index=written(index + found.gain), effort_days=found.effort, proven=found.proven)
    if day_rate:
        answer.cost = written(Fraction(day_rate) * found.effort)
    taken = set(found.codes)
    for code in found.codes:
        steps = [move for move in found.moves if move.code == code]
        answer.items.add(
            indicator=code,
            indicator_name=names[code],
            from_value=f"{steps[0].from_value:f}",
            to_value=f"{steps[-1].to_value:f}",
            gain=written(sum((step.gain for step in steps), Fraction(0))),
            effort_days=sum(step.effort for step in steps),
            days=sum(step.days for step in steps),
            needed_by=[p.indicator for p in asked.prerequisites if p.needs == code and p.indicator in taken],
        )
    return answer
