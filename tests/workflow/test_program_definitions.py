"""Our definitions on the workflows that carry them out: what happens is what the timeline of a dry run tells."""

from collections.abc import Iterable
from datetime import timedelta

import pytest
from livinglab.program.v1 import cohort_pb2, command_pb2, definition_pb2
from livinglab.program.v1 import workflow_pb2 as pb
from temporalio.testing import WorkflowEnvironment

from programs import clock, timeline
from programs.files.definition import PROGRAMS, load_definition
from programs.timeline import Kind
from tests.harness.cohorts.cohort import RunningCohort, Script, codes, running_cohort
from tests.harness.waiting import eventually

OPEN = cohort_pb2.PHASE_STATE_OPEN
SKIPPED = cohort_pb2.PHASE_STATE_SKIPPED


def program(name: str) -> definition_pb2.Definition:
    definition, faults = load_definition(PROGRAMS / f"{name}.yaml")
    assert not faults
    return definition


def diligent(definition: definition_pb2.Definition, late: Iterable[str] = ()) -> Script:
    """Everybody does every duty as soon as they are invited, but those of phases in `late`."""
    duties = {phase.id: [duty.id for duty in phase.duties] for phase in definition.phases}
    duties |= {phase: [] for phase in late}
    return lambda _institution, phase: duties[phase]


def require_opened_as_told(
    definition: definition_pb2.Definition, state: pb.ProgramState, skipped: Iterable[str] = ()
) -> None:
    """Every phase opened when the timeline says, within an hour that skipping time may take."""
    opened = {record.phase: clock.moment(record.open_time) for record in state.phases}
    happenings = timeline.happenings(definition, definition_pb2.CohortSpec())
    told = {item.phase.id: item.at for item in happenings if item.kind is Kind.OPENS}
    first = definition.phases[0].id
    for phase in set(told) - set(skipped):
        difference = (opened[phase] - opened[first]) - (told[phase] - told[first])
        assert timedelta(hours=-1) < difference < timedelta(hours=1), phase


@pytest.mark.timeout(120)
async def test_guests_visit_and_hosts_receive_before_both_write_their_plans(env: WorkflowEnvironment) -> None:
    definition, everybody = program("study-visit"), codes(4)
    start = await env.get_current_time()
    async with running_cohort(env.client, start, everybody, definition=definition, does=diligent(definition)) as cohort:
        cohort.played.addressed = {"visiting": everybody[:3], "hosting": everybody[3:]}
        result = await cohort.result()
        state = await cohort.progress()
    assert (result.outcome, result.graduated) == (cohort_pb2.COHORT_STATE_COMPLETED, 4)
    require_opened_as_told(definition, state)
    invited = {
        (letter.institution, letter.phase) for letter in cohort.played.letters if letter.template == "invitation"
    }
    assert {who for who, phase in invited if phase == "visiting"} == set(everybody[:3])
    assert {who for who, phase in invited if phase == "hosting"} == set(everybody[3:])
    assert {who for who, phase in invited if phase == "action-plan"} == set(everybody)


@pytest.mark.timeout(120)
async def test_without_a_region_to_visit_the_visit_is_skipped_and_two_determine_the_results(
    env: WorkflowEnvironment,
) -> None:
    definition = program("pemdi-2026")
    start = await env.get_current_time()
    async with running_cohort(env.client, start, codes(3), definition=definition, does=diligent(definition)) as cohort:
        await opened(env, cohort, "determination")
        for manager in ("first", "second"):
            order = command_pb2.OverrideOrder(phase="determination", action=cohort_pb2.GATE_ACTION_CLOSE)
            command = command_pb2.Command(request_id=manager, actor=manager, reason="decree", override=order)
            answer = await cohort.played.engine.steer("cohort", command)
            assert answer.awaiting_second == (manager == "first")
        result = await cohort.result()
        state = await cohort.progress()
    assert (result.outcome, result.graduated) == (cohort_pb2.COHORT_STATE_COMPLETED, 3)
    assert [record.phase for record in state.phases if record.state == SKIPPED] == ["visit"]
    require_opened_as_told(definition, state, skipped=["visit"])


@pytest.mark.timeout(120)
async def test_who_lacks_a_plan_and_others_of_the_institution_hear_of_it_before_and_after_the_last_day(
    env: WorkflowEnvironment,
) -> None:
    definition, everybody = program("study-visit"), codes(2)
    phase = next(phase for phase in definition.phases if phase.id == "action-plan")
    start = await env.get_current_time()
    does = diligent(definition, late=["action-plan"])
    async with running_cohort(env.client, start, everybody, definition=definition, does=does) as cohort:
        cohort.played.addressed = {"visiting": everybody, "hosting": []}
        await opened(env, cohort, "action-plan")
        await env.sleep(timedelta(days=50))
        told = await eventually(lambda: letters(cohort, everybody[0], phase.id))
        for institution in everybody:
            await cohort.played.fact(institution, "plan-approved")
        result = await cohort.result()
    assert told == [
        ("invitation", 0),
        *[("reminder", 14), ("escalation", 7), ("reminder", 5), ("reminder", 1), ("escalation", -3)],
    ]
    assert result.graduated == 2


def letters(cohort: RunningCohort, institution: str, phase: str) -> list[tuple[str, int]] | None:
    """What was written about a phase, once others were told after its last day."""
    found = [
        (letter.template, letter.days)
        for letter in cohort.played.letters
        if (letter.institution, letter.phase) == (institution, phase)
    ]
    return found if ("escalation", -3) in found else None


async def opened(env: WorkflowEnvironment, cohort: RunningCohort, phase: str) -> None:
    """Lets time pass until a phase has opened."""
    for _ in range(400):
        if (phase, OPEN, False) in cohort.played.phases:
            return
        await env.sleep(timedelta(days=1))
    raise AssertionError(f"{phase} did not open in a year")
