"""Program alone, on real servers, with its worker where a test needs one and its neighbours played."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest
from livinglab.assessment.v1 import service_pb2 as assessment
from livinglab.coaching.v1 import events_pb2 as coaching_events
from livinglab.coaching.v1 import service_pb2 as coaching
from livinglab.notify.v1 import service_pb2 as notify
from livinglab.program.v1 import cohort_pb2, command_pb2, events_pb2, workflow_pb2
from livinglab.program.v1 import service_pb2 as pb
from livinglab.program.v1 import steering_service_pb2 as steering_pb2
from livinglab.program.v1.service_pb2_grpc import ProgramServiceStub
from livinglab.program.v1.steering_service_pb2_grpc import SteeringServiceStub
from temporalio.client import Client, WorkflowExecutionStatus

from chassis.errors import Kind
from programs import names
from programs.files.definition import load_cohort
from services.program.model import states
from services.program.store.cohorts import Store
from tests.harness.cohorts.orders import ordered
from tests.harness.cohorts.program import (
    BANDUNG,
    COHORT,
    GARUT,
    HEAD,
    SECRETARY,
    SUMEDANG,
    do_everything,
    launching,
    manager,
    request_id,
    working,
)
from tests.harness.service import Running, refusal
from tests.harness.waiting import eventually


async def stored(program: Running) -> tuple[int, int, int]:
    """How much a launch has left: cohorts, participants, facts."""
    names = ("cohorts", "participants", "outbox")
    cohorts, participants, facts = [await program.db[name].count_documents({}) for name in names]
    return cohorts, participants, facts


def steering(program: Running) -> Any:
    return program.as_role(SteeringServiceStub, "manager")


async def duties_are(program: Running, cohort_id: str, count: int) -> bool:
    listed = await manager(program).ListParticipants(pb.ListParticipantsRequest(cohort_id=cohort_id))
    return sum(len(participant.duties) for participant in listed.participants) == count


async def workflow_runs(temporal: Client, cohort_id: str) -> bool:
    described = await temporal.get_workflow_handle(names.workflow_id(cohort_id)).describe()
    return described.status is WorkflowExecutionStatus.RUNNING


async def test_a_launch_stores_the_cohort_says_so_and_starts_its_workflow(program: Running, temporal: Client) -> None:
    request = launching()
    cohort = (await manager(program).LaunchCohort(request)).cohort
    assert (cohort.participants, cohort.active, cohort.rehearsal) == (2, 2, True)
    assert [phase.phase for phase in cohort.phases] == ["governance", "workshop", "summit", "follow-up"]
    assert "example" in cohort.note
    assert await workflow_runs(temporal, cohort.id)
    [fact] = await eventually(lambda: program.published(events_pb2.CohortLaunched))
    assert (fact.cohort_id, fact.participants, fact.meta.rehearsal) == (cohort.id, 2, cohort.id)


async def test_launching_twice_launches_once(program: Running) -> None:
    request = launching()
    first = await manager(program).LaunchCohort(request)
    again = await manager(program).LaunchCohort(request)
    assert again == first
    request.request_id = request_id()
    other = await manager(program).LaunchCohort(request)
    assert other.cohort.launch_time == first.cohort.launch_time
    assert await stored(program) == (1, 2, 1)


async def test_many_launches_at_once_launch_once(program: Running) -> None:
    request = launching()
    requests = [pb.LaunchCohortRequest.FromString(request.SerializeToString()) for _ in range(8)]
    for each in requests:
        each.request_id = request_id()
    answers = await asyncio.gather(*(manager(program).LaunchCohort(each) for each in requests))
    assert len({answer.cohort.launch_time.ToNanoseconds() for answer in answers}) == 1
    assert await stored(program) == (1, 2, 1)


async def test_the_name_of_a_cohort_is_taken_once(program: Running) -> None:
    request = launching()
    await manager(program).LaunchCohort(request)
    other = launching(SUMEDANG, id=request.cohort.id)
    refused = await refusal(manager(program).LaunchCohort(other))
    assert (refused.kind, refused.reason) == (Kind.ALREADY_EXISTS, "COHORT_EXISTS")
    assert await stored(program) == (1, 2, 1)


async def test_a_launch_with_faults_names_each_and_stores_nothing(program: Running) -> None:
    request = launching()
    request.definition.phases[1].opens = "2022-11-01"
    request.cohort.roster[0].institution = "99.99"
    request.cohort.roster[1].people[0].email = "nobody"
    refused = await refusal(manager(program).LaunchCohort(request))
    assert refused.kind is Kind.INVALID_ARGUMENT
    assert {violation.field for violation in refused.violations} >= {
        "definition.phases[1].opens",
        "cohort.roster[0].institution",
        "cohort.roster[1].people[0].email",
    }
    assert await stored(program) == (0, 0, 0)


async def test_a_roster_full_of_faults_is_refused_like_any_other(program: Running) -> None:
    everybody = [p.institution for p in load_cohort(COHORT).cohort.message.roster]
    request = launching(*everybody)
    for participant in request.cohort.roster:
        for person in participant.people:
            person.email = "nobody"
    refused = await refusal(manager(program).LaunchCohort(request))
    assert refused.kind is Kind.INVALID_ARGUMENT
    assert refused.violations[0].field == "cohort.roster[0].people[0].email"
    assert await stored(program) == (0, 0, 0)


async def test_validating_only_stores_nothing(program: Running) -> None:
    request = launching()
    request.validate_only = True
    cohort = (await manager(program).LaunchCohort(request)).cohort
    assert cohort.participants == 2
    assert await stored(program) == (0, 0, 0)


@pytest.mark.parametrize("role", ["operator", "coach", "public", "system"])
async def test_only_managers_launch(program: Running, role: str) -> None:
    stub = program.as_role(ProgramServiceStub, role, SUMEDANG if role == "operator" else "")
    assert (await refusal(stub.LaunchCohort(launching()))).kind is Kind.PERMISSION_DENIED
    assert await stored(program) == (0, 0, 0)


async def test_what_is_not_there_is_not_found(program: Running) -> None:
    stub = manager(program)
    one = launching().cohort.id
    calls: list[Awaitable[object]] = [
        stub.GetCohort(pb.GetCohortRequest(cohort_id=one)),
        stub.ListParticipants(pb.ListParticipantsRequest(cohort_id=one)),
        stub.CancelCohort(pb.CancelCohortRequest(request_id=request_id(), cohort_id=one, reason="x")),
    ]
    assert {(await refusal(call)).kind for call in calls} == {Kind.NOT_FOUND}


async def test_cohorts_are_listed_newest_first_page_by_page(program: Running) -> None:
    launched = [(await manager(program).LaunchCohort(launching())).cohort.id for _ in range(3)]
    first = await manager(program).ListCohorts(pb.ListCohortsRequest(page_size=2))
    second = await manager(program).ListCohorts(pb.ListCohortsRequest(page_size=2, page_token=first.next_page_token))
    assert [cohort.id for cohort in [*first.cohorts, *second.cohorts]] == launched[::-1]
    assert not second.next_page_token
    refused = await refusal(manager(program).ListCohorts(pb.ListCohortsRequest(page_token="bm9uZQ==")))
    assert refused.kind is Kind.INVALID_ARGUMENT


async def test_a_fact_enters_the_ledger_once_and_shows_to_who_watches(program: Running) -> None:
    cohort_id = (await manager(program).LaunchCohort(launching())).cohort.id
    seen: list[cohort_pb2.Cohort] = []

    async def watch() -> None:
        async for change in manager(program).WatchCohort(pb.WatchCohortRequest(cohort_id=cohort_id)):
            seen.append(change.cohort)

    watching = asyncio.create_task(watch())
    await eventually(lambda: seen)
    marks = {"cohort_id": cohort_id, "rehearsal": cohort_id}
    for role in (SECRETARY, HEAD):
        fact = coaching_events.AttendanceRecorded(institution=SUMEDANG, phase="governance", role=role)
        for _ in range(2):
            await program.hear(fact, event_id=f"{cohort_id}-{role}", **marks)
    await eventually(lambda: seen[-1].phases[0].duties["governance-attended"] == 1)
    watching.cancel()
    listed = await manager(program).ListParticipants(pb.ListParticipantsRequest(cohort_id=cohort_id))
    assert {p.institution: list(p.duties) for p in listed.participants} == {
        BANDUNG: [],
        SUMEDANG: ["governance-attended"],
    }


async def test_a_rehearsal_takes_no_real_fact_and_a_real_cohort_none_of_a_rehearsal(program: Running) -> None:
    cohort_id = (await manager(program).LaunchCohort(launching())).cohort.id
    real = coaching_events.PlanApproved(institution=SUMEDANG)
    await program.hear(real, cohort_id=cohort_id, event_id="real")
    elsewhere = coaching_events.PlanApproved(institution=SUMEDANG)
    await program.hear(elsewhere, cohort_id=cohort_id, rehearsal="another", event_id="elsewhere")
    ours = coaching_events.PlanApproved(institution=BANDUNG)
    await program.hear(ours, cohort_id=cohort_id, rehearsal=cohort_id, event_id="ours")

    async def heard() -> bool:
        return bool(await program.db["inbox"].count_documents({"_id": {"$in": ["real", "elsewhere", "ours"]}}) == 3)

    await eventually(heard)
    listed = await manager(program).ListParticipants(pb.ListParticipantsRequest(cohort_id=cohort_id))
    assert {p.institution: list(p.duties) for p in listed.participants} == {BANDUNG: ["plan-approved"], SUMEDANG: []}


async def test_a_launch_that_broke_off_before_its_workflow_started_is_healed(
    program: Running, temporal: Client
) -> None:
    """The cohort stands and its fact is published; nobody calls again."""
    cohort_id = (await manager(program).LaunchCohort(launching())).cohort.id
    handle = temporal.get_workflow_handle(names.workflow_id(cohort_id))
    row = await program.db["cohorts"].find_one({"_id": cohort_id})
    await handle.terminate()
    # A copy under another name stands for the one whose workflow was never started.
    other = f"{cohort_id}-2"
    await program.db["cohorts"].insert_one({**row, "_id": other})
    await program.hear(events_pb2.CohortLaunched(cohort_id=other), cohort_id=other, rehearsal=other)
    await eventually(lambda: workflow_runs(temporal, other), ignoring=(AssertionError, Exception))


async def test_a_withdrawal_that_was_acknowledged_stands_whatever_else_comes_first(program: Running) -> None:
    """Recorded by the cohort's workflow; that of the participant has missed its phases too, and hears of it late."""
    request = launching(seconds_per_day="0.02")
    cohort_id = request.cohort.id
    await manager(program).LaunchCohort(request)
    store = Store(program.db)
    await store.steering.record(ordered(cohort_id, 1, withdraw=command_pb2.WithdrawOrder(institution=BANDUNG)))
    course = await store.known_course(cohort_id)
    failed = workflow_pb2.OutcomeStep(institution=BANDUNG, outcome=states.FAILED, reason="missed")
    stands = await store.participants.record_outcome(course, failed)
    assert (stands.outcome, stands.reason) == (states.WITHDRAWN, "an election")
    assert await store.participants.record_outcome(course, failed) == stands
    leaving = pb.WithdrawParticipantRequest(
        request_id=request_id(), cohort_id=cohort_id, institution=BANDUNG, reason="no budget"
    )
    assert (await refusal(manager(program).WithdrawParticipant(leaving))).reason == "PARTICIPANT_ENDED"


