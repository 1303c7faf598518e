"""What a mail server's refusal of a recipient says of the address, and when an address is given up."""

from datetime import UTC, datetime, timedelta

import pytest

from services.notify.model import refusals

NOW = datetime(2022, 11, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("code", "words", "expected"),
    [
        (550, "5.1.1 no such user", True),
        (550, "5.1.10 recipient not found", True),
        (550, "5.2.1 mailbox is disabled", True),
        (550, "No such user here", True),
        (553, "mailbox name not allowed", True),
        # It passes, or is ours, or of the text.
        (552, "5.2.2 mailbox full", False),
        (550, "5.7.1 relaying denied", False),
        (550, "5.7.26 unauthenticated mail from this domain", False),
        (553, "5.1.8 the sender's domain does not exist", False),
        (554, "transaction failed", False),
        (552, "quota", False),
        (450, "4.2.0 greylisted", False),
    ],
)
def test_only_a_refusal_that_speaks_of_the_mailbox_counts(code: int, words: str, expected: bool) -> None:
    assert refusals.of_address(code, words) is expected


def test_an_address_rests_after_three_for_a_month_and_is_tried_again_then() -> None:
    assert not refusals.rests(2, NOW, NOW)
    assert refusals.rests(3, NOW, NOW)
    assert refusals.rests(3, NOW, NOW + timedelta(days=29))
    assert not refusals.rests(3, NOW, NOW + timedelta(days=30))
