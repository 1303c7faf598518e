"""How long histories grow: no run of a cohort's workflow nears what Temporal warns of, however many take part and
however often it is steered."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import timedelta

import pytest
from livinglab.program.v1 import command_pb2, definition_pb2
from livinglab.program.v1 import workflow_pb2 as pb
from temporalio import activity
from temporalio.testing import WorkflowEnvironment

from services.program.activities.fan_out import BATCH
from services.program.model import states
from tests.harness.cohorts.cohort import ALL_DUTIES, Played, RunningCohort, codes, living_lab, running_cohort

MOST = 2_000
CROWD = 2_000


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


@pytest.mark.timeout(300)
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
    assert set(cohort.played.states().values()) == {states.GRADUATED}


class Crowd(Played):
    """Participants without workflows, that have done everything before: their cohort hears the same of them, in the
    batches in which they would be told."""

    @activity.defn
    async def start_participants(self, step: pb.RosterStep) -> pb.Reached:
        """There is nobody to start; who would be told of a phase reports it."""
        for opening in step.openings:
            await self._done(opening.phase.id)
        return pb.Reached()

    @activity.defn
    async def announce(self, announcement: pb.Announcement) -> pb.Reached:
        """Reports each phase, then the end."""
        if announcement.HasField("opening"):
            await self._done(announcement.opening.phase.id)
        elif announcement.HasField("closing") and announcement.closing.last:
            graduated = [pb.ParticipantEnd(institution=code, outcome=states.GRADUATED) for code in self.institutions]
            await self._report([pb.Reports(ended=[end]) for end in graduated])
        return pb.Reached()

    async def _done(self, phase: str) -> None:
        await self._report(
            [pb.Reports(done=[pb.PhaseDone(institution=code, phase=phase)]) for code in self.institutions]
        )

    async def _report(self, news: Sequence[pb.Reports]) -> None:
        for first in range(0, len(news), BATCH):
            batch = news[first : first + BATCH]
            for one in batch:
                one.cohort_id = self.course.cohort_id
            await asyncio.gather(*(self.reporter.report(one) for one in batch))


@pytest.mark.timeout(300)
async def test_no_history_of_a_cohort_of_2000_has_2000_events(env: WorkflowEnvironment) -> None:
    """All report while they are still being told, which is the worst: no run ends before they have."""
    async with running_cohort(
        env.client,
        await env.get_current_time(),
        codes(CROWD),
        definition=small(),
        play=Crowd,
        sandboxed=False,
        task_timeout=timedelta(seconds=10),
    ) as cohort:
        await steered(cohort, 20)
        result = await cohort.result()
        histories = await cohort.histories()
    assert result.graduated == CROWD
    assert max(len(history.events) for history in histories) < MOST
