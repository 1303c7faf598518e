"""Coaching alone, on a real database and broker: coaches, sessions, attendance and agreements."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from livinglab.coaching.v1 import events_pb2
from livinglab.coaching.v1 import service_pb2 as pb
from livinglab.common.v1 import options_pb2
from livinglab.program.v1 import events_pb2 as program_pb

from chassis.errors import Kind
from chassis.status import from_rpc_error
from stack.issuer import Issuer
from tests.harness.coaching import BANDUNG, COHORT, SUMEDANG, assignment, called_by, coach, count, published, request_id
from tests.harness.servers import Servers
from tests.harness.service import Running, refusal, running_service
from tests.harness.waiting import eventually


@pytest.fixture
async def coaching(servers: Servers, issuer: Issuer, nats_url: str) -> AsyncIterator[Running]:
    async with running_service("coaching", servers, issuer, nats_url) as running:
        yield running


def at(hour: int, minute: int = 0) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(datetime(2022, 11, 7, hour, minute, 0, 123456, tzinfo=UTC))
    return stamp


def workshop(start: int = 2, end: int = 4, **more: str) -> pb.ScheduleSessionRequest:
    fields: dict[str, Any] = {
        "session_id": f"{COHORT}.workshop",
        "cohort_id": COHORT,
        "phase": "workshop",
        "title": "Lokakarya",
    }
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


def signature() -> pb.SignAgreementRequest:
    return pb.SignAgreementRequest(
        request_id=request_id(), cohort_id=COHORT, phase="summit", institution=SUMEDANG, signatory="Bupati"
    )


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
        # And the assignment, which is a fact for coaching itself too.
        return await count(coaching, "inbox") == 3

    await eventually(both_seen)
    await system.AssignCoach(assignment(BANDUNG))
    assert (await refusal(system.AssignCoach(assignment("32.78")))).reason == "NO_CAPACITY"


async def test_who_is_in_again_has_its_coach_again_in_whatever_order_that_is_heard(coaching: Running) -> None:
    await coach(coaching, capacity=1)
    system = called_by(coaching, "system")
    await system.AssignCoach(assignment())
    about = {"aggregate_id": f"participant:{COHORT}:{SUMEDANG}", "cohort_id": COHORT}
    await coaching.hear(program_pb.ParticipantReadmitted(institution=SUMEDANG), version=3, **about)
    await coaching.hear(program_pb.ParticipantFailed(institution=SUMEDANG), version=2, **about)

    async def both_seen() -> bool:
        # And the assignment, which is a fact for coaching itself too.
        return await count(coaching, "inbox") == 3

    await eventually(both_seen)
    assert (await refusal(system.AssignCoach(assignment(BANDUNG)))).reason == "NO_CAPACITY"


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
    assert sorted(f.meta.version for f in facts) == [1, 1, 2]


async def test_a_session_that_cannot_be_is_refused(coaching: Running) -> None:
    manager = called_by(coaching, "manager")
    assert [v.field for v in (await refusal(manager.ScheduleSession(workshop(4, 4)))).violations] == ["end_time"]
    endless = workshop()
    endless.end_time.seconds = 10**15
    assert [v.field for v in (await refusal(manager.ScheduleSession(endless))).violations] == ["end_time"]
    for wrong in ("ll..2022", "ll."):
        refused = await refusal(manager.ScheduleSession(workshop(session_id=wrong)))
        assert [v.field for v in refused.violations] == ["session_id"]
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
    assert (await refusal(head.RecordAttendance(presence(options_pb2.ROLE_OPERATOR)))).reason == "OTHER_SEAT"
    operator = called_by(coaching, "operator", SUMEDANG)
    await operator.RecordAttendance(presence(options_pb2.ROLE_OPERATOR, name="Operator"))
    assert await count(coaching, "attendance") == 2
    facts = await published(coaching, events_pb2.AttendanceRecorded, 2)
    about = {(f.role, f.delegate, f.phase, f.meta.cohort_id) for f in facts}
    assert about == {
        (options_pb2.ROLE_HEAD, False, "workshop", COHORT),
        (options_pb2.ROLE_OPERATOR, False, "workshop", COHORT),
    }


async def test_many_hands_at_once_note_one_seat_and_one_signature(coaching: Running) -> None:
    await called_by(coaching, "manager").ScheduleSession(workshop())
    head, regent = called_by(coaching, "head", SUMEDANG), called_by(coaching, "regent", SUMEDANG)
    await asyncio.gather(
        *(head.RecordAttendance(presence()) for _ in range(12)), *(regent.SignAgreement(signature()) for _ in range(12))
    )
    assert (await count(coaching, "attendance"), await count(coaching, "agreements")) == (1, 1)
    assert len(await published(coaching, events_pb2.AttendanceRecorded, 1)) == 1
    assert len(await published(coaching, events_pb2.AgreementSigned, 1)) == 1


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
    regent = called_by(coaching, "regent", SUMEDANG)
    await regent.SignAgreement(signature())
    await regent.SignAgreement(signature())
    assert (await refusal(called_by(coaching, "head", SUMEDANG).SignAgreement(signature()))).reason == "ROLE"
    refused = await refusal(called_by(coaching, "regent", BANDUNG).SignAgreement(signature()))
    assert refused.reason == "OTHER_INSTITUTION"
    assert await count(coaching, "agreements") == 1
    assert len(await published(coaching, events_pb2.AgreementSigned, 1)) == 1


async def test_an_unknown_region_is_assigned_to_nobody(coaching: Running) -> None:
    await coach(coaching)
    refused = await refusal(called_by(coaching, "manager").AssignCoach(assignment("99.99")))
    assert refused.kind == Kind.INVALID_ARGUMENT
    assert [v.field for v in refused.violations] == ["institution"]
    refused = await refusal(called_by(coaching, "operator", SUMEDANG).AssignCoach(assignment()))
    assert refused.reason == "ROLE"
    assert await count(coaching, "assignments") == 0
