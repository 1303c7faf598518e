"""RPCs on what people say of indicators and pieces of evidence: read, decide, one transaction, answer."""

from datetime import UTC, datetime
from typing import Any

from livinglab.assessment.v1 import comment_service_pb2 as pb
from livinglab.assessment.v1 import comment_service_pb2_grpc, evaluation_pb2
from livinglab.common.v1 import options_pb2

from chassis import auth, mongo, naming
from chassis.errors import not_found
from instruments.tree import indicator_of
from services.assessment.model import agencies, comments, evidence
from services.assessment.service import access
from services.assessment.store.comments import Comments, about, said_to_assessors
from services.assessment.store.editions import Editions
from services.assessment.store.evidence import EvidenceStore


class CommentService(comment_service_pb2_grpc.CommentServiceServicer):
    """The contract, on the comments, the evidence that they may be about, and who reaches an evaluation."""

    def __init__(self, kept: Comments, pieces: EvidenceStore, reach: access.Access, editions: Editions) -> None:
        self._kept = kept
        self._evidence = pieces
        self._access = reach
        self._editions = editions

    async def CommentOnEvaluation(
        self, request: pb.CommentOnEvaluationRequest, context: Any
    ) -> pb.CommentOnEvaluationResponse:
        new_id, now, who = naming.new_id(), datetime.now(UTC), auth.caller()

        async def decide(tx: mongo.Tx) -> pb.CommentOnEvaluationResponse:
            evaluation = await self._access.own(request.evaluation_id, tx)
            await self._require_care(evaluation, request.indicator, request.evidence_id, tx)
            evidence.require_unfrozen(evaluation)
            scorer, role = (await self._editions.of(evaluation)).scorer, auth.role_name(who.role)
            shown = await self._evidence.all_shown(evaluation.id, tx) if request.evidence_id else {}
            comments.require_subject(request, scorer, shown, role)
            comments.require_room(await self._kept.count_open(tx, evaluation.id), evaluation.id)
            made = comments.comment(request, new_id, who.subject, role, now)
            await self._kept.add(tx, made, indicator_of(made.indicator, scorer.indicators))
            tx.add(comments.commented(evaluation, made))
            return pb.CommentOnEvaluationResponse(comment=made)

        return await self._kept.db.once(request, decide, pb.CommentOnEvaluationResponse)

    async def ResolveEvaluationComment(
        self, request: pb.ResolveEvaluationCommentRequest, context: Any
    ) -> pb.ResolveEvaluationCommentResponse:
        now, who = datetime.now(UTC), auth.caller()

        async def decide(tx: mongo.Tx) -> pb.ResolveEvaluationCommentResponse:
            known = await self._kept.get(request.comment_id, tx)
            evaluation = await self._access.own(known.evaluation_id, tx)
            await self._require_care(evaluation, known.indicator, known.evidence_id, tx)
            if who.role == options_pb2.ROLE_ASSESSOR and not known.to_assessors:
                raise not_found("comment", known.id)
            role = auth.role_name(who.role)
            fact = comments.resolve(evaluation, known, request.answer, who.subject, role, now)
            if fact is not None:
                await self._kept.close(tx, known)
                tx.add(fact)
            return pb.ResolveEvaluationCommentResponse(comment=_shown(known))

        return await self._kept.db.once(request, decide, pb.ResolveEvaluationCommentResponse)

    async def ListEvaluationComments(
        self, request: pb.ListEvaluationCommentsRequest, context: Any
    ) -> pb.ListEvaluationCommentsResponse:
        asked = [request.indicator] if request.indicator else []
        evaluation = await self._access.own_items(request.evaluation_id, asked)
        caller = auth.caller()
        bounds = said_to_assessors() if caller.role == options_pb2.ROLE_ASSESSOR else {}
        agency = caller.care()
        if agency is not None:
            shown = await self._evidence.all_shown(evaluation.id)
            care = agencies.in_care(evaluation, agency)
            bounds = about(care, agencies.named_in_care(evaluation, shown, agency))
        said, token = await self._kept.page(request, bounds)
        return pb.ListEvaluationCommentsResponse(comments=map(_shown, said), next_page_token=token)

    async def _require_care(
        self, evaluation: evaluation_pb2.Evaluation, indicator: str, evidence_id: str, tx: mongo.Tx
    ) -> None:
        """PERMISSION_DENIED (NOT_GIVEN) for an agency that neither has the indicator in its care nor, where none is
        named, one that the piece is shown for."""
        access.require_given(evaluation, [indicator] if indicator else [])
        agency = auth.caller().care()
        if agency is None or indicator or not evidence_id:
            return
        shown = await self._evidence.all_shown(evaluation.id, tx)
        if evidence_id not in agencies.named_in_care(evaluation, shown, agency):
            raise agencies.not_given(agency, f"evidence {evidence_id}")


def _shown(known: pb.EvaluationComment) -> pb.EvaluationComment:
    return known if auth.caller().care() is None else comments.nameless(known)
