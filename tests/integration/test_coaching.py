"""Coaching alone, on a real database and broker, called as its users call it."""

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import grpc
import pytest
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from livinglab.assessment.v1 import evaluation_pb2
from livinglab.assessment.v1 import events_pb2 as assessment_pb
from livinglab.coaching.v1 import coaching_pb2, events_pb2
from livinglab.coaching.v1 import service_pb2 as pb
from livinglab.coaching.v1.service_pb2_grpc import CoachingServiceStub
from livinglab.common.v1 import options_pb2
from livinglab.program.v1 import events_pb2 as program_pb

from chassis.errors import Kind, Refused
from chassis.status import from_rpc_error
from instruments import instrument_files
from services.assessment.instrument_file import load
from stack.issuer import Issuer
from tests.harness.servers import Servers
from tests.harness.service import Running, running_service
from tests.harness.waiting import eventually

if TYPE_CHECKING:
    from livinglab.coaching.v1.service_pb2_grpc import CoachingServiceAsyncStub

SPBE = "spbe-59-2020"
SUMEDANG, BANDUNG = "32.11", "32.04"
COHORT = "ll-2022"
PLAN = f"plan:{COHORT}:{SUMEDANG}"


@pytest.fixture
async def coaching(servers: Servers, issuer: Issuer, nats_url: str) -> AsyncIterator[Running]:
    async with running_service("coaching", servers, issuer, nats_url) as running:
        yield running


def request_id() -> str:
    return uuid.uuid4().hex


def called_by(coaching: Running, role: str, institution: str = "", subject: str = "") -> "CoachingServiceAsyncStub":
    return coaching.as_role(CoachingServiceStub, role, institution, subject)


async def refusal(call: Awaitable[object]) -> Refused:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    return from_rpc_error(raised.value)


async def published(coaching: Running, event: type[Message], count: int) -> list[Message]:
    async def all_of_them() -> list[Message]:
        found = await coaching.published(event)
        return found if len(found) >= count else []

    return await eventually(all_of_them)


async def count(coaching: Running, collection: str) -> int:
    return int(await coaching.db[collection].count_documents({}))


async def coach(coaching: Running, coach_id: str = "coach-1", capacity: int = 8, rehearsal: str = "") -> None:
    request = pb.RegisterCoachRequest(
        request_id=request_id(),
        coach_id=coach_id,
        name="Pendamping",
        email="pendamping@coach.example",
        capacity=capacity,
        rehearsal=rehearsal,
    )
    await called_by(coaching, "manager").RegisterCoach(request)


def assignment(institution: str = SUMEDANG, cohort_id: str = COHORT, rehearsal: str = "") -> pb.AssignCoachRequest:
    return pb.AssignCoachRequest(
        request_id=request_id(), cohort_id=cohort_id, institution=institution, rehearsal=rehearsal
    )


def at(hour: int, minute: int = 0) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(datetime(2022, 11, 7, hour, minute, 0, 123456, tzinfo=UTC))
    return stamp


def workshop(start: int = 2, end: int = 4, **more: str) -> pb.ScheduleSessionRequest:
    fields = {"session_id": f"{COHORT}.workshop", "cohort_id": COHORT, "phase": "workshop", "title": "Lokakarya"}
    return pb.ScheduleSessionRequest(
        request_id=request_id(),
        place="Jatinangor",
        start_time=at(start),
        end_time=at(end),
        time_zone="Asia/Jakarta",
        **{**fields, **more},
    )


def presence(
    role: options_pb2.Role.ValueType = options_pb2.ROLE_HEAD, *, delegate: bool = False, **more: str
) -> pb.RecordAttendanceRequest:
    fields = {"session_id": f"{COHORT}.workshop", "institution": SUMEDANG, "name": "Kepala Dinas", **more}
    request = pb.RecordAttendanceRequest(request_id=request_id(), role=role, delegate=delegate)
    for field, value in fields.items():
        setattr(request, field, value)
    return request


