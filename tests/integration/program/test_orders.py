"""What managers' orders leave in the store and on the stream: each told twice, as Temporal may tell it."""

from typing import Any, TypeVar

import pytest
from google.protobuf.message import Message
from livinglab.common.v1 import options_pb2
from livinglab.program.v1 import audit_service_pb2, cohort_pb2, command_pb2, definition_pb2, events_pb2
from livinglab.program.v1 import service_pb2 as pb
from livinglab.program.v1 import workflow_pb2 as workflow
from livinglab.program.v1.audit_service_pb2_grpc import AuditServiceStub
from livinglab.program.v1.service_pb2_grpc import ProgramServiceStub

from chassis.errors import Kind, Refused
from programs import clock
from services.program.model import states
from services.program.store.cohorts import Store
from tests.harness.cohorts.orders import CLOSED, NOW, OPEN, ordered, phase, recorded_twice
from tests.harness.cohorts.program import BANDUNG, GARUT, SUMEDANG, launching, manager
from tests.harness.service import Running, refusal
from tests.harness.waiting import eventually

E = TypeVar("E", bound=Message)
FAILED = workflow.OutcomeStep(institution=GARUT, outcome=states.FAILED, reason="missed", failed_phase="governance")


@pytest.fixture
def store(program: Running) -> Store:
    return Store(program.db)


async def launched(program: Running, *institutions: str) -> str:
    request = launching(*(institutions or (SUMEDANG, BANDUNG, GARUT)))
    await manager(program).LaunchCohort(request)
    return request.cohort.id


async def only_fact(program: Running, event: type[E], cohort_id: str) -> E:
    """The one fact of that kind of the cohort: told once, however often it was recorded."""

    async def found() -> list[E]:
        return [fact for fact in await program.published(event) if fact.meta.cohort_id == cohort_id]  # type: ignore[attr-defined]

    [fact] = await eventually(found)
    return fact


async def audit(program: Running, cohort_id: str) -> list[audit_service_pb2.AuditEntry]:
    stub: Any = program.as_role(AuditServiceStub, "manager")
    return list((await stub.ListAudit(audit_service_pb2.ListAuditRequest(cohort_id=cohort_id))).entries)


async def shown(program: Running, cohort_id: str) -> cohort_pb2.Cohort:
    cohort: cohort_pb2.Cohort = (await manager(program).GetCohort(pb.GetCohortRequest(cohort_id=cohort_id))).cohort
    return cohort


async def participants(program: Running, cohort_id: str) -> dict[str, cohort_pb2.ParticipantProgress]:
    listed = await manager(program).ListParticipants(pb.ListParticipantsRequest(cohort_id=cohort_id))
    return {participant.institution: participant for participant in listed.participants}


async def test_a_pause_and_its_end_are_kept_with_who_ordered_them_and_why(program: Running, store: Store) -> None:
    cohort_id = await launched(program)
    paused = ordered(cohort_id, 1, pause=command_pb2.PauseOrder())
    paused.state = cohort_pb2.COHORT_STATE_PAUSED
    paused.pause_time.CopyFrom(clock.stamp(NOW))
    await recorded_twice(store, paused)
    cohort = await shown(program, cohort_id)
    assert (cohort.state, cohort.pause_time) == (cohort_pb2.COHORT_STATE_PAUSED, clock.stamp(NOW))
    resumed = ordered(cohort_id, 2, after_hours=1, resume=command_pb2.ResumeOrder())
    await recorded_twice(store, resumed)
    cohort = await shown(program, cohort_id)
    assert cohort.state == cohort_pb2.COHORT_STATE_RUNNING
    assert not cohort.HasField("pause_time")
    fact = await only_fact(program, events_pb2.CohortPaused, cohort_id)
    assert (fact.reason, fact.meta.actor, fact.meta.rehearsal) == ("an election", "manager-1", cohort_id)
    assert (await only_fact(program, events_pb2.CohortResumed, cohort_id)).meta.version > fact.meta.version
    # The order of the clock of the machine and that of the played workflow differ: the launch is told of by itself.
    found = {entry.command: entry for entry in await audit(program, cohort_id)}
    assert set(found) == {"launch", "pause", "resume"}
    assert (found["pause"].actor, found["pause"].reason, found["pause"].outcome) == (
        "manager-1",
        "an election",
        "paused",
    )


