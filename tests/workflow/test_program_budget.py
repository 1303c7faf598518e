"""How long histories grow: no run of a cohort's workflow nears what Temporal warns of, however many take part."""

from collections.abc import Iterable
from datetime import timedelta

import pytest
from temporalio.testing import WorkflowEnvironment

from services.program import model
from tests.harness.cohort import ALL_DUTIES, codes, living_lab, running_cohort


def nobody(_institution: str, _phase: str) -> Iterable[str]:
    """The ledger holds everything before."""
    return ()


@pytest.mark.timeout(120)
async def test_no_history_of_a_cohort_of_514_and_four_phases_has_2000_events(env: WorkflowEnvironment) -> None:
    definition = living_lab()
    for phase in definition.phases:
        # What happens in a phase does not reach the cohort's history: one duty each is enough.
        del phase.sessions[1:], phase.duties[1:]
    institutions = codes(514)
    async with running_cohort(
        env.client,
        await env.get_current_time(),
        institutions,
        does=nobody,
        definition=definition,
        # As the worker runs them, and as production gives tasks out.
        sandboxed=False,
        task_timeout=timedelta(seconds=10),
    ) as cohort:
        done = [duty for duties in ALL_DUTIES.values() for duty in duties]
        cohort.played.ledger.update({institution: list(done) for institution in institutions})
        result = await cohort.result()
        histories = await cohort.histories()
        participant = await cohort.participant(institutions[0]).fetch_history()
    assert result.graduated == 514
    assert max(len(history.events) for history in histories) < 2_000
    assert len(participant.events) < 200
    assert set(cohort.played.states().values()) == {model.GRADUATED}
