"""What may stand in a message, when it is tried again, when it is given up. Pure."""

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from livinglab.common.v1.meta_pb2 import Meta
from livinglab.notify.v1 import events_pb2
from livinglab.notify.v1 import service_pb2 as pb

from chassis.errors import Violation
from chassis.forms.addresses import is_address

# How often one message is offered to a mail server that answers.
ATTEMPTS = 8
# How long it is kept for a mail server that does not.
GIVE_UP_AFTER = timedelta(hours=24)
# One second, then four times as long each time: eight attempts take up to 83 minutes.
_FIRST_WAIT = timedelta(seconds=1)
_LONGEST_WAIT = timedelta(hours=1)
# Values of several lines, in bodies only; everything else may come to stand in a header.
_SEVERAL_LINES = frozenset({"sessions", "missing", "reason"})
_LONGEST_VALUE = 4_000
_LONGEST_WORDS = 500
_TRIES_KEPT = 50

Fact = events_pb2.MessageDelivered | events_pb2.MessageFailed


@dataclass(frozen=True)
class Taken:
    """The mail server took the mail."""


@dataclass(frozen=True)
class Turned:
    """The mail server refused this mail, with these words; `for_good` says that asking again is of no use,
    `of_address` that it is so for every letter to this address."""

    words: str
    for_good: bool
    of_address: bool = False


@dataclass(frozen=True)
class Unreachable:
    """The mail server takes nothing at all now: no fault of the message."""

    words: str


Outcome = Taken | Turned | Unreachable


def refusals(drafts: Iterable[pb.Draft]) -> Iterator[pb.RefusedDraft]:
    """Drafts that nobody could be written to with; what is wrong with one is no matter of the others."""
    for place, draft in enumerate(drafts):
        if not is_address(draft.recipient.email):
            yield pb.RefusedDraft(draft=place, field="recipient.email", reason="is not an e-mail address")


def draft_violations(draft: pb.Draft, place: str) -> Iterator[Violation]:
    """What cannot stand in a mail: a line break where a header could take it in, a text that is too long."""
    if _has_control(draft.recipient.name):
        yield Violation(f"{place}.recipient.name", "must be one line of text")
    for key, value in sorted(draft.values.items()):
        if len(value) > _LONGEST_VALUE:
            yield Violation(f"{place}.values.{key}", f"has {len(value)} characters; at most {_LONGEST_VALUE} are taken")
        elif _has_control(value.replace("\n", "") if key in _SEVERAL_LINES else value):
            yield Violation(
                f"{place}.values.{key}",
                "must be lines of text" if key in _SEVERAL_LINES else "must be one line of text",
            )


def _has_control(text: str) -> bool:
    """Control characters and the two Unicode separators that end a line."""
    return any(unicodedata.category(character) in {"Cc", "Zl", "Zp"} for character in text)


def wait_before(attempt: int, jitter: float) -> timedelta:
    """How long to wait before the given attempt, from the second on. `jitter`, 0 to 1, takes away up to half, so
    that mails refused together do not come back together."""
    longest = min(_LONGEST_WAIT, _FIRST_WAIT * (1 << 2 * (attempt - 2)))
    return longest * (1 - jitter / 2)


def settle(message: pb.Message, outcome: Outcome, version: int, now: datetime, jitter: float) -> Fact | None:
    """Notes an outcome in the message and returns the fact that follows, if it is the end. `version` is the
    record's version after it."""
    message.ClearField("next_attempt_time")
    _note(message, outcome, now)
    if isinstance(outcome, Taken):
        message.attempts += 1
        message.state = pb.MESSAGE_STATE_DELIVERED
        message.delivery_time.FromDatetime(now)
        return delivered(message, version)
    if isinstance(outcome, Turned):
        message.attempts += 1
        if outcome.for_good or message.attempts >= ATTEMPTS:
            return _failed(message, version)
        message.next_attempt_time.FromDatetime(now + wait_before(message.attempts + 1, jitter))
        return None
    if now >= message.accept_time.ToDatetime(now.tzinfo) + GIVE_UP_AFTER:
        return _failed(message, version)
    message.next_attempt_time.FromDatetime(now)
    return None


def _note(message: pb.Message, outcome: Outcome, now: datetime) -> None:
    """Every time that it was offered, of which the last ones are kept."""
    words = "" if isinstance(outcome, Taken) else without_address(outcome.words, message.recipient.email)
    if isinstance(outcome, Turned):
        told = "refused" if outcome.for_good else "postponed"
    else:
        told = "taken" if isinstance(outcome, Taken) else "unreachable"
    message.last_error = words
    attempt = message.tries.add(outcome=told, words=words)
    attempt.time.FromDatetime(now)
    del message.tries[:-_TRIES_KEPT]


def short(message: pb.Message, message_id: str) -> pb.Message:
    """The same once more for the phone of its reader. It is in no inbox of its own, and repeats no key."""
    found = pb.Message()
    found.CopyFrom(message)
    found.id, found.channel, found.state = message_id, pb.CHANNEL_GATEWAY, pb.MESSAGE_STATE_QUEUED
    found.recipient.email = ""
    for field in ("key", "events", "delivery_time"):
        found.ClearField(field)
    if not found.HasField("next_attempt_time"):
        found.next_attempt_time.CopyFrom(found.accept_time)
    return found


def delivered(message: pb.Message, version: int) -> events_pb2.MessageDelivered:
    """The fact of a message that has arrived."""
    return events_pb2.MessageDelivered(
        meta=_meta(message, version),
        message_id=message.id,
        template=message.template,
        institution=message.recipient.institution,
        attempts=message.attempts,
    )


def _failed(message: pb.Message, version: int) -> events_pb2.MessageFailed:
    message.state = pb.MESSAGE_STATE_FAILED
    return events_pb2.MessageFailed(
        meta=_meta(message, version),
        message_id=message.id,
        template=message.template,
        institution=message.recipient.institution,
        attempts=message.attempts,
        reason=message.last_error,
    )


def _meta(message: pb.Message, version: int) -> Meta:
    return Meta(aggregate_id=message.id, version=version, cohort_id=message.cohort_id, rehearsal=message.rehearsal)


def without_address(words: str, email: str) -> str:
    """Mail servers repeat the address in their answers; facts and logs carry none."""
    start = words.lower().find(email.lower()) if email else -1
    while start >= 0:
        words = f"{words[:start]}(recipient){words[start + len(email) :]}"
        start = words.lower().find(email.lower())
    return " ".join(words.split())[:_LONGEST_WORDS]