async def test_a_cohort_runs_from_launch_to_end(program: Running) -> None:
    async with working(program) as neighbours:
        request = launching(SUMEDANG, BANDUNG, GARUT, seconds_per_day="0.2")
        cohort_id = request.cohort.id
        await manager(program).LaunchCohort(request)
        # So that the facts are there before a deadline, however busy the machine is.
        names: dict[str, Any] = {"cohort_id": cohort_id, "reason": "people need time"}
        await steering(program).PauseCohort(steering_pb2.PauseCohortRequest(request_id=request_id(), **names))
        for institution in (SUMEDANG, BANDUNG):
            await do_everything(program, cohort_id, institution)
        await do_everything(program, cohort_id, GARUT, "plan-approved", "followed-up")
        # All but the attendance of the summit, and two of Garut's.
        await eventually(lambda: duties_are(program, cohort_id, 3 * 7 - 2))
        await steering(program).ResumeCohort(steering_pb2.ResumeCohortRequest(request_id=request_id(), **names))
        watched = [
            change.cohort
            async for change in manager(program).WatchCohort(pb.WatchCohortRequest(cohort_id=cohort_id), timeout=60)
        ]
        # Several go in one call.
        await eventually(lambda: sum(len(asked.drafts) for asked in neighbours.of(notify.SendMessagesRequest)) >= 10)
    last = watched[-1]
    assert (last.state, last.graduated, last.failed) == (cohort_pb2.COHORT_STATE_COMPLETED, 2, 1)
    assert all(phase.state == cohort_pb2.PHASE_STATE_CLOSED for phase in last.phases)
    [ended] = await eventually(lambda: program.published(events_pb2.CohortEnded))
    assert (ended.participants, ended.graduated, ended.failed, ended.withdrawn) == (3, 2, 1, 0)
    listed = await manager(program).ListParticipants(pb.ListParticipantsRequest(cohort_id=cohort_id))
    [garut] = [p for p in listed.participants if p.institution == GARUT]
    assert garut.reason.startswith("workshop closed without plan-approved")
    assert "no coach has a place left" in garut.reason
    assert "no coach has a place left" in garut.problems[0]
    # Every call is marked as the rehearsal's.
    calls = [x for x in neighbours.calls if not isinstance(x, coaching.ScheduleSessionRequest)]
    assert {call.rehearsal for call in neighbours.calls} == {cohort_id}
    assert len(calls) >= 3 * 4
    # One of them once more where the pause found its phase open.
    assert len({call.session_id for call in neighbours.of(coaching.ScheduleSessionRequest)}) == 6
    assert {x.period for x in neighbours.of(assessment.OpenEvaluationRequest)} == {"2022", "2023"}


