"""Versions of what coaching keeps: the etag counts its writes, and whoever has read an earlier one is told. Pure."""

from typing import Protocol

from chassis.errors import conflict


class Versioned(Protocol):
    """Anything that is kept under an id, with the number of its writes."""

    id: str
    etag: str


def advance(kept: Versioned) -> None:
    """The next version."""
    kept.etag = str(int(kept.etag or 0) + 1)


def require_current(kept: Versioned, etag: str, what: str) -> None:
    """ABORTED where an etag is given that is not the one that stands; `what` names the thing to people."""
    if etag and etag != kept.etag:
        raise conflict(what, kept.id)
