"""What a session leads to: an agenda from the plan, steps that are done one by one, feedback, and who did not come."""

from datetime import UTC, date, datetime, timedelta

import pytest
from livinglab.coaching.v1 import coaching_pb2, plan_service_pb2
from livinglab.coaching.v1 import minutes_pb2 as pb
from livinglab.coaching.v1 import minutes_service_pb2 as rpc

from chassis.errors import Kind, Refused
from programs import clock
from services.coaching.model import minutes

START = datetime(2022, 11, 7, 1, 30, tzinfo=UTC)
END = START + timedelta(hours=2)
LATER = END + timedelta(days=1)
REGION = "32.11"


def session(rehearsal: str = "", reason: str = "") -> coaching_pb2.Session:
    return coaching_pb2.Session(
        id="s-1",
        cohort_id="lab",
        phase="workshop",
        title="Rencana aksi",
        start_time=clock.stamp(START),
        end_time=clock.stamp(END),
        time_zone="Asia/Jakarta",
        state=coaching_pb2.SESSION_STATE_SCHEDULED,
        etag="1",
        rehearsal=rehearsal,
        reason=reason,
    )


def cancelled() -> coaching_pb2.Session:
    found = session(reason="floods")
    found.state = coaching_pb2.SESSION_STATE_CANCELLED
    return found


def empty() -> pb.Minutes:
    return minutes.empty(session(), REGION)


def steps(*texts: str, due: str = "2022-11-30") -> list[pb.NextStep]:
    return [pb.NextStep(text=text, owner="Diskominfo", due_date=due) for text in texts]


def written(known: pb.Minutes, *texts: str) -> None:
    minutes.write(known, session(), rpc.WriteMinutesRequest(notes="n", next_steps=steps(*texts)), "coach-1", LATER)


def plan(rehearsal: str = "", reason: str = "") -> coaching_pb2.Plan:
    days = {"a1": "2022-11-01", "a2": "2022-12-01", "a3": "2022-12-10", "a4": "2022-12-20", "a5": "2022-12-30"}
    approved = coaching_pb2.PLAN_STATE_APPROVED
    found = coaching_pb2.Plan(
        id="p",
        institution=REGION,
        state=approved,
        from_index="2.00",
        to_index="2.50",
        rehearsal=rehearsal,
        reason=reason,
    )
    for n, (action, day) in enumerate(days.items(), 1):
        found.actions.add(
            id=action,
            indicator=str(n),
            indicator_name=f"Indikator {n}",
            due_date=day,
            from_value="2",
            to_value="3",
            gain="0.10",
        )
    return found


def asked(known: coaching_pb2.Plan | None, earlier: list[pb.Minutes] | None = None) -> list[tuple[int, str]]:
    comments = [plan_service_pb2.PlanComment(text="Mana bukti?", action_id="a2")]
    today = date(2022, 11, 7)
    return [
        (item.source, item.action_id) for item in minutes.agenda(known, comments, earlier or [], today, "Asia/Jakarta")
    ]


def test_an_agenda_begins_with_what_is_late_and_ends_with_what_comes_next() -> None:
    before = empty()
    written(before, "kirim rancangan")
    found = asked(plan(), [before])
    assert found[0] == (pb.AGENDA_SOURCE_OVERDUE, "a1")
    assert found[-3:] == [(pb.AGENDA_SOURCE_NEXT_ACTION, one) for one in ("a2", "a3", "a4")]
    assert found[1:3] == [(pb.AGENDA_SOURCE_COMMENT, "a2"), (pb.AGENDA_SOURCE_NEXT_STEP, "")]


def test_nothing_is_late_in_a_rehearsal() -> None:
    assert pb.AGENDA_SOURCE_OVERDUE not in {source for source, _ in asked(plan(rehearsal="r"))}


def test_without_a_plan_the_plan_is_what_to_talk_about() -> None:
    assert asked(None) == [(pb.AGENDA_SOURCE_PLAN, "")]


def test_a_plan_that_came_back_or_is_to_be_amended_is_said_first() -> None:
    found = plan(reason="no owner")
    found.state = coaching_pb2.PLAN_STATE_RETURNED
    found.amendment.reason = "less money"
    titles = [item.title for item in minutes.agenda(found, [], [], date(2022, 11, 7), "Asia/Jakarta")]
    assert ("no owner" in titles[0], "less money" in titles[1]) == (True, True)


def test_what_is_done_is_asked_for_no_more() -> None:
    before = empty()
    written(before, "kirim rancangan")
    minutes.complete(before, rpc.CompleteNextStepRequest(step_id="1", outcome="terkirim"), "operator", LATER)
    assert pb.AGENDA_SOURCE_NEXT_STEP not in {source for source, _ in asked(plan(), [before])}


