"""Whom a manager would have written to by an order: letters of each kind, by phase, with how many people get one."""

from typing import Any

from livinglab.common.v1 import options_pb2
from livinglab.program.v1 import cohort_pb2, command_pb2, definition_pb2

from services.program.model.orders import carried_out
from services.program.model.orders.preview import Roster, Trial, preview
from tests.harness.cohorts.agenda import DAY, Course, phase
from tests.harness.cohorts.course_orders import (
    HEAD,
    ONE,
    PAUSE,
    RESUME,
    THREE,
    TWO,
    course,
    enrol,
    override,
    readmit,
    reopen,
    reschedule,
    split,
)

OPERATOR, SECRETARY = options_pb2.ROLE_OPERATOR, options_pb2.ROLE_SECRETARY


def person(role: options_pb2.Role.ValueType, name: str) -> definition_pb2.Person:
    return definition_pb2.Person(role=role, name=name, email=f"{name}@example.org")


# A head each; one of them has two operators as well, and one a secretary.
ROSTER: Roster = {
    ONE: [person(HEAD, "ani"), person(OPERATOR, "budi"), person(OPERATOR, "citra")],
    TWO: [person(HEAD, "dewi"), person(SECRETARY, "eko")],
    THREE: [person(HEAD, "fajar")],
}
Counted = tuple[str, str, int, int]


def letters(made: Course, roster: Roster = ROSTER, **order: Any) -> list[Counted]:
    """Template, phase, participants and people of what an order would have written."""
    before, command = made.cohort.copy(), made.command(**order)
    after = before.copy()
    carried_out.carry_out(after, command, made.now)
    found = preview(Trial(before, after, command, (), roster))
    return [(one.template, one.phase, one.participants, one.people) for one in found.letters]


def special() -> definition_pb2.Phase:
    """Side by side with the meeting, for those alone who have seen something."""
    return phase("special", 0, 9, when=definition_pb2.Condition(done="seen"), after=["start"])


def with_special() -> Course:
    """Open for one and two."""
    made = course(phase("meeting", 0, 9), special())
    for code in (ONE, TWO):
        made.people[code].duties.add("seen")
    record = made.record("special")
    record.state = cohort_pb2.PHASE_STATE_PENDING
    record.ClearField("close_time")
    made.settle()
    assert list(record.addressed) == [ONE, TWO]
    return made


def test_a_phase_that_moves_is_written_about_to_whom_it_invites() -> None:
    made = course(phase("meeting", 0, 9, invites=[HEAD]), phase("workshop", 12, 21))
    assert letters(made, **reschedule("meeting", closes=2)) == [("postponed", "meeting", 3, 3)]


def test_a_phase_that_names_no_role_writes_to_everybody() -> None:
    assert letters(course(), **reschedule("meeting", closes=2)) == [("postponed", "meeting", 3, 6)]


def test_a_participant_with_nobody_to_write_to_is_not_counted() -> None:
    made = course(phase("meeting", 0, 9, invites=[OPERATOR, SECRETARY]), phase("workshop", 12, 21))
    assert letters(made, **reschedule("meeting", closes=2)) == [("postponed", "meeting", 2, 3)]


def test_where_nobody_has_the_role_there_is_no_letter() -> None:
    made = course(phase("meeting", 0, 9, invites=[options_pb2.ROLE_REGENT]), phase("workshop", 12, 21))
    assert letters(made, **reschedule("meeting", closes=2)) == []


def test_nobody_is_written_to_about_a_phase_that_was_not_announced() -> None:
    assert letters(course(), **reschedule("workshop", opens=2)) == []


def test_a_phase_for_some_is_written_about_to_those_alone() -> None:
    assert letters(with_special(), **reschedule("special", closes=2)) == [("postponed", "special", 2, 5)]


def test_who_has_left_is_not_counted_among_those_whom_a_phase_is_for() -> None:
    made = with_special()
    made.withdraw(ONE)
    left = {code: people for code, people in ROSTER.items() if code != ONE}
    assert letters(made, left, **reschedule("special", closes=2)) == [("postponed", "special", 1, 2)]


def test_a_pause_is_told_once_for_each_open_phase() -> None:
    assert letters(with_special(), **PAUSE) == [("paused", "meeting", 3, 6), ("paused", "special", 2, 5)]


def test_a_pause_is_told_to_whom_the_open_phase_invites() -> None:
    made = course(phase("meeting", 0, 9, invites=[HEAD]), phase("workshop", 12, 21))
    assert letters(made, **PAUSE) == [("paused", "meeting", 3, 3)]


def test_what_goes_on_is_told_and_the_days_that_moved_need_no_letter_of_their_own() -> None:
    made = course()
    made.order(**PAUSE)
    made.wait(2 * DAY)
    assert letters(made, **RESUME) == [("resumed", "meeting", 3, 6)]


def test_a_phase_that_opens_again_invites_everybody_who_is_in_the_cohort() -> None:
    made = course(phase("meeting", 0, 9, invites=[HEAD]), phase("workshop", 12, 21))
    for code in (ONE, TWO, THREE):
        made.fact(code, "meeting-done")
    assert made.states()["meeting"] == "CLOSED"
    assert letters(made, **reopen("meeting")) == [("invitation", "meeting", 3, 3)]


