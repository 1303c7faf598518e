"""Sessions lead to something: an agenda from the plan, notes, agreed steps, feedback of both sides, no-shows."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from livinglab.coaching.v1 import coaching_pb2, minutes_events_pb2, minutes_pb2, plan_service_pb2
from livinglab.coaching.v1 import minutes_service_pb2 as pb
from livinglab.coaching.v1 import service_pb2 as rpc
from livinglab.coaching.v1.minutes_service_pb2_grpc import MinutesServiceStub
from livinglab.coaching.v1.plan_service_pb2_grpc import PlanServiceStub
from livinglab.common.v1 import options_pb2

from chassis.errors import Kind
from services.coaching.store.documents import fields
from stack.issuer import Issuer
from tests.harness.coaching import (
    BANDUNG,
    COHORT,
    SUMEDANG,
    assignment,
    called_by,
    coach,
    published,
    request_id,
)
from tests.harness.plans import PLAN
from tests.harness.servers import Servers
from tests.harness.service import Running, refusal, running_service
from tests.harness.waiting import eventually

NOW = datetime.now(UTC)
PAST, AHEAD = "past", "ahead"


@pytest.fixture
async def coaching(servers: Servers, issuer: Issuer, nats_url: str) -> AsyncIterator[Running]:
    """Two institutions with a coach; a plan of the first with an action that is late and one that is not; a session
    two hours ago and one in two days."""
    async with running_service("coaching", servers, issuer, nats_url) as running:
        await coach(running)
        for institution in (SUMEDANG, BANDUNG):
            await called_by(running, "system").AssignCoach(assignment(institution))
        await eventually(lambda: running.db["assigned"].find_one({"institution": SUMEDANG}))
        plan = coaching_pb2.Plan(
            cohort_id=COHORT,
            institution=SUMEDANG,
            coach_id="coach-1",
            state=coaching_pb2.PLAN_STATE_APPROVED,
            from_index="2.00",
            to_index="2.40",
            actions=[
                coaching_pb2.Action(
                    id=f"a{n}",
                    indicator=str(n),
                    indicator_name=f"Kebijakan {n}",
                    from_value="1",
                    to_value="2",
                    due_date=d,
                )
                for n, d in ((12, "2022-11-01"), (13, "2999-01-01"))
            ],
        )
        await running.db["plans"].insert_one({"_id": PLAN, "version": 1, **fields(plan)})
        await scheduled(running, PAST, -timedelta(hours=2))
        await scheduled(running, AHEAD, timedelta(days=2))
        yield running


async def scheduled(coaching: Running, session_id: str, begins: timedelta, cohort_id: str = COHORT) -> None:
    start, end = Timestamp(), Timestamp()
    start.FromDatetime(NOW + begins)
    end.FromDatetime(NOW + begins + timedelta(hours=1))
    request = rpc.ScheduleSessionRequest(
        request_id=request_id(),
        session_id=session_id,
        cohort_id=cohort_id,
        phase="workshop",
        title="Klinik",
        start_time=start,
        end_time=end,
        time_zone="Asia/Jakarta",
    )
    await called_by(coaching, "manager").ScheduleSession(request)


def people(coaching: Running, role: str = "coach", institution: str = "", subject: str = "coach-1") -> Any:
    return coaching.as_role(MinutesServiceStub, role, institution, subject)


def about(session_id: str = PAST, institution: str = SUMEDANG) -> dict[str, Any]:
    return {"request_id": request_id(), "session_id": session_id, "institution": institution}


async def shown(coaching: Running, session_id: str = PAST, institution: str = SUMEDANG) -> minutes_pb2.Minutes:
    request = pb.GetMinutesRequest(session_id=session_id, institution=institution)
    answer: pb.GetMinutesResponse = await people(coaching, "manager").GetMinutes(request)
    return answer.minutes


def noted(*steps: str, session_id: str = PAST, **more: Any) -> pb.WriteMinutesRequest:
    agreed = [minutes_pb2.NextStep(text=text, due_date="2999-01-01", owner="Bagian Hukum") for text in steps]
    return pb.WriteMinutesRequest(notes="Dibahas", next_steps=agreed, **about(session_id), **more)


async def test_an_agenda_is_made_of_the_plan_and_what_was_agreed_before(coaching: Running) -> None:
    comment = plan_service_pb2.CommentOnPlanRequest(
        request_id=request_id(), plan_id=PLAN, action_id="a13", text="Siapa menandatangani?"
    )
    await coaching.as_role(PlanServiceStub, "coach", subject="coach-1").CommentOnPlan(comment)
    await people(coaching).WriteMinutes(noted("Kirim rancangan"))
    request = pb.SetAgendaRequest(from_plan=True, items=[minutes_pb2.AgendaItem(title="Anggaran 2023")], **about(AHEAD))
    found = (await people(coaching).SetAgenda(request)).minutes
    assert [(one.source, one.action_id) for one in found.agenda] == [
        (minutes_pb2.AGENDA_SOURCE_OVERDUE, "a12"),
        (minutes_pb2.AGENDA_SOURCE_COMMENT, "a13"),
        (minutes_pb2.AGENDA_SOURCE_NEXT_STEP, ""),
        (minutes_pb2.AGENDA_SOURCE_NEXT_ACTION, "a13"),
        (minutes_pb2.AGENDA_SOURCE_PEOPLE, ""),
    ]
    assert found.agenda[0].title == "Lewat 2022-11-01: 12 Kebijakan 12"
    stale = pb.SetAgendaRequest(etag="7", **about(AHEAD))
    assert (await refusal(people(coaching).SetAgenda(stale))).kind is Kind.ABORTED


async def test_steps_are_agreed_done_once_and_kept_when_the_minutes_are_written_again(coaching: Running) -> None:
    head = people(coaching, "head", SUMEDANG, "dewi")
    await head.WriteMinutes(noted("Kirim rancangan", "Bentuk tim"))
    done = pb.CompleteNextStepRequest(step_id="2", outcome="SK terbit", **about())
    assert (await head.CompleteNextStep(done)).minutes.next_steps[1].done_by == "dewi"
    other = pb.CompleteNextStepRequest(step_id="2", outcome="Lain", **about())
    assert (await refusal(head.CompleteNextStep(other))).reason == "STEP_DONE"
    none = pb.CompleteNextStepRequest(step_id="9", outcome="x", **about())
    assert (await refusal(head.CompleteNextStep(none))).kind is Kind.NOT_FOUND
    again = (await people(coaching).WriteMinutes(noted("Undang DPRD"))).minutes
    assert [(one.id, one.text, one.outcome) for one in again.next_steps] == [
        ("2", "Bentuk tim", "SK terbit"),
        ("3", "Undang DPRD", ""),
    ]
    [told] = await published(coaching, minutes_events_pb2.NextStepDone, 1)
    assert (told.done, told.agreed) == (1, 2)


async def test_minutes_are_of_what_has_begun_and_steps_lie_after_it(coaching: Running) -> None:
    assert (await refusal(people(coaching).WriteMinutes(noted(session_id=AHEAD)))).reason == "SESSION_AHEAD"
    early = noted()
    early.next_steps.add(text="x", due_date="2022-01-01")
    refused = await refusal(people(coaching).WriteMinutes(early))
    assert [one.field for one in refused.violations] == ["next_steps[0].due_date"]
    other = people(coaching, "head", BANDUNG, "eni").WriteMinutes(noted())
    assert (await refusal(other)).reason == "OTHER_INSTITUTION"
    stranger = people(coaching, subject="coach-9").WriteMinutes(noted())
    assert (await refusal(stranger)).reason == "NOT_ASSIGNED"
    assert (await shown(coaching)).notes == ""


async def test_both_sides_say_what_they_thought_and_attendance_is_beside_it(coaching: Running) -> None:
    seat = rpc.RecordAttendanceRequest(
        request_id=request_id(), session_id=PAST, institution=SUMEDANG, role=options_pb2.ROLE_HEAD, name="Dewi"
    )
    await called_by(coaching, "manager").RecordAttendance(seat)
    for stub, rating in ((people(coaching), 3), (people(coaching), 4), (people(coaching, "head", SUMEDANG, "dewi"), 5)):
        await stub.GiveFeedback(pb.GiveFeedbackRequest(rating=rating, text="Baik", **about()))
    found = await shown(coaching)
    assert [(one.side, one.rating, one.given_by) for one in found.feedback] == [
        (minutes_pb2.FEEDBACK_SIDE_COACH, 4, "coach-1"),
        (minutes_pb2.FEEDBACK_SIDE_INSTITUTION, 5, "dewi"),
    ]
    assert [(one.role, one.name) for one in found.seated] == [("head", "Dewi")]
    listed = await people(coaching).ListMinutes(pb.ListMinutesRequest(cohort_id=COHORT, institution=SUMEDANG))
    assert [one.id for one in listed.minutes] == [f"{PAST}/{SUMEDANG}"]
    refused = await refusal(people(coaching).GiveFeedback(pb.GiveFeedbackRequest(rating=6, **about())))
    assert [one.field for one in refused.violations] == ["rating"]


async def test_who_did_not_come_is_told_once_and_followed_up(coaching: Running) -> None:
    came = rpc.RecordAttendanceRequest(
        request_id=request_id(), session_id="before", institution=SUMEDANG, role=options_pb2.ROLE_HEAD, name="Dewi"
    )
    # At the calendar's pace it is told of a day later, so that nobody is missed while who came is being noted.
    await scheduled(coaching, "before", -timedelta(hours=23))
    await called_by(coaching, "manager").RecordAttendance(came)
    start = NOW - timedelta(days=3)
    change = {"start": start, "start_time": start.isoformat(), "end_time": (start + timedelta(hours=1)).isoformat()}
    await coaching.db["sessions"].update_one({"_id": "before"}, {"$set": change})
    [told] = await published(coaching, minutes_events_pb2.SessionMissed, 1)
    assert (told.institution, told.title, told.coach_id) == (BANDUNG, "Klinik", "coach-1")
    assert told.session_id == "before"
    assert (await shown(coaching, "before", BANDUNG)).HasField("miss_time")
    excuse = pb.FollowUpNoShowRequest(reason="Banjir; disusul daring", **about("before", BANDUNG))
    head = people(coaching, "head", BANDUNG, "eni")
    assert (await head.FollowUpNoShow(excuse)).minutes.made_up_by == "eni"
    [made] = await published(coaching, minutes_events_pb2.NoShowFollowedUp, 1)
    assert made.minutes_id == told.minutes_id
    present = pb.FollowUpNoShowRequest(reason="x", **about("before"))
    assert (await refusal(people(coaching).FollowUpNoShow(present))).reason == "NOT_MISSED"
    ahead = pb.FollowUpNoShowRequest(reason="x", **about(AHEAD))
    assert (await refusal(people(coaching).FollowUpNoShow(ahead))).reason == "NOT_MISSED"
