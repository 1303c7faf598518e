"""The drafted plan is the one of least effort: held against every possible plan where there are few, never worse than
taking the best step each time where there are many."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import partial
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from livinglab.coaching.v1 import drafting_pb2, service_pb2
from livinglab.coaching.v1 import plan_service_pb2 as rpc

from chassis.errors import Refused
from instruments import instrument_files
from instruments.file import load
from instruments.tree import Instrument, Node, instrument_of
from services.coaching.model import drafting, terms
from services.coaching.model.drafting import Draft, Move, Needs, Prerequisite, Terms
from services.coaching.model.planning import Evaluation, draft

SPBE = instrument_of(load(instrument_files()["spbe-59-2020"].read_bytes()))


def small(weights: list[int], awaited: str = "") -> Instrument:
    nodes = tuple(Node(str(n), weight=weight, awaited=str(n) == awaited) for n, weight in enumerate(weights, 1))
    return Instrument(Decimal(1), Decimal(5), Node("", children=nodes), whole=True)


def every_plan(instrument: Instrument, values: dict[str, Decimal], terms: Terms) -> Iterator[tuple[Move, ...]]:
    """Every set of steps that keeps the terms but the target."""
    by_item: dict[str, list[Move]] = {}
    for move in drafting.moves(instrument.items(values), instrument, terms):
        by_item.setdefault(move.code, []).append(move)
    for heights in product(*(range(len(steps) + 1) for steps in by_item.values())):
        taken = [move for steps, height in zip(by_item.values(), heights, strict=True) for move in steps[:height]]
        reached = values | {move.code: move.to_value for move in taken}
        if sum(map(bool, heights)) > terms.most_actions:
            continue
        if terms.capacity is not None and sum(move.effort for move in taken) > terms.capacity:
            continue
        raised = {move.code for move in taken}
        if any(p.indicator in raised and reached[p.needs] < p.level for p in terms.prerequisites):
            continue
        yield tuple(taken)


@st.composite
def cases(draw: st.DrawFn, most: int = 5) -> tuple[Instrument, dict[str, Decimal], Terms]:
    count = draw(st.integers(1, most))
    weights = draw(st.lists(st.integers(1, 9), min_size=count, max_size=count))
    values = {str(n): Decimal(draw(st.integers(1, 5))) for n in range(1, count + 1)}
    needs = draw(st.lists(st.tuples(st.integers(1, count), st.integers(1, count), st.integers(2, 5)), max_size=2))
    terms = Terms(
        missing=Fraction(draw(st.integers(0, 250)), 100),
        capacity=draw(st.none() | st.integers(0, 200)),
        days=draw(st.none() | st.integers(0, 150)),
        most_actions=draw(st.integers(1, 5)),
        prerequisites=tuple(Prerequisite(str(a), str(b), Decimal(c)) for a, b, c in needs if a != b),
        effort=draw(st.sampled_from([drafting.EFFORT, {1: 1}, {2: 7, 3: 3, 4: 11}])),
    )
    return small(weights, draw(st.sampled_from(["", "1"]))), values, terms


@settings(deadline=None, max_examples=150)
@given(cases())
def test_no_plan_takes_less_effort_and_none_of_that_effort_gains_more(
    case: tuple[Instrument, dict[str, Decimal], Terms],
) -> None:
    instrument, values, terms = case
    found = drafting.draft(instrument.items(values), instrument, terms)
    plans = list(every_plan(instrument, values, terms))
    enough = [one for one in plans if sum((m.gain for m in one), Fraction(0)) >= terms.missing]
    if isinstance(found, Needs):
        assert not enough
        assert found.most_gain == max(sum((m.gain for m in one), Fraction(0)) for one in plans)
        return
    assert found.proven
    best = min((sum(m.effort for m in one), -sum((m.gain for m in one), Fraction(0))) for one in enough)
    assert (found.effort, -found.gain) == best
    assert found.moves in plans


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(1, 4), min_size=47, max_size=47), st.integers(10, 60))
def test_it_is_never_worse_than_the_best_step_each_time(levels: list[int], hundredths: int) -> None:
    values = {str(n): Decimal(level) for n, level in enumerate(levels, 1)}
    items, terms = SPBE.items(values), Terms(Fraction(hundredths, 100))
    found = drafting.draft(items, SPBE, terms)
    greedy = _greedy(drafting.moves(items, SPBE, terms), terms)
    if greedy is not None:
        assert isinstance(found, Draft)
        assert found.effort <= greedy
        assert found.gain >= terms.missing


def _greedy(allowed: list[Move], terms: Terms) -> int | None:
    """Days of work when the step with the most points a day is taken each time; None where that leads nowhere."""
    taken: list[Move] = []
    while sum((move.gain for move in taken), Fraction(0)) < terms.missing:
        heights = {move.code: move.to_value for move in taken}
        open_moves = [
            move
            for n, move in enumerate(allowed)
            if move not in taken
            and (move.from_value == heights.get(move.code) if move.code in heights else _is_first(allowed, n))
            and (move.code in heights or len(heights) < terms.most_actions)
        ]
        if not open_moves:
            return None
        taken.append(max(open_moves, key=lambda move: move.gain / move.effort))
    return sum(move.effort for move in taken)


def _is_first(allowed: list[Move], n: int) -> bool:
    return n == 0 or allowed[n - 1].code != allowed[n].code


def test_what_is_awaited_stays_out_and_a_prerequisite_comes_along() -> None:
    values = {str(n): Decimal(2) for n in range(1, 4)}
    instrument = small([9, 5, 1], awaited="1")
    terms = Terms(Fraction(1, 10), prerequisites=(Prerequisite("2", "3", Decimal(3)),))
    found = drafting.draft(instrument.items(values), instrument, terms)
    assert isinstance(found, Draft)
    assert found.codes == ("2", "3")


def test_runners_up_are_other_plans_in_the_order_of_their_effort_and_each_item_has_its_reason() -> None:
    values = {str(n): Decimal(2) for n in range(1, 6)}
    instrument, terms = small([5, 4, 3, 2, 1]), Terms(Fraction(1, 3))
    items = instrument.items(values)
    best = drafting.draft(items, instrument, terms)
    assert isinstance(best, Draft)
    assert (best.codes, best.effort, best.proven) == (("1",), 20, True)
    others = drafting.runners_up(items, instrument, terms, best, 3)
    assert [one.effort for one in others] == sorted(one.effort for one in others)
    assert len({one.moves for one in others} | {best.moves}) == 4
    assert all(one.gain >= terms.missing and not set(best.moves) <= set(one.moves) for one in others)
    assert drafting.without(items, instrument, terms, "1") == 40
    alone = small([1])
    assert drafting.without(alone.items({"1": Decimal(2)}), alone, terms, "1") is None


def test_a_target_out_of_reach_says_what_it_would_need() -> None:
    values = {str(n): Decimal(2) for n in range(1, 4)}
    instrument = small([1, 1, 1])
    items = instrument.items(values)
    found = drafting.draft(items, instrument, Terms(Fraction(1), capacity=50))
    assert found == Needs(Fraction(2, 3), 60, None)
    # Two steps of an item last thirty days and sixty.
    found = drafting.draft(items, instrument, Terms(Fraction(2), days=30))
    assert found == Needs(Fraction(1), None, 90)
    assert drafting.draft(items, instrument, Terms(Fraction(3))) == Needs(Fraction(2), None, None)


TODAY = date(2022, 11, 21)
LEVELS = Evaluation("e", "spbe-59-2020", 1, "", "2.00", {str(n): Decimal(2) for n in range(1, 48)})


def test_people_read_the_best_draft_its_runners_up_and_why_each_item_is_in() -> None:
    request = rpc.PreviewDraftsRequest(target="2.3", runners_up=2, due_date="2023-01-21")
    request.terms.day_rate = "1000000"
    found = terms.preview(request, LEVELS, SPBE, TODAY)
    best = found.drafts[0]
    assert (len(found.drafts), best.proven, found.from_index, found.target) == (3, True, "2.00", "2.30")
    assert Decimal(best.to_index) >= Decimal("2.3")
    assert best.effort_days == sum(item.effort_days for item in best.items)
    assert best.cost == f"{best.effort_days * 1000000}.00"
    assert all(item.effort_without >= best.effort_days for item in best.items)


def test_a_target_out_of_reach_is_told_by_what_it_would_need() -> None:
    request = rpc.PreviewDraftsRequest(target="2.3")
    request.terms.capacity_days = 20
    found = terms.preview(request, LEVELS, SPBE, TODAY)
    assert not found.drafts
    assert found.needs.effort_days > 20
    order = service_pb2.DraftPlanRequest(cohort_id="c", institution="32.11", target="2.3", terms=request.terms)
    with pytest.raises(Refused) as caught:
        draft(order, "coach-1", LEVELS, SPBE, partial(terms.least_effort, today=TODAY))
    assert caught.value.reason == "TARGET_OUT_OF_REACH"
    assert [v.field for v in caught.value.violations] == ["target", "terms.capacity_days"]


def test_a_plan_under_terms_says_what_comes_first_and_why() -> None:
    order = service_pb2.DraftPlanRequest(cohort_id="c", institution="32.11", target="2.2")
    order.terms.prerequisites.add(indicator="47", needs="1", level="3")
    order.terms.steps.add(level=2, effort_days=5, days=10)
    made = draft(order, "coach-1", LEVELS, SPBE, partial(terms.least_effort, today=TODAY))
    by_id = {action.id: action for action in made.actions}
    assert Decimal(made.to_index) >= Decimal("2.2")
    assert all(action.why.startswith(f"+{action.gain}") for action in made.actions)
    assert "47" not in by_id or list(by_id["47"].depends_on) == ["1"]


def test_terms_that_cannot_be_are_named_at_once() -> None:
    request = rpc.PreviewDraftsRequest(target="2.3", due_date="2022-11-01")
    request.terms.CopyFrom(drafting_pb2.PlanTerms(budget="-5"))
    request.terms.prerequisites.add(indicator="99", needs="99", level="3")
    request.terms.steps.add(level=3)
    request.terms.steps.add(level=3)
    with pytest.raises(Refused) as caught:
        terms.preview(request, LEVELS, SPBE, TODAY)
    assert [v.field for v in caught.value.violations] == [
        "due_date",
        "terms.budget",
        "terms.day_rate",
        "terms.steps",
        "terms.prerequisites[0].indicator",
        "terms.prerequisites[0].needs",
        "terms.prerequisites[0].needs",
    ]
