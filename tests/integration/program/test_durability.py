"""Facts in any order, neighbours that are away, refusals for good: a cohort comes to the same states by itself."""

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from livinglab.assessment.v1 import evaluation_pb2, evidence_events_pb2
from livinglab.assessment.v1 import events_pb2 as assessment_events
from livinglab.coaching.v1 import events_pb2 as coaching_events
from livinglab.coaching.v1 import service_pb2 as coaching
from livinglab.common.v1 import options_pb2
from livinglab.notify.v1 import service_pb2 as notify
from livinglab.program.v1 import cohort_pb2, command_pb2, definition_pb2, events_pb2
from livinglab.program.v1 import service_pb2 as program_pb
from livinglab.program.v1 import steering_service_pb2 as pb
from livinglab.program.v1 import workflow_pb2 as workflow
from livinglab.program.v1.steering_service_pb2_grpc import SteeringServiceStub
from temporalio.client import Client
from temporalio.service import RPCError

from chassis.errors import Kind, Refused
from chassis.temporal.client import connect
from programs import names
from programs.phases import has_ended
from services.program.engine.client import Engine
from services.program.model import states
from services.program.store.cohorts import Store
from tests.harness.cohorts.orders import CLOSED, OPEN, ordered, phase
from tests.harness.cohorts.program import (
    BANDUNG,
    GARUT,
    HEAD,
    SECRETARY,
    SUMEDANG,
    Neighbours,
    launching,
    manager,
    request_id,
    working,
)
from tests.harness.service import Running, refusal
from tests.harness.waiting import eventually

REGIONS = (SUMEDANG, BANDUNG, GARUT)
WORKSHOP = ("workshop-attended", "self-assessed", "plan-approved")
ON, PERIOD = "spbe-59-2020", "2022"
# Tries of an activity after which a wait between them has grown to seconds.
MANY = 5


@pytest.fixture
async def neighbours(program: Running) -> AsyncIterator[Neighbours]:
    """The worker runs, and those whom it calls; everybody has a coach."""
    async with working(program) as found:
        found.without_coach.clear()
        yield found


def steering(program: Running, subject: str = "manager-1") -> Any:
    return program.as_role(SteeringServiceStub, "manager", subject=subject)


def about(cohort_id: str, **fields: Any) -> dict[str, Any]:
    return {"request_id": request_id(), "cohort_id": cohort_id, "reason": "an election", **fields}


async def shown(program: Running, cohort_id: str) -> cohort_pb2.Cohort:
    cohort: cohort_pb2.Cohort = (
        await manager(program).GetCohort(program_pb.GetCohortRequest(cohort_id=cohort_id))
    ).cohort
    return cohort


async def participants(program: Running, cohort_id: str) -> dict[str, cohort_pb2.ParticipantProgress]:
    listed = await manager(program).ListParticipants(program_pb.ListParticipantsRequest(cohort_id=cohort_id))
    return {participant.institution: participant for participant in listed.participants}


async def reached(program: Running, cohort_id: str, place: int, state: int, timeout: float = 30) -> cohort_pb2.Cohort:
    async def found() -> Any:
        cohort = await shown(program, cohort_id)
        return cohort if cohort.phases[place].state == state else None

    cohort: cohort_pb2.Cohort = await eventually(found, timeout=timeout)
    return cohort


async def opened(program: Running, *institutions: str) -> str:
    request = launching(*(institutions or REGIONS))
    await manager(program).LaunchCohort(request)
    await reached(program, request.cohort.id, 0, OPEN)
    return request.cohort.id


async def attend(program: Running, cohort_id: str, *institutions: str) -> None:
    for institution in institutions:
        for role in (SECRETARY, HEAD):
            fact = coaching_events.AttendanceRecorded(institution=institution, phase="governance", role=role)
            await program.hear(fact, cohort_id=cohort_id, rehearsal=cohort_id)


