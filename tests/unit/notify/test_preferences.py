"""How people want to be told: manner by kind, quiet hours of their own zone, mornings, and the most of an hour."""

from datetime import UTC, datetime, timedelta

import pytest
from livinglab.common.v1 import options_pb2
from livinglab.notify.v1 import inbox_service_pb2 as pb

from services.notify.model import preferences as model
from services.notify.model import seats
from services.notify.texts import Texts


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def wanting(manner: pb.Manner.ValueType = pb.MANNER_AT_ONCE, **more: str) -> pb.Preferences:
    return pb.Preferences(kinds=[pb.KindPreference(kind="plans", manner=manner)], **more)


def planned(wanted: pb.Preferences | None, now: str, institution: str = "32.11", sent: int = 0) -> model.Plan:
    return model.planned(wanted, "plan_returned", institution, at(now), sent_in_the_hour=sent)


def test_who_has_set_nothing_is_told_at_once() -> None:
    assert planned(None, "2022-11-01T02:00+07:00") == model.Plan(pb.MANNER_AT_ONCE, at("2022-11-01T02:00+07:00"))


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2022-11-01T20:59:59+07:00", "2022-11-01T20:59:59+07:00"),
        ("2022-11-01T21:00+07:00", "2022-11-02T06:00+07:00"),
        ("2022-11-02T05:59+07:00", "2022-11-02T06:00+07:00"),
        ("2022-11-02T06:00+07:00", "2022-11-02T06:00+07:00"),
    ],
)
def test_quiet_hours_over_midnight_are_of_the_institutions_zone(now: str, due: str) -> None:
    assert planned(wanting(quiet_from="21:00", quiet_until="06:00"), now).due == at(due)


def test_quiet_hours_of_the_day_and_of_another_zone() -> None:
    nap = wanting(quiet_from="12:00", quiet_until="13:30", time_zone="Asia/Jayapura")
    assert planned(nap, "2022-11-01T12:15+09:00").due == at("2022-11-01T13:30+09:00")
    assert planned(nap, "2022-11-01T12:15+07:00").due == at("2022-11-01T12:15+07:00")
    # Papua's own clock, where nothing is said: two hours before Jakarta's.
    own = wanting(quiet_from="21:00", quiet_until="06:00")
    assert planned(own, "2022-11-01T21:30+09:00", institution="91.71").due == at("2022-11-02T06:00+09:00")


@pytest.mark.parametrize(
    ("now", "due"),
    [("2022-11-01T06:59+07:00", "2022-11-01T07:00+07:00"), ("2022-11-01T07:00+07:00", "2022-11-02T07:00+07:00")],
)
def test_a_digest_is_for_the_next_morning(now: str, due: str) -> None:
    assert planned(wanting(pb.MANNER_DIGEST), now) == model.Plan(pb.MANNER_DIGEST, at(due))


def test_what_one_mailbox_gets_beyond_its_hour_waits_for_the_next() -> None:
    now = at("2022-11-01T10:00+07:00")
    most = model.LETTERS_AN_HOUR
    assert [planned(None, "2022-11-01T10:00+07:00", sent=n).due - now for n in (most - 1, most, 2 * most)] == [
        timedelta(0),
        timedelta(hours=1),
        timedelta(hours=2),
    ]


def test_every_template_has_a_kind_and_days_to_be_kept_are_told_at_once() -> None:
    kinds = {model.kind(name) for name in Texts().names}
    assert kinds == model.CHOICE | {"phases", "sessions", "assignments", "digests"}
    faults = list(model.violations(pb.Preferences(kinds=[pb.KindPreference(kind="phases", manner=pb.MANNER_INBOX)])))
    assert [one.field for one in faults] == ["preferences.kinds[0].manner"]


def test_every_fault_of_preferences_is_named_at_once() -> None:
    asked = pb.Preferences(
        kinds=[
            pb.KindPreference(kind="gossip", manner=pb.MANNER_DIGEST),
            pb.KindPreference(kind="plans", manner=pb.MANNER_DIGEST),
            pb.KindPreference(kind="plans", manner=pb.MANNER_INBOX),
        ],
        quiet_from="25:00",
    )
    assert [one.field for one in model.violations(asked)] == [
        "preferences.kinds[0].kind",
        "preferences.kinds[2].kind",
        "preferences.quiet_from",
        "preferences.quiet_until",
    ]


def test_a_seat_is_a_role_in_an_institution_or_somebody_by_themselves() -> None:
    assert seats.seat(options_pb2.ROLE_HEAD, "32.11", "anybody") == "head@32.11"
    assert seats.seat(options_pb2.ROLE_COACH, "32.11", "coach-1") == "coach:coach-1"
    assert seats.seat(options_pb2.ROLE_MANAGER, "", "m1") == "manager"
    assert [seats.seat(role, "", "") for role in (0, options_pb2.ROLE_HEAD, options_pb2.ROLE_COACH)] == ["", "", ""]
