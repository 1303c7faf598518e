"""An agency sees and answers the indicators that its institution gave to it, and nothing else of an evaluation."""

from datetime import UTC, datetime

import pytest
from livinglab.assessment.v1 import evaluation_pb2 as pb

from chassis.errors import Kind, Refused
from services.assessment.model import agencies

DISKOMINFO, BAPPEDA = "DISKOMINFO-SMD", "BAPPEDA-SMD"
NOW = datetime(2022, 6, 1, tzinfo=UTC)


def evaluation() -> pb.Evaluation:
    """Two indicators are in the care of one agency, one of another, and the rest of nobody."""
    found = pb.Evaluation(
        id="e",
        institution="32.11",
        instrument="i",
        instrument_version=2,
        period="2022",
        cohort_id="c",
        rehearsal="r",
        etag="7",
        stage=pb.STAGE_DOCUMENT,
        state=pb.EVALUATION_STATE_OPEN,
        answers=[pb.Answer(indicator=code, value="3") for code in ("1", "3", "35", "35-2", "4")],
        delegations=[
            pb.Delegation(indicator="1", agency=DISKOMINFO, due_date="2022-06-30"),
            pb.Delegation(indicator="3", agency=BAPPEDA),
            pb.Delegation(indicator="35", agency=DISKOMINFO),
        ],
        missing=["2", "35-3"],
        score=pb.Score(index="2.64"),
        published_index="2.64",
        results=[pb.StageResult(stage=pb.STAGE_SELF_ASSESSMENT, concluded_by="ani")],
        assessors=[pb.Assignment(assessor="budi")],
        determination=pb.Determination(decree="SK 1/2022"),
    )
    found.create_time.FromDatetime(NOW)
    return found


def refusal(agency: str, *items: str) -> str:
    """What an agency is told that it may not."""
    with pytest.raises(Refused) as refused:
        agencies.require_given(evaluation(), agency, items)
    assert (refused.value.kind, refused.value.reason) == (Kind.PERMISSION_DENIED, "NOT_GIVEN")
    return refused.value.message


def test_what_is_in_the_care_of_one_agency_is_not_in_that_of_another() -> None:
    assert agencies.in_care(evaluation(), DISKOMINFO) == {"1", "35"}
    assert agencies.in_care(evaluation(), BAPPEDA) == {"3"}


@pytest.mark.parametrize("item", ["35", "35-2"])
def test_an_indicator_is_given_with_all_its_instances(item: str) -> None:
    assert agencies.is_given(item, frozenset({"35"}))


@pytest.mark.parametrize("item", ["3", "5", "5-2", "350", "350-2"])
def test_an_indicator_with_a_number_alike_is_not_given(item: str) -> None:
    assert not agencies.is_given(item, frozenset({"35"}))


def test_an_indicator_is_not_given_with_one_of_its_instances() -> None:
    assert not agencies.is_given("35", frozenset({"35-2"}))


def test_an_agency_may_work_on_what_is_in_its_care() -> None:
    agencies.require_given(evaluation(), DISKOMINFO, ["1", "35", "35-2"])


def test_an_agency_may_look_where_anything_is_in_its_care() -> None:
    agencies.require_given(evaluation(), DISKOMINFO, [])


def test_an_agency_is_told_everything_that_is_not_in_its_care_at_once() -> None:
    expected = "3, 4 of evaluation e is not in the care of DISKOMINFO-SMD"
    assert refusal(DISKOMINFO, "3", "1", "4") == expected


def test_an_agency_with_nothing_in_its_care_sees_nothing() -> None:
    assert refusal("DINKES-SMD") == "evaluation e is not in the care of DINKES-SMD"


def test_an_agency_is_shown_its_own_answers_dates_and_gaps() -> None:
    shown = agencies.part_of(evaluation(), DISKOMINFO)
    assert [answer.indicator for answer in shown.answers] == ["1", "35", "35-2"]
    assert [(one.indicator, one.due_date) for one in shown.delegations] == [("1", "2022-06-30"), ("35", "")]
    assert list(shown.missing) == ["35-3"]


def test_an_agency_is_shown_no_score_no_result_and_no_name_of_an_assessor() -> None:
    shown = {field.name for field, _ in agencies.part_of(evaluation(), DISKOMINFO).ListFields()}
    assert shown & {"score", "published_index", "results", "assessors", "determination"} == set()


def test_an_agency_is_shown_which_evaluation_it_is_and_how_far() -> None:
    shown, whole = agencies.part_of(evaluation(), DISKOMINFO), evaluation()
    for field in ("id", "institution", "instrument", "instrument_version", "period", "cohort_id", "rehearsal", "etag"):
        assert getattr(shown, field) == getattr(whole, field), field
    assert (shown.stage, shown.state) == (pb.STAGE_DOCUMENT, pb.EVALUATION_STATE_OPEN)


def test_times_that_have_not_come_are_not_shown_as_if_they_had() -> None:
    shown = agencies.part_of(evaluation(), DISKOMINFO)
    assert (shown.HasField("create_time"), shown.HasField("submit_time")) == (True, False)
    whole = evaluation()
    whole.submit_time.FromDatetime(NOW)
    assert agencies.part_of(whole, DISKOMINFO).submit_time == whole.submit_time


def test_what_an_agency_is_shown_leaves_the_evaluation_as_it_is() -> None:
    whole = evaluation()
    agencies.part_of(whole, DISKOMINFO).answers[0].value = "5"
    assert whole == evaluation()
