"""Plans are drafted from the largest gains within reach, and live from draft to done."""

from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from livinglab.coaching.v1 import coaching_pb2, events_pb2
from livinglab.coaching.v1 import service_pb2 as pb

from chassis.errors import Kind, Refused
from instruments import instrument_files
from instruments.file import load
from instruments.lint import leaves
from instruments.rounding import written
from instruments.scoring import Scorer
from instruments.tree import Instrument, Node, instrument_of
from services.coaching.model import drafting, plan
from services.coaching.model.pairing import coaches as model
from services.coaching.model.planning import (
    MOST_ACTIONS,
    MOST_LEVELS,
    Evaluation,
    draft,
    index_of,
    steps,
    target,
)

OFFICIAL = {name: load(path.read_bytes()) for name, path in instrument_files().items()}
SPBE = "spbe-59-2020"
NOW = datetime(2022, 12, 1, tzinfo=UTC)


def evaluation(values: dict[str, Decimal], name: str = SPBE) -> Evaluation:
    index = written(Scorer(OFFICIAL[name]).score(values).index)
    return Evaluation("e", name, 1, "", index, values)


def drafted(values: dict[str, Decimal], name: str = SPBE, **more: str) -> coaching_pb2.Plan:
    request = pb.DraftPlanRequest(
        cohort_id="c", institution="32.11", target=more.get("target", ""), due_date=more.get("due_date", "")
    )
    return draft(request, "coach-1", evaluation(values, name), instrument_of(OFFICIAL[name]))


def levels(level: int, **others: int) -> dict[str, Decimal]:
    return {str(n): Decimal(level) for n in range(1, 48)} | {
        code.removeprefix("i"): Decimal(value) for code, value in others.items()
    }


def small(*weights: int, awaited: str = "", binary: bool = False) -> Instrument:
    children = tuple(
        Node(str(n), name=f"Indikator {n}", weight=weight, awaited=str(n) == awaited)
        for n, weight in enumerate(weights, start=1)
    )
    return Instrument(Decimal(1), Decimal(5), Node("", children=children), binary)


def climbed(instrument: Instrument, missing: int, *values: str) -> list[tuple[str, str]]:
    items = instrument.items({str(n): Decimal(value) for n, value in enumerate(values, start=1)})
    return [(step.item.code, str(step.to_value)) for step in steps(items, instrument, Fraction(missing))]


@pytest.mark.parametrize("name", OFFICIAL)
@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_a_plan_stays_on_the_scale_and_says_the_index_that_it_leads_to(name: str, data: st.DataObject) -> None:
    published = OFFICIAL[name]
    scorer = Scorer(published)
    low, high = int(published.scale.min), int(published.scale.max)
    values = {code: Decimal(data.draw(st.integers(low, high - 1), code)) for code in scorer.missing(())}
    if name == "pemdi-8-2026":
        values = {
            code: value + data.draw(st.sampled_from([Decimal("0.25"), Decimal(0)])) for code, value in values.items()
        }
    made = drafted(values, name)
    assert 1 <= len(made.actions) <= MOST_ACTIONS
    after = dict(values)
    for action in made.actions:
        assert Decimal(action.from_value) == values[action.indicator]
        assert Decimal(action.from_value) < Decimal(action.to_value) <= high
        assert Decimal(action.to_value) - Decimal(action.from_value) <= MOST_LEVELS
        after[action.indicator] = Decimal(action.to_value)
        alone = scorer.score(values | {action.indicator: Decimal(action.to_value)}).index
        assert action.gain == written(alone - scorer.score(values).index)
    assert made.from_index == written(scorer.score(values).index)
    assert made.to_index == written(scorer.score(after).index)


