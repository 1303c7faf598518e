"""RPCs on evidence: one method is one use case: read, decide, one transaction, answer."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from livinglab.assessment.v1 import evaluation_pb2, evidence_pb2, evidence_service_pb2_grpc
from livinglab.assessment.v1 import evidence_service_pb2 as pb
from livinglab.common.v1 import options_pb2

from chassis import auth, mongo
from chassis.errors import Violation, denied, invalid, invalid_field, precondition
from services.assessment.model import agencies, crosswalk, evidence, revisions
from services.assessment.model.crosswalk import Crosswalks
from services.assessment.model.evidence import Case
from services.assessment.service import access
from services.assessment.service.uploads import Uploads
from services.assessment.store.editions import Editions
from services.assessment.store.evaluations import Store
from services.assessment.store.evidence import EvidenceStore
from services.assessment.store.files import EvidenceFiles

_FINDINGS = frozenset({evidence_pb2.EVIDENCE_STATE_ACCEPTED, evidence_pb2.EVIDENCE_STATE_REVISE})


class EvidenceService(evidence_service_pb2_grpc.EvidenceServiceServicer):
    """The contract, on the stores of evidence and of evaluations, the instruments and the crosswalks."""

    def __init__(
        self,
        store: EvidenceStore,
        files: EvidenceFiles,
        evaluations: Store,
        reach: access.Access,
        editions: Editions,
        crosswalks: Crosswalks,
    ) -> None:
        self._store = store
        self._files = files
        self._uploads = Uploads(store, files)
        self._evaluations = evaluations
        self._access = reach
        self._editions = editions
        self._crosswalks = crosswalks

    async def StartUpload(self, request: pb.StartUploadRequest, context: Any) -> pb.StartUploadResponse:
        caller = auth.caller()
        caller.require_institution(request.institution)
        # What an agency may upload is nobody's part of anything yet.
        caller.care()
        return await self._uploads.start(request)

    async def SendUpload(
        self, request_iterator: AsyncIterator[pb.SendUploadRequest], context: Any
    ) -> pb.SendUploadResponse:
        return pb.SendUploadResponse(upload=await self._uploads.send(request_iterator))

    async def GetUpload(self, request: pb.GetUploadRequest, context: Any) -> pb.GetUploadResponse:
        return pb.GetUploadResponse(upload=await self._uploads.state(request.upload_id))

    async def ListEvidence(self, request: pb.ListEvidenceRequest, context: Any) -> pb.ListEvidenceResponse:
        await self._access.assignments.require(request.institution)
        found, token = await self._store.page(request)
        return pb.ListEvidenceResponse(evidence=found, next_page_token=token)

    async def DownloadEvidence(
        self, request: pb.DownloadEvidenceRequest, context: Any
    ) -> AsyncIterator[pb.DownloadEvidenceResponse]:
        found = await self._store.get(request.evidence_id)
        await self.require_reader(found)
        yield pb.DownloadEvidenceResponse(evidence=found)
        if found.link:
            return
        async for data in self._files.content(found.id):
            yield pb.DownloadEvidenceResponse(data=data)

    async def AttachEvidence(self, request: pb.AttachEvidenceRequest, context: Any) -> pb.AttachEvidenceResponse:
        async def decide(tx: mongo.Tx) -> pb.AttachEvidenceResponse:
            case = await self._own_case(request.evaluation_id, tx)
            access.require_given(case.evaluation, request.indicators)
            found = await self._store.get(request.evidence_id, tx)
            auth.caller().require_institution(found.institution)
            await self._require_agency_reads(found)
            if found.institution != case.evaluation.institution:
                raise invalid_field("evidence_id", f"is a file of {found.institution}")
            evidence.require_references(case, request.level, request.pages, request.minutes)
            await self._require_indicators(case, request.indicators)
            earlier = {one.id for one in await self._store.revisions(found.id) if one.revision < found.revision}
            answer = pb.AttachEvidenceResponse()
            for indicator in request.indicators:
                shown = await self._store.shown(request.evaluation_id, indicator, tx)
                piece = evidence_pb2.Piece(
                    evidence_id=found.id, level=request.level, pages=request.pages, minutes=request.minutes
                )
                tx.add(evidence.attach(case, shown, piece, earlier))
                await self._store.save(tx, shown)
                answer.indicators.append(shown)
                answer.warnings.extend(evidence.warnings(case, shown, request.level, found.document_date))
                answer.warnings.extend(revisions.warning(found, indicator, request.level, case.day))
            return answer

        return await self._store.db.once(request, decide, pb.AttachEvidenceResponse, request.evaluation_id)

    async def DetachEvidence(self, request: pb.DetachEvidenceRequest, context: Any) -> pb.DetachEvidenceResponse:
        async def decide(tx: mongo.Tx) -> pb.DetachEvidenceResponse:
            case = await self._own_case(request.evaluation_id, tx)
            access.require_given(case.evaluation, [request.indicator])
            shown = await self._store.shown(request.evaluation_id, request.indicator, tx)
            tx.add(evidence.detach(case, shown, request.evidence_id, request.level))
            await self._store.save(tx, shown)
            await self._tell_coverage(tx, case)
            return pb.DetachEvidenceResponse(indicator=shown)

        return await self._store.db.once(request, decide, pb.DetachEvidenceResponse, request.evaluation_id)

    async def HandInEvidence(self, request: pb.HandInEvidenceRequest, context: Any) -> pb.HandInEvidenceResponse:
        async def decide(tx: mongo.Tx) -> pb.HandInEvidenceResponse:
            case = await self._own_case(request.evaluation_id, tx)
            await self._require_indicators(case, request.indicators)
            answer = pb.HandInEvidenceResponse()
            for indicator, shown in (await self._store.all_shown(request.evaluation_id, tx)).items():
                fact = evidence.hand_in(case, shown) if indicator in (request.indicators or [indicator]) else None
                if fact is not None:
                    tx.add(fact)
                    await self._store.save(tx, shown)
                    answer.indicators.append(shown)
            if not answer.indicators:
                raise precondition("NO_DRAFT", "there is no draft of evidence to hand in")
            await self._tell_coverage(tx, case)
            return answer

        return await self._store.db.once(request, decide, pb.HandInEvidenceResponse, request.evaluation_id)

    async def ReviewEvidence(self, request: pb.ReviewEvidenceRequest, context: Any) -> pb.ReviewEvidenceResponse:
        _require_finding(request)

        async def decide(tx: mongo.Tx) -> pb.ReviewEvidenceResponse:
            case = await self._case(request.evaluation_id, tx)
            await self._access.require(case.evaluation)
            evidence.require_unfrozen(case.evaluation)
            shown = await self._store.shown(request.evaluation_id, request.indicator, tx)
            found = await self._store.get(request.evidence_id, tx)
            piece = evidence_pb2.Piece(
                evidence_id=found.id, level=request.level, state=request.state, reason=request.reason
            )
            tx.add(evidence.review(case, shown, piece, request.etag, found.document_date))
            await self._store.save(tx, shown)
            await self._tell_coverage(tx, case)
            return pb.ReviewEvidenceResponse(indicator=_handed_in(shown))

        return await self._store.db.once(request, decide, pb.ReviewEvidenceResponse, request.evaluation_id)

    async def ListIndicatorEvidence(
        self, request: pb.ListIndicatorEvidenceRequest, context: Any
    ) -> pb.ListIndicatorEvidenceResponse:
        evaluation = await self._evaluations.get(request.evaluation_id)
        await self._access.require(evaluation)
        access.require_given(evaluation)
        agency = auth.caller().care()
        care = agencies.in_care(evaluation, agency) if agency is not None else None
        assessing = auth.caller().role == options_pb2.ROLE_ASSESSOR
        scorer = (await self._editions.of(evaluation)).scorer
        known = await self._store.all_shown(evaluation.id)
        rows = []
        for code in scorer.ordered({*scorer.indicators, *known}):
            if care is not None and not agencies.is_given(code, care):
                continue
            row = known.get(code) or evidence_pb2.IndicatorEvidence(
                evaluation_id=evaluation.id, indicator=code, state=evidence_pb2.EVIDENCE_STATE_MISSING
            )
            rows.append(_handed_in(row) if assessing else row)
        named = await self._store.named(piece.evidence_id for row in rows for piece in row.pieces)
        return pb.ListIndicatorEvidenceResponse(indicators=rows, evidence=named)

    async def CarryEvidence(self, request: pb.CarryEvidenceRequest, context: Any) -> pb.CarryEvidenceResponse:
        async def decide(tx: mongo.Tx) -> pb.CarryEvidenceResponse:
            case = await self._own_case(request.to_evaluation_id, tx)
            earlier = await self._own(request.from_evaluation_id, tx)
            if earlier.institution != case.evaluation.institution:
                raise invalid_field("from_evaluation_id", f"is an evaluation of {earlier.institution}")
            known = self._crosswalks.between(earlier.instrument, case.evaluation.instrument)
            later = await self._store.all_shown(request.to_evaluation_id, tx)
            for row in known.rows:
                empty = evidence_pb2.IndicatorEvidence(evaluation_id=request.to_evaluation_id, indicator=row.to)
                later.setdefault(row.to, empty)
            rows = crosswalk.carry(case, known, await self._store.all_shown(earlier.id, tx), later)
            for code in {row.indicator for row in rows if row.evidence_ids and not request.validate_only}:
                tx.add(case.changed(later[code], carried_from=earlier.id))
                await self._store.save(tx, later[code])
            return pb.CarryEvidenceResponse(rows=rows)

        if request.validate_only:
            return await self._store.db.transaction(decide)
        return await self._store.db.once(request, decide, pb.CarryEvidenceResponse)

    async def _tell_coverage(self, tx: mongo.Tx, case: Case) -> None:
        """After what may have changed for how many indicators evidence stands; drafts never do."""
        counted = await self._store.count_standing(tx, case.evaluation.id)
        if counted is not None:
            tx.add(evidence.coverage(case, *counted))

    async def _own_case(self, evaluation_id: str, tx: mongo.Tx) -> Case:
        """The case of an evaluation that the caller's institution may still change."""
        case = await self._case(evaluation_id, tx)
        auth.caller().require_institution(case.evaluation.institution)
        evidence.require_unfrozen(case.evaluation)
        return case

    async def _case(self, evaluation_id: str, tx: mongo.Tx) -> Case:
        evaluation = await self._evaluations.get(evaluation_id, tx)
        edition = await self._editions.of(evaluation)
        return Case(evaluation, edition.instrument, auth.caller().subject, datetime.now(UTC))

    async def _own(self, evaluation_id: str, tx: mongo.Tx) -> evaluation_pb2.Evaluation:
        evaluation = await self._evaluations.get(evaluation_id, tx)
        auth.caller().require_institution(evaluation.institution)
        return evaluation

    async def _require_indicators(self, case: Case, indicators: Any) -> None:
        """INVALID_ARGUMENT for each that the instrument does not have, and for one that is named twice."""
        scorer = (await self._editions.of(case.evaluation)).scorer
        lowest = case.instrument.scale.min
        faults = []
        for n, code in enumerate(indicators):
            reason = "is named twice" if code in indicators[:n] else ""
            reason = reason or next((fault for _, fault in scorer.check({code: lowest})), "")
            if reason:
                faults.append(Violation(f"indicators[{n}]", f"{code}: {reason}"))
        if faults:
            raise invalid(faults)

    async def require_reader(self, found: evidence_pb2.Evidence) -> None:
        """Own people and managers read all; assessors what is handed in where they are assigned; an agency what is its
        own or shown for what is in its care."""
        caller = auth.caller()
        caller.require_institution(found.institution)
        await self._require_agency_reads(found)
        if caller.bound_to is not None or caller.role == options_pb2.ROLE_MANAGER:
            return
        for evaluation_id in await self._store.evaluations_showing(found.id):
            if access.is_assigned(caller, await self._evaluations.get(evaluation_id)):
                return
        raise denied("NOT_ASSIGNED", f"evidence {found.id} is in no evaluation that {caller.subject} is assigned to")

    async def _require_agency_reads(self, found: evidence_pb2.Evidence) -> None:
        """PERMISSION_DENIED (NOT_GIVEN) for an agency that neither uploaded the file nor has an indicator in its care
        that it is shown for."""
        caller = auth.caller()
        agency = caller.care()
        if agency is None or found.uploaded_by == caller.subject:
            return
        for evaluation_id, indicators in (await self._store.shown_for(found.id)).items():
            care = agencies.in_care(await self._evaluations.get(evaluation_id), agency)
            if any(agencies.is_given(code, care) for code in indicators):
                return
        raise agencies.not_given(agency, f"evidence {found.id}")


def _require_finding(request: pb.ReviewEvidenceRequest) -> None:
    faults = []
    if request.state not in _FINDINGS:
        faults.append(Violation("state", "must be ACCEPTED or REVISE: the other states follow from rules"))
    elif request.state == evidence_pb2.EVIDENCE_STATE_REVISE and not request.reason.strip():
        faults.append(Violation("reason", "is required: say what is to be revised"))
    if faults:
        raise invalid(faults)


def _handed_in(shown: evidence_pb2.IndicatorEvidence) -> evidence_pb2.IndicatorEvidence:
    """Without drafts, which are the institution's own."""
    visible = [piece for piece in shown.pieces if piece.state != evidence_pb2.EVIDENCE_STATE_DRAFT]
    if len(visible) == len(shown.pieces):
        return shown
    answer = evidence_pb2.IndicatorEvidence(
        evaluation_id=shown.evaluation_id, indicator=shown.indicator, pieces=visible, etag=shown.etag
    )
    answer.state = evidence.state_of(visible)
    return answer
