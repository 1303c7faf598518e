"""Names on the broker that follow from a subject: the stream that holds it, the durable that stands in it."""

import hashlib
import re
from collections.abc import Iterable, Sequence

_DURABLE = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TOKEN = re.compile(r"[^\s.*>]+|\*")


def stream_of(subject: str) -> str:
    """The stream of a subject or of a filter that names its service: ASSESSMENT for assessment.v1.>."""
    return subject.split(".", 1)[0].upper()


def durable_name(durable: str, subject: str) -> str:
    """Where an application stands among what one filter lets through. A durable for each filter, since a position never
    moves back: one more subject, asked for later, is heard from its beginning."""
    if not _DURABLE.fullmatch(durable):
        raise ValueError(f"durable {durable!r} is not 1 to 64 letters, digits, - and _")
    return f"{durable}_{hashlib.sha256(subject.encode()).hexdigest()[:8]}"


def filters(subjects: Sequence[str], services: Iterable[str]) -> list[str]:
    """Each filter once, those of every service (`*.v1.>`, `>`) as one for each; ValueError for what is no filter."""
    found: dict[str, None] = {}
    for subject in subjects:
        tokens = subject.split(".")
        if tokens[-1] == ">":
            tokens.pop()
        if not all(_TOKEN.fullmatch(token) for token in tokens) or subject == "":
            raise ValueError(f"{subject!r} is no subject: tokens between dots, * for one, > at the end for the rest")
        if tokens and tokens[0] != "*":
            found[subject] = None
            continue
        rest = subject.partition(".")[2] or ">"
        found |= dict.fromkeys(f"{service}.{rest}" for service in services)
    if not found:
        raise ValueError("no subject is asked for")
    return list(found)