async def test_news_of_an_order_that_arrive_late_leave_what_is_newer(program: Running, store: Store) -> None:
    cohort_id = await launched(program)
    moved = ordered(cohort_id, 5, reschedule=command_pb2.RescheduleOrder(phase="workshop", deadline_days=3))
    moved.phases.append(phase("workshop", OPEN, 13))
    await store.steering.record(moved)
    late = ordered(cohort_id, 4, pause=command_pb2.PauseOrder())
    late.state = cohort_pb2.COHORT_STATE_PAUSED
    late.phases.append(phase("workshop", OPEN, 10))
    await store.steering.record(late)
    cohort = await shown(program, cohort_id)
    assert cohort.state == cohort_pb2.COHORT_STATE_RUNNING
    assert cohort.phases[1].deadline_time == phase("workshop", OPEN, 13).deadline_time
    assert {entry.command for entry in await audit(program, cohort_id)} == {"launch", "reschedule", "pause"}


async def test_a_phase_may_move_back_and_open_again_by_its_revision(program: Running, store: Store) -> None:
    cohort_id = await launched(program)
    await store.record_phase(cohort_id, phase("governance", OPEN, invited=3), 1)
    await store.record_phase(cohort_id, phase("governance", CLOSED, invited=3), 2)
    await store.record_phase(cohort_id, phase("governance", OPEN, invited=3), 1)
    assert (await shown(program, cohort_id)).phases[0].state == CLOSED
    await store.record_phase(cohort_id, phase("governance", OPEN, 5, invited=3), 3)
    standing = (await shown(program, cohort_id)).phases[0]
    assert (standing.state, standing.deadline_time) == (OPEN, phase("governance", OPEN, 5).deadline_time)
    # What tells no revision is older than what does: there a phase never goes back.
    await store.record_phase(cohort_id, phase("governance", CLOSED, invited=3), 4)
    await store.record_phase(cohort_id, phase("governance", OPEN, invited=3))
    assert (await shown(program, cohort_id)).phases[0].state == CLOSED


async def test_a_reopened_phase_takes_in_again_who_failed_at_it(program: Running, store: Store) -> None:
    cohort_id = await launched(program)
    await store.record_phase(cohort_id, phase("governance", OPEN, invited=3), 1)
    await store.participants.record_outcome(await store.known_course(cohort_id), FAILED)
    await store.record_phase(cohort_id, phase("governance", CLOSED, invited=3), 2)
    assert await store.participants.failed_at(cohort_id, "governance") == [GARUT]
    order = command_pb2.ReopenOrder(phase="governance", days=5, readmit=True, institutions=[GARUT])
    step = ordered(cohort_id, 3, reopen=order)
    step.phases.append(phase("governance", OPEN, 15, invited=3, reopened=1))
    await recorded_twice(store, step)
    cohort = await shown(program, cohort_id)
    assert (cohort.phases[0].state, cohort.active, cohort.failed) == (OPEN, 3, 0)
    assert {blocker.institution for blocker in cohort.phases[0].blockers} == {SUMEDANG, BANDUNG, GARUT}
    reopened = await only_fact(program, events_pb2.PhaseReopened, cohort_id)
    assert (reopened.phase, reopened.deadline_time) == ("governance", step.phases[0].deadline_time)
    readmitted = await only_fact(program, events_pb2.ParticipantReadmitted, cohort_id)
    assert (readmitted.institution, readmitted.meta.version) == (GARUT, 2)
    back = (await participants(program, cohort_id))[GARUT]
    assert (back.reason, list(back.excused), list(back.missing)) == ("", [], ["governance-attended"])


async def test_who_was_excused_owes_its_duties_again_where_the_phase_opens_again(
    program: Running, store: Store
) -> None:
    cohort_id = await launched(program)
    await store.record_phase(cohort_id, phase("governance", OPEN, invited=3), 1)
    await store.record_phase(cohort_id, phase("governance", CLOSED, invited=3, excused=True), 2)
    assert all(list(p.excused) == ["governance-attended"] for p in (await participants(program, cohort_id)).values())
    step = ordered(cohort_id, 3, reopen=command_pb2.ReopenOrder(phase="governance", days=5))
    step.phases.append(phase("governance", OPEN, 15, invited=3, reopened=1))
    await recorded_twice(store, step)
    for participant in (await participants(program, cohort_id)).values():
        assert (list(participant.excused), list(participant.missing)) == ([], ["governance-attended"])