async def knows(program: Running, cohort_id: str, institution: str, *duties: str) -> None:
    """Until it is noted that the institution has done so much."""

    async def noted() -> bool:
        return set(duties) <= set((await participants(program, cohort_id))[institution].duties)

    await eventually(noted)


async def open_workshop(program: Running, cohort_id: str) -> None:
    """Everybody was at the governance meeting, and what comes next begins now."""
    await attend(program, cohort_id, *REGIONS)
    await reached(program, cohort_id, 0, CLOSED)
    early = pb.ReschedulePhaseRequest(**about(cohort_id, phase="workshop", open_days=-30))
    await steering(program).ReschedulePhase(early)
    await reached(program, cohort_id, 1, OPEN)


async def do_workshop(program: Running, cohort_id: str, institution: str) -> None:
    """What the workshop requires of an institution: to come, its self-assessment and a plan."""
    evaluation = assessment_events.EvaluationSubmitted(
        institution=institution, instrument=ON, period=PERIOD, stage=evaluation_pb2.STAGE_SELF_ASSESSMENT
    )
    attended = [
        coaching_events.AttendanceRecorded(institution=institution, phase="workshop", role=role)
        for role in (HEAD, options_pb2.ROLE_OPERATOR)
    ]
    for fact in (*attended, evaluation, coaching_events.PlanApproved(institution=institution)):
        await program.hear(fact, cohort_id=cohort_id, rehearsal=cohort_id)


def real_launch() -> program_pb.LaunchCohortRequest:
    """A real cohort with everything that real institutions do by themselves, then a meeting far away."""
    kinds, today = definition_pb2.DutyKind.Value, datetime.now(UTC).date()
    work = definition_pb2.Phase(
        id="work",
        title="Work",
        opens=str(today - timedelta(days=2)),
        closes=str(today + timedelta(days=30)),
        invites=[HEAD],
        duties=[
            definition_pb2.Duty(
                id="assessed", kind=kinds("DUTY_KIND_SELF_ASSESS"), instrument=ON, period=PERIOD, required=True
            ),
            definition_pb2.Duty(
                id="evidence",
                kind=kinds("DUTY_KIND_SUBMIT_EVIDENCE"),
                instrument=ON,
                period=PERIOD,
                count=3,
                required=True,
            ),
            definition_pb2.Duty(id="visited", kind=kinds("DUTY_KIND_VISIT"), count=1, required=True),
            definition_pb2.Duty(id="hosted", kind=kinds("DUTY_KIND_HOST_VISIT"), count=1, required=True),
        ],
        gate=definition_pb2.Gate(quorum_percent=100, on_miss=definition_pb2.ON_MISS_HOLD),
    )
    request = launching(*REGIONS)
    definition = definition_pb2.Definition(
        id="real", version=1, title="Real", source="made for tests", time_zone="Asia/Jakarta", phases=[work]
    )
    request.definition.CopyFrom(definition)
    request.cohort.rehearsal = False
    request.cohort.definition = "real"
    request.cohort.seconds_per_day = ""
    return request


def deeds(institution: str) -> list[tuple[Any, int]]:
    """What one of the three does in a real cohort, each with its version; the last count of evidence is enough."""
    evidence = [
        evidence_events_pb2.EvidenceCoverageChanged(
            institution=institution, instrument=ON, period=PERIOD, indicators_with_evidence=count
        )
        for count in (4, 2, 3)
    ]
    evaluation = assessment_events.EvaluationSubmitted(
        institution=institution, instrument=ON, period=PERIOD, stage=evaluation_pb2.STAGE_SELF_ASSESSMENT
    )
    host = REGIONS[(REGIONS.index(institution) + 1) % len(REGIONS)]
    visit = coaching_events.VisitHeld(institution=institution, host=host, visit_id=f"{institution}-{host}")
    return [(evaluation, 4), *zip(evidence, (5, 6, 7), strict=True), (visit, 3)]