@settings(deadline=None)
@given(
    st.lists(st.integers(1, 20), min_size=2, max_size=20),
    st.data(),
)
def test_no_step_is_worth_more_than_the_one_before_and_none_is_needless(
    weights: list[int], data: st.DataObject
) -> None:
    instrument = small(*weights)
    values = {str(n): Decimal(data.draw(st.integers(2, 10))) / 2 for n in range(1, len(weights) + 1)}
    items = instrument.items(values)
    missing = Fraction(data.draw(st.integers(1, 200)), 100)
    taken = steps(items, instrument, missing)
    gains = [step.gain for step in taken]
    assert gains == sorted(gains, reverse=True)
    assert sum(gains[:-1], Fraction(0)) < missing
    # No plan of as many steps gains more, were the number of actions not bound.
    if len({step.item.code for step in taken}) < MOST_ACTIONS:
        every = [
            item.share * Fraction(min(Decimal(1), instrument.maximum - item.value - level))
            for item in items
            for level in range(MOST_LEVELS)
            if item.value + level < instrument.maximum
        ]
        assert gains == sorted(every, reverse=True)[: len(gains)]


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_the_target_is_reached_wherever_the_solver_reaches_it_and_else_nothing_gains_more(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 8))
    weights = data.draw(st.lists(st.integers(1, 9), min_size=count, max_size=count))
    # Also between two levels, where the last step is a short one.
    values = {str(n): Decimal(data.draw(st.integers(4, 20))) / 4 for n in range(1, count + 1)}
    instrument, most = small(*weights, awaited=data.draw(st.sampled_from(["", "1"]))), data.draw(st.integers(1, 4))
    items = instrument.items(values)
    missing = Fraction(data.draw(st.integers(1, 150)), 100)
    gained = sum((step.gain for step in steps(items, instrument, missing, most)), Fraction(0))
    found = drafting.draft(items, instrument, drafting.Terms(missing=missing, most_actions=most))
    if isinstance(found, drafting.Needs):
        assert gained == found.most_gain
    else:
        assert gained >= missing


def test_actions_are_not_spent_on_what_is_near_the_top_where_that_misses_the_target() -> None:
    instrument = small(10, 6)
    items = instrument.items({"1": Decimal(4), "2": Decimal(1)})
    taken = steps(items, instrument, Fraction(3, 4), most_actions=1)
    assert [(step.item.code, str(step.to_value)) for step in taken] == [("2", "2"), ("2", "3")]
    near = steps(items, instrument, Fraction(1, 2), most_actions=1)
    assert [(step.item.code, str(step.to_value)) for step in near] == [("1", "5")]


def test_shares_agree_with_the_engine_that_scores() -> None:
    for published in OFFICIAL.values():
        values = {code: Decimal(2) for code in Scorer(published).missing(())} | {"1": Decimal(4)}
        items = instrument_of(published).items(values)
        assert index_of(items) == Scorer(published).score(values).index
        gains = Scorer(published).marginal(values)
        assert {item.code: item.share for item in items} == {code: gain.step for code, gain in gains.items()}


def test_the_largest_gain_comes_first_and_among_equals_the_lowest_value() -> None:
    assert climbed(small(1, 4, 1), 9, "1", "1", "1")[:2] == [("2", "2"), ("2", "3")]
    assert climbed(small(1, 1, 1), 9, "3", "2", "4")[:2] == [("2", "3"), ("1", "4")]


def test_nobody_climbs_more_than_two_levels_or_does_more_than_twelve_actions() -> None:
    taken = climbed(small(*[1] * 20), 5, *["1"] * 20)
    assert len(taken) == 24
    assert len({code for code, _ in taken}) == 12
    assert {value for _, value in taken} == {"2", "3"}


def test_a_value_of_another_institution_is_out_of_reach() -> None:
    assert climbed(small(9, 1, awaited="1"), 5, "1", "1") == [("2", "2"), ("2", "3")]


def test_a_decimal_scale_ends_at_its_top_and_a_binary_one_has_nothing_between() -> None:
    assert climbed(small(1), 5, "4.25") == [("1", "5")]
    assert climbed(small(1, binary=True), 5, "1") == [("1", "5")]


@pytest.mark.parametrize(
    ("asked", "index", "wanted"),
    [
        ("", "2.24", "3"),
        ("", "3", "3.5"),
        ("", "3.62", "4"),
        ("3.2", "3.1", "3.2"),
        ("3.0", "3.84", "4"),
        ("", "4.9", "5"),
        ("5", "2", "5"),
    ],
)
def test_a_target_that_is_reached_gives_way_to_the_next_half_point(asked: str, index: str, wanted: str) -> None:
    assert target(asked, Fraction(index), Decimal(5)) == Fraction(wanted)