async def test_who_is_readmitted_is_excused_of_what_it_missed(program: Running, store: Store) -> None:
    cohort_id = await launched(program)
    await store.record_phase(cohort_id, phase("governance", CLOSED, invited=3), 1)
    await store.record_phase(cohort_id, phase("workshop", OPEN, invited=2), 2)
    await store.participants.record_outcome(await store.known_course(cohort_id), FAILED)
    step = ordered(cohort_id, 3, readmit=command_pb2.ReadmitOrder(institution=GARUT))
    await recorded_twice(store, step)
    back = (await participants(program, cohort_id))[GARUT]
    assert (back.state, list(back.excused)) == (states.ACTIVE, ["governance-attended"])
    assert "self-assessed" in back.missing
    # It can leave, and fail, anew: the first end stands no more.
    stands = await store.participants.record_outcome(await store.known_course(cohort_id), FAILED)
    assert (stands.outcome, stands.reason) == (states.FAILED, "missed")


async def test_who_lacks_a_duty_at_an_excusing_gate_goes_on_without_it(program: Running, store: Store) -> None:
    cohort_id = await launched(program)
    step = ordered(
        cohort_id,
        1,
        override=command_pb2.OverrideOrder(phase="governance", action=cohort_pb2.GATE_ACTION_EXCUSE),
    )
    step.proposed_by = "manager-2"
    await recorded_twice(store, step)
    closed = phase("governance", CLOSED, invited=3, excused=True, overridden=True)
    await store.record_phase(cohort_id, closed, 2)
    await store.record_phase(cohort_id, closed, 2)
    assert all(list(p.excused) == ["governance-attended"] for p in (await participants(program, cohort_id)).values())
    assert (await shown(program, cohort_id)).phases[0].excused
    fact = await only_fact(program, events_pb2.GateOverridden, cohort_id)
    assert (fact.action, fact.proposed_by) == (cohort_pb2.GATE_ACTION_EXCUSE, "manager-2")
    [entry] = [entry for entry in await audit(program, cohort_id) if entry.command == "override"]
    assert entry.outcome == "closed, with everybody excused, as manager-2 proposed"


async def test_an_override_that_waits_for_a_second_manager_shows_and_decides_nothing(
    program: Running, store: Store
) -> None:
    cohort_id = await launched(program)
    order = command_pb2.OverrideOrder(phase="governance", action=cohort_pb2.GATE_ACTION_CLOSE)
    step = ordered(cohort_id, 1, override=order)
    step.awaiting_second = True
    step.proposals.add(phase="governance", action=order.action, actor="manager-1", reason="an election")
    await recorded_twice(store, step)
    [proposal] = (await shown(program, cohort_id)).phases[0].proposals
    assert (proposal.actor, proposal.action) == ("manager-1", cohort_pb2.GATE_ACTION_CLOSE)
    [entry] = [entry for entry in await audit(program, cohort_id) if entry.command == "override"]
    assert entry.outcome == "waits for a second manager"
    # Whatever comes after it on the stream: no override has been told.
    await store.steering.record(ordered(cohort_id, 2, resume=command_pb2.ResumeOrder()))
    await only_fact(program, events_pb2.CohortResumed, cohort_id)
    assert await program.published(events_pb2.GateOverridden) == []


async def test_a_late_participant_is_enrolled_once_and_excused_of_the_past(program: Running, store: Store) -> None:
    cohort_id = await launched(program, SUMEDANG, BANDUNG)
    await store.record_phase(cohort_id, phase("governance", CLOSED, invited=2), 1)
    await store.record_phase(cohort_id, phase("workshop", OPEN, invited=2), 2)
    [garut] = launching(GARUT).cohort.roster
    step = ordered(cohort_id, 3, enrol=command_pb2.EnrolOrder(participant=garut))
    await recorded_twice(store, step)
    cohort = await shown(program, cohort_id)
    assert (cohort.participants, cohort.active) == (3, 3)
    late = (await participants(program, cohort_id))[GARUT]
    assert (list(late.excused), late.enrol_time) == (["governance-attended"], clock.stamp(NOW))
    assert len(await store.participants.people(cohort_id, GARUT)) == len(garut.people)
    fact = await only_fact(program, events_pb2.ParticipantEnrolled, cohort_id)
    assert (fact.institution, fact.meta.version) == (GARUT, 1)


