"""The course of a cohort over months: phases, gates, duties, reminders."""

import asyncio
from collections.abc import Iterable
from datetime import timedelta

from livinglab.program.v1 import cohort_pb2, definition_pb2
from livinglab.program.v1 import workflow_pb2 as pb
from temporalio.testing import WorkflowEnvironment

from programs import clock, phases
from services.program.workflows.participant import ParticipantWorkflow
from tests.harness.cohorts.cohort import ALL_DUTIES, Script, codes, living_lab, running_cohort
from tests.harness.waiting import eventually

OPEN, CLOSED = cohort_pb2.PHASE_STATE_OPEN, cohort_pb2.PHASE_STATE_CLOSED


def all_but(left_out: dict[str, str]) -> Script:
    """Everybody does everything, but the institutions named leave one duty out."""

    def does(institution: str, phase: str) -> Iterable[str]:
        return [duty for duty in ALL_DUTIES[phase] if left_out.get(institution) != duty]

    return does


def with_gate(phase: str, on_miss: str, extend_days: int = 0) -> definition_pb2.Definition:
    """The living lab with another rule for a phase whose quorum is missed."""
    definition = living_lab()
    gate = phases.find_phase(definition, phase).gate
    gate.on_miss = definition_pb2.OnMiss.Value(f"ON_MISS_{on_miss}")
    gate.extend_days = extend_days
    return definition


async def test_who_does_every_duty_graduates_and_each_phase_opens_on_its_day(env: WorkflowEnvironment) -> None:
    start = await env.get_current_time()
    async with running_cohort(env.client, start, codes(4)) as cohort:
        result = await cohort.result()
        state = await cohort.progress()
        # The program does not wait for letters.
        await eventually(lambda: [letter.template for letter in cohort.played.letters].count("graduation") == 4)
    assert (result.outcome, result.graduated) == (cohort_pb2.COHORT_STATE_COMPLETED, 4)
    assert [p for p, s, _ in cohort.played.phases if s == OPEN] == list(ALL_DUTIES)
    assert [p for p, s, _ in cohort.played.phases if s == CLOSED] == list(ALL_DUTIES)
    opened = [clock.moment(record.open_time) for record in state.phases]
    # The workshop opens nine days after the governance meeting, the follow-up a month after it.
    assert timedelta(days=9) <= opened[1] - start < timedelta(days=9, hours=1)
    assert timedelta(days=30) <= opened[3] - start < timedelta(days=30, hours=1)
    assert [letter.template for letter in cohort.played.letters if letter.template == "graduation"] == [
        "graduation"
    ] * 4
    assert len(cohort.played.completed) == 1


async def test_who_misses_a_required_duty_fails_at_the_deadline_and_the_others_go_on(env: WorkflowEnvironment) -> None:
    start = await env.get_current_time()
    one = codes(5)[2]
    does = all_but({one: "plan-approved"})
    async with running_cohort(env.client, start, codes(5), does=does) as cohort:
        result = await cohort.result()
        state = await cohort.progress()
    assert (result.graduated, result.failed, result.withdrawn) == (4, 1, 0)
    assert cohort.played.outcomes[one].reason == "workshop closed without plan-approved"
    # Four of five are over the quorum of 75: the deadline closes the phase and does not move.
    workshop = state.phases[1]
    assert not workshop.extended
    assert clock.moment(workshop.close_time) - clock.moment(workshop.deadline_time) < timedelta(hours=1)
    assert [record.invited for record in state.phases] == [5, 5, 4, 4]


async def test_a_duty_that_is_not_required_is_only_noted(env: WorkflowEnvironment) -> None:
    one = codes(3)[0]
    does = all_but({one: "summit-attended"})
    async with running_cohort(env.client, await env.get_current_time(), codes(3), does=does) as cohort:
        result = await cohort.result()
        record = await cohort.participant(one).query(ParticipantWorkflow.progress)
    assert result.graduated == 3
    assert "summit-attended" not in record.duties
    assert "commitment-signed" in record.duties


async def test_a_missed_quorum_moves_the_deadline_once_and_then_the_phase_closes(env: WorkflowEnvironment) -> None:
    late = dict.fromkeys(codes(4)[:2], "plan-approved")
    start = await env.get_current_time()
    async with running_cohort(env.client, start, codes(4), does=all_but(late)) as cohort:
        result = await cohort.result()
        state = await cohort.progress()
    assert (result.graduated, result.failed) == (2, 2)
    workshop = state.phases[1]
    assert workshop.extended
    # It was to close after 20 days, and has closed after 23.
    assert timedelta(days=23) <= clock.moment(workshop.close_time) - start < timedelta(days=23, hours=1)
    assert cohort.played.calls.count("extend_phase") == 1
    # Who still lacks something is written to.
    told = [letter for letter in cohort.played.letters if letter.template == "postponed"]
    assert len(told) == 2
    assert all(letter.missing == ["plan-approved"] for letter in told)
    # The summit opens when the workshop has closed, not before, and keeps the days that were promised.
    summit = state.phases[2]
    assert clock.moment(summit.open_time) >= clock.moment(workshop.close_time)