def drafting(**more: str) -> pb.DraftPlanRequest:
    fields = {"cohort_id": COHORT, "institution": SUMEDANG}
    return pb.DraftPlanRequest(request_id=request_id(), **{**fields, **more})


async def evaluated(
    coaching: Running, period: str = "2022", level: int = 2, rehearsal: str = "", version: int = 3
) -> None:
    event = assessment_pb.EvaluationSubmitted(
        institution=SUMEDANG,
        evaluation_id=":".join(filter(None, [SUMEDANG, SPBE, period, rehearsal])),
        instrument=SPBE,
        instrument_version=1,
        period=period,
        stage=evaluation_pb2.STAGE_SELF_ASSESSMENT,
        score=evaluation_pb2.Score(index=f"{level}.00", predicate="Cukup"),
        values={str(n): str(level) for n in range(1, 48)},
    )
    meta = {"aggregate_id": event.evaluation_id, "cohort_id": rehearsal, "rehearsal": rehearsal}
    await coaching.hear(event, version=version, **meta)


async def known(coaching: Running, evaluations: int = 1) -> None:
    """The instrument and the evaluations have arrived."""
    instrument = load(instrument_files()[SPBE].read_bytes())
    event = assessment_pb.InstrumentPublished(instrument_id=SPBE, instrument=instrument)
    await coaching.hear(event, aggregate_id=f"instrument:{SPBE}")

    async def arrived() -> bool:
        return (await count(coaching, "instruments"), await count(coaching, "evaluations")) == (1, evaluations)

    await eventually(arrived)


async def drafted(coaching: Running) -> coaching_pb2.Plan:
    await coach(coaching)
    await called_by(coaching, "system").AssignCoach(assignment())
    await evaluated(coaching)
    await known(coaching)
    return (await called_by(coaching, "operator", SUMEDANG).DraftPlan(drafting())).plan


async def submitted(coaching: Running) -> coaching_pb2.Plan:
    plan = await drafted(coaching)
    request = pb.SubmitPlanRequest(request_id=request_id(), plan_id=plan.id, etag=plan.etag)
    return (await called_by(coaching, "head", SUMEDANG).SubmitPlan(request)).plan


def review(*, approved: bool, reason: str = "") -> pb.ReviewPlanRequest:
    return pb.ReviewPlanRequest(request_id=request_id(), plan_id=PLAN, approved=approved, reason=reason)


async def test_concurrent_assignments_never_exceed_capacity(coaching: Running) -> None:
    for coach_id in ("coach-1", "coach-2"):
        await coach(coaching, coach_id, capacity=3)
    await coach(coaching, "coach-0", capacity=9, rehearsal="another")
    system = called_by(coaching, "system")
    regions = [f"32.{n:02}" for n in range(1, 9)]
    answers = await asyncio.gather(
        *(system.AssignCoach(assignment(region)) for region in regions), return_exceptions=True
    )
    got = Counter(answer.coach.id for answer in answers if isinstance(answer, pb.AssignCoachResponse))
    refused = [from_rpc_error(answer) for answer in answers if isinstance(answer, grpc.aio.AioRpcError)]
    assert got == {"coach-1": 3, "coach-2": 3}
    assert [(r.kind, r.reason) for r in refused] == [(Kind.FAILED_PRECONDITION, "NO_CAPACITY")] * 2
    assert await count(coaching, "assignments") == 6
    facts = await published(coaching, events_pb2.CoachAssigned, 6)
    assert len(facts) == 6


