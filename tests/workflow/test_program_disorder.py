"""Facts and signals early, late, twice and in any order; withdrawals and cancellations at any time."""

import asyncio
from collections.abc import Iterable
from datetime import timedelta

import pytest
from livinglab.program.v1 import cohort_pb2, workflow_pb2
from temporalio.client import WorkflowExecutionStatus
from temporalio.testing import WorkflowEnvironment

from services.program.model import states
from services.program.workflows.cohort import ProgramWorkflow
from services.program.workflows.participant import ParticipantWorkflow
from tests.harness.cohorts.cohort import ALL_DUTIES, RunningCohort, codes, everything, running_cohort
from tests.harness.waiting import eventually


def nothing(_institution: str, _phase: str) -> Iterable[str]:
    """Nobody does anything."""
    return ()


async def opened(cohort: RunningCohort, phase: str) -> None:
    """Waits until every participant has been invited to a phase."""

    def invited() -> bool:
        here = {x.institution for x in cohort.played.letters if (x.template, x.phase) == ("invitation", phase)}
        return here == set(cohort.played.institutions)

    await eventually(invited)


async def test_facts_that_came_before_their_phase_count(env: WorkflowEnvironment) -> None:
    institutions = codes(3)
    async with running_cohort(env.client, await env.get_current_time(), institutions, does=nothing) as cohort:
        await opened(cohort, "governance")
        for institution in institutions:
            await cohort.played.fact(institution, *(duty for duties in ALL_DUTIES.values() for duty in duties))
        assert (await cohort.result()).graduated == 3


async def test_facts_that_only_the_ledger_holds_count(env: WorkflowEnvironment) -> None:
    """As when the fact came before the workflow was started."""
    institutions = codes(3)
    async with running_cohort(env.client, await env.get_current_time(), institutions, does=nothing) as cohort:
        for institution in institutions:
            cohort.played.ledger[institution] = [duty for duties in ALL_DUTIES.values() for duty in duties]
        assert (await cohort.result()).graduated == 3


async def test_a_fact_whose_signal_was_lost_counts_at_the_closing(env: WorkflowEnvironment) -> None:
    one, other = codes(2)
    async with running_cohort(env.client, await env.get_current_time(), [one, other]) as cohort:
        await opened(cohort, "governance")
        cohort.played.does = lambda code, phase: () if (code, phase) == (one, "workshop") else everything(code, phase)
        await env.sleep(timedelta(days=12))
        cohort.played.ledger[one] += ALL_DUTIES["workshop"]
        assert (await cohort.result()).graduated == 2


async def test_signals_told_twice_and_out_of_order_change_nothing(env: WorkflowEnvironment) -> None:
    one, other = codes(2)
    async with running_cohort(env.client, await env.get_current_time(), [one, other]) as cohort:
        await opened(cohort, "governance")
        handle = cohort.participant(one)
        phases = cohort.played.course.definition.phases
        early = workflow_pb2.PhaseClosing(phase="summit", required=["commitment-signed"])
        again = workflow_pb2.PhaseOpening(phase=phases[0])
        for _ in range(2):
            await handle.signal(ParticipantWorkflow.phase_opened, again)
            await handle.signal(ParticipantWorkflow.duties_done, workflow_pb2.DutiesDone(duties=["commitment-signed"]))
            await handle.signal(ParticipantWorkflow.phase_closed, early)
            done = workflow_pb2.PhaseDone(institution=other, phase="governance")
            await cohort.handle.signal(ProgramWorkflow.reported, workflow_pb2.Reports(done=[done, done]))
        result = await cohort.result()
        record = await handle.query(ParticipantWorkflow.progress)
    assert result.graduated == 2
    assert sorted(record.duties) == sorted({*record.duties})
    assert sorted(record.closed) == sorted(ALL_DUTIES)


async def test_a_closing_before_its_opening_fails_who_lacks_the_duty(env: WorkflowEnvironment) -> None:
    one, other = codes(2)
    async with running_cohort(env.client, await env.get_current_time(), [one, other]) as cohort:
        await opened(cohort, "governance")
        closing = workflow_pb2.PhaseClosing(phase="workshop", required=["plan-approved"])
        await cohort.participant(one).signal(ParticipantWorkflow.phase_closed, closing)
        result = await cohort.result()
    assert (result.graduated, result.failed) == (1, 1)
    assert cohort.played.outcomes[one].reason == "workshop closed without plan-approved"


