"""How long histories grow: no run of a cohort's workflow nears what Temporal warns of, however many take part and
however often it is steered."""

from collections.abc import Iterable
from datetime import timedelta

import pytest
from livinglab.program.v1 import command_pb2, definition_pb2
from livinglab.program.v1 import workflow_pb2 as pb
from temporalio import workflow
from temporalio.testing import WorkflowEnvironment

from services.program import model
from services.program.workflows import ProgramWorkflow
from tests.harness.cohort import ALL_DUTIES, RunningCohort, codes, living_lab, running_cohort

MOST = 2_000


def nobody(_institution: str, _phase: str) -> Iterable[str]:
    """The ledger holds everything before."""
    return ()


def small() -> definition_pb2.Definition:
    """The living lab: what happens in a phase does not reach the cohort's history, so one duty each is enough."""
    definition = living_lab()
    for phase in definition.phases:
        del phase.sessions[1:], phase.duties[1:]
    return definition


async def steered(cohort: RunningCohort, orders: int) -> None:
    """So often the summit is moved by a day and back, while the first phase goes on."""
    for number in range(orders):
        order = command_pb2.RescheduleOrder(phase="summit", open_days=1 - 2 * (number % 2))
        await cohort.steer(f"move-{number}", reschedule=order)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("count", [62, 514])
async def test_no_history_of_a_cohort_of_four_phases_has_2000_events(env: WorkflowEnvironment, count: int) -> None:
    institutions = codes(count)
    async with running_cohort(
        env.client,
        await env.get_current_time(),
        institutions,
        does=nobody,
        definition=small(),
        # As the worker runs them, and as production gives tasks out.
        sandboxed=False,
        task_timeout=timedelta(seconds=10),
    ) as cohort:
        await steered(cohort, 20)
        done = [duty for duties in ALL_DUTIES.values() for duty in duties]
        cohort.played.ledger.update({institution: list(done) for institution in institutions})
        result = await cohort.result()
        histories = await cohort.histories()
        participant = await cohort.participant(institutions[0]).fetch_history()
    assert result.graduated == count
    assert max(len(history.events) for history in histories) < MOST
    assert len(participant.events) < 200
    assert set(cohort.played.states().values()) == {model.GRADUATED}


@workflow.defn(name="ParticipantWorkflow")
class Diligent:
    """Stands for a participant that has done everything before, and writes no letters: its cohort hears the same."""

    @workflow.init
    def __init__(self, start: pb.ParticipantInput) -> None:
        self._start = start
        self._done: list[str] = []
        self._reported = 0
        self._last = False

    @workflow.signal
    def phase_opened(self, opening: pb.PhaseOpening) -> None:
        """Its duties are done."""
        if opening.phase.id not in self._done:
            self._done.append(opening.phase.id)

    @workflow.signal
    def phase_closed(self, closing: pb.PhaseClosing) -> None:
        """The last one ends it."""
        self._last = self._last or closing.last

    @workflow.run
    async def run(self, start: pb.ParticipantInput) -> pb.ParticipantResult:
        """Reports each phase, then its end."""
        program = workflow.get_external_workflow_handle_for(
            ProgramWorkflow.run, model.workflow_id(self._start.cohort_id)
        )
        code = self._start.institution
        while not self._last:
            await workflow.wait_condition(lambda: self._last or len(self._done) > self._reported)
            for phase in self._done[self._reported :]:
                self._reported += 1
                await program.signal(ProgramWorkflow.phase_done, pb.PhaseDone(institution=code, phase=phase))
        await program.signal(
            ProgramWorkflow.participant_ended, pb.ParticipantEnd(institution=code, outcome=model.GRADUATED)
        )
        return pb.ParticipantResult(outcome=model.GRADUATED)


@pytest.mark.timeout(200)
async def test_no_history_of_a_cohort_of_2000_has_2000_events(env: WorkflowEnvironment) -> None:
    async with running_cohort(
        env.client,
        await env.get_current_time(),
        codes(2_000),
        definition=small(),
        workflows=[ProgramWorkflow, Diligent],
        sandboxed=False,
        task_timeout=timedelta(seconds=10),
    ) as cohort:
        await steered(cohort, 20)
        result = await cohort.result()
        histories = await cohort.histories()
    assert result.graduated == 2_000
    assert max(len(history.events) for history in histories) < MOST