async def test_two_replicas_do_not_exceed_capacity_either(
    coaching: Running, servers: Servers, issuer: Issuer, nats_url: str
) -> None:
    prefix = coaching.db.name.removesuffix("coaching")
    await coach(coaching, capacity=4)
    async with running_service("coaching", servers, issuer, nats_url, database_prefix=prefix) as other:
        stubs = [called_by(coaching, "system"), called_by(other, "system")]
        calls = [stubs[n % 2].AssignCoach(assignment(f"32.{n:02}")) for n in range(1, 13)]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert sum(isinstance(answer, pb.AssignCoachResponse) for answer in answers) == 4
        assert await count(coaching, "assignments") == 4


async def test_who_has_a_coach_keeps_it(coaching: Running) -> None:
    await coach(coaching, "coach-2", capacity=2)
    system = called_by(coaching, "system")
    first = await system.AssignCoach(assignment())
    await coach(coaching, "coach-1", capacity=9)
    assert (await system.AssignCoach(assignment())).coach == first.coach
    assert (await system.AssignCoach(assignment(BANDUNG))).coach.id == "coach-1"
    assert await count(coaching, "assignments") == 2


async def test_who_leaves_gives_the_place_to_another_once(coaching: Running) -> None:
    await coach(coaching, capacity=1)
    system = called_by(coaching, "system")
    await system.AssignCoach(assignment())
    assert (await refusal(system.AssignCoach(assignment(BANDUNG)))).reason == "NO_CAPACITY"
    about = {"aggregate_id": f"participant:{COHORT}:{SUMEDANG}", "cohort_id": COHORT}
    await coaching.hear(program_pb.ParticipantWithdrawn(institution=SUMEDANG), version=2, **about)
    await coaching.hear(program_pb.ParticipantFailed(institution=SUMEDANG), version=3, **about)

    async def both_seen() -> bool:
        return await count(coaching, "inbox") == 2

    await eventually(both_seen)
    await system.AssignCoach(assignment(BANDUNG))
    assert (await refusal(system.AssignCoach(assignment("32.78")))).reason == "NO_CAPACITY"


async def test_a_coach_is_listed_in_its_own_realm(coaching: Running) -> None:
    for coach_id in ("a", "b", "c"):
        await coach(coaching, coach_id)
    await coach(coaching, "a", capacity=3, rehearsal="try-1")
    await coach(coaching, "a", capacity=5)
    manager = called_by(coaching, "manager")
    page = await manager.ListCoaches(pb.ListCoachesRequest(page_size=2))
    assert [(c.id, c.capacity) for c in page.coaches] == [("a", 5), ("b", 8)]
    page = await manager.ListCoaches(pb.ListCoachesRequest(page_size=2, page_token=page.next_page_token))
    assert [(c.id, page.next_page_token) for c in page.coaches] == [("c", "")]
    rehearsed = await manager.ListCoaches(pb.ListCoachesRequest(rehearsal="try-1"))
    assert [(c.id, c.capacity) for c in rehearsed.coaches] == [("a", 3)]


async def test_a_session_is_scheduled_once_and_moved(coaching: Running) -> None:
    manager = called_by(coaching, "manager")
    first = (await manager.ScheduleSession(workshop())).session
    assert (await manager.ScheduleSession(workshop())).session == first
    moved = (await manager.ScheduleSession(workshop(3, 5))).session
    await manager.ScheduleSession(workshop(0, 1, session_id=f"{COHORT}.early"))
    listed = await called_by(coaching, "regent", SUMEDANG).ListSessions(pb.ListSessionsRequest(cohort_id=COHORT))
    assert [s.id for s in listed.sessions] == [f"{COHORT}.early", f"{COHORT}.workshop"]
    assert listed.sessions[1] == moved
    assert moved.start_time == at(3)
    facts = await published(coaching, events_pb2.SessionScheduled, 3)
    assert sorted(f.meta.version for f in facts) == [1, 1, 2]  # type: ignore[attr-defined]


