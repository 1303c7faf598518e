"""Participants that go on in a cohort of their own: what they have done comes along, and what they do counts there."""

from typing import Any

import pytest
from livinglab.coaching.v1 import events_pb2 as coaching
from livinglab.program.v1 import cohort_pb2, command_pb2, definition_pb2, events_pb2
from livinglab.program.v1 import service_pb2 as pb
from livinglab.program.v1 import workflow_pb2 as workflow

from chassis.errors import Kind, Refused
from services.program.model import states
from services.program.store.cohorts import Store
from tests.harness.cohorts.orders import CLOSED, OPEN, ordered, phase, recorded_twice
from tests.harness.cohorts.program import BANDUNG, GARUT, SUMEDANG, launching, manager
from tests.harness.service import Running
from tests.harness.waiting import eventually

COSTS = [
    definition_pb2.Cost(title="hall", amount="5", currency="IDR", per=definition_pb2.COST_PER_COHORT),
    definition_pb2.Cost(
        title="bed", phase="summit", amount="2", currency="IDR", per=definition_pb2.COST_PER_PARTICIPANT
    ),
]


async def launched(program: Running) -> str:
    request = launching(SUMEDANG, BANDUNG, GARUT)
    request.cohort.costs.extend(COSTS)
    await manager(program).LaunchCohort(request)
    return request.cohort.id


def splitting(cohort_id: str, *going: str) -> workflow.CommandStep:
    """The workshop is open, and some go on by themselves."""
    order = command_pb2.SplitOrder(cohort_id=f"{cohort_id}-2", title="Second", institutions=going)
    step = ordered(cohort_id, 9, f"split-{cohort_id}", split=order)
    step.split_state.revision = 1
    step.split_state.phases.append(phase("governance", CLOSED, invited=3))
    step.split_state.phases.append(phase("workshop", OPEN, invited=len(going)))
    return step


async def duties(program: Running, cohort_id: str) -> dict[str, list[str]]:
    listed = await manager(program).ListParticipants(pb.ListParticipantsRequest(cohort_id=cohort_id))
    return {participant.institution: list(participant.duties) for participant in listed.participants}


async def shown(program: Running, cohort_id: str) -> cohort_pb2.Cohort:
    cohort: cohort_pb2.Cohort = (await manager(program).GetCohort(pb.GetCohortRequest(cohort_id=cohort_id))).cohort
    return cohort


async def test_those_who_go_on_keep_what_they_did_and_are_heard_there(program: Running) -> None:
    store, cohort_id = Store(program.db), await launched(program)
    new = f"{cohort_id}-2"
    about: Any = {"cohort_id": cohort_id, "rehearsal": cohort_id}
    await program.hear(coaching.AgreementSigned(institution=GARUT, phase="summit"), **about)
    await eventually(lambda: _has(program, cohort_id, GARUT, "commitment-signed"))
    await store.record_phase(cohort_id, phase("governance", CLOSED, invited=3), 1)
    await recorded_twice(store, splitting(cohort_id, GARUT))
    # The marks of a rehearsal stay those of the cohort that was launched, whoever sends them.
    await program.hear(coaching.PlanApproved(institution=GARUT), **about)
    await program.hear(coaching.PlanApproved(institution=BANDUNG), **about)
    await eventually(lambda: _has(program, new, GARUT, "plan-approved"))
    await eventually(lambda: _has(program, cohort_id, BANDUNG, "plan-approved"))
    assert await duties(program, new) == {GARUT: ["commitment-signed", "plan-approved"]}
    assert (await duties(program, cohort_id))[GARUT] == ["commitment-signed"]
    cohort = await shown(program, new)
    assert (cohort.split_from, cohort.participants, cohort.active, cohort.title) == (cohort_id, 1, 1, "Second")
    assert [p.state for p in cohort.phases][:2] == [CLOSED, OPEN]
    [told] = await eventually(lambda: program.published(events_pb2.CohortSplit))
    assert (told.new_cohort_id, list(told.institutions)) == (new, [GARUT])
    begun = [fact for fact in await program.published(events_pb2.CohortLaunched) if fact.cohort_id == new]
    assert [(fact.participants, fact.meta.rehearsal) for fact in begun] == [(1, cohort_id)]


async def test_who_went_on_has_left_the_old_cohort_which_still_counts_everybody(program: Running) -> None:
    store, cohort_id = Store(program.db), await launched(program)
    await recorded_twice(store, splitting(cohort_id, GARUT))
    course = await store.known_course(cohort_id)
    for institution in (SUMEDANG, BANDUNG, GARUT):
        step = workflow.OutcomeStep(institution=institution, outcome=states.GRADUATED)
        await store.participants.record_outcome(course, step)
    cohort = await shown(program, cohort_id)
    assert (cohort.graduated, cohort.withdrawn, cohort.failed) == (2, 1, 0)
    listed = await manager(program).ListParticipants(pb.ListParticipantsRequest(cohort_id=cohort_id))
    [left] = [p for p in listed.participants if p.institution == GARUT]
    assert (left.moved_to, left.reason) == (f"{cohort_id}-2", f"moved to cohort {cohort_id}-2: an election")


async def test_a_split_cohort_begins_where_the_old_one_stands(program: Running) -> None:
    store, cohort_id = Store(program.db), await launched(program)
    await store.steering.record(splitting(cohort_id, BANDUNG, GARUT))
    course = await store.known_course(f"{cohort_id}-2")
    start = course.program_input()
    assert (course.mark, start.participants, start.state.revision) == (cohort_id, 2, 1)
    assert [p.state for p in start.state.phases] == [CLOSED, OPEN]
    old = await store.known_course(cohort_id)
    assert (start.definition, start.clock) == (old.definition, old.clock)
    # What is spent once, and what is spent already, stays where it was spent.
    row, _ = await store.report_rows(f"{cohort_id}-2")
    assert [definition_pb2.Cost.FromString(cost).title for cost in row["costs"]] == ["bed"]


async def test_no_cohort_is_split_off_under_an_id_that_is_taken(program: Running) -> None:
    store, cohort_id = Store(program.db), await launched(program)
    await store.steering.record(splitting(cohort_id, GARUT))
    again = splitting(cohort_id, BANDUNG)
    again.command.request_id = "another"
    with pytest.raises(Refused) as raised:
        await store.steering.record(again)
    assert raised.value.kind is Kind.ALREADY_EXISTS
    assert (await shown(program, f"{cohort_id}-2")).participants == 1


async def _has(program: Running, cohort_id: str, institution: str, duty: str) -> bool:
    return duty in (await duties(program, cohort_id))[institution]
