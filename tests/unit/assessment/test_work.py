"""Working together: which indicators an agency has in its care, and what is to be done next."""

from datetime import UTC, datetime

import pytest
from livinglab.assessment.v1 import evaluation_pb2, events_pb2, instrument_pb2, understanding_pb2

from chassis.errors import Kind, Refused
from instruments.scoring import Scorer
from services.assessment.model import work
from services.assessment.model.cycle import Outcome

DISKOMINFO, BAPPEDA = "DISKOMINFO-SMD", "BAPPEDA-SMD"
NOW = datetime(2022, 6, 1, tzinfo=UTC)
TODAY = NOW.date()
INSTRUMENT = instrument_pb2.Instrument(
    id="four",
    version=1,
    title="Four",
    source="invented",
    scale=instrument_pb2.Scale(kind=instrument_pb2.SCALE_KIND_ORDINAL, min="1", max="5"),
    aggregation=instrument_pb2.AGGREGATION_WEIGHTED_MEAN,
    nodes=[
        instrument_pb2.Node(kind="indicator", number="1", name="Policy", weight="40"),
        instrument_pb2.Node(kind="indicator", number="2", name="Network", weight="20"),
        instrument_pb2.Node(kind="indicator", number="3", name="Service", weight="20", repeatable=True),
        instrument_pb2.Node(kind="indicator", number="4", name="Data center", weight="20", may_not_apply=True),
    ],
)
SCORER = Scorer(INSTRUMENT)
ORDERED = ["1", "2", "3", "4"]


def answer(code: str, value: str) -> evaluation_pb2.Answer:
    return evaluation_pb2.Answer(indicator=code, value=value)


def delegation(code: str, agency: str = "", due: str = "") -> evaluation_pb2.Delegation:
    return evaluation_pb2.Delegation(indicator=code, agency=agency, due_date=due)


def evaluation(
    *answers: evaluation_pb2.Answer, delegations: tuple[evaluation_pb2.Delegation, ...] = ()
) -> evaluation_pb2.Evaluation:
    """Its self-assessment is open."""
    return evaluation_pb2.Evaluation(
        id="e",
        institution="32.11",
        instrument="four",
        stage=evaluation_pb2.STAGE_SELF_ASSESSMENT,
        state=evaluation_pb2.EVALUATION_STATE_OPEN,
        etag="7",
        answers=answers,
        delegations=delegations,
    )


def delegate(found: evaluation_pb2.Evaluation, *given: evaluation_pb2.Delegation, etag: str = "") -> Outcome:
    request = understanding_pb2.DelegateIndicatorsRequest(delegations=given, etag=etag, reason="they run it")
    return work.delegate(found, request, SCORER, "ani", NOW)


def refused(found: evaluation_pb2.Evaluation, *given: evaluation_pb2.Delegation, etag: str = "") -> Refused:
    """Why; and nothing of the evaluation has changed."""
    before = found.SerializeToString(deterministic=True)
    with pytest.raises(Refused) as refusal:
        delegate(found, *given, etag=etag)
    assert found.SerializeToString(deterministic=True) == before
    return refusal.value


def cared_for(found: evaluation_pb2.Evaluation) -> list[tuple[str, str]]:
    return [(one.indicator, one.agency) for one in found.delegations]


def queue(found: evaluation_pb2.Evaluation, agency: str = "") -> list[understanding_pb2.WorkItem]:
    return work.queue(found, INSTRUMENT, SCORER, agency, TODAY)


def listed(found: evaluation_pb2.Evaluation, agency: str = "") -> list[str]:
    return [item.indicator for item in queue(found, agency)]


def test_indicators_are_given_to_agencies_in_the_order_of_the_instrument() -> None:
    found = evaluation()
    delegate(found, delegation("3", BAPPEDA), delegation("1", DISKOMINFO))
    assert cared_for(found) == [("1", DISKOMINFO), ("3", BAPPEDA)]


def test_an_indicator_has_one_agency_and_the_others_keep_theirs() -> None:
    found = evaluation(delegations=(delegation("1", DISKOMINFO, "2022-07-01"), delegation("2", DISKOMINFO)))
    delegate(found, delegation("1", BAPPEDA))
    assert cared_for(found) == [("1", BAPPEDA), ("2", DISKOMINFO)]
    assert found.delegations[0].due_date == ""


