"""Managers steer cohorts that run on a real Temporal server: each order once, in any order, by whom it may be given."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import grpc.aio
import pytest
from livinglab.coaching.v1 import events_pb2 as coaching_events
from livinglab.coaching.v1 import service_pb2 as coaching
from livinglab.common.v1 import options_pb2
from livinglab.notify.v1 import service_pb2 as notify
from livinglab.program.v1 import cohort_pb2, definition_pb2
from livinglab.program.v1 import service_pb2 as program_pb
from livinglab.program.v1 import steering_service_pb2 as pb
from livinglab.program.v1.steering_service_pb2_grpc import SteeringServiceStub

from chassis.errors import Kind
from chassis.status import from_rpc_error
from programs.phases import has_ended
from services.program.model import states
from tests.harness.cohorts.program import (
    BANDUNG,
    GARUT,
    HEAD,
    SECRETARY,
    SUMEDANG,
    Neighbours,
    do_everything,
    launching,
    manager,
    request_id,
    working,
)
from tests.harness.service import Running, refusal
from tests.harness.waiting import eventually

OPEN, CLOSED = cohort_pb2.PHASE_STATE_OPEN, cohort_pb2.PHASE_STATE_CLOSED
DAY = 600


@pytest.fixture
async def neighbours(program: Running) -> AsyncIterator[Neighbours]:
    """The worker runs, and those whom it calls."""
    async with working(program) as found:
        yield found


def steering(program: Running, subject: str = "manager-1") -> Any:
    return program.as_role(SteeringServiceStub, "manager", subject=subject)


async def shown(program: Running, cohort_id: str) -> cohort_pb2.Cohort:
    cohort: cohort_pb2.Cohort = (
        await manager(program).GetCohort(program_pb.GetCohortRequest(cohort_id=cohort_id))
    ).cohort
    return cohort


async def participants(program: Running, cohort_id: str) -> dict[str, cohort_pb2.ParticipantProgress]:
    listed = await manager(program).ListParticipants(program_pb.ListParticipantsRequest(cohort_id=cohort_id))
    return {participant.institution: participant for participant in listed.participants}


async def reached(program: Running, cohort_id: str, phase: int, state: int) -> cohort_pb2.Cohort:
    """The cohort, once that phase is in that state."""

    async def found() -> Any:
        cohort = await shown(program, cohort_id)
        return cohort if cohort.phases[phase].state == state else None

    cohort: cohort_pb2.Cohort = await eventually(found)
    return cohort


async def opened(program: Running, *institutions: str, **gate: Any) -> str:
    """A cohort whose first phase is open."""
    request = launching(*(institutions or (SUMEDANG, BANDUNG, GARUT)), seconds_per_day=str(DAY))
    request.definition.phases[0].gate.MergeFrom(definition_pb2.Gate(**gate))
    await manager(program).LaunchCohort(request)
    await reached(program, request.cohort.id, 0, OPEN)
    return request.cohort.id


async def attend(program: Running, cohort_id: str, *institutions: str, phase: str = "governance") -> None:
    """They do what the governance meeting asks for."""
    for institution in institutions:
        for role in (SECRETARY, HEAD):
            fact = coaching_events.AttendanceRecorded(institution=institution, phase=phase, role=role)
            await program.hear(fact, cohort_id=cohort_id, rehearsal=cohort_id)

    async def heard() -> bool:
        return (await shown(program, cohort_id)).phases[0].duties["governance-attended"] >= len(institutions)

    await eventually(heard)


def about(cohort_id: str, **fields: Any) -> dict[str, Any]:
    return {"request_id": request_id(), "cohort_id": cohort_id, "reason": "an election", **fields}


def deadline(cohort: cohort_pb2.Cohort, phase: int) -> Any:
    return cohort.phases[phase].deadline_time.ToDatetime()


def override(cohort_id: str, action: cohort_pb2.GateAction.ValueType, phase: str = "governance") -> Any:
    return pb.OverrideGateRequest(**about(cohort_id, phase=phase, action=action))


async def test_a_pause_of_seconds_moves_nothing(program: Running, neighbours: Neighbours) -> None:
    cohort_id = await opened(program)
    before = await shown(program, cohort_id)
    early = await refusal(steering(program).ResumeCohort(pb.ResumeCohortRequest(**about(cohort_id))))
    assert (early.kind, early.reason) == (Kind.FAILED_PRECONDITION, "NOT_PAUSED")
    pausing = pb.PauseCohortRequest(**about(cohort_id))
    paused = (await steering(program).PauseCohort(pausing)).cohort
    assert paused.state == cohort_pb2.COHORT_STATE_PAUSED
    again = (await steering(program).PauseCohort(pausing)).cohort
    assert again.pause_time == paused.pause_time
    other = await refusal(steering(program).PauseCohort(pb.PauseCohortRequest(**about(cohort_id))))
    assert other.reason == "ALREADY_PAUSED"
    pausing.reason = "another"
    reused = await refusal(steering(program).PauseCohort(pausing))
    assert (reused.kind, reused.reason) == (Kind.ALREADY_EXISTS, "REQUEST_ID_REUSED")
    resumed = (await steering(program).ResumeCohort(pb.ResumeCohortRequest(**about(cohort_id)))).cohort
    assert resumed.state == cohort_pb2.COHORT_STATE_RUNNING
    assert [deadline(resumed, place) for place in range(4)] == [deadline(before, place) for place in range(4)]


async def test_orders_at_once_all_count_and_a_repeat_counts_once(program: Running, neighbours: Neighbours) -> None:
    cohort_id = await opened(program)
    before = await shown(program, cohort_id)
    requests = [pb.ReschedulePhaseRequest(**about(cohort_id, phase="governance", deadline_days=1)) for _ in range(4)]
    await asyncio.gather(*(steering(program).ReschedulePhase(r) for r in [*requests, *requests]))
    after = await shown(program, cohort_id)
    assert deadline(after, 0) - deadline(before, 0) == timedelta(seconds=4 * DAY)
    move = pb.ReschedulePhaseRequest(**about(cohort_id, phase="summit", open_days=2, deadline_days=2))
    moved = (await steering(program).ReschedulePhase(move)).cohort
    assert moved.phases[2].sessions[0].start_time.seconds - before.phases[2].sessions[0].start_time.seconds == 2 * DAY
    assert deadline(moved, 2) - deadline(before, 2) == timedelta(seconds=2 * DAY)


async def test_what_does_not_fit_is_refused_and_changes_nothing(program: Running, neighbours: Neighbours) -> None:
    cohort_id = await opened(program, SUMEDANG, BANDUNG)
    stub, before = steering(program), await shown(program, cohort_id)
    calls = {
        "PHASE_NOT_CLOSED": stub.ReopenPhase(pb.ReopenPhaseRequest(**about(cohort_id, phase="governance", days=1))),
        "PHASE_NOT_OPEN": stub.OverrideGate(override(cohort_id, cohort_pb2.GATE_ACTION_CLOSE, "summit")),
        "PHASE_OPEN": stub.ReschedulePhase(
            pb.ReschedulePhaseRequest(**about(cohort_id, phase="governance", open_days=1, deadline_days=1))
        ),
        "CLOSES_TOO_EARLY": stub.ReschedulePhase(
            pb.ReschedulePhaseRequest(**about(cohort_id, phase="governance", deadline_days=-300))
        ),
        "PARTICIPANT_ACTIVE": stub.ReadmitParticipant(
            pb.ReadmitParticipantRequest(**about(cohort_id, institution=BANDUNG))
        ),
        "NO_PROBLEM": stub.ResolveProblems(pb.ResolveProblemsRequest(**about(cohort_id))),
        "NOBODY_STAYS": stub.SplitCohort(
            pb.SplitCohortRequest(
                **about(cohort_id, new_cohort_id="x-2", title="Second", institutions=[SUMEDANG, BANDUNG])
            )
        ),
        "NOT_FOUND": stub.ReopenPhase(pb.ReopenPhaseRequest(**about(cohort_id, phase="nowhere", days=1))),
    }
    assert [(await refusal(call)).reason for call in calls.values()] == list(calls)
    unknown = await refusal(stub.PauseCohort(pb.PauseCohortRequest(**about("nobody"))))
    assert unknown.kind is Kind.NOT_FOUND
    assert await shown(program, cohort_id) == before


async def test_orders_are_for_managers(program: Running) -> None:
    request = launching(SUMEDANG)
    await manager(program).LaunchCohort(request)
    for role in ("coach", "platform", "public", "operator"):
        stub: Any = program.as_role(SteeringServiceStub, role, SUMEDANG if role == "operator" else "")
        fields = about(request.cohort.id)
        participant = request.cohort.roster[0]
        person = participant.people[0]
        calls = [
            stub.PauseCohort(pb.PauseCohortRequest(**fields)),
            stub.ResumeCohort(pb.ResumeCohortRequest(**fields)),
            stub.ReschedulePhase(pb.ReschedulePhaseRequest(**fields, phase="summit", deadline_days=1)),
            stub.ReopenPhase(pb.ReopenPhaseRequest(**fields, phase="summit", days=1)),
            stub.OverrideGate(override(request.cohort.id, cohort_pb2.GATE_ACTION_STOP)),
            stub.ReadmitParticipant(pb.ReadmitParticipantRequest(**fields, institution=SUMEDANG)),
            stub.EnrolParticipant(pb.EnrolParticipantRequest(**fields, participant=participant)),
            stub.ReplacePerson(pb.ReplacePersonRequest(**fields, institution=SUMEDANG, person=person)),
            stub.SplitCohort(pb.SplitCohortRequest(**fields, new_cohort_id="x", title="x", institutions=[SUMEDANG])),
            stub.ResolveProblems(pb.ResolveProblemsRequest(**fields)),
        ]
        assert {(await refusal(call)).kind for call in calls} == {Kind.PERMISSION_DENIED}


async def test_a_gate_that_asks_for_two_persons_hears_two(program: Running, neighbours: Neighbours) -> None:
    cohort_id = await opened(program, two_persons=True)
    proposing = override(cohort_id, cohort_pb2.GATE_ACTION_EXCUSE)
    first = await steering(program).OverrideGate(proposing)
    assert first.awaiting_second
    assert (await steering(program).OverrideGate(proposing)).awaiting_second
    alone = await refusal(steering(program).OverrideGate(override(cohort_id, cohort_pb2.GATE_ACTION_EXCUSE)))
    assert (alone.kind, alone.reason) == (Kind.FAILED_PRECONDITION, "SECOND_PERSON_NEEDED")
    # Who wants something else does not second it.
    other = await steering(program, "manager-2").OverrideGate(override(cohort_id, cohort_pb2.GATE_ACTION_CLOSE))
    assert other.awaiting_second
    assert len(other.cohort.phases[0].proposals) == 2
    second = await steering(program, "manager-2").OverrideGate(override(cohort_id, cohort_pb2.GATE_ACTION_EXCUSE))
    assert not second.awaiting_second
    cohort = await reached(program, cohort_id, 0, CLOSED)
    assert (cohort.active, cohort.phases[0].excused, len(cohort.phases[0].proposals)) == (3, True, 0)
    everybody = await participants(program, cohort_id)
    assert all(list(p.excused) == ["governance-attended"] for p in everybody.values())
    # What was proposed stands as it was answered.
    assert (await steering(program).OverrideGate(proposing)).awaiting_second


async def test_who_failed_at_a_phase_is_in_again_when_it_opens_again(program: Running, neighbours: Neighbours) -> None:
    cohort_id = await opened(program)
    await attend(program, cohort_id, SUMEDANG, BANDUNG)
    await steering(program).OverrideGate(override(cohort_id, cohort_pb2.GATE_ACTION_CLOSE))
    closed = await reached(program, cohort_id, 0, CLOSED)
    assert (closed.failed, closed.active) == (1, 2)
    reopening = pb.ReopenPhaseRequest(**about(cohort_id, phase="governance", days=4, readmit=True))
    for _ in range(2):
        cohort = (await steering(program).ReopenPhase(reopening)).cohort
    assert (cohort.phases[0].state, cohort.failed, cohort.active) == (OPEN, 0, 3)
    assert [blocker.institution for blocker in cohort.phases[0].blockers] == [GARUT]
    await attend(program, cohort_id, SUMEDANG, BANDUNG, GARUT)
    again = await reached(program, cohort_id, 0, CLOSED)
    assert (again.failed, again.phases[0].done) == (0, 3)


async def test_who_is_readmitted_goes_on_from_what_is_open(program: Running, neighbours: Neighbours) -> None:
    cohort_id = await opened(program)
    leaving = program_pb.WithdrawParticipantRequest(**about(cohort_id, institution=GARUT))
    await manager(program).WithdrawParticipant(leaving)

    async def left() -> bool:
        return (await shown(program, cohort_id)).withdrawn == 1

    await eventually(left)
    back = pb.ReadmitParticipantRequest(**about(cohort_id, institution=GARUT))

    async def readmitted() -> cohort_pb2.Cohort:
        # Until its program has heard of the end.
        cohort: cohort_pb2.Cohort = (await steering(program).ReadmitParticipant(back)).cohort
        return cohort

    cohort = await eventually(readmitted, ignoring=(Exception,))
    assert (cohort.active, cohort.withdrawn) == (3, 0)
    assert (await steering(program).ReadmitParticipant(back)).cohort.active == 3
    await attend(program, cohort_id, SUMEDANG, BANDUNG, GARUT)
    assert (await reached(program, cohort_id, 0, CLOSED)).active == 3


async def test_a_late_participant_is_invited_and_counts(program: Running, neighbours: Neighbours) -> None:
    cohort_id = await opened(program, SUMEDANG, BANDUNG)
    [garut] = launching(GARUT).cohort.roster
    wrong = definition_pb2.Participant(institution="99.99", people=garut.people)
    wrong.people[0].email = "nobody"
    refused = await refusal(
        steering(program).EnrolParticipant(pb.EnrolParticipantRequest(**about(cohort_id, participant=wrong)))
    )
    assert {violation.field for violation in refused.violations} == {
        "participant.institution",
        "participant.people[0].email",
    }
    enrolling = pb.EnrolParticipantRequest(**about(cohort_id, participant=garut))
    answers = await asyncio.gather(*(steering(program).EnrolParticipant(enrolling) for _ in range(3)))
    assert {answer.cohort.participants for answer in answers} == {3}
    twice = await refusal(
        steering(program).EnrolParticipant(pb.EnrolParticipantRequest(**about(cohort_id, participant=garut)))
    )
    assert (twice.kind, twice.reason) == (Kind.ALREADY_EXISTS, "PARTICIPANT_EXISTS")
    await eventually(lambda: _letters(neighbours, GARUT))
    await attend(program, cohort_id, SUMEDANG, BANDUNG, GARUT)
    closed = await reached(program, cohort_id, 0, CLOSED)
    assert (closed.phases[0].invited, closed.phases[0].done) == (3, 3)


async def test_who_replaces_somebody_is_invited(program: Running, neighbours: Neighbours) -> None:
    cohort_id = await opened(program, SUMEDANG, BANDUNG)
    person = definition_pb2.Person(role=HEAD, name="New", email="new@sumedang.example", language="id")
    replacing = pb.ReplacePersonRequest(**about(cohort_id, institution=SUMEDANG, person=person))
    for _ in range(2):
        await steering(program).ReplacePerson(replacing)
    await eventually(lambda: "new@sumedang.example" in _letters(neighbours, SUMEDANG))
    stub = steering(program)
    person.role = options_pb2.ROLE_COACH
    coach = await refusal(
        stub.ReplacePerson(pb.ReplacePersonRequest(**about(cohort_id, institution=SUMEDANG, person=person)))
    )
    assert [violation.field for violation in coach.violations] == ["person.role"]
    person.role = HEAD
    nobody = pb.ReplacePersonRequest(**about(cohort_id, institution=SUMEDANG, person=person, email="x@y.example"))
    assert (await refusal(stub.ReplacePerson(nobody))).reason == "NOBODY_LEAVES"


async def test_what_a_neighbour_refused_is_asked_again(program: Running, neighbours: Neighbours) -> None:
    cohort_id = await opened(program)
    await attend(program, cohort_id, SUMEDANG, BANDUNG, GARUT)
    await reached(program, cohort_id, 0, CLOSED)
    # Its day would come days from now.
    early = pb.ReschedulePhaseRequest(**about(cohort_id, phase="workshop", open_days=-30))
    await steering(program).ReschedulePhase(early)

    async def refused() -> list[str]:
        return list((await participants(program, cohort_id))[GARUT].problems)

    assert "no coach has a place left" in (await eventually(refused))[0]
    asked = _coach_calls(neighbours)
    resolving = pb.ResolveProblemsRequest(**about(cohort_id, institution=GARUT, retry=True))
    await steering(program).ResolveProblems(resolving)
    await eventually(lambda: _coach_calls(neighbours) > asked)
    # It is refused again, and shows again; the repeat of the order is answered all the same.
    await eventually(refused)
    await steering(program).ResolveProblems(resolving)
    # Who came in between is invited by the order and again by what is prepared anew: one letter by its key.
    person = definition_pb2.Person(role=HEAD, name="New", email="new@garut.example", language="id")
    await steering(program).ReplacePerson(pb.ReplacePersonRequest(**about(cohort_id, institution=GARUT, person=person)))
    await eventually(lambda: "new@garut.example" in _letters(neighbours, GARUT))
    written = len(_invitations(neighbours, "new@garut.example"))
    again = pb.ResolveProblemsRequest(**about(cohort_id, institution=GARUT, retry=True))
    await steering(program).ResolveProblems(again)
    await eventually(lambda: len(_invitations(neighbours, "new@garut.example")) > written)
    [key] = set(_invitations(neighbours, "new@garut.example"))
    assert key


async def test_a_cohort_is_split_and_both_come_to_their_end(program: Running, neighbours: Neighbours) -> None:
    cohort_id = await opened(program)
    new = f"{cohort_id}-2"
    await attend(program, cohort_id, GARUT)
    fields = about(cohort_id, new_cohort_id=new, title="Second", institutions=[GARUT])
    splitting = pb.SplitCohortRequest(**fields)
    for _ in range(2):
        await steering(program).SplitCohort(splitting)
    taken = pb.SplitCohortRequest(**{**fields, "request_id": request_id(), "institutions": [BANDUNG]})
    assert (await refusal(steering(program).SplitCohort(taken))).reason == "COHORT_EXISTS"

    async def moved() -> bool:
        return (await shown(program, cohort_id)).withdrawn == 1

    await eventually(moved)
    # What it did before counts there: the phase closes, since nobody else is in it.
    second = await reached(program, new, 0, CLOSED)
    assert (second.participants, second.active, second.split_from) == (1, 1, cohort_id)
    gone = pb.ReadmitParticipantRequest(**about(cohort_id, institution=GARUT))
    assert (await refusal(steering(program).ReadmitParticipant(gone))).reason == "PARTICIPANT_ENDED"
    for ending in (cohort_id, new):
        await manager(program).CancelCohort(program_pb.CancelCohortRequest(**about(ending)))
    for ended in (cohort_id, new):
        cohort = await _ended(program, ended)
        assert cohort.participants == cohort.graduated + cohort.withdrawn + cohort.failed
    late = await refusal(steering(program).PauseCohort(pb.PauseCohortRequest(**about(cohort_id))))
    assert late.reason == "COHORT_ENDED"


async def test_an_id_is_given_to_one_cohort_whoever_asks_at_once(program: Running, neighbours: Neighbours) -> None:
    first, second = await opened(program), await opened(program)
    new = f"{first}-2"
    launch = launching(SUMEDANG, id=new)

    def splitting(cohort_id: str) -> Any:
        fields = about(cohort_id, new_cohort_id=new, title="Second", institutions=[GARUT])
        return steering(program).SplitCohort(pb.SplitCohortRequest(**fields))

    answers = await asyncio.gather(
        splitting(first), splitting(second), manager(program).LaunchCohort(launch), return_exceptions=True
    )
    refused = [from_rpc_error(answer) for answer in answers if isinstance(answer, grpc.aio.AioRpcError)]
    assert [refusal.reason for refusal in refused] == ["COHORT_EXISTS"] * 2
    # Whoever was refused goes on, and takes orders.
    for cohort_id in (first, second):
        paused = await steering(program).PauseCohort(pb.PauseCohortRequest(**about(cohort_id)))
        assert paused.cohort.state == cohort_pb2.COHORT_STATE_PAUSED


async def test_an_id_that_a_refused_split_asked_for_is_free(program: Running, neighbours: Neighbours) -> None:
    cohort_id = await opened(program)
    new = f"{cohort_id}-2"
    everybody = about(cohort_id, new_cohort_id=new, title="x", institutions=[SUMEDANG, BANDUNG, GARUT])
    refused = await refusal(steering(program).SplitCohort(pb.SplitCohortRequest(**everybody)))
    assert refused.reason == "NOBODY_STAYS"
    await manager(program).LaunchCohort(launching(SUMEDANG, id=new))
    some = about(cohort_id, new_cohort_id=new, title="x", institutions=[GARUT])
    taken = await refusal(steering(program).SplitCohort(pb.SplitCohortRequest(**some)))
    assert (taken.kind, taken.reason) == (Kind.ALREADY_EXISTS, "COHORT_EXISTS")


async def test_a_cohort_stops_where_a_manager_stops_it(program: Running, neighbours: Neighbours) -> None:
    cohort_id = await opened(program, SUMEDANG, BANDUNG)
    stopping = override(cohort_id, cohort_pb2.GATE_ACTION_STOP)
    await steering(program).OverrideGate(stopping)
    cohort = await _ended(program, cohort_id)
    assert (cohort.state, cohort.failed) == (cohort_pb2.COHORT_STATE_STOPPED, 2)
    # The order has its answer still; another comes too late.
    assert (await steering(program).OverrideGate(stopping)).cohort.state == cohort_pb2.COHORT_STATE_STOPPED
    late = pb.ReopenPhaseRequest(**about(cohort_id, phase="governance", days=1))
    assert (await refusal(steering(program).ReopenPhase(late))).reason == "COHORT_ENDED"


async def test_a_paused_cohort_can_be_cancelled(program: Running, neighbours: Neighbours) -> None:
    cohort_id = await opened(program, SUMEDANG, BANDUNG)
    await steering(program).PauseCohort(pb.PauseCohortRequest(**about(cohort_id)))
    await do_everything(program, cohort_id, SUMEDANG)
    await manager(program).CancelCohort(program_pb.CancelCohortRequest(**about(cohort_id)))
    cohort = await _ended(program, cohort_id)
    assert (cohort.state, cohort.withdrawn) == (cohort_pb2.COHORT_STATE_CANCELLED, 2)
    assert {p.state for p in (await participants(program, cohort_id)).values()} == {states.WITHDRAWN}


def _letters(neighbours: Neighbours, institution: str) -> set[str]:
    """Addresses that were written to."""
    sent = neighbours.of(notify.SendMessagesRequest)
    drafts = [draft for request in sent for draft in request.drafts]
    return {draft.recipient.email for draft in drafts if draft.recipient.institution == institution}


def _invitations(neighbours: Neighbours, email: str) -> list[str]:
    """The keys by which notify writes each once."""
    sent = neighbours.of(notify.SendMessagesRequest)
    drafts = [draft for request in sent for draft in request.drafts if draft.template == "invitation"]
    return [draft.key for draft in drafts if draft.recipient.email == email]


def _coach_calls(neighbours: Neighbours) -> int:
    asked = [call for call in neighbours.calls if isinstance(call, coaching.AssignCoachRequest)]
    return sum(1 for call in asked if call.institution == GARUT)


async def _ended(program: Running, cohort_id: str) -> cohort_pb2.Cohort:
    """The cohort, once it has ended."""

    async def found() -> Any:
        cohort = await shown(program, cohort_id)
        return cohort if has_ended(cohort.state) else None

    cohort: cohort_pb2.Cohort = await eventually(found)
    return cohort