def test_a_phase_for_some_that_opens_again_invites_those_alone() -> None:
    made = with_special()
    made.order(**override("special", "EXCUSE"))
    assert made.states()["special"] == "CLOSED"
    assert letters(made, **reopen("special")) == [("invitation", "special", 2, 5)]


def test_who_failed_is_told_to_be_in_again_and_invited_once_with_the_others() -> None:
    made = course()
    for code in (ONE, THREE):
        made.fact(code, "meeting-done")
    made.wait(11 * DAY)
    assert made.active() == [ONE, THREE]
    assert letters(made, **reopen("meeting", TWO)) == [
        ("readmitted", "meeting", 1, 2),
        ("invitation", "meeting", 3, 6),
    ]


def test_who_is_in_again_is_invited_to_what_is_open_and_told_so() -> None:
    made = course(phase("meeting", 0, 9), phase("other", 0, 9, after=["start"]), phase("last", 12, 21))
    made.withdraw(ONE)
    assert letters(made, **readmit(ONE)) == [
        ("invitation", "meeting", 1, 3),
        ("invitation", "other", 1, 3),
        ("readmitted", "meeting", 1, 3),
    ]


def test_who_is_in_again_hears_so_by_whom_the_first_open_phase_invites() -> None:
    made = course(phase("meeting", 0, 9, invites=[HEAD]), phase("other", 0, 9, after=["start"]))
    made.withdraw(ONE)
    assert ("readmitted", "meeting", 1, 1) in letters(made, **readmit(ONE))


def test_who_is_in_again_while_nothing_is_open_is_told_so_with_all_its_people() -> None:
    made = course(phase("meeting", 0, 9, invites=[HEAD]), phase("workshop", 20, 29, invites=[HEAD]))
    made.order(**override("meeting", "EXCUSE"))
    made.withdraw(ONE)
    assert letters(made, **readmit(ONE)) == [("readmitted", "", 1, 3)]


def test_who_is_in_again_during_a_pause_is_told_of_it() -> None:
    made = course()
    made.withdraw(ONE)
    made.order(**PAUSE)
    assert ("paused", "meeting", 1, 3) in letters(made, **readmit(ONE))


def test_a_late_participant_is_invited_to_what_is_open_for_everybody() -> None:
    late = {**ROSTER, "99.01": [person(HEAD, "gita")]}
    assert letters(with_special(), late, **enrol("99.01")) == [("invitation", "meeting", 1, 1)]


def test_who_acts_for_somebody_else_is_the_one_who_is_invited() -> None:
    made = course(phase("meeting", 0, 9, invites=[HEAD]), phase("workshop", 12, 21))
    order = command_pb2.ReplaceOrder(institution=ONE, person=person(HEAD, "hadi"))
    assert letters(made, replace=order) == [("invitation", "meeting", 1, 1)]


def test_others_in_the_role_of_who_acts_from_now_on_are_not_invited_again() -> None:
    made = course(phase("meeting", 0, 9, invites=[OPERATOR]), phase("workshop", 12, 21))
    order = command_pb2.ReplaceOrder(institution=ONE, person=person(OPERATOR, "hadi"))
    assert letters(made, replace=order) == [("invitation", "meeting", 1, 1)]


def test_who_acts_in_a_role_that_is_not_invited_gets_no_letter() -> None:
    made = course(phase("meeting", 0, 9, invites=[HEAD]), phase("workshop", 12, 21))
    order = command_pb2.ReplaceOrder(institution=ONE, person=person(SECRETARY, "hadi"))
    assert letters(made, replace=order) == []


def test_who_goes_on_in_another_cohort_is_invited_there_and_gets_no_farewell() -> None:
    assert letters(with_special(), **split(TWO)) == [("invitation", "meeting", 1, 2), ("invitation", "special", 1, 2)]


def test_who_goes_on_in_another_cohort_is_not_invited_to_what_is_not_for_it() -> None:
    assert letters(with_special(), **split(THREE)) == [("invitation", "meeting", 1, 1)]


def test_who_goes_on_in_another_cohort_is_invited_by_role_there_too() -> None:
    made = course(phase("meeting", 0, 9, invites=[HEAD]), phase("workshop", 12, 21))
    assert letters(made, **split(ONE)) == [("invitation", "meeting", 1, 1)]


def test_who_withdraws_is_bidden_farewell_with_all_its_people() -> None:
    made = course(phase("meeting", 0, 9, invites=[HEAD]), phase("workshop", 12, 21))
    assert letters(made, withdraw=command_pb2.WithdrawOrder(institution=ONE)) == [("withdrawal", "", 1, 3)]


def test_a_cancelled_cohort_writes_to_all_people_of_everybody_in_it() -> None:
    made = course(phase("meeting", 0, 9, invites=[HEAD]), phase("workshop", 12, 21))
    assert letters(made, cancel=command_pb2.CancelOrder()) == [("cancellation", "", 3, 6)]


def test_a_phase_that_a_manager_closes_has_no_letter_of_its_own() -> None:
    assert letters(course(), **override("meeting", "EXCUSE")) == []


def test_what_was_announced_before_the_order_is_not_counted_with_it() -> None:
    made = course()
    # Its letters are on their way still.
    made.give(made.command(**reschedule("meeting", closes=2)))
    assert [one.announcement.WhichOneof("news") for one in made.state.errands] == ["opening"]
    assert letters(made, **PAUSE) == [("paused", "meeting", 3, 6)]
