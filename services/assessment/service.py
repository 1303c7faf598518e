"""RPCs in: one method is one use case: read, decide, one transaction, answer."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from livinglab.assessment.v1 import evaluation_pb2, instrument_pb2, service_pb2_grpc
from livinglab.assessment.v1 import service_pb2 as pb

from chassis import auth, mongo
from chassis.errors import Violation, denied, invalid, not_found
from services.assessment import model
from services.assessment.scoring import Scorer
from services.assessment.store import Store


class AssessmentService(service_pb2_grpc.AssessmentServiceServicer):
    """The contract, on one store, a set of instruments and the institutions that are known."""

    def __init__(
        self, store: Store, instruments: Iterable[instrument_pb2.Instrument], institutions: Mapping[str, Any]
    ) -> None:
        self._store = store
        self._institutions = institutions
        self._instruments = {(i.id, i.version): i for i in sorted(instruments, key=lambda i: (i.id, i.version))}
        self._newest = {instrument.id: instrument.version for instrument in self._instruments.values()}
        self._scorers = {key: Scorer(instrument) for key, instrument in self._instruments.items()}

    async def ListInstruments(self, request: pb.ListInstrumentsRequest, context: Any) -> pb.ListInstrumentsResponse:
        newest_first = sorted(self._instruments.values(), key=lambda i: (-i.valid_from, i.id, -i.version))
        return pb.ListInstrumentsResponse(instruments=newest_first)

    async def GetInstrument(self, request: pb.GetInstrumentRequest, context: Any) -> pb.GetInstrumentResponse:
        version = request.version or self._newest.get(request.id, 0)
        instrument = self._instruments.get((request.id, version))
        if instrument is None:
            raise not_found("instrument", f"{request.id}:{request.version}" if request.version else request.id)
        return pb.GetInstrumentResponse(instrument=instrument)

    async def OpenEvaluation(self, request: pb.OpenEvaluationRequest, context: Any) -> pb.OpenEvaluationResponse:
        self._require_known(request)
        auth.caller().require_institution(request.institution)
        key = model.evaluation_id(request.institution, request.instrument, request.period, request.rehearsal)

        async def decide(tx: mongo.Tx) -> pb.OpenEvaluationResponse:
            evaluation = await self._store.find(tx, key)
            if evaluation is None:
                evaluation, fact = model.opened(request, self._newest[request.instrument], datetime.now(UTC))
                await self._store.add(tx, evaluation)
                tx.add(fact)
            return pb.OpenEvaluationResponse(evaluation=self._shown(evaluation))

        return await self._store.db.once(request, decide, pb.OpenEvaluationResponse)

    async def SaveAnswers(self, request: pb.SaveAnswersRequest, context: Any) -> pb.SaveAnswersResponse:
        async def decide(tx: mongo.Tx) -> pb.SaveAnswersResponse:
            evaluation = await self._own(request.evaluation_id, tx)
            scorer = self._scorer(evaluation)
            tx.add(model.save_answers(evaluation, request, scorer, auth.caller().subject, datetime.now(UTC)))
            await self._store.save(tx, evaluation)
            return pb.SaveAnswersResponse(evaluation=self._shown(evaluation))

        return await self._store.db.once(request, decide, pb.SaveAnswersResponse)

    async def SubmitEvaluation(self, request: pb.SubmitEvaluationRequest, context: Any) -> pb.SubmitEvaluationResponse:
        async def decide(tx: mongo.Tx) -> pb.SubmitEvaluationResponse:
            evaluation = await self._own(request.evaluation_id, tx)
            tx.add(model.submit(evaluation, request.etag, self._scorer(evaluation), datetime.now(UTC)))
            await self._store.save(tx, evaluation)
            return pb.SubmitEvaluationResponse(evaluation=self._shown(evaluation))

        return await self._store.db.once(request, decide, pb.SubmitEvaluationResponse)

    async def GetEvaluation(self, request: pb.GetEvaluationRequest, context: Any) -> pb.GetEvaluationResponse:
        return pb.GetEvaluationResponse(evaluation=self._shown(await self._own(request.evaluation_id)))

    async def ListEvaluations(self, request: pb.ListEvaluationsRequest, context: Any) -> pb.ListEvaluationsResponse:
        caller = auth.caller()
        if caller.bound_to is not None and not request.institution:
            raise denied("INSTITUTION_NEEDED", "name your own institution")
        caller.require_institution(request.institution)
        named = {key: getattr(request, key) for key in ("institution", "instrument", "period", "cohort_id")}
        keys = {key: value for key, value in named.items() if value} | {"rehearsal": request.rehearsal}
        size = mongo.page_size(request.page_size)
        evaluations, token = await self._store.page(keys, size, request.page_token)
        return pb.ListEvaluationsResponse(evaluations=evaluations, next_page_token=token)

    async def _own(self, evaluation_id: str, tx: mongo.Tx | None = None) -> evaluation_pb2.Evaluation:
        """The evaluation, if the caller may reach its institution."""
        evaluation = await self._store.get(evaluation_id, tx)
        auth.caller().require_institution(evaluation.institution)
        return evaluation

    def _require_known(self, request: pb.OpenEvaluationRequest) -> None:
        faults = []
        if request.institution not in self._institutions:
            faults.append(Violation("institution", f"{request.institution} is not a known region"))
        if request.instrument not in self._newest:
            known = ", ".join(self._newest)
            faults.append(Violation("instrument", f"{request.instrument} is not one of {known}"))
        if request.rehearsal and request.rehearsal != request.cohort_id:
            faults.append(Violation("rehearsal", "is the cohort's id, or empty"))
        if faults:
            raise invalid(faults)

    def _scorer(self, evaluation: evaluation_pb2.Evaluation) -> Scorer:
        return self._scorers[evaluation.instrument, evaluation.instrument_version]

    def _shown(self, evaluation: evaluation_pb2.Evaluation) -> evaluation_pb2.Evaluation:
        del evaluation.missing[:]
        evaluation.missing.extend(self._scorer(evaluation).missing(model.values_of(evaluation)))
        return evaluation