async def test_a_person_is_replaced_in_their_role(program: Running, store: Store) -> None:
    cohort_id = await launched(program)
    head = options_pb2.ROLE_HEAD
    person = definition_pb2.Person(role=head, name="New", email="new@sumedang.example", language="id")
    order = command_pb2.ReplaceOrder(institution=SUMEDANG, person=person)
    await recorded_twice(store, ordered(cohort_id, 1, replace=order))
    people = await store.participants.people(cohort_id, SUMEDANG)
    assert [p.name for p in people if p.role == head] == ["New"]
    assert len(people) == 4
    assert (await only_fact(program, events_pb2.PersonReplaced, cohort_id)).role == head


async def test_problems_that_were_resolved_are_gone(program: Running, store: Store) -> None:
    cohort_id = await launched(program)
    await store.note_problem(cohort_id, "session: refused")
    await store.participants.note_problem(cohort_id, GARUT, "coach: refused")
    await recorded_twice(store, ordered(cohort_id, 1, "one", resolve=command_pb2.ResolveOrder(institution=GARUT)))
    assert list((await shown(program, cohort_id)).problems) == ["session: refused"]
    assert not (await participants(program, cohort_id))[GARUT].problems
    await recorded_twice(store, ordered(cohort_id, 2, "two", resolve=command_pb2.ResolveOrder(retry=True)))
    assert not (await shown(program, cohort_id)).problems


async def test_who_takes_no_part_sees_nobodys_problems(program: Running, store: Store) -> None:
    cohort_id = await launched(program, SUMEDANG, BANDUNG)
    await store.participants.note_problem(cohort_id, BANDUNG, "coach: refused")
    seen = {}
    for institution in (SUMEDANG, GARUT):
        stub: Any = program.as_role(ProgramServiceStub, "head", institution)
        seen[institution] = (await stub.GetCohort(pb.GetCohortRequest(cohort_id=cohort_id))).cohort.troubled_count
    assert seen == {SUMEDANG: 1, GARUT: 0}


async def test_a_skipped_phase_says_so(program: Running, store: Store) -> None:
    cohort_id = await launched(program)
    await store.record_phase(cohort_id, phase("governance", cohort_pb2.PHASE_STATE_SKIPPED), 1)
    assert (await only_fact(program, events_pb2.PhaseSkipped, cohort_id)).phase == "governance"


async def test_the_audit_is_told_page_by_page_oldest_first(program: Running, store: Store) -> None:
    cohort_id = await launched(program)
    for number in range(5):
        # Two of them in the same moment.
        step = ordered(cohort_id, number + 1, f"r{number}", after_hours=number // 2, pause=command_pb2.PauseOrder())
        await store.steering.record(step)
    stub: Any = program.as_role(AuditServiceStub, "platform")
    request = audit_service_pb2.ListAuditRequest(cohort_id=cohort_id, page_size=2)
    told: list[audit_service_pb2.AuditEntry] = []
    while True:
        page = await stub.ListAudit(request)
        assert len(page.entries) <= 2
        told += page.entries
        request.page_token = page.next_page_token
        if not page.next_page_token:
            break
    assert len(told) == 6
    assert [entry.request_id for entry in told if entry.command == "pause"] == [f"r{n}" for n in range(5)]
    assert [e.time.seconds for e in told] == sorted(e.time.seconds for e in told)
    request.page_token = "bm9uZQ=="
    assert (await refusal(stub.ListAudit(request))).kind is Kind.INVALID_ARGUMENT
    request.cohort_id, request.page_token = "nobody", ""
    assert (await refusal(stub.ListAudit(request))).kind is Kind.NOT_FOUND
    operator: Any = program.as_role(AuditServiceStub, "operator", SUMEDANG)
    assert (await refusal(operator.ListAudit(request))).kind is Kind.PERMISSION_DENIED


async def test_a_request_id_stands_for_one_order(program: Running, store: Store) -> None:
    cohort_id = await launched(program)
    step = ordered(cohort_id, 1, "r", pause=command_pb2.PauseOrder())
    assert await store.steering.recorded(cohort_id, step.command) is None
    await store.steering.record(step)
    assert await store.steering.recorded(cohort_id, step.command) is False
    step.command.reason = "another"
    with pytest.raises(Refused) as raised:
        await store.steering.recorded(cohort_id, step.command)
    assert raised.value.kind is Kind.ALREADY_EXISTS
