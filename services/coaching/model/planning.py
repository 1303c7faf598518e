"""Drafts a plan: the largest gains within reach, step by step, until the target is met. The aim is a leap."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TypeAlias

from livinglab.coaching.v1 import coaching_pb2 as pb
from livinglab.coaching.v1 import drafting_pb2
from livinglab.coaching.v1 import service_pb2 as rpc

from chassis.errors import invalid_field, precondition
from instruments.rounding import written
from instruments.tree import Instrument, Item
from services.coaching.model.plan import plan_id

# What the follow-up of a cohort can carry: level n needs every criterion of level n-1, so nobody climbs further.
MOST_LEVELS = 2
MOST_ACTIONS = 12
# Each region is to be above 3.0 in 2023.
TARGET = Fraction(3)
# Where the target is behind, the next half point is ahead.
HALF_POINT = Fraction(1, 2)


# Terms, the index that is wanted, the last day, the items and their instrument: the actions to take.
Solver: TypeAlias = Callable[[drafting_pb2.PlanTerms, Fraction, str, Sequence[Item], Instrument], list[pb.Action]]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was submitted: the two-digit index as published, and the values that it rests on."""

    id: str
    instrument: str
    instrument_version: int
    rehearsal: str
    index: str
    values: Mapping[str, Decimal]
    period: str = ""
    # Indicators that do not apply to the institution.
    absent: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Step:
    """One level more (or what is left to the top) of an item, and what it adds to the index."""

    item: Item
    to_value: Decimal
    gain: Fraction


def draft(
    request: rpc.DraftPlanRequest,
    coach_id: str,
    evaluation: Evaluation,
    instrument: Instrument,
    least_effort: Solver | None = None,
) -> pb.Plan:
    """A new plan: of the largest gains, or what `least_effort` makes of the request's terms. FAILED_PRECONDITION when
    everything within the institution's own reach is at the top."""
    items = instrument.items(evaluation.values)
    index = index_of(items)
    wanted = target(request.target, index, instrument.maximum)
    if least_effort is not None:
        actions = least_effort(request.terms, wanted, request.due_date, items, instrument)
    else:
        actions = _actions(steps(items, instrument, wanted - index), request.due_date)
    if not actions:
        raise precondition("NOTHING_TO_RAISE", f"evaluation {evaluation.id} has nothing left to raise")
    return pb.Plan(
        id=plan_id(request.cohort_id, request.institution),
        cohort_id=request.cohort_id,
        institution=request.institution,
        coach_id=coach_id,
        state=pb.PLAN_STATE_DRAFT,
        actions=actions,
        from_index=evaluation.index,
        to_index=written(index_of(instrument.items(values_of(evaluation.values, actions)))),
        evaluation_id=evaluation.id,
        rehearsal=request.rehearsal,
        etag="1",
        order_etag="1",
    )


def values_of(values: Mapping[str, Decimal], actions: Iterable[pb.Action]) -> dict[str, Decimal]:
    """The values once all of these are done."""
    return dict(values) | {action.indicator: Decimal(action.to_value) for action in actions}


def index_of(items: Sequence[Item]) -> Fraction:
    """The exact index."""
    return sum((item.share * Fraction(item.value) for item in items), Fraction(0))


def target(asked: str, index: Fraction, maximum: Decimal) -> Fraction:
    """What is asked for, 3.0 where nothing is; where it is reached, the next half point, the scale's top at most."""
    wanted = Fraction(asked) if asked else TARGET
    if asked and wanted > maximum:
        raise invalid_field("target", f"is above the top of the scale, {maximum}")
    if wanted <= index:
        wanted = (index // HALF_POINT + 1) * HALF_POINT
    return min(wanted, Fraction(maximum))


def steps(
    items: Sequence[Item], instrument: Instrument, missing: Fraction, most_actions: int = MOST_ACTIONS
) -> list[Step]:
    """The step with the largest gain, again and again, until `missing` points are gained or nothing is in reach; among
    equals the lowest value first, where most is left to climb, then the instrument's order. Gains never increase.

    Where that spends its actions on items that are near the top and falls short, it climbs the items on which most is
    to be gained instead: the target is reached wherever so many actions reach it, and else nothing gains more."""
    open_items = [item for item in items if not item.indicator.awaited]
    taken = _climbed(open_items, instrument, missing, most_actions)
    if _gained(taken) >= missing:
        return taken
    within = {item.code: _gained(_climbed([item], instrument, missing, 1)) for item in open_items}
    best = sorted(open_items, key=lambda item: (-within[item.code], item.value))[:most_actions]
    widest = [item for item in open_items if item in best]
    wider = _climbed(widest, instrument, missing, most_actions)
    return wider if _gained(wider) > _gained(taken) else taken


def _climbed(items: Sequence[Item], instrument: Instrument, missing: Fraction, most_actions: int) -> list[Step]:
    taken: list[Step] = []
    values = {item.code: item.value for item in items}
    levels: dict[str, int] = {}
    while missing > 0:
        reachable = [
            _step(item, values[item.code], instrument)
            for item in items
            if values[item.code] < instrument.maximum and levels.get(item.code, 0) < MOST_LEVELS
            if item.code in levels or len(levels) < most_actions
        ]
        if not reachable:
            break
        best = max(reachable, key=lambda step: (step.gain, -values[step.item.code]))
        taken.append(best)
        values[best.item.code] = best.to_value
        levels[best.item.code] = levels.get(best.item.code, 0) + 1
        missing -= best.gain
    return taken


def _gained(taken: Iterable[Step]) -> Fraction:
    return sum((step.gain for step in taken), Fraction(0))


def _step(item: Item, value: Decimal, instrument: Instrument) -> Step:
    reached = instrument.next_value(value)
    return Step(item, reached, item.share * Fraction(reached - value))


def _actions(chosen: Sequence[Step], due_date: str) -> list[pb.Action]:
    """One action an item, in the order in which their first steps were chosen."""
    by_item: dict[str, list[Step]] = {}
    for step in chosen:
        by_item.setdefault(step.item.code, []).append(step)
    return [
        pb.Action(
            id=code,
            indicator=code,
            indicator_name=of_item[0].item.indicator.name,
            from_value=f"{of_item[0].item.value:f}",
            to_value=f"{of_item[-1].to_value:f}",
            gain=written(sum((step.gain for step in of_item), Fraction(0))),
            due_date=due_date,
            state=pb.ACTION_STATE_PLANNED,
            etag="1",
        )
        for code, of_item in by_item.items()
    ]