def test_a_target_above_the_scale_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        drafted(levels(2), target="5.5")
    assert refused.value.violations[0].field == "target"


def test_a_plan_leaps_instead_of_doing_what_is_easy() -> None:
    made = drafted(levels(2), due_date="2023-01-21")
    weights = {node.number: Fraction(node.weight) / 100 for node in leaves(list(OFFICIAL[SPBE].nodes))}
    heaviest = sorted(weights.values(), reverse=True)[:MOST_ACTIONS]
    assert [weights[action.indicator] for action in made.actions] == heaviest
    assert made.to_index == written(2 + MOST_LEVELS * sum(heaviest, Fraction(0)))
    assert {(a.from_value, a.to_value, a.due_date) for a in made.actions} == {("2", "4", "2023-01-21")}
    assert made.actions[0].indicator_name


def test_there_is_nothing_to_plan_at_the_top() -> None:
    with pytest.raises(Refused) as refused:
        drafted(levels(5))
    assert (refused.value.kind, refused.value.reason) == (Kind.FAILED_PRECONDITION, "NOTHING_TO_RAISE")


def test_a_plan_goes_from_hand_to_hand() -> None:
    made = drafted(levels(2))
    assert plan.drafted(made).meta.version == 1
    assert plan.submit(made, "1").meta.version == 2
    returned = plan.review(made, pb.ReviewPlanRequest(reason="Sebutkan OPD"), "coach-1")
    assert isinstance(returned, events_pb2.PlanReturned)
    assert (made.state, made.reason) == (coaching_pb2.PLAN_STATE_RETURNED, "Sebutkan OPD")
    plan.submit(made, made.etag)
    assert made.reason == ""
    approved = plan.review(made, pb.ReviewPlanRequest(approved=True), "coach-1")
    assert isinstance(approved, events_pb2.PlanApproved)
    assert approved.meta.version == 5
    assert approved.actions == len(made.actions) > 0
    report = pb.CompleteActionRequest(action_id=made.actions[0].id)
    report.evidence.add(link="https://jdih.example/1")
    first = plan.complete(made, report, "operator", NOW, ())
    assert first is not None
    assert (first.done, first.total, first.meta.version) == (1, len(made.actions), 6)
    assert plan.complete(made, report, "operator", NOW, ()) is None


@pytest.mark.parametrize("state", [coaching_pb2.PLAN_STATE_SUBMITTED, coaching_pb2.PLAN_STATE_APPROVED])
def test_a_plan_in_other_hands_is_not_handed_in(state: coaching_pb2.PlanState.ValueType) -> None:
    with pytest.raises(Refused) as refused:
        plan.submit(coaching_pb2.Plan(state=state, etag="2"), "")
    assert refused.value.reason == "PLAN_STATE"


@pytest.mark.parametrize(
    ("loads", "coach"), [({}, "c"), ({"c": 2}, "a"), ({"c": 3, "a": 1}, "b"), ({"c": 5, "a": 3, "b": 2}, "b")]
)
def test_the_coach_with_the_most_places_is_chosen_and_among_equals_the_first(loads: dict[str, int], coach: str) -> None:
    coaches = [coaching_pb2.Coach(id=i, capacity=c) for i, c in (("c", 5), ("b", 3), ("a", 3))]
    request = pb.AssignCoachRequest(cohort_id="x", institution="32.11")
    chosen, assignment, fact = model.assigned(request, coaches, loads)
    assert (chosen.id, assignment.coach_id, fact.coach_id, fact.meta.version) == (coach, coach, coach, 1)


def test_nobody_is_assigned_beyond_capacity() -> None:
    coaches = [coaching_pb2.Coach(id="a", capacity=2), coaching_pb2.Coach(id="b", capacity=1)]
    with pytest.raises(Refused) as refused:
        model.assigned(pb.AssignCoachRequest(cohort_id="x"), coaches, {"a": 2, "b": 3})
    assert refused.value.reason == "NO_CAPACITY"