def test_an_indicator_without_an_agency_comes_back() -> None:
    found = evaluation(delegations=(delegation("1", DISKOMINFO), delegation("2", DISKOMINFO)))
    delegate(found, delegation("1"))
    assert cared_for(found) == [("2", DISKOMINFO)]


def test_the_history_tells_in_whose_care_an_indicator_was_and_is_until_when() -> None:
    found = evaluation(delegations=(delegation("1", DISKOMINFO, "2022-07-01"), delegation("2", DISKOMINFO)))
    given = [delegation("1", BAPPEDA), delegation("2"), delegation("3", BAPPEDA, "2022-08-01")]
    entry = delegate(found, *given).change
    assert [(item.subject, getattr(item, "from"), item.to) for item in entry.items] == [
        ("1", "DISKOMINFO-SMD until 2022-07-01", "BAPPEDA-SMD"),
        ("2", "DISKOMINFO-SMD", ""),
        ("3", "", "BAPPEDA-SMD until 2022-08-01"),
    ]
    assert (entry.action, entry.by, entry.reason, entry.version) == ("delegated", "ani", "they run it", 8)


def test_the_fact_tells_what_was_given_also_what_came_back() -> None:
    found = evaluation(delegations=(delegation("1", DISKOMINFO),))
    [fact] = delegate(found, delegation("1"), delegation("2", BAPPEDA)).facts
    assert isinstance(fact, events_pb2.IndicatorsDelegated)
    assert [(one.indicator, one.agency) for one in fact.delegations] == [("1", ""), ("2", BAPPEDA)]
    assert (fact.evaluation_id, fact.institution, fact.meta.version) == ("e", "32.11", 8)


def test_every_fault_of_what_is_given_is_named_at_once() -> None:
    given = [
        delegation("9", DISKOMINFO),
        delegation("1", DISKOMINFO),
        delegation("1"),
        delegation("2", "", "2022-07-01"),
    ]
    refusal = refused(evaluation(), *given)
    assert refusal.kind is Kind.INVALID_ARGUMENT
    assert [str(fault) for fault in refusal.violations] == [
        "delegations[0].indicator: 9 is no indicator here",
        "delegations[2].indicator: 1 is named twice",
        "delegations[3].due_date: is for an agency, and none is named",
    ]


def test_an_instance_is_in_the_care_of_whoever_has_its_indicator() -> None:
    [fault] = refused(evaluation(), delegation("3-2", DISKOMINFO)).violations
    assert str(fault) == "delegations[0].indicator: 3-2 is no indicator here"


def test_who_read_an_older_version_gives_nothing_away() -> None:
    assert refused(evaluation(), delegation("1", DISKOMINFO), etag="6").reason == "STALE_ETAG"
    found = evaluation()
    delegate(found, delegation("1", DISKOMINFO), etag="7")
    assert found.etag == "8"


def test_what_is_published_is_given_to_nobody() -> None:
    found = evaluation()
    found.state = evaluation_pb2.EVALUATION_STATE_PUBLISHED
    assert refused(found, delegation("1", DISKOMINFO)).reason == "PUBLISHED"


def test_what_has_no_answer_comes_first_even_where_an_answered_one_would_gain_more() -> None:
    found = evaluation(answer("1", "1"), answer("2", "2"), answer("3", "3"))
    assert [(item.indicator, item.value) for item in queue(found)] == [("4", ""), ("1", "1"), ("2", "2"), ("3", "3")]


def test_what_has_no_answer_gains_up_to_the_top_and_what_has_one_a_single_step() -> None:
    gains = {item.indicator: item.gain for item in queue(evaluation(answer("1", "2")))}
    assert gains == {"1": "0.400000", "2": "0.800000", "3": "0.800000", "4": "0.800000"}


def test_what_gains_most_comes_first() -> None:
    found = evaluation(answer("2", "3"), answer("3", "3"), answer("1", "3"), answer("4", "3"))
    assert listed(found)[0] == "1"


def test_what_gains_the_same_stays_in_the_order_of_the_instrument() -> None:
    assert listed(evaluation()) == ORDERED


def test_what_is_at_the_top_is_done() -> None:
    assert listed(evaluation(answer("1", "5"), answer("2", "4"), answer("3", "5"), answer("4", "5"))) == ["2"]


def test_what_does_not_apply_is_no_work_and_the_rest_weighs_more() -> None:
    found = evaluation(evaluation_pb2.Answer(indicator="4", not_applicable=True))
    assert listed(found) == ["1", "2", "3"]
    assert queue(found)[0].gain == "2.000000"


