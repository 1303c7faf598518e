"""Which facts a webhook gets, when one is tried again, when a receiver gets no more. Pure."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from livinglab.notify.v1 import webhook_pb2 as pb

from chassis.errors import Violation

# Of everybody: each has readers of its own on the broker.
MOST = 100
# Of the Standard Webhooks specification: how long after each try that failed comes the next.
SCHEDULE = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
ATTEMPTS = len(SCHEDULE) + 1
# Who has taken nothing for so long when a fact is given up gets no more.
PATIENCE = timedelta(days=3)
# So many in a row that failed, and a receiver counts as away: it is asked with one fact at a time, and once it takes
# one, the others do not wait for their turn.
AWAY_AFTER = 5
# Facts that are taken up and not accepted; those behind them wait in their stream, which keeps them.
MOST_WAITING = 1_000
# A receiver that goes by the specification refuses what is five minutes off; told well before.
_CLOCK_TOLERANCE = timedelta(seconds=30)
TRIES_KEPT = 20
_LONGEST_WORDS = 300
_SHAPE = re.compile(r"[a-z]+(\.[A-Za-z0-9_:-]+|\.\*)*(\.>)?|\*(\.[A-Za-z0-9_:-]+|\.\*)*(\.>)?|>")
_MINUTE_SECONDS = 60


@dataclass(frozen=True)
class Answer:
    """What a try came to. `status` is 0 where nothing answered; `words` say what happened; `wait` is what the receiver
    asked for; `clock` how far its clock is ahead."""

    status: int
    words: str
    milliseconds: int = 0
    address: str = ""
    wait: timedelta | None = None
    clock: timedelta | None = None

    @property
    def accepted(self) -> bool:
        """Any 2xx."""
        return self.status // 100 == 2

    @property
    def gone(self) -> bool:
        """The receiver wants no more."""
        return self.status == 410


def subject_violations(subjects: Sequence[str], services: Sequence[str]) -> Iterator[Violation]:
    """Filters that no fact's subject can match."""
    for i, one in enumerate(subjects):
        first = one.split(".", 1)[0]
        if len(one) > 300 or not _SHAPE.fullmatch(one):
            yield Violation(f"subjects[{i}]", "must be a subject such as assessment.v1.*.32.>")
        elif first not in (*services, "*", ">"):
            yield Violation(f"subjects[{i}]", f"{first} is not one of {', '.join(services)}")


def matches(filters: Sequence[str], subject: str) -> bool:
    """Whether one of them lets the subject through."""
    return any(_match(one.split("."), subject.split(".")) for one in filters)


def _match(wanted: Sequence[str], tokens: Sequence[str]) -> bool:
    for i, one in enumerate(wanted):
        if one == ">":
            return len(tokens) > i
        if i >= len(tokens) or one not in ("*", tokens[i]):
            return False
    return len(wanted) == len(tokens)


def services_of(filters: Sequence[str], services: Sequence[str]) -> list[str]:
    """Whose streams have what they let through."""
    first = {one.split(".", 1)[0] for one in filters}
    return [one for one in services if one in first or first & {"*", ">"}]


def next_try(attempts: int, now: datetime, answer: Answer, jitter: float) -> datetime | None:
    """When the next try is due after so many that failed; None where it was the last. A receiver that asks for more
    time gets it, up to a day. `jitter`, 0 to 1, adds up to a tenth: what failed together comes apart."""
    if attempts >= ATTEMPTS:
        return None
    wait = SCHEDULE[attempts - 1] * (1 + jitter / 10)
    if answer.wait is not None:
        wait = max(wait, min(answer.wait, SCHEDULE[-1]))
    return now + wait


def tried(answer: Answer, now: datetime) -> pb.DeliveryTry:
    """The line of the log."""
    found = pb.DeliveryTry(
        status=answer.status,
        outcome=told(answer),
        milliseconds=answer.milliseconds,
        address=answer.address,
    )
    found.time.FromDatetime(now)
    return found


def told(answer: Answer) -> str:
    """In words, the clocks' disagreement included."""
    words = " ".join(answer.words.split())[:_LONGEST_WORDS]
    if clock := clock_words(answer.clock):
        words = f"{words}; {clock}" if words else clock
    return words


def clock_words(clock: timedelta | None) -> str:
    """ "" where both clocks agree well enough for signatures to be believed."""
    if clock is None or abs(clock) <= _CLOCK_TOLERANCE:
        return ""
    seconds = round(abs(clock).total_seconds())
    much = f"{seconds} seconds" if seconds < 2 * _MINUTE_SECONDS else f"{round(seconds / _MINUTE_SECONDS)} minutes"
    return f"the receiver's clock is {much} {'ahead of' if clock > timedelta() else 'behind'} ours"


def disabled_because(answer: Answer, last: bool, failing_since: datetime | None, now: datetime) -> str:
    """Why the receiver gets no more after this answer; "" where it does. `last`: the fact was given up."""
    if answer.gone:
        return "the receiver answered 410: it wants no more"
    if last and failing_since is not None and now - failing_since >= PATIENCE:
        return f"nothing was accepted since {failing_since:%Y-%m-%d %H:%M} UTC; the last answer: {told(answer)}"
    return ""


def host(url: str) -> str:
    """Of an address, which as a whole may hold a secret."""
    return urlsplit(url).hostname or ""
