"""Orders to a cohort that runs: what each of them does, and why it cannot be."""

from datetime import timedelta

import pytest
from livinglab.program.v1 import cohort_pb2, command_pb2, definition_pb2

from chassis.errors import Refused
from programs import clock
from services.program.model import states
from services.program.model.orders import carried_out
from tests.harness.cohorts.agenda import DAY, START, Course, deadlines, gate, phase
from tests.harness.cohorts.course_orders import (
    HEAD,
    HOUR,
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
    with_session,
)


def test_a_pause_moves_all_by_the_days_that_it_took_also_the_second_time() -> None:
    made = course()
    before = list(deadlines(made))
    for _ in range(2):
        made.wait(2 * DAY)
        made.order(**PAUSE)
        made.wait(30 * DAY + HOUR)
        assert made.states()["meeting"] == "OPEN"
        made.order(**RESUME)
    shift = 2 * 30 * DAY
    assert list(deadlines(made)) == [at + shift for at in before]
    assert clock.moment(made.record("workshop").open_time) == START + 12 * DAY + shift


def test_sessions_to_come_move_by_whole_days_and_those_that_were_do_not() -> None:
    made = course(with_session(), phase("workshop", 12, 21))
    before = list(deadlines(made))
    made.order(**PAUSE)
    made.wait(2 * DAY + HOUR)
    made.order(**RESUME)
    assert dict(made.record("meeting").session_moves) == {"hall": 2}
    assert list(deadlines(made)) == [at + 2 * DAY for at in before]
    made.wait(6 * DAY)
    made.order(**PAUSE)
    made.wait(DAY)
    made.order(**RESUME)
    assert dict(made.record("meeting").session_moves) == {"hall": 2}


def test_two_seconds_of_pause_move_nothing() -> None:
    made = course(with_session(), phase("workshop", 12, 21))
    before = list(deadlines(made))
    made.wait(HOUR)
    made.order(**PAUSE)
    made.wait(timedelta(seconds=2))
    made.order(**RESUME)
    assert list(deadlines(made)) == before
    assert not made.record("meeting").session_moves


def test_a_session_that_a_short_pause_swallows_is_a_day_later_and_all_with_it() -> None:
    made = course(with_session(), phase("workshop", 12, 21))
    before = list(deadlines(made))
    # Nine o'clock in Jakarta is two in UTC.
    made.wait(4 * DAY + HOUR)
    made.order(**PAUSE)
    made.wait(2 * HOUR)
    made.order(**RESUME)
    assert dict(made.record("meeting").session_moves) == {"hall": 1}
    assert list(deadlines(made)) == [at + DAY for at in before]


def test_a_phase_that_opens_again_is_open_until_the_end_of_a_day() -> None:
    made = course()
    made.fact(ONE, "meeting-done")
    made.wait(11 * DAY + 5 * HOUR)
    made.order(**reopen("meeting", TWO))
    # Reopened on the twelfth day for three: the fifteenth is its last.
    assert clock.moment(made.record("meeting").deadline_time) == START + 15 * DAY


def test_nothing_is_due_before_participants_know_the_dates_that_moved() -> None:
    made = course()
    made.order(**PAUSE)
    made.wait(DAY)
    made.order(**RESUME)
    heard = made.people[ONE].heard
    assert heard[-2:] == ["opening", "resumption"]


def test_a_phase_that_moves_keeps_what_was_not_asked_to_move() -> None:
    made = course()
    made.order(**reschedule("workshop", opens=2))
    made.order(**reschedule("workshop", closes=5))
    record = made.record("workshop")
    assert clock.moment(record.open_time) == START + 14 * DAY
    assert clock.moment(record.deadline_time) == START + 27 * DAY
    assert record.sessions_moved == 2


def test_a_phase_cannot_open_before_now_and_loses_no_days_by_it() -> None:
    made = course(phase("meeting", 0, 9), phase("workshop", 12, 21, after=["start"]))
    made.wait(2 * DAY)
    deadline = clock.moment(made.record("workshop").deadline_time)
    made.order(**reschedule("workshop", opens=-30))
    record = made.record("workshop")
    assert made.states()["workshop"] == "OPEN"
    assert (clock.moment(record.open_time), clock.moment(record.deadline_time)) == (START + 2 * DAY, deadline)
    assert record.sessions_moved == -10


def test_who_failed_at_a_phase_is_in_again_where_it_opens_again_and_the_next_one_waits() -> None:
    made = course()
    made.fact(ONE, "meeting-done")
    made.wait(11 * DAY)
    assert [made.people[code].outcome for code in (ONE, TWO)] == [states.ACTIVE, states.FAILED]
    made.order(**reopen("meeting", TWO))
    assert made.active() == [ONE, TWO]
    assert (made.record("meeting").reopened, made.record("meeting").invited) == (1, 2)
    made.wait(2 * DAY)
    assert made.states() == {"meeting": "OPEN", "workshop": "PENDING"}
    made.fact(TWO, "meeting-done")
    assert made.states() == {"meeting": "CLOSED", "workshop": "OPEN"}


def test_who_is_excused_does_not_fail_and_who_is_not_does() -> None:
    for action, left in (("EXCUSE", [ONE, TWO, THREE]), ("CLOSE", [ONE])):
        made = course()
        made.fact(ONE, "meeting-done")
        made.order(**override("meeting", action))
        assert made.active() == left
        assert made.states()["meeting"] == "CLOSED"


