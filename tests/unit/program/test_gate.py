"""When a phase closes, and what a deadline brings."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livinglab.program.v1 import definition_pb2
from livinglab.program.v1 import workflow_pb2 as pb

from programs import clock
from services.program.model import gate
from services.program.model.gate import Decision, Standing

DEADLINE = datetime(2022, 11, 14, tzinfo=UTC)
BEFORE = DEADLINE - timedelta(seconds=1)
PEOPLE = st.integers(0, 600)


def phase(on_miss: str, *, quorum: int = 75, requires: bool = True, **gate_fields: Any) -> definition_pb2.Phase:
    """A phase with one duty."""
    miss = definition_pb2.OnMiss.Value(f"ON_MISS_{on_miss}")
    return definition_pb2.Phase(
        duties=[definition_pb2.Duty(id="come", required=requires)],
        gate=definition_pb2.Gate(quorum_percent=quorum, on_miss=miss, extend_days=3, **gate_fields),
    )


def record(**fields: Any) -> pb.PhaseRecord:
    """An open phase."""
    held = fields.pop("held", False)
    made = pb.PhaseRecord(deadline_time=clock.stamp(DEADLINE), **fields)
    if held:
        made.held_time.CopyFrom(clock.stamp(DEADLINE))
    return made


def standing(active: int, done: int) -> Standing:
    """The quorum counts every required duty."""
    return Standing(active, min(done, active), min(done, active))


@given(active=st.integers(1, 600), done=PEOPLE)
def test_a_phase_closes_before_its_deadline_only_when_all_are_done(active: int, done: int) -> None:
    decision = gate.decide(phase("GO_ON"), record(), standing(active, done), BEFORE)
    assert decision is (Decision.CLOSE if done >= active else Decision.WAIT)


def test_a_phase_closes_when_nobody_is_left() -> None:
    for rule in (phase("EXTEND"), phase("STOP"), phase("HOLD"), phase("GO_ON", decision=True)):
        assert gate.decide(rule, record(), standing(0, 0), BEFORE) is Decision.CLOSE


def test_a_phase_that_requires_nothing_lasts_until_its_deadline() -> None:
    relaxed = phase("STOP", requires=False)
    assert gate.decide(relaxed, record(), standing(5, 5), BEFORE) is Decision.WAIT
    assert gate.decide(relaxed, record(), standing(5, 0), DEADLINE) is Decision.CLOSE


@pytest.mark.parametrize(
    ("on_miss", "done", "known", "decision"),
    [
        ("EXTEND", 75, {}, Decision.CLOSE),
        ("EXTEND", 74, {}, Decision.EXTEND),
        ("EXTEND", 74, {"extended": True}, Decision.CLOSE),
        ("GO_ON", 0, {}, Decision.CLOSE),
        ("STOP", 74, {}, Decision.STOP),
        ("STOP", 75, {}, Decision.CLOSE),
        ("HOLD", 75, {}, Decision.CLOSE),
        ("HOLD", 74, {}, Decision.HOLD),
        ("HOLD", 74, {"held": True}, Decision.WAIT),
        ("HOLD", 75, {"held": True}, Decision.CLOSE),
    ],
)
def test_what_a_deadline_brings(on_miss: str, done: int, known: dict[str, bool], decision: Decision) -> None:
    assert gate.decide(phase(on_miss), record(**known), standing(100, done), DEADLINE) is decision


@pytest.mark.parametrize("now", [BEFORE, DEADLINE])
def test_an_override_comes_before_the_quorum_and_the_deadline(now: datetime) -> None:
    for rule in (phase("EXTEND"), phase("HOLD"), phase("GO_ON", decision=True)):
        assert gate.decide(rule, record(overridden=True), standing(10, 0), now) is Decision.CLOSE
        assert gate.decide(rule, record(overridden=True, stopped=True), standing(10, 10), now) is Decision.STOP


def test_a_gate_that_a_manager_decides_waits_whatever_was_done() -> None:
    rule = phase("GO_ON", decision=True)
    assert gate.decide(rule, record(), standing(10, 0), BEFORE) is Decision.WAIT
    # From here on a manager is waited for, and it shows since when.
    assert gate.decide(rule, record(), standing(10, 10), BEFORE) is Decision.HOLD
    assert gate.decide(rule, record(), standing(10, 3), DEADLINE) is Decision.HOLD
    assert gate.decide(rule, record(held=True), standing(10, 10), DEADLINE) is Decision.WAIT


def test_a_quorum_may_count_other_duties_than_those_that_all_must_do() -> None:
    rule = phase("STOP")
    rule.gate.quorum_of.append("come")
    assert gate.decide(rule, record(), Standing(100, 0, 75), DEADLINE) is Decision.CLOSE
    assert gate.decide(rule, record(), Standing(100, 0, 74), DEADLINE) is Decision.STOP


@given(active=st.integers(1, 600), quorum=st.integers(1, 100), done=PEOPLE, more=PEOPLE)
def test_more_done_never_turns_a_closing_into_an_extension(active: int, quorum: int, done: int, more: int) -> None:
    rule = phase("EXTEND", quorum=quorum)
    if gate.decide(rule, record(), standing(active, done), DEADLINE) is Decision.CLOSE:
        assert gate.decide(rule, record(), standing(active, done + more), DEADLINE) is Decision.CLOSE