async def test_a_session_that_cannot_be_is_refused(coaching: Running) -> None:
    manager = called_by(coaching, "manager")
    assert [v.field for v in (await refusal(manager.ScheduleSession(workshop(4, 4)))).violations] == ["end_time"]
    endless = workshop()
    endless.end_time.seconds = 10**15
    assert [v.field for v in (await refusal(manager.ScheduleSession(endless))).violations] == ["end_time"]
    for wrong in ("ll..2022", "ll."):
        refused = await refusal(manager.ScheduleSession(workshop(session_id=wrong)))
        assert [v.field for v in refused.violations] == ["session_id"]
    refused = await refusal(manager.ScheduleSession(workshop(rehearsal="elsewhere")))
    assert [v.field for v in refused.violations] == ["rehearsal"]
    assert await count(coaching, "sessions") == 0
    await manager.ScheduleSession(workshop())
    assert (await refusal(manager.ScheduleSession(workshop(cohort_id="other")))).reason == "OTHER_COHORT"
    assert (await refusal(manager.ScheduleSession(workshop(rehearsal=COHORT)))).reason == "REALM"
    assert await count(coaching, "requests") == 1


async def test_a_seat_is_noted_once(coaching: Running) -> None:
    await called_by(coaching, "manager").ScheduleSession(workshop())
    head = called_by(coaching, "head", SUMEDANG)
    await head.RecordAttendance(presence())
    await head.RecordAttendance(presence(name="Sekretaris Dinas", delegate=True))
    await head.RecordAttendance(presence(options_pb2.ROLE_OPERATOR, name="Operator"))
    assert await count(coaching, "attendance") == 2
    facts = await published(coaching, events_pb2.AttendanceRecorded, 2)
    about = {(f.role, f.delegate, f.phase, f.meta.cohort_id) for f in facts}  # type: ignore[attr-defined]
    assert about == {
        (options_pb2.ROLE_HEAD, False, "workshop", COHORT),
        (options_pb2.ROLE_OPERATOR, False, "workshop", COHORT),
    }


async def test_attendance_of_nobody_nowhere_is_refused(coaching: Running) -> None:
    await called_by(coaching, "manager").ScheduleSession(workshop())
    head, manager = called_by(coaching, "head", SUMEDANG), called_by(coaching, "manager")
    assert (await refusal(head.RecordAttendance(presence(institution=BANDUNG)))).reason == "OTHER_INSTITUTION"
    assert (await refusal(head.RecordAttendance(presence(session_id="nowhere")))).kind == Kind.NOT_FOUND
    refused = await refusal(manager.RecordAttendance(presence(options_pb2.ROLE_PUBLIC, institution="99.99")))
    assert [v.field for v in refused.violations] == ["institution", "role"]
    assert (await refusal(called_by(coaching, "coach").RecordAttendance(presence()))).reason == "ROLE"
    assert await count(coaching, "attendance") == 0


async def test_the_commitment_is_signed_once_by_the_regent(coaching: Running) -> None:
    def signature() -> pb.SignAgreementRequest:
        return pb.SignAgreementRequest(
            request_id=request_id(), cohort_id=COHORT, phase="summit", institution=SUMEDANG, signatory="Bupati"
        )

    regent = called_by(coaching, "regent", SUMEDANG)
    await regent.SignAgreement(signature())
    await regent.SignAgreement(signature())
    assert (await refusal(called_by(coaching, "head", SUMEDANG).SignAgreement(signature()))).reason == "ROLE"
    refused = await refusal(called_by(coaching, "regent", BANDUNG).SignAgreement(signature()))
    assert refused.reason == "OTHER_INSTITUTION"
    assert await count(coaching, "agreements") == 1
    assert len(await published(coaching, events_pb2.AgreementSigned, 1)) == 1


