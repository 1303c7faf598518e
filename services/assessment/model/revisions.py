"""How evidence grows: links, validity, and revisions of one piece. Pure."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Protocol

from livinglab.assessment.v1 import evidence_events_pb2 as events
from livinglab.assessment.v1 import evidence_pb2 as pb
from livinglab.common.v1.meta_pb2 import Meta

from chassis.errors import Violation, invalid, precondition

VALIDITY = "VALIDITY"
# So many days before a piece ends somebody is told.
REMIND_DAYS = 30
# What people compare between two revisions.
_COMPARED = ("file_name", "title", "content_type", "size", "sha256", "link", "document_date", "valid_until")


class Dated(Protocol):
    """Any message that says of a new piece when it is from, until when it holds, and what it revises."""

    institution: str
    document_date: str
    valid_until: str
    revises: str
    change: str


def faults(request: Dated, today: date) -> Iterator[Violation]:
    """What is wrong with what is said of a new piece. A day ahead is none yet: the east of the country is."""
    if date.fromisoformat(request.document_date) > today + timedelta(days=1):
        yield Violation("document_date", "is in the future")
    if request.valid_until and request.valid_until < request.document_date:
        yield Violation("valid_until", f"is before the day of the document, {request.document_date}")
    if request.revises and not request.change.strip():
        yield Violation("change", "is required: say what is other than in the revision before")
    if request.change and not request.revises:
        yield Violation("change", "is of a revision, and no piece is named that it revises")


def require_revisable(before: pb.Evidence, request: Dated) -> int:
    """Which revision comes next. INVALID_ARGUMENT for a piece of somebody else; FAILED_PRECONDITION (REVISED) where a
    newer one is there."""
    if before.institution != request.institution:
        raise invalid([Violation("revises", f"is a piece of {before.institution}")])
    if before.revised_by:
        raise precondition("REVISED", f"evidence {before.id} has a newer revision: revise {before.revised_by}")
    return before.revision + 1


def compared(revisions: Sequence[pb.Evidence]) -> list[pb.EvidenceRevision]:
    """Each with the fields that are other than in the one before; none for the first."""
    found = []
    for n, one in enumerate(revisions):
        before = revisions[n - 1] if n else one
        changed = [name for name in _COMPARED if getattr(one, name) != getattr(before, name)]
        found.append(pb.EvidenceRevision(evidence=one, changed=changed))
    return found


def warning(evidence: pb.Evidence, indicator: str, level: int, day: date) -> Iterator[pb.RuleWarning]:
    """That it does not hold any more on the day."""
    if evidence.valid_until and evidence.valid_until < day.isoformat():
        message = f"evidence {evidence.id} was valid until {evidence.valid_until}"
        yield pb.RuleWarning(rule=VALIDITY, indicator=indicator, level=level, message=message)


def uploaded(evidence: pb.Evidence) -> events.EvidenceUploaded:
    """The fact of a new piece."""
    return events.EvidenceUploaded(
        meta=_meta(evidence, 1),
        institution=evidence.institution,
        evidence_id=evidence.id,
        content_type=evidence.content_type,
        size=evidence.size,
        revises_evidence_id=evidence.revises,
        agency=evidence.agency,
    )


def validity_changed(evidence: pb.Evidence, version: int) -> events.EvidenceValidityChanged:
    """The fact of another last day."""
    return events.EvidenceValidityChanged(
        meta=_meta(evidence, version),
        institution=evidence.institution,
        evidence_id=evidence.id,
        valid_until=evidence.valid_until,
    )


def expiring(evidence: pb.Evidence, version: int) -> events.EvidenceExpiring:
    """The fact that it ends soon."""
    return events.EvidenceExpiring(
        meta=_meta(evidence, version),
        institution=evidence.institution,
        evidence_id=evidence.id,
        title=evidence.title or evidence.file_name or evidence.link,
        valid_until=evidence.valid_until,
    )


def _meta(evidence: pb.Evidence, version: int) -> Meta:
    return Meta(aggregate_id=f"file:{evidence.id}", version=version)
