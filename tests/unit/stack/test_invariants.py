"""What is held against the actors' count: no less is stored than was acknowledged, no more than was ever sent."""

from collections import Counter

import pytest

from stack.rehearsal.invariants import as_acknowledged
from stack.rehearsal.stage import Writes


@pytest.mark.parametrize(
    ("acknowledged", "unanswered", "stored", "is_right"),
    [
        (2, 0, 2, True),
        (2, 0, 1, False),
        (2, 0, 3, False),
        # Its actor left with the play before the answer came: it may be stored or not.
        (2, 1, 2, True),
        (2, 1, 3, True),
        (2, 1, 4, False),
        (2, 1, 1, False),
    ],
)
def test_acknowledged_is_stored_and_nothing_that_nobody_sent(
    acknowledged: int, unanswered: int, stored: int, is_right: bool
) -> None:
    writes = Writes(Counter(drafted=acknowledged), Counter(drafted=unanswered))
    assert as_acknowledged(writes, "drafted", stored).holds is is_right
