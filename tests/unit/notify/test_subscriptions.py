"""The address by which somebody leaves a kind of letters: which have one, who can make one, what it turns off."""

from email import message_from_bytes, policy

import pytest
from livinglab.common.v1 import options_pb2
from livinglab.notify.v1 import inbox_service_pb2 as inbox
from livinglab.notify.v1 import service_pb2 as pb

from chassis.config import Settings
from services.notify.model import preferences, subscriptions
from services.notify.model.subscriptions import Addresses
from services.notify.postman import Postman
from services.notify.texts import Texts

CONSOLE = "https://console.example.go.id/a-path-that-makes-the-address-longer-than-one-line-of-a-header-may-be"
OURS = Addresses(f"{CONSOLE}/", b"k" * 32)
ID = "01890a5d-ac96-774b-bcce-b302099a8057"


def letter(template: str = "plan_returned", *, language: str = "id", rehearsal: str = "", role: int = 0) -> pb.Message:
    person = pb.Recipient(name="Siti", email="siti@example.org", language=language, institution="32.11")
    person.role = options_pb2.Role.ValueType(role or options_pb2.ROLE_OPERATOR)
    return pb.Message(id=ID, template=template, recipient=person, rehearsal=rehearsal, subject="s", body="b")


def test_letters_that_oblige_have_none_and_every_other_has_one() -> None:
    with_one = {name for name in Texts().names if OURS.of(letter(name))}
    assert {preferences.kind(name) for name in with_one} == preferences.CHOICE | {"digests"}
    assert not with_one & {"invitation", "reminder", "session_moved", "assignment", "coach_assigned"}


def test_there_is_none_in_a_rehearsal_for_nobodys_inbox_and_without_a_console() -> None:
    assert OURS.of(letter(rehearsal="r-1")) == ""
    assert OURS.of(letter(role=options_pb2.ROLE_PUBLIC)) == ""
    assert Addresses("", b"k" * 32).of(letter()) == ""


def test_only_what_was_signed_with_our_key_names_a_letter() -> None:
    token = OURS.of(letter(language="en")).removeprefix(f"{CONSOLE}/en/unsubscribe/")
    assert OURS.letter(token) == ID
    for other in (ID, f"{ID}.", f"{ID}.{'0' * 32}", token[:-1], f"x{token}", "", "é"):
        assert OURS.letter(other) == ""
    assert Addresses(CONSOLE, b"other" * 8).letter(token) == ""


def test_a_mail_carries_both_headers_with_the_address_whole() -> None:
    place = OURS.of(letter())
    mail = Postman(Settings(), leaving=OURS.of).mail(letter()).as_bytes()
    assert f"\r\nList-Unsubscribe: <{place}>\r\n".encode() in mail
    assert message_from_bytes(mail, policy=policy.default)["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert b"List-Unsubscribe" not in Postman(Settings(), leaving=OURS.of).mail(letter("assignment")).as_bytes()


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("plans", {"plans": inbox.MANNER_INBOX, "visits": inbox.MANNER_DIGEST}),
        ("visits", {"plans": inbox.MANNER_DIGEST, "visits": inbox.MANNER_INBOX}),
        ("evidence", {"plans": inbox.MANNER_DIGEST, "visits": inbox.MANNER_DIGEST, "evidence": inbox.MANNER_INBOX}),
        ("digests", {"plans": inbox.MANNER_INBOX, "visits": inbox.MANNER_INBOX}),
    ],
)
def test_what_is_left_is_in_the_inbox_alone_and_the_rest_stays(kind: str, expected: dict[str, int]) -> None:
    both = [inbox.KindPreference(kind=name, manner=inbox.MANNER_DIGEST) for name in ("plans", "visits")]
    wanted = inbox.Preferences(kinds=both, quiet_from="21:00", quiet_until="06:00")
    changed = subscriptions.without(wanted, kind)
    assert {one.kind: one.manner for one in changed.kinds} == expected
    assert (changed.quiet_from, changed.quiet_until) == ("21:00", "06:00")
    assert (subscriptions.ended(wanted, kind), subscriptions.ended(changed, kind)) == (False, True)
    assert not list(preferences.violations(changed))
