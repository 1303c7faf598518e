"""What happens when: leap days, the three zones of the country, sessions in another zone than the cohort."""

from datetime import UTC, date, datetime, timedelta

import pytest
from livinglab.common.v1 import options_pb2
from livinglab.program.v1 import definition_pb2
from livinglab.program.v1 import workflow_pb2 as pb

from programs import clock, timeline
from programs.rules import definition as definition_rules
from programs.timeline import Kind

HEAD, SECRETARY = options_pb2.ROLE_HEAD, options_pb2.ROLE_SECRETARY
ZONES = {"Asia/Jakarta": 7, "Asia/Makassar": 8, "Asia/Jayapura": 9}


def leap(zone: str) -> definition_pb2.Definition:
    """Two phases about the end of February 2028, with a session in the far east of the country."""
    return definition_pb2.Definition(
        id="leap",
        version=1,
        title="Leap",
        time_zone=zone,
        phases=[
            definition_pb2.Phase(
                id="before",
                title="Before",
                opens="2028-02-21",
                closes="2028-02-29",
                invites=[HEAD],
                sessions=[
                    definition_pb2.DefinedSession(
                        id="meeting",
                        title="Meeting",
                        start="2028-02-29T08:00",
                        end="2028-02-29T10:00",
                        time_zone="Asia/Jayapura",
                    )
                ],
                duties=[definition_pb2.Duty(id="plan", kind=definition_pb2.DUTY_KIND_PLAN_APPROVED, required=True)],
                gate=definition_pb2.Gate(quorum_percent=50, on_miss=definition_pb2.ON_MISS_EXTEND, extend_days=1),
                remind_days_before=[1, 0],
                escalations=[definition_pb2.Escalation(days_before=2, to=[SECRETARY])],
            ),
            definition_pb2.Phase(
                id="after",
                title="After",
                opens="2028-03-01",
                closes="2028-03-07",
                invites=[HEAD],
                gate=definition_pb2.Gate(quorum_percent=1, on_miss=definition_pb2.ON_MISS_GO_ON),
                remind_days_before=[6],
            ),
        ],
    )


def cohort(participants: int = 3) -> definition_pb2.CohortSpec:
    people = [
        definition_pb2.Person(role=HEAD, name="Head"),
        definition_pb2.Person(role=HEAD, name="Second head"),
        definition_pb2.Person(role=SECRETARY, name="Secretary"),
    ]
    roster = [definition_pb2.Participant(institution=f"32.{i:02}", people=people) for i in range(participants)]
    return definition_pb2.CohortSpec(id="leap", rehearsal=True, seconds_per_day="2", roster=roster)


@pytest.mark.parametrize(("zone", "hours"), ZONES.items())
def test_days_begin_and_end_in_the_zone_of_the_cohort(zone: str, hours: int) -> None:
    assert definition_rules.faults(leap(zone)) == []
    found = [(item.kind, item.at + timedelta(hours=hours)) for item in timeline.happenings(leap(zone), cohort())]
    midnight = datetime(2028, 3, 1, tzinfo=UTC)
    assert (Kind.CLOSES, midnight) in found
    assert (Kind.OPENS, midnight) in found
    assert (Kind.REMINDER, datetime(2028, 2, 28, 8, tzinfo=UTC)) in found
    assert (Kind.REMINDER, datetime(2028, 2, 29, 8, tzinfo=UTC)) in found
    assert (Kind.ESCALATION, datetime(2028, 2, 27, 8, tzinfo=UTC)) in found
    assert (Kind.EXTENDED, datetime(2028, 3, 2, tzinfo=UTC)) in found


@pytest.mark.parametrize("zone", ZONES)
def test_a_session_keeps_the_clock_of_its_place(zone: str) -> None:
    session = next(item for item in timeline.happenings(leap(zone), cohort()) if item.session)
    assert session.local.isoformat() == "2028-02-29T08:00:00+09:00"
    assert session.at == datetime(2028, 2, 28, 23, tzinfo=UTC)


def test_a_cohort_of_another_zone_moves_days_and_not_sessions() -> None:
    spec = cohort()
    here = {item.kind: item.at for item in timeline.happenings(leap("Asia/Jakarta"), spec)}
    spec.time_zone = "Asia/Jayapura"
    there = {item.kind: item.at for item in timeline.happenings(leap("Asia/Jakarta"), spec)}
    assert here[Kind.CLOSES] - there[Kind.CLOSES] == timedelta(hours=2)
    assert here[Kind.SESSION] == there[Kind.SESSION]


def test_the_end_of_a_day_is_of_that_day() -> None:
    closes = next(item for item in timeline.happenings(leap("Asia/Jakarta"), cohort()) if item.kind is Kind.CLOSES)
    assert closes.day == date(2028, 2, 29)


def test_people_and_participants_are_counted_by_the_roles_that_are_told() -> None:
    found = timeline.happenings(leap("Asia/Jakarta"), cohort(3))
    told = {item.kind: (item.participants, item.people) for item in found}
    assert told[Kind.OPENS] == (3, 6)
    assert told[Kind.ESCALATION] == (3, 3)
    assert told[Kind.ENDS] == (3, 9)


def test_everything_is_told_in_the_order_of_time_and_a_closing_before_an_opening() -> None:
    found = timeline.happenings(leap("Asia/Jakarta"), cohort())
    assert [item.at for item in found] == sorted(item.at for item in found)
    at_midnight = [item.kind for item in found if item.at == datetime(2028, 2, 29, 17, tzinfo=UTC)]
    assert at_midnight == [Kind.CLOSES, Kind.OPENS]


def test_a_rehearsal_reminds_when_the_workflows_do() -> None:
    definition, spec = leap("Asia/Makassar"), cohort()
    pace = timeline.wall_clock(definition, spec, datetime(2026, 5, 1, tzinfo=UTC))
    assert pace == pb.Clock.FromString(pace.SerializeToString())
    record = clock.timetable(definition, pace)[0]
    due = clock.reminder(pace, clock.moment(record.deadline_time), 1)
    reminder = next(item for item in timeline.happenings(definition, spec) if item.kind is Kind.REMINDER)
    assert abs(clock.wall_time(pace, reminder.at) - due) <= timedelta(microseconds=2)


def test_a_definition_by_itself_has_a_timeline() -> None:
    found = timeline.happenings(leap("Asia/Jakarta"), definition_pb2.CohortSpec())
    assert {item.people for item in found} == {0}
    assert found[0].local.isoformat() == "2028-02-21T00:00:00+07:00"
