"""A study visit from its plan to what follows it."""

from datetime import UTC, date, datetime

import pytest
from livinglab.coaching.v1 import follow_up_pb2, visit_pb2
from livinglab.coaching.v1 import follow_up_service_pb2 as follow_rpc
from livinglab.coaching.v1 import visit_service_pb2 as rpc

from chassis.errors import Refused
from services.coaching.model import follow_ups, visits

SUMEDANG, BANDUNG = "32.11", "32.73"
AFTER = date(2022, 11, 20)


def planning(**fields: str) -> rpc.PlanVisitRequest:
    whole = {"visitor": BANDUNG, "host": SUMEDANG, "start_date": "2022-11-14", "end_date": "2022-11-16"}
    return rpc.PlanVisitRequest(**{**whole, **fields})


def planned() -> visit_pb2.Visit:
    return visits.planned(planning(), "v1", None)[0]


def confirming(*lessons: str) -> rpc.ConfirmVisitHeldRequest:
    return rpc.ConfirmVisitHeldRequest(
        lessons=[visit_pb2.Lesson(text=text, indicators=["3", "3", "7"]) for text in lessons]
    )


def held() -> visit_pb2.Visit:
    visit = planned()
    visits.accepted(visit, "host")
    visits.held(visit, confirming("wali data"), "visitor", AFTER)
    return visit


def reason(refused: pytest.ExceptionInfo[Refused]) -> str:
    return refused.value.reason


def test_every_fault_of_a_planned_visit_is_named_at_once() -> None:
    wrong = planning(host=BANDUNG, visitor=BANDUNG, phase="workshop", end_date="2022-11-01")
    fields = [violation.field for violation in visits.faults(wrong, {SUMEDANG})]
    assert fields == ["visitor", "host", "host", "cohort_id", "end_date"]
    assert [one.field for one in visits.faults(planning(cohort_id="c"), {SUMEDANG, BANDUNG})] == ["phase"]
    assert visits.faults(planning(), {SUMEDANG, BANDUNG}) == []


def test_other_days_are_accepted_anew_and_another_host_is_another_visit() -> None:
    visit = planned()
    visits.accepted(visit, "host")
    same, nothing = visits.planned(planning(), "v1", visit)
    assert (same, nothing) == (visit, None)
    moved, fact = visits.planned(planning(end_date="2022-11-17"), "v1", visit)
    assert fact is not None
    assert (moved.accepted_by, moved.etag, fact.end_date) == ("", "3", "2022-11-17")
    with pytest.raises(Refused) as refused:
        visits.planned(planning(host="33.74"), "v1", visit)
    assert reason(refused) == "OTHER_VISIT"


def test_a_visit_is_held_after_it_has_begun_and_with_the_host() -> None:
    visit = planned()
    with pytest.raises(Refused) as early:
        visits.held(visit, confirming("x"), "visitor", date(2022, 11, 13))
    assert reason(early) == "VISIT_AHEAD"
    with pytest.raises(Refused) as alone:
        visits.held(visit, confirming("x"), "visitor", AFTER)
    assert reason(alone) == "NOT_ACCEPTED"
    fact = visits.held(visit, confirming("x"), "host", AFTER, by_host=True)
    assert fact is not None
    assert list(fact.indicators) == ["3", "7"]
    assert visits.held(visit, confirming("x"), "visitor", AFTER) is None
    with pytest.raises(Refused) as other:
        visits.held(visit, confirming("y"), "visitor", AFTER)
    assert reason(other) == "VISIT_HELD"
    with pytest.raises(Refused) as late:
        visits.cancelled(visit, "rain")
    assert reason(late) == "VISIT_HELD"
    with pytest.raises(Refused) as again:
        visits.planned(planning(end_date="2022-11-18"), "v1", visit)
    assert reason(again) == "VISIT_HELD"


def test_a_visit_that_was_called_off_stays_so_with_its_first_reason() -> None:
    visit = planned()
    fact = visits.cancelled(visit, "rain")
    assert fact is not None
    assert visits.cancelled(visit, "storm") is None
    assert visit.reason == "rain"
    for call in (
        lambda: visits.accepted(visit, "host"),
        lambda: visits.held(visit, confirming("x"), "host", AFTER, by_host=True),
        lambda: visits.planned(planning(), "v1", visit),
    ):
        with pytest.raises(Refused) as refused:
            call()
        assert reason(refused) == "VISIT_CANCELLED"


def test_duties_follow_a_visit_that_was_held_and_their_faults_are_named_at_once() -> None:
    asked = follow_rpc.AddVisitDutiesRequest(
        duties=[
            follow_up_pb2.VisitDuty(text="Peraturan wali data", due_date="2022-12-20"),
            follow_up_pb2.VisitDuty(text="x", due_date="2022-11-01"),
            follow_up_pb2.VisitDuty(text="y", due_date="2025-12-01"),
            follow_up_pb2.VisitDuty(id="7", text="z", due_date="2022-12-20"),
        ]
    )
    with pytest.raises(Refused) as ahead:
        follow_ups.with_duties(planned(), None, asked)
    assert reason(ahead) == "VISIT_STATE"
    with pytest.raises(Refused) as faults:
        follow_ups.with_duties(held(), None, asked)
    assert [one.field for one in faults.value.violations] == ["duties[1].due_date", "duties[2].due_date", "duties[3]"]


def followed() -> follow_up_pb2.VisitFollowUp:
    asked = follow_rpc.AddVisitDutiesRequest(
        duties=[follow_up_pb2.VisitDuty(text="Peraturan wali data", due_date="2022-12-20")]
    )
    found, fact = follow_ups.with_duties(held(), None, asked)
    assert (fact.duties, fact.added, found.term_date) == (1, 1, "2023-01-15")
    return found


def test_a_duty_is_done_once() -> None:
    found, now = followed(), datetime(2022, 12, 1, tzinfo=UTC)
    done = follow_rpc.CompleteVisitDutyRequest(duty_id="1", outcome="Perbup 7/2022")
    fact = follow_ups.completed(found, done, "head", now)
    assert fact is not None
    assert (fact.done, fact.duties) == (1, 1)
    assert follow_ups.completed(found, done, "head", now) is None
    other = follow_rpc.CompleteVisitDutyRequest(duty_id="1", outcome="another")
    with pytest.raises(Refused) as stands:
        follow_ups.completed(found, other, "head", now)
    assert reason(stands) == "DUTY_DONE"
    with pytest.raises(Refused):
        follow_ups.completed(found, follow_rpc.CompleteVisitDutyRequest(duty_id="9"), "head", now)
    # Something was done: its term passes without a word.
    assert follow_ups.missed(found, datetime(2023, 3, 1, tzinfo=UTC)) is None


def test_a_visit_that_nothing_follows_is_told_of_once_when_its_term_is_over() -> None:
    found = followed()
    assert follow_ups.missed(found, datetime(2023, 1, 15, 12, tzinfo=UTC)) is None
    fact = follow_ups.missed(found, datetime(2023, 1, 16, tzinfo=UTC))
    assert fact is not None
    assert fact.term_date == "2023-01-15"
    assert follow_ups.missed(found, datetime(2023, 2, 1, tzinfo=UTC)) is None
    trial = followed()
    trial.rehearsal = "trial"
    assert follow_ups.missed(trial, datetime(2024, 1, 1, tzinfo=UTC)) is None
