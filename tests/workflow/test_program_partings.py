"""Cohorts that are split or cancelled while much is going on, and one that lasts a leap year."""

import asyncio
from datetime import timedelta

import pytest
from livinglab.program.v1 import cohort_pb2, command_pb2, definition_pb2
from temporalio.testing import WorkflowEnvironment

from chassis.errors import Refused
from programs import clock
from services.program.model import states
from services.program.workflows.participant import ParticipantWorkflow
from tests.harness.cohorts.agenda import phase
from tests.harness.cohorts.cohort import codes, running_cohort
from tests.harness.cohorts.steering import PAUSE, RESUME, everybody_does, invited, nothing, two_phases
from tests.harness.waiting import eventually

DAY = timedelta(days=1)


async def test_a_cohort_split_off_while_paused_comes_to_its_own_end(env: WorkflowEnvironment) -> None:
    one, other, third = codes(3)
    definition, start = two_phases(), await env.get_current_time()
    async with running_cohort(env.client, start, [one, other, third], does=nothing, definition=definition) as cohort:
        await invited(cohort, "meeting")
        await cohort.played.fact(third, "meeting-done")
        await cohort.steer("pause", pause=PAUSE)
        order = command_pb2.SplitOrder(cohort_id="second", title="Second", institutions=[other, third])
        await cohort.steer("split", split=order)
        state = cohort.played.commands[-1].split_state
        await cohort.steer("resume", resume=RESUME)
        async with running_cohort(
            env.client,
            start,
            [other, third],
            does=nothing,
            definition=definition,
            cohort_id="second",
            split_from=cohort.played.course,
            start_state=state,
        ) as second:
            second.played.ledger[third] = ["meeting-done"]
            await invited(second, "meeting")
            assert (await second.participant(third).query(ParticipantWorkflow.progress)).paused
            await second.steer("resume", resume=RESUME)
            await everybody_does(second, "meeting-done", "workshop-done")
            await cohort.played.fact(one, "meeting-done", "workshop-done")
            there, here = await second.result(), await cohort.result()
    assert (there.graduated, there.withdrawn, there.failed) == (2, 0, 0)
    assert (here.graduated, here.withdrawn, here.failed) == (1, 2, 0)


async def test_a_split_under_an_id_that_was_taken_meanwhile_is_refused_and_moves_nobody(
    env: WorkflowEnvironment,
) -> None:
    start = await env.get_current_time()
    async with running_cohort(env.client, start, codes(2), does=nothing, definition=two_phases()) as cohort:
        await invited(cohort, "meeting")
        cohort.played.refused.add("record_command")
        order = command_pb2.SplitOrder(cohort_id="second", title="Second", institutions=codes(1))
        with pytest.raises(Refused) as refused:
            await cohort.steer("split", split=order)
        await everybody_does(cohort, "meeting-done", "workshop-done")
        assert (await cohort.result()).graduated == 2
    assert refused.value.reason == "COHORT_EXISTS"


async def test_cancelling_a_paused_cohort_cancels_sessions_and_takes_everybody_out(env: WorkflowEnvironment) -> None:
    start = await env.get_current_time()
    async with running_cohort(env.client, start, codes(2), does=nothing, definition=with_a_session()) as cohort:
        await invited(cohort, "meeting")
        await cohort.steer("pause", pause=PAUSE)
        # What would have moved with the pause is still to come.
        await env.sleep(30 * DAY)
        await cohort.cancel()
        result = await cohort.result()
    assert (result.outcome, result.withdrawn) == (cohort_pb2.COHORT_STATE_CANCELLED, 2)
    assert [step.cancelled_reason for step in cohort.played.sessions] == ["", "an election"]


def with_a_session() -> definition_pb2.Definition:
    """On the fourth day of the meeting."""
    hall = definition_pb2.DefinedSession(id="hall", start="2026-01-08T09:00", end="2026-01-08T12:00", time_zone="UTC")
    return two_phases(sessions=[hall])


