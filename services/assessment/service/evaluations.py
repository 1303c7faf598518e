"""RPCs in: one method is one use case: read, decide, one transaction, answer."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from livinglab.assessment.v1 import evaluation_pb2, guidance_pb2, service_pb2_grpc
from livinglab.assessment.v1 import service_pb2 as pb

from chassis import auth, mongo
from chassis.errors import Violation, denied, invalid, not_found
from directory.projection import require_heard
from instruments.guidance import Guides
from instruments.scoring import Scorer
from services.assessment.model import agencies, criteria, cycle, self_assessment
from services.assessment.service import access
from services.assessment.store.editions import Editions, require_sound
from services.assessment.store.evaluations import Store
from services.assessment.store.evidence import EvidenceStore
from services.assessment.store.guidance import Guidances

# Answers that are told at once what they still need.
_MOST_TOLD = 10


class AssessmentService(service_pb2_grpc.AssessmentServiceServicer):
    """The contract, on one store, the editions of instruments and the institutions that are known."""

    def __init__(
        self,
        store: Store,
        reach: access.Access,
        editions: Editions,
        guidances: Guidances,
        institutions: Mapping[str, Any],
    ) -> None:
        self._store = store
        self._access = reach
        self._editions = editions
        self._guidances = guidances
        self._evidence = EvidenceStore(store.db)
        self._institutions = institutions

    async def ListInstruments(self, request: pb.ListInstrumentsRequest, context: Any) -> pb.ListInstrumentsResponse:
        return pb.ListInstrumentsResponse(instruments=await self._editions.all())

    async def GetInstrument(self, request: pb.GetInstrumentRequest, context: Any) -> pb.GetInstrumentResponse:
        edition = await self._editions.find(request.id, request.version)
        if edition is None:
            raise not_found("instrument", f"{request.id}:{request.version}" if request.version else request.id)
        return pb.GetInstrumentResponse(instrument=edition.instrument)

    async def PublishInstrument(
        self, request: pb.PublishInstrumentRequest, context: Any
    ) -> pb.PublishInstrumentResponse:
        require_sound(request.instrument)

        async def decide(tx: mongo.Tx) -> pb.PublishInstrumentResponse:
            await self._store.keep_instrument(tx, request.instrument)
            return pb.PublishInstrumentResponse(instrument=request.instrument)

        return await self._store.db.once(request, decide, pb.PublishInstrumentResponse)

    async def GetGuidance(self, request: pb.GetGuidanceRequest, context: Any) -> pb.GetGuidanceResponse:
        return pb.GetGuidanceResponse(guidance=await self._guidances.get(request.instrument, request.version))

    async def PublishGuidance(self, request: pb.PublishGuidanceRequest, context: Any) -> pb.PublishGuidanceResponse:
        async def decide(tx: mongo.Tx) -> pb.PublishGuidanceResponse:
            await self._guidances.publish(tx, request.guidance)
            return pb.PublishGuidanceResponse(guidance=request.guidance)

        return await self._store.db.once(request, decide, pb.PublishGuidanceResponse)

    async def OpenEvaluation(self, request: pb.OpenEvaluationRequest, context: Any) -> pb.OpenEvaluationResponse:
        edition = await self._editions.find(request.instrument)
        self._require_known(request, known_instrument=edition is not None)
        assert edition is not None
        auth.caller().require_institution(request.institution)
        key = self_assessment.evaluation_id(request.institution, request.instrument, request.period, request.rehearsal)

        async def decide(tx: mongo.Tx) -> pb.OpenEvaluationResponse:
            evaluation = await self._store.find(tx, key)
            if evaluation is None:
                chosen = await self._store.cycle(request.instrument, request.period, tx)
                stages = chosen.stages if chosen else cycle.standard()
                version, actor = edition.instrument.version, auth.caller().subject
                evaluation, outcome = self_assessment.opened(request, version, stages, actor, datetime.now(UTC))
                await self._store.add(tx, evaluation)
                await access.publish(self._store, tx, evaluation, outcome)
            doubts = criteria.out_of_years(edition.instrument, request.period)
            return pb.OpenEvaluationResponse(evaluation=await self._shown(evaluation), warnings=doubts)

        return await self._store.db.once(request, decide, pb.OpenEvaluationResponse)

    async def SaveAnswers(self, request: pb.SaveAnswersRequest, context: Any) -> pb.SaveAnswersResponse:
        answered = {answer.indicator for answer in request.answers}

        async def decide(tx: mongo.Tx) -> pb.SaveAnswersResponse:
            evaluation = await self._access.own_items(request.evaluation_id, sorted(answered), tx)
            scorer = (await self._editions.of(evaluation)).scorer
            guides = await self._guidances.of(evaluation)
            await self._require_criteria(request, guides, evaluation)
            outcome = self_assessment.save_answers(
                evaluation, request, scorer, auth.caller().subject, datetime.now(UTC)
            )
            await access.save(self._store, tx, evaluation, outcome)
            few = len(answered) <= _MOST_TOLD
            needs = await self._needs(evaluation, scorer, guides, answered) if few else []
            doubts = criteria.warnings(needs, guides)
            return pb.SaveAnswersResponse(evaluation=await self._shown(evaluation), warnings=doubts, needs=needs)

        return await self._store.db.once(request, decide, pb.SaveAnswersResponse, request.evaluation_id)

    async def SubmitEvaluation(self, request: pb.SubmitEvaluationRequest, context: Any) -> pb.SubmitEvaluationResponse:
        async def decide(tx: mongo.Tx) -> pb.SubmitEvaluationResponse:
            evaluation = await self._access.own(request.evaluation_id, tx)
            scorer, guides = (await self._editions.of(evaluation)).scorer, await self._guidances.of(evaluation)
            outcome = self_assessment.submit(evaluation, request.etag, scorer, auth.caller().subject, datetime.now(UTC))
            await access.save(self._store, tx, evaluation, outcome)
            doubts = criteria.warnings(await self._needs(evaluation, scorer, guides), guides)
            return pb.SubmitEvaluationResponse(evaluation=await self._shown(evaluation), warnings=doubts)

        return await self._store.db.once(request, decide, pb.SubmitEvaluationResponse, request.evaluation_id)

    async def GetEvaluation(self, request: pb.GetEvaluationRequest, context: Any) -> pb.GetEvaluationResponse:
        evaluation = await self._access.visible(request.evaluation_id)
        return pb.GetEvaluationResponse(evaluation=await self._shown(evaluation))

    async def ListEvaluations(self, request: pb.ListEvaluationsRequest, context: Any) -> pb.ListEvaluationsResponse:
        caller = auth.caller()
        if caller.bound_to is not None and not request.institution:
            raise denied("INSTITUTION_NEEDED", "name your own institution")
        caller.require_institution(request.institution)
        named = {key: getattr(request, key) for key in ("institution", "instrument", "period", "cohort_id")}
        keys: dict[str, Any] = {key: value for key, value in named.items() if value}
        keys["rehearsal"] = request.rehearsal
        keys |= await self._access.listed(caller, request.institution)
        evaluations, token = await self._store.page(keys, request)
        evaluations = [access.narrowed(one) for one in evaluations]
        return pb.ListEvaluationsResponse(evaluations=evaluations, next_page_token=token)

    def _require_known(self, request: pb.OpenEvaluationRequest, *, known_instrument: bool) -> None:
        require_heard(self._institutions, request.institution)
        faults = []
        if request.institution not in self._institutions:
            faults.append(
                Violation("institution", f"{request.institution} is not a known institution, or not known here yet")
            )
        if not known_instrument:
            faults.append(Violation("instrument", f"{request.instrument} is not a known instrument"))
        if request.rehearsal and not request.cohort_id:
            # A cohort that was split off a rehearsal goes on in that one: the realm need not be its own id.
            faults.append(Violation("rehearsal", "is the realm of a cohort, which is not named"))
        if faults:
            raise invalid(faults)

    async def _require_criteria(
        self, request: pb.SaveAnswersRequest, guides: Guides, evaluation: evaluation_pb2.Evaluation
    ) -> None:
        named, caller = criteria.evidence_ids(request.answers), auth.caller()
        found = await self._evidence.named(named) if named else []
        found = [one for one in found if one.institution == evaluation.institution]
        agency = caller.care()
        if agency is not None and found:
            shown = await self._evidence.all_shown(evaluation.id)
            known = agencies.named_in_care(evaluation, shown, agency)
            found = [
                one for one in found if one.id in known or agency == one.agency or caller.subject == one.uploaded_by
            ]
        criteria.require_criteria(request.answers, guides, {one.id for one in found})

    async def _needs(
        self, evaluation: evaluation_pb2.Evaluation, scorer: Scorer, guides: Guides, only: Collection[str] = ()
    ) -> list[guidance_pb2.IndicatorNeeds]:
        shown = await self._evidence.all_shown(evaluation.id)
        return criteria.needs(evaluation, cycle.values_of(evaluation), scorer, guides, shown, only)

    async def _shown(self, evaluation: evaluation_pb2.Evaluation) -> evaluation_pb2.Evaluation:
        edition = await self._editions.of(evaluation)
        return access.shown(evaluation, edition.scorer)
