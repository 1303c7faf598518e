"""What a cohort does next: the corners where phases run side by side, are held, stopped or for nobody."""

import time
from datetime import timedelta

import pytest
from livinglab.program.v1 import cohort_pb2, command_pb2, definition_pb2

from programs import clock
from services.program.model import phase_steps, states
from services.program.model.agenda import Act
from tests.harness.cohorts.agenda import DAY, START, Course, gate, phase

ONE, TWO = "11.01", "11.02"


def test_a_phase_opens_when_its_day_has_come_and_those_before_it_are_over() -> None:
    made = Course([phase("a", 0, 9), phase("b", 5, 12)], [ONE])
    made.wait(7 * DAY)
    assert made.states() == {"a": "OPEN", "b": "PENDING"}
    made.fact(ONE, "a-done")
    assert made.states() == {"a": "CLOSED", "b": "OPEN"}
    # Two days late, it closes two days later.
    assert clock.moment(made.record("b").deadline_time) == START + 15 * DAY


def test_phases_that_wait_for_no_other_run_side_by_side_and_the_last_one_ends_it() -> None:
    made = Course([phase("a", 0, 3), phase("b", 0, 6, after=["start"]), phase("c", 0, 9, after=["a", "b"])], [ONE])
    assert made.states() == {"a": "OPEN", "b": "OPEN", "c": "PENDING"}
    made.fact(ONE, "b-done")
    made.fact(ONE, "a-done")
    assert made.states()["c"] == "OPEN"
    made.fact(ONE, "c-done")
    assert (made.over, made.people[ONE].outcome) == (True, states.GRADUATED)


def test_while_a_phase_stops_the_cohort_nothing_else_opens_closes_or_moves() -> None:
    made = Course([phase("a", 0, 3, gate=gate("STOP")), phase("b", 0, 3, after=["start"])], [ONE])
    phase_steps.begin_closing(made.cohort, 0, made.now, stopped=True)
    made.now += 30 * DAY
    assert made.cohort.next_step(made.now) is None
    assert made.cohort.next_time() is None
    made.withdraw(ONE)
    assert made.over
    assert made.states() == {"a": "CLOSED", "b": "CLOSED"}


def test_who_a_stopped_phase_is_not_for_has_missed_none_of_its_duties() -> None:
    special = phase("special", 0, 3, when=definition_pb2.Condition(done="x"), gate=gate("STOP"), after=["start"])
    made = Course([phase("a", 0, 9), phase("b", 0, 0, after=["start"], duties=[])], [ONE])
    made = Course([phase("a", 0, 0, duties=[definition_pb2.Duty(id="x")]), special], [ONE, TWO])
    # It opens with the first, when nobody has done anything: for nobody.
    assert made.states()["special"] == "SKIPPED"
    special.opens = "2026-01-02"
    made = Course([phase("a", 0, 0, duties=[definition_pb2.Duty(id="x")]), special], [ONE, TWO])
    made.fact(ONE, "x")
    made.wait(10 * DAY)
    assert made.over
    assert {code: person.why for code, person in made.people.items()} == {ONE: "stopped", TWO: "stopped"}


def test_a_conditional_phase_as_the_last_ends_everybody_also_where_it_is_skipped() -> None:
    for duties, state in (([], "SKIPPED"), (["x"], "CLOSED")):
        when = definition_pb2.Condition(done="x")
        made = Course([phase("a", 0, 3), phase("special", 5, 9, when=when)], [ONE, TWO])
        made.people[ONE].duties.update([*duties, "special-done"])
        for code in (ONE, TWO):
            made.fact(code, "a-done")
        made.wait(20 * DAY)
        assert (made.over, made.states()["special"]) == (True, state)
        assert {person.outcome for person in made.people.values()} == {states.GRADUATED}


def test_a_gate_that_a_manager_decides_is_held_although_all_is_done() -> None:
    made = Course([phase("a", 0, 3, gate=gate("GO_ON", decision=True))], [ONE])
    made.fact(ONE, "a-done")
    assert made.record("a").HasField("held_time")
    made.wait(400 * DAY)
    assert made.states()["a"] == "OPEN"
    action = cohort_pb2.GATE_ACTION_CLOSE
    made.order(override=command_pb2.OverrideOrder(phase="a", action=action))
    assert (made.over, made.people[ONE].outcome) == (True, states.GRADUATED)


def test_a_deadline_is_extended_once_and_everybody_is_told() -> None:
    made = Course([phase("a", 0, 3, gate=gate("EXTEND", extend_days=2))], [ONE])
    made.wait(4 * DAY)
    assert (made.record("a").extended, made.people[ONE].heard) == (True, ["opening", "opening"])
    made.wait(2 * DAY)
    assert (made.over, made.people[ONE].outcome) == (True, states.FAILED)


def test_while_it_is_paused_nothing_falls_due_unless_nobody_is_left() -> None:
    made = Course([phase("a", 0, 3), phase("b", 5, 9)], [ONE])
    made.order(pause=command_pb2.PauseOrder())
    assert made.cohort.next_time() is None
    made.wait(400 * DAY)
    assert made.states() == {"a": "OPEN", "b": "PENDING"}
    made.withdraw(ONE)
    assert made.over


def test_what_a_command_asked_for_comes_first() -> None:
    made = Course([phase("a", 0, 3)], [ONE])
    made.now += 30 * DAY
    made.give(made.command(pause=command_pb2.PauseOrder()))
    step = made.cohort.next_step(made.now)
    assert step is not None
    assert step.act is Act.ERRAND


@pytest.mark.timeout(60)
def test_a_cohort_of_5000_is_simulated_by_batches() -> None:
    institutions = [f"{number:04d}" for number in range(5_000)]
    made = Course([phase("a", 0, 3), phase("b", 5, 9)], institutions)
    for name in ("a", "b"):
        made.wait(timedelta(days=5) if name == "b" else timedelta())
        for first in range(0, 5_000, 500):
            for code in institutions[first : first + 500]:
                made.people[code].duties.add(f"{name}-done")
            heard = made.record(name)
            heard.done.extend(institutions[first : first + 500])
            made.settle()
    assert made.over
    assert made.cohort.active_count == 0
    assert {person.outcome for person in made.people.values()} == {states.GRADUATED}


def test_a_command_is_tried_on_a_copy_that_costs_little_with_2000() -> None:
    institutions = [f"{number:04d}" for number in range(2_000)]
    made = Course([phase("a", 0, 3)], institutions)
    made.record("a").done.extend(institutions[:1_999])
    started = time.process_time()
    for _ in range(10):
        made.cohort.copy().next_step(made.now)
    assert (time.process_time() - started) / 10 < 0.05


def test_a_closing_wakes_nobody_where_everybody_is_done_and_goes_on() -> None:
    made = Course([phase("a", 0, 9), phase("b", 0, 9, after=["start"]), phase("c", 20, 29)], [ONE, TWO])
    made.fact(ONE, "a-done")
    assert not phase_steps.closes_quietly(made.cohort, 0)
    made.cohort.state.phases[0].done.append(TWO)
    assert phase_steps.closes_quietly(made.cohort, 0)
    # With the last one they end, and of one that stopped the cohort they must hear.
    made.cohort.state.phases[0].stopped = True
    assert not phase_steps.closes_quietly(made.cohort, 0)
    last = Course([phase("a", 0, 9)], [ONE])
    last.cohort.state.phases[0].done.append(ONE)
    assert not phase_steps.closes_quietly(last.cohort, 0)