async def test_letters_go_to_those_who_are_invited_in_their_language(program: Running) -> None:
    async with working(program) as neighbours:
        request = launching(SUMEDANG)
        request.cohort.roster[0].people[0].language = "en"
        await manager(program).LaunchCohort(request)
        [sent] = await eventually(lambda: neighbours.of(notify.SendMessagesRequest))
        withdrawal = pb.WithdrawParticipantRequest(
            request_id=request_id(), cohort_id=request.cohort.id, institution=SUMEDANG, reason="no budget"
        )
        await manager(program).WithdrawParticipant(withdrawal)
        await manager(program).WithdrawParticipant(withdrawal)
        await eventually(lambda: len(neighbours.of(notify.SendMessagesRequest)) == 2)
    assert [draft.recipient.name for draft in sent.drafts] == [
        "Sekda Kabupaten Sumedang",
        "Kepala Diskominfo Kabupaten Sumedang",
    ]
    english, indonesian = [dict(draft.values) for draft in sent.drafts]
    assert english["phase_title"] == "Governance meeting"
    assert indonesian["phase_title"] == "Pertemuan tata kelola"
    assert english["deadline"] == indonesian["deadline"] == "2022-11-02"
    assert indonesian["sessions"] == (
        "Kebijakan dan komitmen pemegang anggaran, Jakarta: Selasa, 1 November 2022, 09.00–15.00 WIB"
    )
    assert english["institution_name"] == "Kabupaten Sumedang"