async def test_a_plan_waits_for_a_coach_and_for_the_evaluation(coaching: Running) -> None:
    operator = called_by(coaching, "operator", SUMEDANG)
    assert (await refusal(operator.DraftPlan(drafting()))).reason == "NO_COACH"
    await coach(coaching)
    await called_by(coaching, "system").AssignCoach(assignment())
    refused = await refusal(operator.DraftPlan(drafting()))
    assert (refused.kind, refused.reason) == (Kind.FAILED_PRECONDITION, "NO_EVALUATION")
    assert refused.retry_seconds
    await evaluated(coaching, rehearsal="try-1")
    await known(coaching)
    assert (await refusal(operator.DraftPlan(drafting()))).reason == "NO_EVALUATION"
    assert await count(coaching, "plans") == 0


async def test_a_plan_is_drafted_from_the_newest_period_or_the_evaluation_named(coaching: Running) -> None:
    await coach(coaching)
    await called_by(coaching, "system").AssignCoach(assignment())
    await evaluated(coaching, "2022", level=3, version=4)
    await evaluated(coaching, "2021", level=2)
    await known(coaching, 2)
    await evaluated(coaching, "2022", level=1, version=3)
    operator = called_by(coaching, "operator", SUMEDANG)
    refused = await refusal(operator.DraftPlan(drafting(evaluation_id=f"{SUMEDANG}:{SPBE}:2023")))
    assert refused.reason == "NO_EVALUATION"
    plan = (await operator.DraftPlan(drafting(due_date="2023-01-21"))).plan
    assert (plan.id, plan.coach_id, plan.from_index, plan.etag) == (PLAN, "coach-1", "3.00", "1")
    assert plan.evaluation_id == f"{SUMEDANG}:{SPBE}:2022"
    assert 3 < float(plan.to_index) <= 3.6
    assert {action.due_date for action in plan.actions} == {"2023-01-21"}
    assert (await operator.DraftPlan(drafting(target="4.0"))).plan == plan
    (fact,) = await published(coaching, events_pb2.PlanDrafted, 1)
    assert isinstance(fact, events_pb2.PlanDrafted)
    assert (fact.actions, fact.meta.aggregate_id, fact.meta.version) == (len(plan.actions), PLAN, 1)


async def test_a_bad_draft_is_refused(coaching: Running) -> None:
    refused = await refusal(called_by(coaching, "operator", SUMEDANG).DraftPlan(drafting(institution=BANDUNG)))
    assert refused.reason == "OTHER_INSTITUTION"
    plan = await drafted(coaching)
    other = called_by(coaching, "head", BANDUNG)
    for call in (
        other.GetPlan(pb.GetPlanRequest(plan_id=plan.id)),
        other.SubmitPlan(pb.SubmitPlanRequest(request_id=request_id(), plan_id=plan.id)),
        other.ListPlans(pb.ListPlansRequest(cohort_id=COHORT, institution=SUMEDANG)),
    ):
        assert (await refusal(call)).reason == "OTHER_INSTITUTION"
    assert (await refusal(other.ListPlans(pb.ListPlansRequest(cohort_id=COHORT)))).reason == "INSTITUTION_NEEDED"
    operator = called_by(coaching, "operator", SUMEDANG)
    refused = await refusal(operator.SubmitPlan(pb.SubmitPlanRequest(request_id=request_id(), plan_id=plan.id)))
    assert refused.reason == "ROLE"
    assert (await operator.GetPlan(pb.GetPlanRequest(plan_id=plan.id))).plan == plan


