"""What the audit says of an order: whom and what it is about, and what it came to, in the time of the cohort."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from livinglab.program.v1 import command_pb2, definition_pb2
from livinglab.program.v1 import workflow_pb2 as pb

from programs import clock
from services.program.model.orders import words
from tests.harness.cohorts.agenda import DAY, Course, gate, phase
from tests.harness.cohorts.course_orders import (
    HEAD,
    HOUR,
    ONE,
    PAUSE,
    RESUME,
    THREE,
    TWO,
    enrol,
    override,
    readmit,
    reopen,
    reschedule,
    split,
)

ZONE = "Asia/Jakarta"


def course(*phases: definition_pb2.Phase) -> Course:
    return Course(phases or (phase("meeting", 0, 9), phase("workshop", 12, 21)), [ONE, TWO, THREE], zone=ZONE)


def told(step: pb.CommandStep) -> str:
    return words.outcome(step, ZONE)


def ordered(**order: Any) -> str:
    """What an order to a cohort that has just begun came to."""
    return told(course().order(**order))


def subject(**order: Any) -> tuple[str, str]:
    return words.subject(command_pb2.Command(**order))


def closed() -> Course:
    """The meeting is over, and two have failed at it."""
    made = course()
    made.fact(ONE, "meeting-done")
    made.wait(11 * DAY + HOUR)
    return made


@pytest.mark.parametrize("order", [reschedule("meeting"), reopen("meeting"), override("meeting")])
def test_an_order_about_a_phase_names_it_and_no_participant(order: dict[str, Any]) -> None:
    assert subject(**order) == ("meeting", "")


@pytest.mark.parametrize(
    "order",
    [
        readmit(ONE),
        enrol(ONE),
        {"replace": command_pb2.ReplaceOrder(institution=ONE)},
        {"withdraw": command_pb2.WithdrawOrder(institution=ONE)},
        {"resolve": command_pb2.ResolveOrder(institution=ONE)},
    ],
)
def test_an_order_about_a_participant_names_it_and_no_phase(order: dict[str, Any]) -> None:
    assert subject(**order) == ("", ONE)


@pytest.mark.parametrize("order", [PAUSE, RESUME, {"cancel": command_pb2.CancelOrder()}, split(ONE)])
def test_an_order_about_a_cohort_names_neither(order: dict[str, Any]) -> None:
    assert subject(**order) == ("", "")


def test_an_order_of_a_newer_release_is_about_nothing_known() -> None:
    assert words.subject(command_pb2.Command()) == ("", "")


def test_a_phase_that_moves_opens_with_its_day_and_closes_at_the_end_of_one() -> None:
    said = ordered(**reschedule("workshop", opens=1, closes=2))
    assert said == "opens 2026-01-14 00:00 WIB, closes 2026-01-24 24:00 WIB"


def test_times_are_those_of_the_zone_and_of_no_other() -> None:
    step = course().order(**reschedule("workshop", opens=1, closes=2))
    # A midnight of Jakarta is two o'clock in Jayapura, and no end of a day there.
    expected = "opens 2026-01-14 02:00 WIT, closes 2026-01-25 02:00 WIT"
    assert words.outcome(step, "Asia/Jayapura") == expected


@pytest.mark.parametrize("late", [timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)])
def test_a_deadline_within_a_day_is_told_as_it_is(late: timedelta) -> None:
    midnight = datetime(2026, 1, 10, tzinfo=UTC)
    record = pb.PhaseRecord(phase="meeting", deadline_time=clock.stamp(midnight + late))
    order = command_pb2.RescheduleOrder(phase="meeting", deadline_days=1)
    step = pb.CommandStep(command=command_pb2.Command(reschedule=order), phases=[record])
    assert words.outcome(step, "UTC").endswith(f"closes {midnight + late:%Y-%m-%d %H:%M} UTC")


def test_a_midnight_after_the_clocks_have_changed_is_told_by_the_day_that_it_ends() -> None:
    # Daylight saving time ended on 1 November 2026 at two o'clock: the 31st of October was whole within it.
    at = datetime(2026, 11, 1, 4, tzinfo=UTC)
    record = pb.PhaseRecord(phase="meeting", deadline_time=clock.stamp(at))
    order = command_pb2.RescheduleOrder(phase="meeting", deadline_days=1)
    step = pb.CommandStep(command=command_pb2.Command(reschedule=order), phases=[record])
    assert words.outcome(step, "America/New_York").endswith("closes 2026-10-31 24:00 EDT")


def test_a_phase_that_is_open_again_says_until_when_and_who_owes_what() -> None:
    said = told(closed().order(**reopen("meeting")))
    assert said == "open until 2026-01-15 24:00 WIB; who was excused owes its duties again"


@pytest.mark.parametrize(("back", "said"), [([TWO], "1 participant"), ([TWO, THREE], "2 participants")])
def test_a_phase_that_is_open_again_says_how_many_are_in_again(back: list[str], said: str) -> None:
    found = told(closed().order(**reopen("meeting", *back)))
    assert found == f"open until 2026-01-15 24:00 WIB, {said} in again; who was excused owes its duties again"


@pytest.mark.parametrize(
    ("action", "said"),
    [("CLOSE", "closed"), ("EXCUSE", "closed, with everybody excused"), ("STOP", "stopped the cohort")],
)
def test_an_override_says_what_was_done_at_the_gate(action: str, said: str) -> None:
    assert ordered(**override("meeting", action)) == said


def test_an_override_that_needs_two_says_who_asked_for_it_first() -> None:
    made = course(phase("meeting", 0, 9, gate=gate("GO_ON", two_persons=True)), phase("workshop", 12, 21))
    assert told(made.order(actor="ani", **override("meeting"))) == "waits for a second manager"
    assert told(made.order(actor="budi", **override("meeting"))) == "closed, as ani proposed"


def test_who_acts_from_now_on_is_named() -> None:
    person = definition_pb2.Person(role=HEAD, name="Dewi", email="dewi@example.org")
    assert ordered(replace=command_pb2.ReplaceOrder(institution=ONE, person=person)) == "Dewi acts from now on"


def test_a_split_says_how_many_went_on_where() -> None:
    assert ordered(**split(ONE)) == "1 participant went on in c-2"


def test_a_split_counts_who_is_named_twice_once() -> None:
    assert ordered(**split(ONE, TWO, ONE)) == "2 participants went on in c-2"


def test_a_problem_is_asked_again_or_left() -> None:
    assert ordered(resolve=command_pb2.ResolveOrder(retry=True)) == "asked again"
    assert ordered(resolve=command_pb2.ResolveOrder()) == "left as it is"


def test_a_pause_and_its_end_say_so() -> None:
    made = course()
    assert [told(made.order(**order)) for order in (PAUSE, RESUME)] == ["paused", "resumed"]


def test_who_comes_and_who_goes_is_told() -> None:
    made = course()
    leaving: dict[str, Any] = {"withdraw": command_pb2.WithdrawOrder(institution=ONE)}
    assert told(made.order(**leaving)) == "withdrawn"
    made.withdraw(ONE)
    assert told(made.order(**readmit(ONE))) == "in again"
    assert told(made.order(**enrol("99.01"))) == "in the cohort"


def test_a_cohort_that_is_cancelled_is_on_its_way_to_its_end() -> None:
    assert ordered(cancel=command_pb2.CancelOrder()) == "being cancelled"


@pytest.mark.parametrize("order", [reschedule("meeting", closes=1), reopen("meeting")])
def test_a_step_without_the_phase_that_it_is_about_says_nothing_rather_than_what_is_wrong(
    order: dict[str, Any],
) -> None:
    other = pb.PhaseRecord(phase="workshop")
    assert told(pb.CommandStep(command=command_pb2.Command(**order), phases=[other])) == ""