def test_a_cohort_stopped_by_a_manager_says_so() -> None:
    made = course()
    made.fact(ONE, "meeting-done")
    made.order(**override("meeting", "STOP"))
    assert made.over
    assert {person.outcome for person in made.people.values()} == {states.FAILED}
    assert made.state.reason == "a manager stopped it at meeting"


def test_a_gate_of_two_persons_counts_once_another_one_wants_the_same() -> None:
    made = course(phase("meeting", 0, 9, gate=gate("GO_ON", two_persons=True)))
    assert made.order(actor="m1", **override("meeting", "EXCUSE")).awaiting_second
    with pytest.raises(Refused, match="another manager"):
        made.order(actor="m1", **override("meeting", "EXCUSE"))
    assert made.order(actor="m2", **override("meeting", "CLOSE")).awaiting_second
    step = made.order(actor="m2", **override("meeting", "EXCUSE"))
    assert (step.awaiting_second, step.proposed_by) == (False, "m1")
    assert not made.state.proposals
    assert made.over


def test_who_is_readmitted_is_told_of_what_is_open_for_it() -> None:
    when = definition_pb2.Condition(done="seen")
    special = phase("special", 0, 9, when=when, after=["start"])
    made = course(phase("first", 0, 9), phase("never", 20, 29, after=["start"]), special)
    assert made.states()["special"] == "SKIPPED"
    made = course(phase("first", 0, 9), special)
    for code in (ONE, TWO):
        made.people[code].duties.add("seen")
    made = _reopened_special(made)
    made.withdraw(TWO)
    made.order(**readmit(TWO))
    assert set(made.people[TWO].told) == {"first", "special"}
    made.withdraw(THREE)
    made.order(**readmit(THREE))
    assert set(made.people[THREE].told) == {"first"}


def _reopened_special(made: Course) -> Course:
    """As if its condition had held when it opened."""
    record = made.record("special")
    record.state = cohort_pb2.PHASE_STATE_PENDING
    record.ClearField("close_time")
    made.settle()
    assert list(record.addressed) == [ONE, TWO]
    return made


def test_a_late_participant_counts_in_what_is_open_and_is_told_that_it_is_paused() -> None:
    made = course()
    made.withdraw(THREE)
    made.order(**PAUSE)
    made.order(**enrol("99.01"))
    assert made.people["99.01"].heard == ["opening", "pause"]
    assert made.record("meeting").invited == 4
    assert made.cohort.active_count == 3


def test_who_acts_from_now_on_is_invited_to_what_is_open_for_the_role_and_the_institution() -> None:
    special = phase("special", 0, 9, when=definition_pb2.Condition(missed="seen"), after=["start"], invites=[HEAD])
    made = course(phase("meeting", 0, 9, invites=[HEAD]), phase("other", 0, 9, after=["start"]), special)
    person = definition_pb2.Person(role=HEAD, email="new@example.org")
    made.order(replace=command_pb2.ReplaceOrder(institution=ONE, person=person))
    told = [news.notice.phase for news in made.told if news.HasField("notice")]
    assert told == ["meeting", "special"]


def test_a_cohort_that_is_split_off_goes_on_from_where_it_was() -> None:
    made = course()
    made.fact(TWO, "meeting-done")
    made.order(**PAUSE)
    step = made.order(**split(TWO))
    assert made.people[TWO].outcome == states.WITHDRAWN
    new, [meeting, workshop] = step.split_state, step.split_state.phases
    assert (list(meeting.done), meeting.invited, meeting.announced) == ([TWO], 1, False)
    assert workshop == made.record("workshop")
    # It is paused as well, and its participants have not heard so yet.
    assert new.pause_time == made.state.pause_time
    assert [errand.announcement.WhichOneof("news") for errand in new.errands] == ["pause"]


def test_what_is_open_has_its_sessions_on_the_calendar_of_a_cohort_that_is_split_off() -> None:
    made = course(with_session(), phase("other", 0, 9, after=["start"]))
    assert [errand.sessions_of for errand in made.order(**split(TWO)).split_state.errands] == ["meeting"]


def test_a_phase_that_is_for_none_of_those_who_go_is_skipped_there() -> None:
    special = phase("special", 0, 9, when=definition_pb2.Condition(done="meeting-done"), after=["meeting"])
    made = course(phase("meeting", 0, 2), special, phase("last", 12, 15))
    made.fact(ONE, "meeting-done")
    made.order(**override("meeting", "EXCUSE"))
    state = made.order(**split(TWO)).split_state
    assert [record.state for record in state.phases][1] == cohort_pb2.PHASE_STATE_SKIPPED
    assert made.states()["special"] == "OPEN"


def test_a_split_that_could_not_be_recorded_moves_nobody() -> None:
    made = course()
    command = made.command(**split(TWO))
    step = made.give(command)
    assert carried_out.take_back(made.cohort, step).reason == "COHORT_EXISTS"
    made.settle()
    assert made.active() == [ONE, TWO, THREE]
    assert carried_out.known_answer(made.state, command) is None


def test_what_was_refused_for_good_is_asked_again_or_let_be() -> None:
    made = course(with_session())
    made.state.problems.append("session hall: refused")
    step = made.give(made.command(resolve=command_pb2.ResolveOrder(retry=True)))
    assert (step.revision, list(made.state.problems)) == (1, [])
    assert [errand.sessions_of for errand in made.state.errands] == ["meeting"]
    made.settle()
    made.order(resolve=command_pb2.ResolveOrder(institution=ONE, retry=True))
    assert made.people[ONE].heard[-1] == "retry"
    assert made.people[TWO].heard == ["opening"]
