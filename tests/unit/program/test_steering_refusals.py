"""Orders that are refused, those that are repeated, and what a repeat is answered."""

import pytest
from livinglab.program.v1 import command_pb2, definition_pb2
from livinglab.program.v1 import workflow_pb2 as pb

from chassis.errors import Kind, Refused
from programs import clock
from services.program.model import states
from services.program.model.orders import carried_out
from tests.harness.cohorts.agenda import DAY, START, gate, phase
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


def test_each_order_that_does_not_fit_is_refused_with_its_reason() -> None:
    made = course()
    reasons = [
        made.refusal(**RESUME),
        made.refusal(**reschedule("workshop")),
        made.refusal(**reschedule("meeting", opens=1)),
        made.refusal(**reschedule("meeting", closes=-300)),
        made.refusal(**reschedule("nowhere", closes=1)),
        made.refusal(**reopen("meeting")),
        made.refusal(**override("workshop")),
        made.refusal(**readmit(ONE)),
        made.refusal(**split(ONE, TWO, THREE)),
        made.refusal(**split()),
        made.refusal(),
    ]
    assert reasons == [
        "NOT_PAUSED",
        "NOTHING_MOVES",
        "PHASE_OPEN",
        "CLOSES_TOO_EARLY",
        "NOT_FOUND",
        "PHASE_NOT_CLOSED",
        "PHASE_NOT_OPEN",
        "PARTICIPANT_ACTIVE",
        "NOBODY_STAYS",
        "NOBODY_GOES",
        "NO_ORDER",
    ]
    made.order(**PAUSE)
    made.order(**enrol("99.01"))
    made.withdraw(TWO)
    person = command_pb2.ReplaceOrder(institution=TWO, person=definition_pb2.Person(role=HEAD))
    assert made.refusal(**PAUSE) == "ALREADY_PAUSED"
    assert made.refusal(**override("meeting")) == "COHORT_PAUSED"
    assert made.refusal(**enrol("99.01")) == "PARTICIPANT_EXISTS"
    assert made.refusal(**split(TWO)) == "PARTICIPANT_ENDED"
    assert made.refusal(replace=person) == "PARTICIPANT_ENDED"
    made.order(**RESUME)
    made.order(**override("meeting", "EXCUSE"))
    assert made.refusal(**reschedule("meeting", closes=1)) == "PHASE_CLOSED"


def test_while_a_phase_closes_nobody_comes_or_goes() -> None:
    made = course()
    record = made.record("meeting")
    record.close_time.CopyFrom(clock.stamp(START))
    made.state.ended[THREE] = states.FAILED
    for order in (reopen("meeting"), readmit(THREE), enrol("99.01"), split(ONE)):
        with pytest.raises(Refused) as refused:
            made.give(made.command(**order))
        assert refused.value.reason == "PHASE_CLOSING"
    with pytest.raises(Refused) as closed:
        made.give(made.command(**reschedule("meeting", closes=1)))
    assert closed.value.reason == "PHASE_CLOSED"


def test_who_has_graduated_and_a_cohort_that_is_over_take_no_order() -> None:
    made = course()
    made.state.ended[ONE] = states.GRADUATED
    with pytest.raises(Refused, match="has graduated"):
        made.give(made.command(**readmit(ONE)))
    pause, cancel = made.command(**PAUSE), made.command(cancel=command_pb2.CancelOrder())
    for state, command, over, ending in (
        (pb.ProgramState(cancelling=True), pause, False, False),
        (pb.ProgramState(cancelling=True), cancel, False, False),
        (pb.ProgramState(), pause, True, False),
        (pb.ProgramState(), cancel, True, True),
    ):
        with pytest.raises(Refused) as refused:
            carried_out.require_steerable(state, command, over=over, ending=ending)
        assert (refused.value.kind, refused.value.reason) == (Kind.FAILED_PRECONDITION, "COHORT_ENDED")
    # Until the last one has left.
    carried_out.require_steerable(pb.ProgramState(), cancel, over=True, ending=False)


def test_a_request_id_is_its_actors_and_its_orders() -> None:
    made = course()
    made.order("same", "m1", **PAUSE)
    assert made.order("same", "m2", **RESUME).revision == 2
    assert made.order("same", "m1", **RESUME if made.cohort.paused else PAUSE).revision == 3
    keys = [answer.key for answer in made.state.answers]
    assert keys == ["pause:m1:same", "resume:m2:same", "pause:m1:same"]


def test_who_withdraws_is_still_in_and_a_cohort_that_is_cancelled_takes_no_other_order() -> None:
    made = course()
    made.withdraw(TWO)
    assert made.refusal(withdraw=command_pb2.WithdrawOrder(institution=TWO)) == "PARTICIPANT_ENDED"
    made.order(withdraw=command_pb2.WithdrawOrder(institution=ONE))
    made.order(cancel=command_pb2.CancelOrder())
    assert (made.state.cancelling, made.state.reason, made.state.actor) == (True, "an election", "m1")
    assert made.refusal(**PAUSE) == "COHORT_ENDED"


def test_a_request_that_is_repeated_has_its_first_answer_and_another_one_is_refused() -> None:
    made = course(phase("meeting", 0, 9, gate=gate("GO_ON", two_persons=True)))
    command = made.command("same", **override("meeting"))
    made.give(command)
    first = carried_out.known_answer(made.state, command)
    assert first == command_pb2.CommandAnswer(request_id="same", awaiting_second=True)
    with pytest.raises(Refused) as refused:
        carried_out.known_answer(made.state, made.command("same", **override("workshop")))
    assert (refused.value.kind, refused.value.reason) == (Kind.ALREADY_EXISTS, "REQUEST_EXISTS")
    assert carried_out.known_answer(made.state, made.command("new", **override("meeting"))) is None


def test_a_reopening_is_the_same_request_whoever_has_failed_meanwhile() -> None:
    made = course()
    made.wait(11 * DAY)
    assert made.over
    made = course()
    made.fact(ONE, "meeting-done")
    made.wait(11 * DAY)
    made.give(made.command("same", **reopen("meeting", TWO)))
    assert carried_out.known_answer(made.state, made.command("same", **reopen("meeting", TWO, THREE))) is not None


def test_only_the_latest_answers_are_kept() -> None:
    made = course()
    first = made.command("first", **reschedule("meeting", closes=1))
    made.give(first)
    for _ in range(200):
        made.order(**reschedule("meeting", closes=1))
    assert len(made.state.answers) == 200
    assert carried_out.known_answer(made.state, first) is None


def test_an_override_of_a_newer_release_closes_nothing() -> None:
    made = course()
    order = command_pb2.OverrideOrder(phase="meeting")
    # As its number travels.
    order.MergeFromString(b"\x10\x5a")
    assert order.action == 90
    assert made.refusal(override=order) == "NO_ORDER"