async def test_a_plan_is_sent_back_and_approved_by_its_own_coach(coaching: Running) -> None:
    plan = await submitted(coaching)
    own = called_by(coaching, "coach", subject="coach-1")
    refused = await refusal(called_by(coaching, "coach", subject="coach-2").ReviewPlan(review(approved=True)))
    assert (refused.kind, refused.reason) == (Kind.PERMISSION_DENIED, "OTHER_COACH")
    refused = await refusal(own.ReviewPlan(review(approved=False)))
    assert [v.field for v in refused.violations] == ["reason"]
    assert (await own.GetPlan(pb.GetPlanRequest(plan_id=PLAN))).plan == plan
    returned = (await own.ReviewPlan(review(approved=False, reason="Sebutkan OPD"))).plan
    assert (returned.state, returned.reason) == (coaching_pb2.PLAN_STATE_RETURNED, "Sebutkan OPD")
    assert (await refusal(own.ReviewPlan(review(approved=True)))).reason == "PLAN_STATE"
    head = called_by(coaching, "head", SUMEDANG)
    stale = pb.SubmitPlanRequest(request_id=request_id(), plan_id=PLAN, etag=plan.etag)
    assert (await refusal(head.SubmitPlan(stale))).kind == Kind.ABORTED
    await head.SubmitPlan(pb.SubmitPlanRequest(request_id=request_id(), plan_id=PLAN))
    approved = (await own.ReviewPlan(review(approved=True))).plan
    assert approved.state == coaching_pb2.PLAN_STATE_APPROVED
    (fact,) = await published(coaching, events_pb2.PlanApproved, 1)
    assert isinstance(fact, events_pb2.PlanApproved)
    assert (fact.to_index, fact.meta.version, fact.meta.actor) == (plan.to_index, 5, "coach-1")


async def test_an_action_is_done_once(coaching: Running) -> None:
    plan = await submitted(coaching)
    operator = called_by(coaching, "operator", SUMEDANG)

    def completion(action_id: str) -> pb.CompleteActionRequest:
        return pb.CompleteActionRequest(request_id=request_id(), plan_id=PLAN, action_id=action_id)

    first, second = plan.actions[0].id, plan.actions[1].id
    assert (await refusal(operator.CompleteAction(completion(first)))).reason == "PLAN_STATE"
    await called_by(coaching, "coach", subject="coach-1").ReviewPlan(review(approved=True))
    assert (await refusal(operator.CompleteAction(completion("99")))).kind == Kind.NOT_FOUND
    for action_id in (first, first, second):
        done = (await operator.CompleteAction(completion(action_id))).plan
    assert [a.state for a in done.actions][:3] == [
        coaching_pb2.ACTION_STATE_DONE,
        coaching_pb2.ACTION_STATE_DONE,
        coaching_pb2.ACTION_STATE_PLANNED,
    ]
    facts = await published(coaching, events_pb2.ActionCompleted, 2)
    told = [(f.action_id, f.done, f.total) for f in facts]  # type: ignore[attr-defined]
    assert told == [(first, 1, len(plan.actions)), (second, 2, len(plan.actions))]


async def test_a_repeated_request_gets_its_first_answer(coaching: Running) -> None:
    plan = await drafted(coaching)
    head = called_by(coaching, "head", SUMEDANG)
    request = pb.SubmitPlanRequest(request_id=request_id(), plan_id=plan.id)
    first = await head.SubmitPlan(request)
    assert await head.SubmitPlan(request) == first
    request.etag = first.plan.etag
    refused = await refusal(head.SubmitPlan(request))
    assert (refused.kind, refused.reason) == (Kind.ALREADY_EXISTS, "REQUEST_ID_REUSED")
    assert len(await published(coaching, events_pb2.PlanSubmitted, 1)) == 1
    listed = await head.ListPlans(pb.ListPlansRequest(cohort_id=COHORT, institution=SUMEDANG))
    assert list(listed.plans) == [first.plan]


async def test_an_unknown_region_is_assigned_to_nobody(coaching: Running) -> None:
    await coach(coaching)
    refused = await refusal(called_by(coaching, "manager").AssignCoach(assignment("99.99", rehearsal="elsewhere")))
    assert refused.kind == Kind.INVALID_ARGUMENT
    assert [v.field for v in refused.violations] == ["institution", "rehearsal"]
    refused = await refusal(called_by(coaching, "operator", SUMEDANG).AssignCoach(assignment()))
    assert refused.reason == "ROLE"
    assert await count(coaching, "assignments") == 0