@pytest.mark.parametrize(
    ("due", "priority"),
    [
        ("2022-05-01", "0.800000"),
        ("2022-06-01", "0.800000"),
        ("2022-07-01", "0.400000"),
        ("2022-08-30", "0.200000"),
        ("", "0.200000"),
    ],
)
def test_priority_is_halved_thirty_days_ahead_and_what_has_no_day_counts_as_in_ninety(due: str, priority: str) -> None:
    [item] = queue(evaluation(delegations=(delegation("2", DISKOMINFO, due),)), DISKOMINFO)
    assert (item.gain, item.priority, item.due_date) == ("0.800000", priority, due)


def test_what_is_due_soon_overtakes_what_gains_more_later() -> None:
    found = evaluation(delegations=(delegation("4", DISKOMINFO, "2022-06-02"),))
    assert listed(found) == ["4", "1", "2", "3"]


@pytest.mark.parametrize(("due", "overdue"), [("2022-05-31", True), ("2022-06-01", False), ("", False)])
def test_what_is_due_is_overdue_once_its_day_is_over(due: str, overdue: bool) -> None:
    [item] = queue(evaluation(delegations=(delegation("2", DISKOMINFO, due),)), DISKOMINFO)
    assert item.overdue == overdue


def test_an_agency_is_shown_what_is_in_its_care_and_its_institution_all_with_whose_it_is() -> None:
    found = evaluation(delegations=(delegation("2", DISKOMINFO), delegation("3", BAPPEDA)))
    assert listed(found, DISKOMINFO) == ["2"]
    assert {item.indicator: item.agency for item in queue(found)} == {"1": "", "2": DISKOMINFO, "3": BAPPEDA, "4": ""}


def test_an_agency_with_nothing_in_its_care_has_nothing_to_do() -> None:
    assert queue(evaluation(), DISKOMINFO) == []


def test_what_another_institution_has_to_say_is_work_only_of_an_agency_that_it_was_given_to() -> None:
    waiting = instrument_pb2.Instrument()
    waiting.CopyFrom(INSTRUMENT)
    waiting.nodes[1].awaited_from = "the auditors"

    def listed_of(found: evaluation_pb2.Evaluation, agency: str = "") -> list[str]:
        return [item.indicator for item in work.queue(found, waiting, Scorer(waiting), agency, TODAY)]

    assert listed_of(evaluation()) == ["1", "3", "4"]
    assert listed_of(evaluation(answer("2", "3"))) == ["1", "3", "4"]
    given = evaluation(delegations=(delegation("2", DISKOMINFO),))
    assert (listed_of(given, DISKOMINFO), sorted(listed_of(given))) == (["2"], ORDERED)


def test_an_agency_is_shown_every_instance_of_an_indicator_in_its_care_due_on_its_day() -> None:
    found = evaluation(answer("3-2", "3"), delegations=(delegation("3", DISKOMINFO, "2022-07-01"),))
    shown = [(item.indicator, item.agency, item.due_date) for item in queue(found, DISKOMINFO)]
    assert shown == [("3", DISKOMINFO, "2022-07-01"), ("3-2", DISKOMINFO, "2022-07-01")]


def test_an_instance_has_the_name_of_its_indicator() -> None:
    found = evaluation(answer("3", "3"), answer("3-2", "3"))
    names = {item.indicator: item.name for item in queue(found)}
    assert (names["3"], names["3-2"]) == ("Service", "Service")


@pytest.mark.parametrize(
    ("stage", "state"),
    [
        (evaluation_pb2.STAGE_SELF_ASSESSMENT, evaluation_pb2.EVALUATION_STATE_SUBMITTED),
        (evaluation_pb2.STAGE_DOCUMENT, evaluation_pb2.EVALUATION_STATE_OPEN),
    ],
)
def test_there_is_nothing_to_do_once_the_self_assessment_is_submitted(
    stage: evaluation_pb2.Stage.ValueType, state: evaluation_pb2.EvaluationState.ValueType
) -> None:
    found = evaluation()
    found.stage, found.state = stage, state
    with pytest.raises(Refused) as refusal:
        queue(found)
    assert (refusal.value.kind, refusal.value.reason) == (Kind.FAILED_PRECONDITION, "NOTHING_TO_DO")
