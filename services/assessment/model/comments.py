"""What people say of indicators and pieces of evidence, and that it is dealt with. Decisions return facts."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from livinglab.assessment.v1 import comment_events_pb2 as events
from livinglab.assessment.v1 import comment_service_pb2 as pb
from livinglab.assessment.v1 import evaluation_pb2, evidence_pb2
from livinglab.common.v1.meta_pb2 import Meta

from chassis.errors import Violation, invalid, precondition
from instruments.scoring import Scorer

MOST_OPEN = 1_000
ASSESSOR = "assessor"

Shown = Mapping[str, evidence_pb2.IndicatorEvidence]


def comment(
    request: pb.CommentOnEvaluationRequest, comment_id: str, author: str, role: str, now: datetime
) -> pb.EvaluationComment:
    """A new one, whose subject `require_subject` has checked. What assessors say is said to them too."""
    made = pb.EvaluationComment(
        id=comment_id,
        evaluation_id=request.evaluation_id,
        indicator=request.indicator,
        evidence_id=request.evidence_id,
        text=request.text,
        author=author,
        role=role,
        to_assessors=request.to_assessors or role == ASSESSOR,
    )
    made.time.FromDatetime(now)
    return made


def require_subject(request: pb.CommentOnEvaluationRequest, scorer: Scorer, shown: Shown, role: str) -> None:
    """INVALID_ARGUMENT names every fault. `shown` is the evidence of the evaluation by indicator."""
    if faults := list(_faults(request, scorer, shown, role)):
        raise invalid(faults)


def _faults(request: pb.CommentOnEvaluationRequest, scorer: Scorer, shown: Shown, role: str) -> Iterator[Violation]:
    if not request.text.strip():
        yield Violation("text", "says nothing")
    if not request.indicator and not request.evidence_id:
        yield Violation("indicator", "or evidence_id is required: say what it is about")
    for _, reason in scorer.strangers([request.indicator] if request.indicator else []):
        yield Violation("indicator", f"{request.indicator} {reason}")
    if not request.evidence_id:
        return
    places = {code: of for code, of in shown.items() if request.indicator in ("", code)}
    pieces = [piece for of in places.values() for piece in of.pieces if piece.evidence_id == request.evidence_id]
    if role == ASSESSOR:
        pieces = [piece for piece in pieces if piece.state != evidence_pb2.EVIDENCE_STATE_DRAFT]
    if not pieces:
        where = f"for indicator {request.indicator}" if request.indicator else "in this evaluation"
        yield Violation("evidence_id", f"{request.evidence_id} is not shown {where}")


def require_room(open_ones: int, evaluation_id: str) -> None:
    """FAILED_PRECONDITION where too many wait for an answer."""
    if open_ones >= MOST_OPEN:
        message = f"{open_ones} comments on evaluation {evaluation_id} are open: resolve some of them first"
        raise precondition("TOO_MANY_COMMENTS", message)


def commented(evaluation: evaluation_pb2.Evaluation, made: pb.EvaluationComment) -> events.EvaluationCommented:
    """The fact of a new one."""
    return events.EvaluationCommented(
        meta=_meta(evaluation, made, 1),
        institution=evaluation.institution,
        evaluation_id=evaluation.id,
        comment_id=made.id,
        indicator=made.indicator,
        evidence_id=made.evidence_id,
        to_assessors=made.to_assessors,
    )


def resolve(
    evaluation: evaluation_pb2.Evaluation,
    known: pb.EvaluationComment,
    answer: str,
    author: str,
    role: str,
    now: datetime,
) -> events.EvaluationCommentResolved | None:
    """It is dealt with; no fact where it was before, and the first answer stays."""
    if is_resolved(known):
        return None
    known.resolved_by, known.resolved_role, known.answer = author, role, answer
    known.resolve_time.FromDatetime(now)
    return events.EvaluationCommentResolved(
        meta=_meta(evaluation, known, 2),
        institution=evaluation.institution,
        evaluation_id=evaluation.id,
        comment_id=known.id,
        indicator=known.indicator,
        evidence_id=known.evidence_id,
    )


def is_resolved(known: pb.EvaluationComment) -> bool:
    """Somebody has dealt with it."""
    return known.HasField("resolve_time")


def nameless(known: pb.EvaluationComment) -> pb.EvaluationComment:
    """As an agency is shown it: without names of assessors."""
    if known.role == ASSESSOR:
        known.author = ""
    if known.resolved_role == ASSESSOR:
        known.resolved_by = ""
    return known


def _meta(evaluation: evaluation_pb2.Evaluation, made: pb.EvaluationComment, version: int) -> Meta:
    return Meta(
        aggregate_id=f"evaluation-comment:{made.id}",
        version=version,
        cohort_id=evaluation.cohort_id,
        rehearsal=evaluation.rehearsal,
    )
