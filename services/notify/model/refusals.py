"""What a mail server's refusal says of the address, and when an address is given up. Pure."""

import re
from datetime import datetime, timedelta

# So many letters, each refused for good, with none taken between them.
ENOUGH = 3
# Then one is offered again: people come back, and names are given to others.
REST = timedelta(days=30)
# Class 5, "addressing" and "mailbox" (RFC 3463). Policy (5.7), content (5.6) and the rest are not the recipient's.
_ENHANCED = re.compile(r"\s*5\.(\d{1,3})\.(\d{1,3})\b")
_ADDRESSING, _MAILBOX = 1, 2
# "Mailbox full" (5.2.2) and "message too long for it" (5.2.3) pass; of the sender's address speak 5.1.7 and 5.1.8.
_PASSING = frozenset({(_MAILBOX, 2), (_MAILBOX, 3), (_ADDRESSING, 7), (_ADDRESSING, 8)})
# Of servers that say no more than this (RFC 5321): no such mailbox, user not local, no such name.
_PLAIN = frozenset({550, 551, 553})


def of_address(code: int, words: str) -> bool:
    """Whether a refusal of a recipient (`code` and `words` of RCPT's answer) says that nobody is at the address."""
    if found := _ENHANCED.match(words):
        subject, detail = int(found[1]), int(found[2])
        return subject in (_ADDRESSING, _MAILBOX) and (subject, detail) not in _PASSING
    return code in _PLAIN


def rests(refusals: int, last: datetime, now: datetime) -> bool:
    """Whether nothing is offered to an address that has refused so many letters, the last one at that time."""
    return refusals >= ENOUGH and now < last + REST


def told(refusals: int, words: str) -> str:
    """What a letter that was not offered is given up with."""
    return f"not offered: the address refused {refusals} letters for good, the last with: {words}"