async def test_who_does_the_duty_in_the_days_that_were_added_stays_in(env: WorkflowEnvironment) -> None:
    late = dict.fromkeys(codes(2), "plan-approved")
    async with running_cohort(env.client, await env.get_current_time(), codes(2), does=all_but(late)) as cohort:
        await env.sleep(timedelta(days=21))
        for institution in late:
            await cohort.played.fact(institution, "plan-approved")
        result = await cohort.result()
    assert result.graduated == 2


async def test_a_quorum_that_stops_the_cohort_fails_everybody_still_in_it(env: WorkflowEnvironment) -> None:
    institutions = codes(4)
    absent = dict.fromkeys(institutions[:3], "governance-attended")
    definition = with_gate("governance", "STOP")
    start = await env.get_current_time()
    async with running_cohort(env.client, start, institutions, does=all_but(absent), definition=definition) as cohort:
        result = await cohort.result()
    assert (result.outcome, result.failed) == (cohort_pb2.COHORT_STATE_STOPPED, 4)
    assert cohort.played.outcomes[institutions[3]].reason == "the cohort was stopped at governance"
    assert cohort.played.completed[0].reason == "the quorum of governance was missed"
    assert [p for p, s, _ in cohort.played.phases if s == OPEN] == ["governance"]


async def test_a_cohort_whose_participants_have_all_failed_ends_at_once(env: WorkflowEnvironment) -> None:
    absent = dict.fromkeys(codes(2), "governance-attended")
    async with running_cohort(env.client, await env.get_current_time(), codes(2), does=all_but(absent)) as cohort:
        result = await cohort.result()
    assert (result.outcome, result.failed) == (cohort_pb2.COHORT_STATE_COMPLETED, 2)
    assert [p for p, s, _ in cohort.played.phases if s == OPEN] == ["governance"]


async def test_those_who_lack_a_duty_are_reminded_on_each_day_and_the_others_are_not(env: WorkflowEnvironment) -> None:
    idle, busy = codes(2)
    does = all_but({idle: "governance-attended"})
    async with running_cohort(env.client, await env.get_current_time(), [idle, busy], does=does) as cohort:
        await cohort.result()
    reminders = [letter for letter in cohort.played.letters if letter.template == "reminder"]
    assert [letter.institution for letter in reminders] == [idle, idle]
    assert [list(letter.missing) for letter in reminders] == [["governance-attended"]] * 2
    assert len({letter.occasion for letter in reminders}) == 2


async def test_each_phase_prepares_what_its_duties_need(env: WorkflowEnvironment) -> None:
    async with running_cohort(env.client, await env.get_current_time(), codes(2)) as cohort:
        await cohort.result()
    calls = cohort.played.calls
    assert calls.count("open_evaluation") == 2 * 2
    assert calls.count("assign_coach") == 2
    assert calls.count("schedule_session") == 6
    assert calls.count("record_outcome") == 2


async def test_what_is_refused_for_good_is_the_reason_of_who_fails_for_it(env: WorkflowEnvironment) -> None:
    one, other = codes(2)
    async with running_cohort(
        env.client,
        await env.get_current_time(),
        [one, other],
        does=all_but({one: "plan-approved"}),
        refused={f"assign_coach {one}", "schedule_session"},
    ) as cohort:
        result = await cohort.result()
        state = await cohort.progress()
    assert (result.graduated, result.failed) == (1, 1)
    assert "assign_coach: " in cohort.played.outcomes[one].reason
    assert "assign_coach is refused" in cohort.played.outcomes[one].reason
    assert any("schedule_session is refused" in problem for problem in state.problems)


async def test_a_service_that_is_down_does_not_hold_up_a_closing(env: WorkflowEnvironment) -> None:
    institutions = codes(2)
    absent = dict.fromkeys(institutions, "governance-attended")
    async with running_cohort(env.client, await env.get_current_time(), institutions, does=all_but(absent)) as cohort:
        cohort.played.hold["notify_people"] = asyncio.Event()
        await eventually(lambda: cohort.played.calls.count("notify_people") == 2)
        # Activities that wait keep the server from skipping time, so the manager closes it here.
        for institution in institutions:
            closing = pb.PhaseClosing(phase="governance", required=["governance-attended"])
            await cohort.participant(institution).signal(ParticipantWorkflow.phase_closed, closing)
        await eventually(lambda: len(cohort.played.outcomes) == 2)
        cohort.played.hold.pop("notify_people").set()
        assert (await cohort.result()).failed == 2
