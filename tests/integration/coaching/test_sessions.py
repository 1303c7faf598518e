"""Sessions on a real database and broker: moved and called off, with a reason that people are told."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from livinglab.coaching.v1 import coaching_pb2, events_pb2
from livinglab.coaching.v1 import service_pb2 as pb
from livinglab.common.v1 import options_pb2

from chassis.errors import Kind
from stack.issuer import Issuer
from tests.harness.coaching import COHORT, SUMEDANG, called_by, count, published, request_id
from tests.harness.servers import Servers
from tests.harness.service import Running, refusal, running_service

WORKSHOP = f"{COHORT}.workshop"
CANCELLED, SCHEDULED = coaching_pb2.SESSION_STATE_CANCELLED, coaching_pb2.SESSION_STATE_SCHEDULED


@pytest.fixture
async def coaching(servers: Servers, issuer: Issuer, nats_url: str) -> AsyncIterator[Running]:
    async with running_service("coaching", servers, issuer, nats_url) as running:
        yield running


def ahead(days: float) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(datetime.now(UTC) + timedelta(days=days))
    return stamp


def workshop(days: float = 5) -> pb.ScheduleSessionRequest:
    return pb.ScheduleSessionRequest(
        request_id=request_id(),
        session_id=WORKSHOP,
        cohort_id=COHORT,
        phase="workshop",
        title="Lokakarya",
        place="Jatinangor",
        start_time=ahead(days),
        end_time=ahead(days + 0.1),
        time_zone="Asia/Jakarta",
    )


def move(days: float = 9, reason: str = "Gedung dipakai") -> pb.MoveSessionRequest:
    return pb.MoveSessionRequest(
        request_id=request_id(),
        session_id=WORKSHOP,
        start_time=ahead(days),
        end_time=ahead(days + 0.1),
        reason=reason,
    )


def cancellation(reason: str = "Banjir", session_id: str = WORKSHOP) -> pb.CancelSessionRequest:
    return pb.CancelSessionRequest(request_id=request_id(), session_id=session_id, reason=reason)


async def listed(coaching: Running) -> coaching_pb2.Session:
    answer = await called_by(coaching, "head", SUMEDANG).ListSessions(pb.ListSessionsRequest(cohort_id=COHORT))
    [session] = answer.sessions
    return session


async def test_a_session_is_moved_and_says_why(coaching: Running) -> None:
    system = called_by(coaching, "system")
    first = (await system.ScheduleSession(workshop())).session
    assert (first.state, first.reason) == (SCHEDULED, "")
    request = move()
    moved = (await system.MoveSession(request)).session
    assert (moved.start_time, moved.end_time) == (request.start_time, request.end_time)
    assert (moved.title, moved.state, moved.reason, moved.etag) == ("Lokakarya", SCHEDULED, "Gedung dipakai", "2")
    again = pb.MoveSessionRequest(request_id=request_id(), session_id=WORKSHOP, reason="Lagi")
    again.start_time.CopyFrom(request.start_time)
    again.end_time.CopyFrom(request.end_time)
    assert (await system.MoveSession(again)).session == moved == await listed(coaching)
    facts = await published(coaching, events_pb2.SessionScheduled, 2)
    assert [(f.meta.version, f.start_time, f.reason) for f in facts] == [
        (1, first.start_time, ""),
        (2, request.start_time, "Gedung dipakai"),
    ]


async def test_a_session_on_new_days_by_its_schedule_has_no_reason_of_an_earlier_move(coaching: Running) -> None:
    system = called_by(coaching, "system")
    await system.ScheduleSession(workshop())
    await system.MoveSession(move())
    anew = workshop(12)
    assert (await system.ScheduleSession(anew)).session.reason == ""
    anew.request_id = request_id()
    assert (await system.ScheduleSession(anew)).session.etag == "3"


async def test_a_cancelled_session_stays_cancelled_and_takes_nobody(coaching: Running) -> None:
    manager = called_by(coaching, "manager")
    await manager.ScheduleSession(workshop())
    cancelled = (await manager.CancelSession(cancellation())).session
    assert (cancelled.state, cancelled.reason, cancelled.etag) == (CANCELLED, "Banjir", "2")
    assert (await manager.CancelSession(cancellation("Lain"))).session == cancelled == await listed(coaching)
    presence = pb.RecordAttendanceRequest(
        request_id=request_id(),
        session_id=WORKSHOP,
        institution=SUMEDANG,
        role=options_pb2.ROLE_HEAD,
        name="Kepala Dinas",
    )
    for call in (
        called_by(coaching, "head", SUMEDANG).RecordAttendance(presence),
        manager.MoveSession(move()),
        manager.ScheduleSession(workshop(7)),
    ):
        refused = await refusal(call)
        assert (refused.kind, refused.reason) == (Kind.FAILED_PRECONDITION, "SESSION_CANCELLED")
        assert refused.message == f"session {WORKSHOP} was cancelled: Banjir"
    assert await count(coaching, "attendance") == 0
    [fact] = await published(coaching, events_pb2.SessionCancelled, 1)
    assert (fact.session_id, fact.phase, fact.reason) == (WORKSHOP, "workshop", "Banjir")
    assert (fact.meta.aggregate_id, fact.meta.version, fact.meta.cohort_id) == (f"session:{WORKSHOP}", 2, COHORT)


async def test_many_hands_cancel_a_session_once(coaching: Running) -> None:
    manager = called_by(coaching, "manager")
    await manager.ScheduleSession(workshop())
    answers = await asyncio.gather(*(manager.CancelSession(cancellation(f"Alasan {n}")) for n in range(8)))
    assert len({answer.session.reason for answer in answers}) == 1
    assert len(await published(coaching, events_pb2.SessionCancelled, 1)) == 1


async def test_a_session_that_has_begun_is_neither_moved_nor_cancelled(coaching: Running) -> None:
    manager = called_by(coaching, "manager")
    begun = (await manager.ScheduleSession(workshop(-0.05))).session
    for call in (manager.MoveSession(move()), manager.CancelSession(cancellation())):
        refused = await refusal(call)
        assert (refused.kind, refused.reason) == (Kind.FAILED_PRECONDITION, "SESSION_BEGUN")
    assert await listed(coaching) == begun


async def test_a_move_or_cancellation_that_cannot_be_is_refused(coaching: Running) -> None:
    manager = called_by(coaching, "manager")
    assert (await refusal(manager.CancelSession(cancellation()))).kind is Kind.NOT_FOUND
    assert (await refusal(manager.MoveSession(move()))).kind is Kind.NOT_FOUND
    first = (await manager.ScheduleSession(workshop())).session
    for reason in ("", "  "):
        for call in (manager.CancelSession(cancellation(reason)), manager.MoveSession(move(reason=reason))):
            assert [v.field for v in (await refusal(call)).violations] == ["reason"]
    backwards = move()
    backwards.end_time.CopyFrom(ahead(8))
    assert [v.field for v in (await refusal(manager.MoveSession(backwards))).violations] == ["end_time"]
    for role in ("coach", "head"):
        other = called_by(coaching, role, SUMEDANG if role == "head" else "")
        assert (await refusal(other.CancelSession(cancellation()))).reason == "ROLE"
        assert (await refusal(other.MoveSession(move()))).reason == "ROLE"
    assert await listed(coaching) == first


async def test_a_repeated_move_or_cancellation_gets_its_first_answer(coaching: Running) -> None:
    system = called_by(coaching, "system")
    await system.ScheduleSession(workshop())
    request, ending = move(), cancellation()
    moved = await system.MoveSession(request)
    cancelled = await system.CancelSession(ending)
    assert await system.MoveSession(request) == moved
    assert await system.CancelSession(ending) == cancelled
    ending.reason = "Lain"
    assert (await refusal(system.CancelSession(ending))).reason == "REQUEST_ID_REUSED"
    assert (await listed(coaching)).etag == "3"


async def test_a_session_that_was_stored_before_sessions_had_a_state_is_on(coaching: Running) -> None:
    manager = called_by(coaching, "manager")
    request = workshop()
    first = (await manager.ScheduleSession(request)).session
    await coaching.db["sessions"].update_one({"_id": WORKSHOP}, {"$unset": {"state": 1, "reason": 1}})
    assert await listed(coaching) == first
    request.request_id = request_id()
    assert (await manager.ScheduleSession(request)).session == first
    assert (await manager.CancelSession(cancellation())).session.state == CANCELLED
