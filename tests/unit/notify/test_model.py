"""When a message is tried again, when it is given up, and what may not stand in it."""

from datetime import UTC, datetime, timedelta

import pytest
from livinglab.notify.v1 import events_pb2
from livinglab.notify.v1 import service_pb2 as pb

from services.notify.model.messages import ATTEMPTS, GIVE_UP_AFTER, Taken, Turned, Unreachable, draft_violations, settle

NOW = datetime(2022, 11, 1, 9, tzinfo=UTC)
LATER = Turned("451 try again", for_good=False)


def queued() -> pb.Message:
    message = pb.Message(
        id="m1",
        template="invitation",
        recipient=pb.Recipient(name="Siti", email="siti@sumedang.example", language="id", institution="32.11"),
        state=pb.MESSAGE_STATE_QUEUED,
        cohort_id="c1",
        rehearsal="c1",
    )
    message.accept_time.FromDatetime(NOW)
    message.next_attempt_time.FromDatetime(NOW)
    return message


def waited(message: pb.Message) -> timedelta:
    return message.next_attempt_time.ToDatetime(UTC) - NOW


def test_waits_grow_fourfold_up_to_an_hour() -> None:
    message = queued()
    waits = []
    for _ in range(ATTEMPTS - 1):
        assert settle(message, LATER, 2, NOW, 0.0) is None
        waits.append(waited(message).total_seconds())
    assert waits == [1, 4, 16, 64, 256, 1024, 3600]


def test_jitter_takes_away_at_most_half_of_a_wait() -> None:
    message = queued()
    settle(message, LATER, 2, NOW, 1.0)
    assert waited(message) == timedelta(seconds=0.5)


def test_a_message_fails_after_the_last_attempt() -> None:
    message = queued()
    facts = [settle(message, LATER, attempt + 2, NOW, 0.5) for attempt in range(ATTEMPTS)]
    assert facts[:-1] == [None] * (ATTEMPTS - 1)
    failed = facts[-1]
    assert isinstance(failed, events_pb2.MessageFailed)
    assert (failed.attempts, failed.reason, failed.meta.version) == (ATTEMPTS, "451 try again", ATTEMPTS + 1)
    assert (failed.meta.aggregate_id, failed.meta.cohort_id, failed.meta.rehearsal) == ("m1", "c1", "c1")
    assert message.state == pb.MESSAGE_STATE_FAILED
    assert not message.HasField("next_attempt_time")


def test_a_refusal_for_good_fails_at_once() -> None:
    message = queued()
    failed = settle(message, Turned("550 no such user", for_good=True), 2, NOW, 0.5)
    assert isinstance(failed, events_pb2.MessageFailed)
    assert (failed.attempts, failed.reason) == (1, "550 no such user")


def test_a_mail_server_that_is_away_costs_no_attempt_until_the_time_is_up() -> None:
    message = queued()
    for minutes in range(0, 24 * 60, 10):
        assert settle(message, Unreachable("refused"), 2, NOW + timedelta(minutes=minutes), 0.5) is None
    assert (message.attempts, message.state) == (0, pb.MESSAGE_STATE_QUEUED)
    failed = settle(message, Unreachable("refused"), 2, NOW + GIVE_UP_AFTER, 0.5)
    assert isinstance(failed, events_pb2.MessageFailed)
    assert (failed.attempts, failed.reason) == (0, "refused")


def test_a_delivery_forgets_the_errors_before_it() -> None:
    message = queued()
    settle(message, LATER, 2, NOW, 0.5)
    delivered = settle(message, Taken(), 3, NOW, 0.5)
    assert isinstance(delivered, events_pb2.MessageDelivered)
    assert (delivered.attempts, delivered.institution, delivered.template) == (2, "32.11", "invitation")
    assert (message.last_error, message.delivery_time.ToDatetime(UTC)) == ("", NOW)


def test_the_recipients_address_is_taken_out_of_the_servers_words() -> None:
    message = queued()
    failed = settle(message, Turned("550 <SITI@sumedang.example>\r\n unknown", for_good=True), 2, NOW, 0.5)
    assert isinstance(failed, events_pb2.MessageFailed)
    assert failed.reason == "550 <(recipient)> unknown"


@pytest.mark.parametrize(
    ("name", "email", "values", "places"),
    [
        ("Siti", "siti@sumedang.example", {"name": "Siti", "missing": "satu\ndua"}, []),
        ("Siti\r\nBcc: all@x.example", "siti@sumedang.example", {}, ["drafts[3].recipient.name"]),
        ("Siti", "siti@sumedang.example", {"reason": "Gempa bumi\nGedung dipakai"}, []),
        ("Siti", "siti@sumedang.example", {"days": "3\n4"}, ["drafts[3].values.days"]),
        ("Siti", "siti@sumedang.example", {"phase_title": "Satu\nBcc: x"}, ["drafts[3].values.phase_title"]),
        ("Siti", "siti@sumedang.example", {"phase_title": "Satu\u2028Bcc: x"}, ["drafts[3].values.phase_title"]),
        ("Siti", "siti@sumedang.example", {"sessions": "satu\x00"}, ["drafts[3].values.sessions"]),
        ("Siti", "siti@sumedang.example", {"missing": "x" * 4001}, ["drafts[3].values.missing"]),
    ],
)
def test_nothing_that_breaks_a_header_is_taken(
    name: str, email: str, values: dict[str, str], places: list[str]
) -> None:
    draft = pb.Draft(recipient=pb.Recipient(name=name, email=email), values=values)
    assert [violation.field for violation in draft_violations(draft, "drafts[3]")] == places
