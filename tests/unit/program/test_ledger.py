"""What a participant did, in whichever order it is heard of, and whom a phase is for."""

import itertools
from functools import reduce

import pytest
from livinglab.assessment.v1 import evaluation_pb2
from livinglab.program.v1 import definition_pb2

from services.program.model import conditions, self_assessment
from services.program.model.ledger import Ledger, Result, duties_met
from services.program.store.ledgers import ledger, ledger_row

SPBE = "spbe-59-2020"
HEAD, OPERATOR = 3, 2
FULL = (
    Ledger()
    .attend("workshop", HEAD, delegate=True)
    .submit(SPBE, "2022", Result("2.31", "Cukup", 4))
    .support(SPBE, "2022", 7, 12)
    .sign("summit")
    .approve_plan()
    .complete_actions(2, 5)
    .visit("v1", "32.11")
    .receive("v2", "32.04")
)


def definition(**duty: object) -> definition_pb2.Definition:
    made = definition_pb2.Duty(id="d", **duty)  # type: ignore[arg-type]
    return definition_pb2.Definition(phases=[definition_pb2.Phase(id="p", duties=[made])])


def test_a_ledger_is_read_as_it_was_stored() -> None:
    assert ledger(ledger_row(FULL)) == FULL
    assert ledger({}) == Ledger()
    # As the release before this one kept it.
    assert ledger({"submitted": [[SPBE, "2022"]]}).results == {}


@pytest.mark.parametrize("order", list(itertools.permutations([True, True, False])))
def test_who_came_once_in_person_was_there_in_person(order: tuple[bool, ...]) -> None:
    kept = reduce(lambda ledger, delegate: ledger.attend("p", HEAD, delegate=delegate), order, Ledger())
    assert kept.attended == {("p", HEAD)}
    assert not kept.delegated


def test_who_only_sent_delegates_is_told_so() -> None:
    kept = Ledger().attend("p", HEAD, delegate=True).attend("p", HEAD, delegate=True)
    assert kept.attended == kept.delegated == {("p", HEAD)}


@pytest.mark.parametrize("order", list(itertools.permutations([1, 2, 3])))
def test_the_latest_result_stands_in_whichever_order_it_is_heard_of(order: tuple[int, ...]) -> None:
    kept = Ledger()
    for version in order:
        kept = kept.submit(SPBE, "2022", Result(f"2.{version}0", "Cukup", version)).support(
            SPBE, "2022", version, version * 10
        )
    assert kept.results[SPBE, "2022"].index == "2.30"
    assert kept.evidence[SPBE, "2022"] == (3, 30)


def test_actions_of_a_plan_count_from_its_approval_in_whichever_order_it_is_heard_of() -> None:
    assert Ledger().approve_plan(5).actions == 5
    early = Ledger().complete_actions(2, 6).approve_plan(5)
    assert early == Ledger().approve_plan(5).complete_actions(2, 6)


def test_a_self_assessment_without_a_result_does_not_hide_one() -> None:
    kept = Ledger().submit(SPBE, "2022", Result("2.10", "Cukup", 1)).submit(SPBE, "2022")
    assert kept.results[SPBE, "2022"].index == "2.10"


@pytest.mark.parametrize(
    ("count", "evidence", "met"), [(0, 1, True), (0, 0, False), (12, 11, False), (12, 12, True), (12, 13, True)]
)
def test_evidence_is_asked_for_so_many_indicators(count: int, evidence: int, met: bool) -> None:
    asked = definition(kind=definition_pb2.DUTY_KIND_SUBMIT_EVIDENCE, instrument=SPBE, period="2022", count=count)
    assert duties_met(asked, Ledger().support(SPBE, "2022", 1, evidence)) == (["d"] if met else [])


def test_visiting_means_other_institutions_and_hosting_means_visits() -> None:
    twice = Ledger().visit("v1", "32.11").visit("v2", "32.11").receive("v3", "32.04").receive("v4", "32.04")
    visit = definition(kind=definition_pb2.DUTY_KIND_VISIT, count=2)
    host = definition(kind=definition_pb2.DUTY_KIND_HOST_VISIT, count=2)
    assert duties_met(visit, twice) == []
    assert duties_met(visit, twice.visit("v5", "32.04")) == ["d"]
    assert duties_met(host, twice) == ["d"]
    # The same visit, told again.
    assert duties_met(host, Ledger().receive("v3", "32.04").receive("v3", "32.04")) == []


def condition(**fields: str) -> definition_pb2.Condition:
    return definition_pb2.Condition(**fields)


@pytest.mark.parametrize(
    ("asked", "holds"),
    [
        (condition(), True),
        (condition(done="a"), True),
        (condition(done="b"), False),
        (condition(missed="a"), False),
        (condition(missed="b"), True),
        (condition(done="a", missed="a"), False),
        (condition(index_below="2.31", instrument=SPBE, period="2022"), False),
        (condition(index_below="2.32", instrument=SPBE, period="2022"), True),
        (condition(index_from="2.31", instrument=SPBE, period="2022"), True),
        (condition(index_from="2.32", instrument=SPBE, period="2022"), False),
        (condition(index_below="3", index_from="2", instrument=SPBE, period="2022"), True),
        (condition(index_below="9", instrument=SPBE, period="2023"), False),
        (condition(index_from="0", instrument=SPBE, period="2023"), False),
        (condition(done="b", index_from="0", instrument=SPBE, period="2022"), False),
    ],
)
def test_a_condition_asks_for_everything_that_it_says(asked: definition_pb2.Condition, holds: bool) -> None:
    assert conditions.holds(asked, ["a"], FULL) is holds


def test_a_result_without_an_index_meets_no_condition_on_it() -> None:
    kept = Ledger().submit(SPBE, "2022", Result("", "", 1))
    assert not conditions.holds(condition(index_from="0", instrument=SPBE, period="2022"), [], kept)


def evaluation(*stages: int, state: int = 1) -> evaluation_pb2.Evaluation:
    made = evaluation_pb2.Evaluation(state=evaluation_pb2.EvaluationState.ValueType(state))
    for stage in stages:
        score = evaluation_pb2.Score(index=f"{stage}.00", predicate="Cukup")
        made.results.add(stage=evaluation_pb2.Stage.ValueType(stage), score=score)
    return made


def test_a_self_assessment_stands_whatever_stage_came_after_it() -> None:
    own, document = evaluation_pb2.STAGE_SELF_ASSESSMENT, evaluation_pb2.STAGE_DOCUMENT
    assert self_assessment.read(evaluation()) == (False, None)
    handed_in, result = self_assessment.read(evaluation(own, document))
    assert handed_in
    assert result == Result(f"{own}.00", "Cukup", 0)
    assert self_assessment.read(evaluation(state=evaluation_pb2.EVALUATION_STATE_PUBLISHED)) == (True, None)