@pytest.mark.parametrize("order", ["in order", "the last first", "shuffled"])
async def test_facts_of_a_real_cohort_in_any_order_and_twice_come_to_the_same(
    order: str, program: Running, neighbours: Neighbours
) -> None:
    request = real_launch()
    cohort_id = request.cohort.id
    await manager(program).LaunchCohort(request)
    await reached(program, cohort_id, 0, OPEN)
    await steering(program).PauseCohort(pb.PauseCohortRequest(**about(cohort_id)))
    facts = [(institution, *deed) for institution in REGIONS for deed in deeds(institution)] * 2
    if order == "the last first":
        facts.reverse()
    elif order == "shuffled":
        random.Random(8).shuffle(facts)
    for institution, fact, version in facts:
        visit = isinstance(fact, coaching_events.VisitHeld)
        marks = {"cohort_id": cohort_id, "aggregate_id": f"{institution}-visit"} if visit else {}
        await program.hear(fact, version=version, **{"aggregate_id": institution, **marks})

    async def all_heard() -> bool:
        return bool(await program.db["inbox"].count_documents({}) == len(facts))

    await eventually(all_heard)
    await steering(program).ResumeCohort(pb.ResumeCohortRequest(**about(cohort_id)))

    async def ended() -> bool:
        return has_ended((await shown(program, cohort_id)).state)

    await eventually(ended, timeout=30)
    cohort = await shown(program, cohort_id)
    assert (cohort.state, cohort.graduated) == (cohort_pb2.COHORT_STATE_COMPLETED, 3)
    assert dict(cohort.phases[0].duties) == dict.fromkeys(("assessed", "evidence", "visited", "hosted"), 3)
    rows = await program.db["participants"].find({"cohort": cohort_id}).to_list(None)
    [kept] = {str(row["ledger"]["evidence"]) for row in rows}
    assert "'count': 3" in kept


async def test_a_fact_counts_before_its_phase_within_it_and_during_a_pause(
    program: Running, neighbours: Neighbours
) -> None:
    cohort_id = await opened(program)
    await do_workshop(program, cohort_id, SUMEDANG)
    await knows(program, cohort_id, SUMEDANG, *WORKSHOP)
    await open_workshop(program, cohort_id)
    await do_workshop(program, cohort_id, BANDUNG)
    await steering(program).PauseCohort(pb.PauseCohortRequest(**about(cohort_id)))
    await do_workshop(program, cohort_id, GARUT)
    await knows(program, cohort_id, GARUT, *WORKSHOP)
    paused = await shown(program, cohort_id)
    assert (paused.state, paused.phases[1].state) == (cohort_pb2.COHORT_STATE_PAUSED, OPEN)
    assert not paused.phases[1].blocking
    await steering(program).ResumeCohort(pb.ResumeCohortRequest(**about(cohort_id)))
    closed = await reached(program, cohort_id, 1, CLOSED)
    assert (closed.active, closed.failed, closed.phases[1].done) == (3, 0, 3)


async def test_a_fact_after_the_closing_is_noted_and_counts_once_the_phase_is_open_again(
    program: Running, neighbours: Neighbours
) -> None:
    cohort_id = await opened(program)
    await open_workshop(program, cohort_id)
    for institution in (SUMEDANG, BANDUNG):
        await do_workshop(program, cohort_id, institution)
        await knows(program, cohort_id, institution, *WORKSHOP)
    close = pb.OverrideGateRequest(**about(cohort_id, phase="workshop", action=cohort_pb2.GATE_ACTION_CLOSE))
    await steering(program).OverrideGate(close)
    closed = await reached(program, cohort_id, 1, CLOSED)
    assert (closed.failed, closed.phases[1].done) == (1, 2)
    await do_workshop(program, cohort_id, GARUT)
    await knows(program, cohort_id, GARUT, *WORKSHOP)
    late = (await participants(program, cohort_id))[GARUT]
    assert late.state == states.FAILED
    assert late.reason.startswith("workshop closed without")
    assert (await shown(program, cohort_id)).phases[1].done == 2
    reopening = pb.ReopenPhaseRequest(**about(cohort_id, phase="workshop", days=4, readmit=True))
    await steering(program).ReopenPhase(reopening)

    async def closed_again() -> bool:
        cohort = await shown(program, cohort_id)
        return bool(cohort.phases[1].state == CLOSED and cohort.phases[1].done == 3)

    await eventually(closed_again, timeout=30)
    assert (await participants(program, cohort_id))[GARUT].state == states.ACTIVE


