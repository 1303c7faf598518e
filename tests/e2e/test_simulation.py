"""Ten times a nation in one cohort: 5,000 participants on a real Temporal server that skips time, by batches."""

import time
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from livinglab.program.v1 import cohort_pb2, definition_pb2
from livinglab.program.v1 import workflow_pb2 as pb

from services.program.model import states
from tests.harness.cohorts.cohort import Played, codes, running_cohort
from tests.harness.skipping import time_skipping

CROWD = 5_000
MOST_EVENTS = 2_000
MEETING, SUMMIT = "meeting", "summit"


def definition() -> definition_pb2.Definition:
    """A meeting, then a signature half a year later."""
    kinds = definition_pb2.DutyKind.Value
    gate = definition_pb2.Gate(quorum_percent=100, on_miss=definition_pb2.ON_MISS_GO_ON)
    signed = definition_pb2.Duty(id="signed", kind=kinds("DUTY_KIND_SIGN_COMMITMENT"), required=True)
    attended = definition_pb2.Duty(id="attended", kind=kinds("DUTY_KIND_ATTEND"))
    common: dict[str, Any] = {"gate": gate}
    return definition_pb2.Definition(
        id="simulation",
        version=1,
        title="Simulation",
        source="made for tests",
        time_zone="Asia/Jakarta",
        phases=[
            definition_pb2.Phase(
                id=MEETING, title=MEETING, opens="2024-01-08", closes="2024-02-29", duties=[attended], **common
            ),
            definition_pb2.Phase(
                id=SUMMIT, title=SUMMIT, opens="2024-07-01", closes="2024-12-31", duties=[signed], **common
            ),
        ],
    )


def leaves(institution: str) -> bool:
    """At the summit."""
    return institution.endswith("50")


def misses(institution: str) -> bool:
    """What the summit asks for."""
    return institution.endswith("75")


class Simulated(Played):
    """Everybody has attended before the meeting opens. Of the summit's signatures most are there before, each tenth
    arrives as a fact; some withdraw, some never sign."""

    async def invited(self, institution: str, phase: str) -> None:
        """Who is invited to the summit acts at once."""
        if phase != SUMMIT:
            return
        if leaves(institution):
            leaving = pb.Withdrawal(reason="an election", actor="m1")
            await self.engine.signal(self.course.cohort_id, institution, "withdrawn", leaving)
        elif institution.endswith("0"):
            await self.fact(institution, "signed")


@pytest.mark.timeout(1_200)
async def test_5000_participants_go_through_a_program_by_batches() -> None:
    institutions = codes(CROWD)
    begun = time.perf_counter()
    async with (
        await time_skipping() as env,
        running_cohort(
            env.client,
            await env.get_current_time(),
            institutions,
            definition=definition(),
            play=Simulated,
            # As the worker runs them.
            sandboxed=False,
            task_timeout=timedelta(minutes=1),
            crowd=True,
        ) as cohort,
    ):
        for code in institutions:
            later = leaves(code) or misses(code) or code.endswith("0")
            cohort.played.ledger[code] = ["attended"] if later else ["attended", "signed"]
        result = await cohort.result()
        state = await cohort.progress()
        histories = [len(history.events) for history in await cohort.histories()]
    print(f"{CROWD} participants in {time.perf_counter() - begun:.0f} s; histories of {histories} events")  # noqa: T201
    tenth = CROWD // 100
    assert result.outcome == cohort_pb2.COHORT_STATE_COMPLETED
    assert (result.graduated, result.withdrawn, result.failed) == (CROWD - 2 * tenth, tenth, tenth)
    played = cohort.played
    # The read model and the workflow say the same of everybody, and nobody ended twice.
    assert played.states() == dict(state.ended)
    assert played.calls.count("record_outcome") == CROWD
    assert {code for code, end in played.states().items() if end == states.WITHDRAWN} == set(
        filter(leaves, institutions)
    )
    assert {code for code, end in played.states().items() if end == states.FAILED} == set(filter(misses, institutions))
    # Each was invited once to each phase, and written to once at the end.
    invited = Counter((step.phase, step.institution) for step in played.letters if step.template == "invitation")
    assert invited == Counter((phase, code) for phase in (MEETING, SUMMIT) for code in institutions)
    farewells = Counter(step.institution for step in played.letters if step.template in {"graduation", "withdrawal"})
    assert farewells == Counter(code for code in institutions if not misses(code))
    assert max(histories) < MOST_EVENTS
