"""Managers change their minds while a cohort runs: each scenario on the workflows themselves."""

import asyncio
from datetime import timedelta

import pytest
from livinglab.program.v1 import cohort_pb2, command_pb2, definition_pb2
from temporalio.testing import WorkflowEnvironment

from chassis.errors import Refused
from programs import clock
from services.program.workflows.participant import ParticipantWorkflow
from tests.harness.cohorts.agenda import gate, phase
from tests.harness.cohorts.cohort import codes, running_cohort
from tests.harness.cohorts.steering import PAUSE, RESUME, close, everybody_does, invited, nothing, states, two_phases
from tests.harness.waiting import eventually

DAY = timedelta(days=1)


async def test_a_pause_over_a_deadline_fails_nobody_and_repeats_no_reminder(env: WorkflowEnvironment) -> None:
    start = await env.get_current_time()
    async with running_cohort(env.client, start, codes(2), does=nothing, definition=two_phases()) as cohort:
        await invited(cohort, "meeting")
        await env.sleep(7 * DAY)
        await eventually(lambda: [x.template for x in cohort.played.letters].count("reminder") == 2)
        await cohort.steer("pause", pause=PAUSE)
        await env.sleep(20 * DAY)
        assert (await states(cohort))[0] == "OPEN"
        await cohort.steer("resume", resume=RESUME)
        await env.sleep(2 * DAY + timedelta(hours=12))
        reminders = [letter.days for letter in cohort.played.letters if letter.template == "reminder"]
        await everybody_does(cohort, "meeting-done", "workshop-done")
        result = await cohort.result()
    assert sorted(reminders) == [1, 1, 3, 3]
    assert result.graduated == 2


async def test_a_phase_is_held_until_a_manager_decides_and_who_is_excused_goes_on(env: WorkflowEnvironment) -> None:
    one, other = codes(2)
    definition = two_phases("HOLD")
    start = await env.get_current_time()
    async with running_cohort(env.client, start, [one, other], does=nothing, definition=definition) as cohort:
        await invited(cohort, "meeting")
        await cohort.played.fact(one, "meeting-done")
        await env.sleep(40 * DAY)
        held = (await cohort.progress()).phases[0]
        assert (held.state, held.HasField("held_time")) == (cohort_pb2.PHASE_STATE_OPEN, True)
        await cohort.steer("excuse", override=close("meeting", "EXCUSE"))
        await invited(cohort, "workshop")
        await everybody_does(cohort, "workshop-done")
        assert (await cohort.result()).graduated == 2


async def test_who_failed_is_in_again_when_a_phase_is_reopened_also_while_a_letter_hangs(
    env: WorkflowEnvironment,
) -> None:
    one, other = codes(2)
    start = await env.get_current_time()
    async with running_cohort(env.client, start, [one, other], does=nothing, definition=two_phases()) as cohort:
        await invited(cohort, "meeting")
        await cohort.played.fact(one, "meeting-done")
        await cohort.steer("close", override=close("meeting", "CLOSE"))
        await eventually(lambda: other in cohort.played.outcomes)

        async def closed() -> bool:
            return (await states(cohort))[0] == "CLOSED"

        await eventually(closed)
        order = command_pb2.ReopenOrder(phase="meeting", days=5, readmit=True, institutions=[other])
        await cohort.steer("reopen", reopen=order)
        await eventually(lambda: [x.template for x in cohort.played.letters].count("readmitted") == 1)
        await cohort.played.fact(other, "meeting-done", "workshop-done")
        await cohort.played.fact(one, "workshop-done")
        assert (await cohort.result()).graduated == 2


async def test_who_is_taken_in_again_while_the_farewell_hangs_begins_anew(env: WorkflowEnvironment) -> None:
    one, other = codes(2)
    start = await env.get_current_time()
    async with running_cohort(env.client, start, [one, other], does=nothing, definition=two_phases()) as cohort:
        await invited(cohort, "meeting")
        letters = cohort.played.hold["notify_people"] = asyncio.Event()
        await cohort.withdraw(one)

        async def left() -> bool:
            return one in (await cohort.progress()).ended

        await eventually(left)
        await cohort.steer("back", readmit=command_pb2.ReadmitOrder(institution=one))

        async def told_again() -> bool:
            record = await cohort.participant(one).query(ParticipantWorkflow.progress)
            return record.outcome == 0 and len(record.open) == 1

        await eventually(told_again)
        cohort.played.hold.pop("notify_people")
        letters.set()
        await everybody_does(cohort, "meeting-done", "workshop-done")
        assert (await cohort.result()).graduated == 2


async def test_one_comes_late_and_one_leaves_while_it_is_paused(env: WorkflowEnvironment) -> None:
    one, other, late = codes(3)
    start = await env.get_current_time()
    async with running_cohort(env.client, start, [one, other], does=nothing, definition=two_phases()) as cohort:
        await invited(cohort, "meeting")
        await cohort.steer("pause", pause=PAUSE)
        enrolling = command_pb2.EnrolOrder(participant=definition_pb2.Participant(institution=late))
        await cohort.steer("enrol", enrol=enrolling)
        await invited(cohort, "meeting", late)
        await cohort.withdraw(one)
        await eventually(lambda: one in cohort.played.outcomes)
        await env.sleep(30 * DAY)
        await cohort.steer("resume", resume=RESUME)
        await everybody_does(cohort, "meeting-done", "workshop-done")
        result = await cohort.result()
    assert (result.graduated, result.withdrawn, result.failed) == (2, 1, 0)