async def tries(temporal: Client, cohort_id: str, institution: str, activity: str) -> int:
    """Of an activity that is waited for."""
    described = await temporal.get_workflow_handle(names.workflow_id(cohort_id, institution)).describe()
    return max(
        (p.attempt for p in described.raw_description.pending_activities if p.activity_type.name == activity),
        default=0,
    )


async def test_a_cohort_goes_on_without_a_neighbour_that_is_down_and_catches_up(
    program: Running, neighbours: Neighbours, temporal: Client
) -> None:
    await neighbours.stop("notify")
    cohort_id = await opened(program)

    async def tried_often() -> bool:
        return await tries(temporal, cohort_id, SUMEDANG, "notify_people") >= MANY

    # Their workflows start when the phase has opened.
    await eventually(tried_often, timeout=60, ignoring=(RPCError,))
    # Nobody could be written to; what they do counts all the same, long before the deadline.
    await attend(program, cohort_id, *REGIONS)
    await reached(program, cohort_id, 0, CLOSED)
    early = pb.ReschedulePhaseRequest(**about(cohort_id, phase="workshop", open_days=-30))
    await steering(program).ReschedulePhase(early)
    await reached(program, cohort_id, 1, OPEN)
    await eventually(lambda: len(neighbours.of(coaching.AssignCoachRequest)) == 3)
    await neighbours.start("notify")

    def written_to() -> bool:
        sent = [draft for request in neighbours.of(notify.SendMessagesRequest) for draft in request.drafts]
        invited = [draft.recipient.institution for draft in sent if dict(draft.values)["phase_title"] == "Lokakarya"]
        return set(invited) == set(REGIONS)

    await eventually(written_to, timeout=30)
    assert not any(p.problems for p in (await participants(program, cohort_id)).values())


async def test_orders_are_answered_while_a_neighbour_takes_calls_and_never_answers(
    program: Running, neighbours: Neighbours
) -> None:
    everybody = [f"32.{n:02}" for n in range(1, 19)] + [f"33.{n:02}" for n in range(1, 30)]
    neighbours.hanging.add("notify")
    requests = []
    for _ in range(3):
        request = launching()
        first = request.cohort.roster[0]
        del request.cohort.roster[:]
        request.cohort.roster.extend(definition_pb2.Participant(institution=c, people=first.people) for c in everybody)
        requests.append(request)
        await manager(program).LaunchCohort(request)
    cohorts = {request.cohort.id for request in requests}
    # Letters of a cohort go together: those that hang hold up the rest of theirs, and nothing else.
    await eventually(
        lambda: {call.cohort_id for call in neighbours.of(notify.SendMessagesRequest)} == cohorts, timeout=30
    )
    for request in requests:
        answer = await steering(program).PauseCohort(pb.PauseCohortRequest(**about(request.cohort.id)), timeout=30)
        assert answer.cohort.state == cohort_pb2.COHORT_STATE_PAUSED
    neighbours.hanging.clear()
    everything = 3 * len(everybody)
    await eventually(
        lambda: sum(len(call.drafts) for call in neighbours.of(notify.SendMessagesRequest)) >= everything, timeout=60
    )


def coach_calls(neighbours: Neighbours, institution: str) -> int:
    asked = [call for call in neighbours.calls if isinstance(call, coaching.AssignCoachRequest)]
    return sum(call.institution == institution for call in asked)