def test_what_people_add_comes_after_what_the_plan_asks_for() -> None:
    known = empty()
    request = rpc.SetAgendaRequest(items=[pb.AgendaItem(title="anggaran", source=pb.AGENDA_SOURCE_OVERDUE)])
    from_plan = list(minutes.agenda(plan(), [], [], date(2022, 11, 7), "Asia/Jakarta"))
    told = minutes.set_agenda(known, session(), request, from_plan)
    assert (told.items, known.agenda[-1].title) == (len(from_plan) + 1, "anggaran")
    # Nobody passes off a wish of theirs as what the plan says.
    assert known.agenda[-1].source == pb.AGENDA_SOURCE_PEOPLE
    with pytest.raises(Refused) as refused:
        minutes.set_agenda(known, session(), rpc.SetAgendaRequest(etag="0"), [])
    assert refused.value.kind is Kind.ABORTED


def test_new_steps_take_the_place_of_those_that_are_not_done_and_no_number_is_given_twice() -> None:
    known = empty()
    written(known, "one", "two")
    minutes.complete(known, rpc.CompleteNextStepRequest(step_id="1", outcome="ok"), "operator", LATER)
    written(known, "three", "four")
    assert [(step.id, step.text) for step in known.next_steps] == [("1", "one"), ("3", "three"), ("4", "four")]


def test_a_step_is_due_after_its_session_by_the_calendar_of_its_place() -> None:
    request = rpc.WriteMinutesRequest(next_steps=[*steps("a", due="2022-11-06"), *steps("b", due="2022-11-07")])
    with pytest.raises(Refused) as refused:
        minutes.write(empty(), session(), request, "coach-1", LATER)
    assert [fault.field for fault in refused.value.violations] == ["next_steps[0].due_date"]
    minutes.write(empty(), session(rehearsal="r"), request, "coach-1", LATER)


def test_nobody_writes_before_people_come_nor_of_what_was_called_off() -> None:
    for of, at, reason in ((session(), START - timedelta(days=1), "SESSION_AHEAD"), (cancelled(), LATER, "CANCELLED")):
        with pytest.raises(Refused, match=r"session s-1"):
            minutes.write(empty(), of, rpc.WriteMinutesRequest(), "coach-1", at)
        with pytest.raises(Refused) as refused:
            minutes.feedback(empty(), of, rpc.GiveFeedbackRequest(rating=5), pb.FEEDBACK_SIDE_COACH, "c", at)
        assert reason in refused.value.reason


def test_a_step_is_done_once_and_said_again_tells_nothing() -> None:
    known = empty()
    written(known, "one", "two")
    request = rpc.CompleteNextStepRequest(step_id="2", outcome="ok")
    told = minutes.complete(known, request, "operator", LATER)
    assert told is not None
    assert (told.done, told.agreed, told.meta.version) == (1, 2, 2)
    assert minutes.complete(known, request, "operator", LATER) is None
    with pytest.raises(Refused) as refused:
        minutes.complete(known, rpc.CompleteNextStepRequest(step_id="2", outcome="other"), "operator", LATER)
    assert refused.value.reason == "STEP_DONE"
    with pytest.raises(Refused) as refused:
        minutes.complete(known, rpc.CompleteNextStepRequest(step_id="9", outcome="ok"), "operator", LATER)
    assert refused.value.kind is Kind.NOT_FOUND


def test_each_person_has_one_say_and_may_change_it() -> None:
    known = empty()
    for who, rating in (("coach-1", 4), ("operator", 2), ("coach-1", 5)):
        side = pb.FEEDBACK_SIDE_COACH if who == "coach-1" else pb.FEEDBACK_SIDE_INSTITUTION
        minutes.feedback(known, session(), rpc.GiveFeedbackRequest(rating=rating), side, who, LATER)
    assert [(one.given_by, one.rating) for one in known.feedback] == [("operator", 2), ("coach-1", 5)]


def test_that_nobody_came_is_told_once_on_the_day_of_its_place() -> None:
    known = empty()
    told = minutes.missed(known, session(), "coach-1", LATER)
    assert told is not None
    assert (told.day, told.coach_id, told.phase) == ("2022-11-07", "coach-1", "workshop")
    assert minutes.missed(known, session(), "coach-1", LATER) is None


@pytest.mark.parametrize(("came", "now"), [(True, LATER), (False, START)])
def test_only_what_was_missed_is_made_up_for(now: datetime, *, came: bool) -> None:
    with pytest.raises(Refused) as refused:
        minutes.made_up(empty(), session(), "sick", "operator", came=came, now=now)
    assert refused.value.reason == "NOT_MISSED"


def test_a_no_show_says_why_and_how_it_is_made_up_for() -> None:
    known = empty()
    told = minutes.made_up(known, session(), "floods; we meet on Friday", "operator", came=False, now=LATER)
    assert (known.made_up_by, told.reason) == ("operator", "floods; we meet on Friday")