async def test_a_paused_cohort_that_everybody_leaves_ends(env: WorkflowEnvironment) -> None:
    start = await env.get_current_time()
    async with running_cohort(env.client, start, codes(2), does=nothing, definition=two_phases()) as cohort:
        await invited(cohort, "meeting")
        await cohort.steer("pause", pause=PAUSE)
        for code in codes(2):
            await cohort.withdraw(code)
        assert (await cohort.result()).withdrawn == 2


async def test_phases_run_side_by_side_and_one_is_for_some_of_them(env: WorkflowEnvironment) -> None:
    one, other = codes(2)
    special = phase("special", 0, 9, when=definition_pb2.Condition(done="x"), after=["start"])
    never = phase("never", 3, 9, when=definition_pb2.Condition(done="y"), after=["start"])
    definition = definition_pb2.Definition(id="d", time_zone="UTC", phases=[phase("a", 0, 4), special, never])
    start = await env.get_current_time()
    async with running_cohort(env.client, start, [one, other], does=nothing, definition=definition) as cohort:
        cohort.played.addressed["special"] = [one]
        await invited(cohort, "a")
        await invited(cohort, "special", one)
        assert (await states(cohort))[:2] == ["OPEN", "OPEN"]
        await everybody_does(cohort, "a-done")
        result, ended = await cohort.result(), await states(cohort)
    # Who lacks a duty of a phase that it is not invited to has not failed for it.
    assert (result.graduated, result.failed) == (1, 1)
    assert cohort.played.outcomes[one].failed_phase == "special"
    assert ended == ["CLOSED", "CLOSED", "SKIPPED"]


async def test_a_phase_that_stops_the_cohort_ends_what_is_open_beside_it(env: WorkflowEnvironment) -> None:
    beside = phase("beside", 0, 30, after=["start"])
    definition = definition_pb2.Definition(
        id="d", time_zone="UTC", phases=[phase("a", 0, 4, gate=gate("STOP")), beside]
    )
    start = await env.get_current_time()
    async with running_cohort(env.client, start, codes(2), does=nothing, definition=definition) as cohort:
        result, ended = await cohort.result(), await states(cohort)
    assert (result.outcome, result.failed) == (cohort_pb2.COHORT_STATE_STOPPED, 2)
    assert ended == ["CLOSED", "CLOSED"]


async def test_orders_at_once_and_twice_each_count_once_in_whatever_run(env: WorkflowEnvironment) -> None:
    start = await env.get_current_time()
    async with running_cohort(env.client, start, codes(1), does=nothing, definition=two_phases()) as cohort:
        await invited(cohort, "meeting")
        before = (await cohort.progress()).phases[0].deadline_time.seconds
        move = command_pb2.RescheduleOrder(phase="meeting", deadline_days=1)
        for batch in range(5):
            names = [f"move-{batch}-{number}" for number in range(24)]
            await asyncio.gather(*(cohort.steer(name, reschedule=move) for name in [*names, *names]))
        histories = await cohort.histories()
        # Answered in an earlier run.
        assert (await cohort.steer("move-0-0", reschedule=move)).request_id == "move-0-0"
        after = (await cohort.progress()).phases[0].deadline_time.seconds
        await everybody_does(cohort, "meeting-done", "workshop-done")
        result = await cohort.result()
        histories = await cohort.histories()
        with pytest.raises(Refused) as refused:
            await cohort.steer("late", reschedule=move)
    assert after - before == 120 * 86400
    assert len(histories) > 1
    assert max(len(history.events) for history in histories) < 2_000
    assert (result.graduated, len(cohort.played.commands)) == (1, 120)
    assert refused.value.reason == "COHORT_ENDED"


async def test_a_deadline_that_passes_while_an_order_is_recorded_waits_for_it(env: WorkflowEnvironment) -> None:
    # A day takes a fifth of a second: the real time of the test is enough to pass the deadline.
    async with running_cohort(
        env.client,
        await env.get_current_time(),
        codes(1),
        does=nothing,
        definition=two_phases(),
        seconds_per_day="0.2",
    ) as cohort:
        recording = cohort.played.hold["record_command"] = asyncio.Event()
        await invited(cohort, "meeting")
        order = asyncio.create_task(
            cohort.steer("move", reschedule=command_pb2.RescheduleOrder(phase="meeting", deadline_days=2))
        )
        await eventually(lambda: "record_command" in cohort.played.calls)
        deadline = clock.moment((await cohort.progress()).phases[0].deadline_time)

        async def passed() -> bool:
            return await env.get_current_time() > deadline + timedelta(seconds=1)

        await eventually(passed)
        length = len((await cohort.histories())[0].events)
        assert (await states(cohort))[0] == "OPEN"
        recording.set()
        await order
        result = await cohort.result()
    assert length < 60
    assert result.failed == 1
