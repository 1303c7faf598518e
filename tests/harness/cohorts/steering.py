"""Small cohorts of two phases that do nothing by themselves, for tests that steer them."""

from collections.abc import Iterable

from livinglab.program.v1 import cohort_pb2, command_pb2, definition_pb2

from tests.harness.cohorts.agenda import gate, phase
from tests.harness.cohorts.cohort import RunningCohort
from tests.harness.waiting import eventually

PAUSE, RESUME = command_pb2.PauseOrder(), command_pb2.ResumeOrder()


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
