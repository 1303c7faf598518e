"""Random cohorts on the workflows themselves: whatever is ordered and done, each participant has one end."""

import asyncio
import contextlib
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from livinglab.program.v1 import cohort_pb2, command_pb2, definition_pb2

from chassis.errors import Refused
from programs import clock
from programs.sequence import over_before
from services.program.model import states
from services.program.model.agenda import OVER
from tests.harness.cohorts.agenda import gate, phase
from tests.harness.cohorts.cohort import RunningCohort, codes, running_cohort
from tests.harness.skipping import time_skipping

LONG = 500
NAMES = ("p0", "p1", "p2")


@st.composite
def definitions(draw: st.DrawFn) -> definition_pb2.Definition:
    """Three phases: in a row or side by side, the last one perhaps for some only."""
    phases = []
    for place, name in enumerate(NAMES):
        rule = gate(draw(st.sampled_from(["EXTEND", "GO_ON", "HOLD", "STOP"])), extend_days=2)
        after = draw(st.sampled_from([[], ["start"]])) if place else []
        made = phase(name, 3 * place, 3 * place + draw(st.integers(0, 5)), gate=rule, after=after)
        if place == 2 and draw(st.booleans()):
            made.when.done = "p0-done"
        phases.append(made)
    return definition_pb2.Definition(id="d", time_zone="UTC", phases=phases)


ORDERS = st.one_of(
    st.just({"pause": command_pb2.PauseOrder()}),
    st.just({"resume": command_pb2.ResumeOrder()}),
    st.builds(
        lambda name, days: {"reschedule": command_pb2.RescheduleOrder(phase=name, deadline_days=days)},
        st.sampled_from(NAMES),
        st.integers(-2, 5),
    ),
    st.builds(
        lambda name, action: {"override": command_pb2.OverrideOrder(phase=name, action=action)},
        st.sampled_from(NAMES),
        st.sampled_from([cohort_pb2.GATE_ACTION_CLOSE, cohort_pb2.GATE_ACTION_EXCUSE]),
    ),
    st.builds(
        lambda name: {"reopen": command_pb2.ReopenOrder(phase=name, days=2)},
        st.sampled_from(NAMES),
    ),
    st.builds(
        lambda code: {"readmit": command_pb2.ReadmitOrder(institution=code)},
        st.sampled_from(codes(3)),
    ),
    st.just({"enrol": command_pb2.EnrolOrder(participant=definition_pb2.Participant(institution="99.01"))}),
)
DEEDS = st.tuples(st.sampled_from(codes(3)), st.sampled_from([f"{name}-done" for name in NAMES]))
STEPS = st.lists(st.one_of(ORDERS, DEEDS, st.integers(1, 4), st.sampled_from(codes(3))), min_size=4, max_size=10)


@pytest.mark.timeout(200)
@settings(
    max_examples=12,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(definition=definitions(), steps=STEPS)
def test_whatever_is_ordered_and_done_each_participant_has_one_end(
    definition: definition_pb2.Definition, steps: list[Any]
) -> None:
    asyncio.run(_live(definition, steps))


async def _live(definition: definition_pb2.Definition, steps: list[Any]) -> None:
    async with await time_skipping() as env:
        start = await env.get_current_time()
        async with running_cohort(
            env.client, start, codes(3), definition=definition, does=lambda _, __: (), sandboxed=False
        ) as cohort:
            cohort.played.addressed["p2"] = codes(2)
            for number, step in enumerate(steps):
                if isinstance(step, int):
                    await env.sleep(timedelta(days=step))
                elif isinstance(step, str):
                    await cohort.withdraw(step)
                elif isinstance(step, tuple):
                    await cohort.played.fact(*step)
                else:
                    await _order_twice(cohort, f"r{number}", step)
                await _require_sound(cohort, definition)
            await _let_go(cohort)
            for _ in range(LONG):
                if cohort.played.completed:
                    break
                await env.sleep(timedelta(days=1))
                await _let_go(cohort)
            result = await cohort.result()
            state = await cohort.progress()
    assert cohort.played.completed
    assert len(state.ended) == 3 + len(state.enrolled)
    assert result.graduated + result.withdrawn + result.failed == 3 + len(state.enrolled)
    assert dict(state.ended) == cohort.played.states()
    if definition.phases[2].HasField("when"):
        special = [code for code, end in cohort.played.outcomes.items() if end.failed_phase == "p2"]
        assert set(special) <= set(codes(2))


async def _order_twice(cohort: RunningCohort, request_id: str, order: dict[str, Any]) -> None:
    """Refused or not, the cohort goes on; a repeat has the same answer."""
    with contextlib.suppress(Refused):
        first = await cohort.steer(request_id, **order)
        assert await cohort.steer(request_id, **order) == first


async def _let_go(cohort: RunningCohort) -> None:
    """It is not held up by a manager any more."""
    excuse = cohort_pb2.GATE_ACTION_EXCUSE
    orders: list[dict[str, Any]] = [{"resume": command_pb2.ResumeOrder()}]
    orders += [{"override": command_pb2.OverrideOrder(phase=name, action=excuse)} for name in NAMES]
    for number, order in enumerate(orders):
        state = await cohort.progress()
        held = number == 0 or state.phases[number - 1].HasField("held_time")
        if held and not state.outcome:
            await _order_twice(cohort, f"let-go-{len(cohort.played.commands)}-{number}", order)


async def _require_sound(cohort: RunningCohort, definition: definition_pb2.Definition) -> None:
    state = await cohort.progress()
    assert len(state.ended) <= 3 + len(state.enrolled)
    assert set(state.ended.values()) <= {states.GRADUATED, states.WITHDRAWN, states.FAILED}
    for record, before in zip(state.phases, over_before(definition), strict=True):
        if record.state == cohort_pb2.PHASE_STATE_OPEN and not any(other.reopened for other in state.phases):
            assert all(state.phases[place].state in OVER for place in before)
            assert clock.moment(record.open_time) <= clock.moment(record.deadline_time)
