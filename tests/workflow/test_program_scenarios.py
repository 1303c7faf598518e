"""Managers change their minds while a cohort runs: each scenario on the workflows themselves."""

import asyncio
from collections.abc import Iterable
from datetime import timedelta

import pytest
from livinglab.program.v1 import cohort_pb2, command_pb2, definition_pb2
from livinglab.program.v1 import workflow_pb2 as pb
from temporalio.testing import WorkflowEnvironment

from chassis.errors import Refused
from services.program import clock, model
from services.program.participant_workflow import ParticipantWorkflow
from tests.harness.agenda import gate, phase
from tests.harness.cohort import RunningCohort, codes, running_cohort
from tests.harness.waiting import eventually

PAUSE, RESUME = command_pb2.PauseOrder(), command_pb2.ResumeOrder()
DAY = timedelta(days=1)


def nothing(_institution: str, _phase: str) -> Iterable[str]:
    """Nobody does anything by themselves."""
    return ()


def two_phases(on_miss: str = "GO_ON", **fields: object) -> definition_pb2.Definition:
    """Ten days of a meeting, then ten of a workshop."""
    meeting = phase("meeting", 0, 9, gate=gate(on_miss), remind_days_before=[3, 1], **fields)
    return definition_pb2.Definition(id="d", time_zone="UTC", phases=[meeting, phase("workshop", 12, 21)])


def close(name: str, action: str) -> command_pb2.OverrideOrder:
    return command_pb2.OverrideOrder(phase=name, action=cohort_pb2.GateAction.Value(f"GATE_ACTION_{action}"))


async def everybody_does(cohort: RunningCohort, *duties: str) -> None:
    for code in cohort.played.institutions:
        if code not in cohort.played.outcomes:
            await cohort.played.fact(code, *duties)


async def invited(cohort: RunningCohort, name: str, *institutions: str) -> None:
    """Waits until they were written to."""
    wanted = set(institutions or cohort.played.institutions)

    def all_were() -> bool:
        letters = [x for x in cohort.played.letters if (x.template, x.phase) == ("invitation", name)]
        return wanted <= {letter.institution for letter in letters}

    await eventually(all_were)


async def states(cohort: RunningCohort) -> list[str]:
    progress = await cohort.progress()
    return [cohort_pb2.PhaseState.Name(r.state).removeprefix("PHASE_STATE_") for r in progress.phases]


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
        await cohort.played.engine.withdraw(cohort.played.course, one, pb.Withdrawal(reason="no budget"))

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
        await cohort.played.engine.withdraw(cohort.played.course, one, pb.Withdrawal(reason="no budget"))
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
            await cohort.played.engine.withdraw(cohort.played.course, code, pb.Withdrawal(reason="no budget"))
        assert (await cohort.result()).withdrawn == 2


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


async def test_cancelling_a_paused_cohort_cancels_sessions_and_takes_everybody_out(env: WorkflowEnvironment) -> None:
    start = await env.get_current_time()
    session = definition_pb2.DefinedSession(
        id="hall", start="2026-01-08T09:00", end="2026-01-08T12:00", time_zone="UTC"
    )
    definition = two_phases(sessions=[session])
    async with running_cohort(env.client, start, codes(2), does=nothing, definition=definition) as cohort:
        await invited(cohort, "meeting")
        await cohort.steer("pause", pause=PAUSE)
        # What would have moved with the pause is still to come.
        await env.sleep(30 * DAY)
        await cohort.played.engine.cancel(cohort.played.course, pb.Cancellation(reason="an election", actor="m1"))
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
        await cohort.played.engine.cancel(cohort.played.course, pb.Cancellation(reason="an election"))
        await eventually(lambda: cohort.played.calls.count("start_participants") > calls + 1)
        starting.set()
        result = await cohort.result()
    assert result.withdrawn == 2
    assert cohort.played.states() == {one: model.WITHDRAWN, late: model.WITHDRAWN}


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