async def test_what_was_refused_for_good_is_shown_and_is_gone_once_it_is_asked_again(
    program: Running, neighbours: Neighbours
) -> None:
    neighbours.without_coach.update({GARUT, BANDUNG})
    cohort_id = await opened(program)
    await open_workshop(program, cohort_id)

    async def both_have_one() -> bool:
        standing = await participants(program, cohort_id)
        return bool(standing[GARUT].problems and standing[BANDUNG].problems)

    await eventually(both_have_one)
    assert not (await participants(program, cohort_id))[SUMEDANG].problems
    neighbours.without_coach.discard(GARUT)
    asked = coach_calls(neighbours, GARUT)
    retry = pb.ResolveProblemsRequest(**about(cohort_id, institution=GARUT, retry=True))
    await steering(program).ResolveProblems(retry)
    dismiss = pb.ResolveProblemsRequest(**about(cohort_id, institution=BANDUNG))
    await steering(program).ResolveProblems(dismiss)

    await eventually(lambda: coach_calls(neighbours, GARUT) > asked)
    standing = await participants(program, cohort_id)
    assert not standing[GARUT].problems
    assert not standing[BANDUNG].problems
    # What was let be is not asked again, and can still be decided otherwise.
    assert coach_calls(neighbours, BANDUNG) == 1
    again = await refusal(steering(program).ResolveProblems(pb.ResolveProblemsRequest(**about(cohort_id))))
    assert again.reason == "NO_PROBLEM"
    # With a coach, its plan can be approved: it goes on with the others.
    for institution in REGIONS:
        await do_workshop(program, cohort_id, institution)
    closed = await reached(program, cohort_id, 1, CLOSED)
    assert closed.failed == 0


async def test_a_server_that_does_not_know_our_namespace_says_nothing_of_a_participant(
    temporal: Client, program: Running
) -> None:
    """As one that has just started: else a whole cohort would be taken for ended."""
    address = program.process.settings.temporal_address
    engine = Engine(await connect(address, "not-there"))
    with pytest.raises(Refused) as refused:
        await engine.signal("cohort", SUMEDANG, "paused", workflow.Pause())
    assert refused.value.kind is Kind.UNAVAILABLE
    with pytest.raises(Refused) as refused:
        await engine.steer("cohort", command_pb2.Command(request_id="one"))
    assert refused.value.kind is Kind.UNAVAILABLE
    assert not await Engine(temporal).signal("cohort", SUMEDANG, "paused", workflow.Pause())


@pytest.mark.parametrize("closed", [False, True])
async def test_an_order_that_is_recorded_before_the_opening_it_came_after_hides_no_fact(
    closed: bool, program: Running
) -> None:
    """As after an outage of the database, when what waits is written in any order."""
    request = launching(*REGIONS)
    await manager(program).LaunchCohort(request)
    store, cohort_id = Store(program.db), request.cohort.id
    opening, closing = phase("governance", OPEN), phase("governance", CLOSED)
    step = ordered(cohort_id, 3, replace=command_pb2.ReplaceOrder(institution=SUMEDANG))
    step.command.replace.person.CopyFrom(request.cohort.roster[0].people[0])
    step.phases.append(closing if closed else opening)
    await store.steering.record(step)
    await store.record_phase(cohort_id, opening, 1)
    await store.record_phase(cohort_id, closing, 2)
    cohort = await shown(program, cohort_id)
    assert cohort.phases[0].state == (CLOSED if closed else OPEN)

    async def told() -> bool:
        facts = await program.published(events_pb2.PhaseOpened)
        return [fact.phase for fact in facts] == ["governance"]

    await eventually(told)
    if closed:
        await eventually(lambda: program.published(events_pb2.PhaseClosed))
    versions = [row["version"] async for row in program.db["outbox"].find({"aggregate": cohort_id}).sort("version")]
    assert versions == sorted(set(versions))