@pytest.mark.parametrize("days", [0, 5, 12, 40])
async def test_who_withdraws_leaves_at_once_and_holds_nobody_up(env: WorkflowEnvironment, days: int) -> None:
    one, other = codes(2)
    async with running_cohort(env.client, await env.get_current_time(), [one, other]) as cohort:
        cohort.played.does = lambda code, phase: everything(code, phase) if code == other else ()
        cohort.played.ledger[one] = ALL_DUTIES["governance"] + ALL_DUTIES["workshop"] + ALL_DUTIES["summit"]
        await opened(cohort, "governance")
        await env.sleep(timedelta(days=days))
        await cohort.withdraw(one, actor="manager")
        result = await cohort.result()
        await eventually(lambda: [x.institution for x in cohort.played.letters if x.template == "withdrawal"] == [one])
    assert (result.graduated, result.withdrawn) == (1, 1)
    step = cohort.played.outcomes[one]
    assert (step.reason, step.actor) == ("no budget", "manager")


async def test_who_withdraws_before_the_workflow_has_started_is_withdrawn(env: WorkflowEnvironment) -> None:
    one, other = codes(2)
    async with running_cohort(env.client, await env.get_current_time(), [one, other]) as cohort:
        hold = cohort.played.hold["start_participants"] = asyncio.Event()
        await eventually(lambda: "start_participants" in cohort.played.calls)
        await cohort.withdraw(one, "early")
        hold.set()
        result = await cohort.result()
    assert (result.graduated, result.withdrawn) == (1, 1)


@pytest.mark.parametrize("days", [0, 5, 12, 40])
async def test_cancelling_withdraws_everybody_still_in_the_cohort(env: WorkflowEnvironment, days: int) -> None:
    institutions = codes(4)
    async with running_cohort(env.client, await env.get_current_time(), institutions, does=nothing) as cohort:
        for institution in institutions[1:]:
            cohort.played.ledger[institution] = [duty for duties in ALL_DUTIES.values() for duty in duties][:5]
        await opened(cohort, "governance")
        await env.sleep(timedelta(days=days))
        await cohort.cancel(actor="manager")
        await cohort.cancel(actor="manager")
        result = await cohort.result()
    assert result.outcome == cohort_pb2.COHORT_STATE_CANCELLED
    # The first one has missed the governance meeting by the twelfth day.
    assert (result.withdrawn, result.failed) == ((4, 0) if days < 10 else (3, 1))
    reasons = {x.reason for x in cohort.played.outcomes.values() if x.outcome == states.WITHDRAWN}
    assert reasons == {"an election"}
    assert [(x.reason, x.actor) for x in cohort.played.completed] == [("an election", "manager")]


async def test_cancelling_before_the_participants_have_started_gives_each_an_end(env: WorkflowEnvironment) -> None:
    async with running_cohort(env.client, await env.get_current_time(), codes(3)) as cohort:
        hold = cohort.played.hold["start_participants"] = asyncio.Event()
        await eventually(lambda: "start_participants" in cohort.played.calls)
        await cohort.cancel("a mistake")
        # The first try was let go; everybody is started all the same, to be taken out.
        await eventually(lambda: cohort.played.calls.count("start_participants") == 2)
        hold.set()
        result = await cohort.result()
    assert (result.outcome, result.withdrawn) == (cohort_pb2.COHORT_STATE_CANCELLED, 3)


async def test_a_cancellation_from_the_pages_of_temporal_ends_the_cohort_in_order(env: WorkflowEnvironment) -> None:
    async with running_cohort(env.client, await env.get_current_time(), codes(3), does=nothing) as cohort:
        await opened(cohort, "governance")
        await cohort.handle.cancel()
        result = await cohort.result()
    assert (result.outcome, result.withdrawn) == (cohort_pb2.COHORT_STATE_CANCELLED, 3)
    assert cohort.played.completed[0].reason == "the cohort was cancelled"


async def test_a_participant_whose_program_is_gone_still_ends(env: WorkflowEnvironment) -> None:
    async with running_cohort(env.client, await env.get_current_time(), codes(1), does=nothing) as cohort:
        await opened(cohort, "governance")
        await cohort.handle.terminate()
        [one] = codes(1)
        leaving = workflow_pb2.Withdrawal(reason="over")
        await cohort.played.engine.signal(cohort.played.course.cohort_id, one, "withdrawn", leaving)
        result = await cohort.participant(one).result()
        described = await cohort.participant(one).describe()
    assert result.outcome == states.WITHDRAWN
    assert described.status == WorkflowExecutionStatus.COMPLETED


async def test_a_participant_cancelled_from_the_pages_of_temporal_is_withdrawn(env: WorkflowEnvironment) -> None:
    one, other = codes(2)
    async with running_cohort(env.client, await env.get_current_time(), [one, other]) as cohort:
        cohort.played.does = lambda code, phase: everything(code, phase) if code == other else ()
        await opened(cohort, "governance")
        await cohort.participant(one).cancel()
        result = await cohort.result()
    assert (result.graduated, result.withdrawn) == (1, 1)
    assert cohort.played.outcomes[one].reason == "its workflow was cancelled"
