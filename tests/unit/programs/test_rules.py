"""Ledgers and counts of a cohort."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livinglab.common.v1 import options_pb2

from programs import names
from services.program.model import states as model
from services.program.model.ledger import Ledger, duties_met
from tests.harness.cohorts.cohort import living_lab

HEAD, OPERATOR, REGENT = options_pb2.ROLE_HEAD, options_pb2.ROLE_OPERATOR, options_pb2.ROLE_REGENT
SECRETARY = options_pb2.ROLE_SECRETARY


def test_attending_needs_each_role_and_only_that_phase() -> None:
    definition = living_lab()
    half = Ledger().attend("workshop", HEAD).attend("governance", OPERATOR)
    assert duties_met(definition, half) == []
    assert duties_met(definition, half.attend("workshop", OPERATOR)) == ["workshop-attended"]


def test_an_evaluation_counts_for_its_own_period_only() -> None:
    definition = living_lab()
    assert duties_met(definition, Ledger().submit("spbe-59-2020", "2022")) == ["self-assessed"]
    assert duties_met(definition, Ledger().submit("spbe-59-2020", "2023")) == ["reassessed"]
    assert duties_met(definition, Ledger().submit("pemdi-8-2026", "2022")) == []


def test_signing_counts_for_the_phase_in_which_it_was_signed() -> None:
    assert duties_met(living_lab(), Ledger().sign("summit")) == ["commitment-signed"]
    assert duties_met(living_lab(), Ledger().sign("workshop")) == []


@pytest.mark.parametrize(("done", "total", "met"), [(0, 0, False), (2, 5, False), (3, 5, True), (1, 2, True)])
def test_follow_up_is_met_by_its_share(done: int, total: int, met: bool) -> None:
    ledger = Ledger().approve_plan().complete_actions(done, total)
    assert ("followed-up" in duties_met(living_lab(), ledger)) == met


def test_an_older_count_of_actions_that_arrives_late_changes_nothing() -> None:
    assert Ledger().complete_actions(3, 5).complete_actions(2, 5) == Ledger().complete_actions(3, 5)


facts = st.lists(
    st.sampled_from(
        [
            lambda ledger: ledger.attend("governance", SECRETARY),
            lambda ledger: ledger.attend("governance", HEAD),
            lambda ledger: ledger.submit("spbe-59-2020", "2022"),
            lambda ledger: ledger.approve_plan(),
            lambda ledger: ledger.complete_actions(1, 3),
            lambda ledger: ledger.complete_actions(2, 3),
            lambda ledger: ledger.attend("summit", REGENT),
        ]
    )
)


@given(facts=facts, order=st.randoms(use_true_random=False))
def test_facts_meet_the_same_duties_in_any_order_and_told_twice(facts: list, order: object) -> None:  # type: ignore[type-arg]
    once = Ledger()
    for fact in facts:
        once = fact(once)
    shuffled = facts * 2
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    again = Ledger()
    for fact in shuffled:
        again = fact(again)
    assert again == once


@given(states=st.lists(st.sampled_from([model.ACTIVE, model.GRADUATED, model.WITHDRAWN, model.FAILED])))
def test_each_participant_is_counted_once(states: list[int]) -> None:
    counts = model.counts(states)
    assert counts.participants == len(states)
    assert counts.active == states.count(model.ACTIVE)


def test_workflow_ids() -> None:
    assert names.workflow_id("living-lab-2022") == "program/living-lab-2022"
    assert names.workflow_id("living-lab-2022", "32.11") == "program/living-lab-2022/32.11"