async def test_a_withdrawal_and_a_cancellation_end_everybody_with_their_reason(program: Running) -> None:
    async with working(program):
        request = launching()
        cohort_id = request.cohort.id
        await manager(program).LaunchCohort(request)
        leaving = pb.WithdrawParticipantRequest(
            request_id=request_id(), cohort_id=cohort_id, institution=BANDUNG, reason="no budget"
        )
        await manager(program).WithdrawParticipant(leaving)
        [left] = await eventually(lambda: program.published(events_pb2.ParticipantWithdrawn))
        assert (left.institution, left.reason, left.meta.rehearsal) == (BANDUNG, "no budget", cohort_id)
        assert left.meta.actor.startswith("manager")
        leaving.request_id = request_id()
        refused = await refusal(manager(program).WithdrawParticipant(leaving))
        assert (refused.kind, refused.reason) == (Kind.FAILED_PRECONDITION, "PARTICIPANT_ENDED")
        cancelling = pb.CancelCohortRequest(request_id=request_id(), cohort_id=cohort_id, reason="an election")
        assert (await manager(program).CancelCohort(cancelling)).cohort.id == cohort_id
        [ended] = await eventually(lambda: program.published(events_pb2.CohortEnded))
        # A repeat is answered by what stands, as of every order.
        again = (await manager(program).CancelCohort(cancelling)).cohort
        assert again.state == cohort_pb2.COHORT_STATE_CANCELLED
        cancelling.request_id = request_id()
        assert (await refusal(manager(program).CancelCohort(cancelling))).reason == "COHORT_ENDED"
    assert (ended.outcome, ended.withdrawn) == (cohort_pb2.COHORT_STATE_CANCELLED, 2)
    cohort = (await manager(program).GetCohort(pb.GetCohortRequest(cohort_id=cohort_id))).cohort
    assert cohort.reason == "an election"