async def test_a_cohort_that_is_stopped_takes_its_sessions_to_come_off_the_calendar(env: WorkflowEnvironment) -> None:
    start = await env.get_current_time()
    async with running_cohort(env.client, start, codes(2), does=nothing, definition=with_a_session()) as cohort:
        await invited(cohort, "meeting")
        stop = command_pb2.OverrideOrder(phase="meeting", action=cohort_pb2.GATE_ACTION_STOP)
        await cohort.steer("stop", override=stop)
        result = await cohort.result()
    assert (result.outcome, result.failed) == (cohort_pb2.COHORT_STATE_STOPPED, 2)
    assert [(step.session, step.cancelled_reason) for step in cohort.played.sessions] == [
        ("hall", ""),
        ("hall", "a manager stopped it at meeting"),
    ]


async def test_a_session_to_come_of_a_phase_that_closed_early_is_cancelled_with_the_cohort(
    env: WorkflowEnvironment,
) -> None:
    start = await env.get_current_time()
    async with running_cohort(env.client, start, codes(2), does=nothing, definition=with_a_session()) as cohort:
        await invited(cohort, "meeting")
        close = command_pb2.OverrideOrder(phase="meeting", action=cohort_pb2.GATE_ACTION_EXCUSE)
        await cohort.steer("close", override=close)
        await eventually(lambda: ("meeting", cohort_pb2.PHASE_STATE_CLOSED, False) in cohort.played.phases)
        await cohort.cancel()
        result = await cohort.result()
    assert (result.outcome, result.withdrawn) == (cohort_pb2.COHORT_STATE_CANCELLED, 2)
    assert [step.cancelled_reason for step in cohort.played.sessions] == ["", "an election"]


async def test_who_was_to_come_late_is_taken_out_with_the_others(env: WorkflowEnvironment) -> None:
    one, late = codes(2)
    start = await env.get_current_time()
    async with running_cohort(env.client, start, [one], does=nothing, definition=two_phases()) as cohort:
        await invited(cohort, "meeting")
        starting = cohort.played.hold["start_participants"] = asyncio.Event()
        calls = cohort.played.calls.count("start_participants")
        enrolling = command_pb2.EnrolOrder(participant=definition_pb2.Participant(institution=late))
        await cohort.steer("enrol", enrol=enrolling)
        await eventually(lambda: cohort.played.calls.count("start_participants") > calls)
        await cohort.cancel()
        await eventually(lambda: cohort.played.calls.count("start_participants") > calls + 1)
        starting.set()
        result = await cohort.result()
    assert result.withdrawn == 2
    assert cohort.played.states() == {one: states.WITHDRAWN, late: states.WITHDRAWN}


@pytest.mark.parametrize("zone", ["Asia/Jakarta", "Asia/Makassar", "Asia/Jayapura"])
async def test_a_leap_year_passes_with_each_phase_opening_at_midnight_of_the_zone(
    env: WorkflowEnvironment, zone: str
) -> None:
    days = ["2028-01-03", "2028-02-28", "2028-02-29", "2028-03-01", "2028-12-31"]
    phases = [phase(f"p{place}", 0, 0) for place in range(len(days))]
    for made, day in zip(phases, days, strict=True):
        made.opens = made.closes = day
    definition = definition_pb2.Definition(id="d", time_zone=zone, phases=phases)
    start = await env.get_current_time()
    does = {made.id: [made.duties[0].id] for made in phases}
    async with running_cohort(
        env.client, start, codes(2), does=lambda _, name: does[name], definition=definition
    ) as cohort:
        result, state = await cohort.result(), await cohort.progress()
    assert result.graduated == 2
    for record, day in zip(state.phases, days, strict=True):
        program = clock.program_time(cohort.played.course.clock, clock.moment(record.open_time))
        midnight = clock.local(f"{day}T00:00", zone)
        assert midnight <= program < midnight + timedelta(hours=1)
