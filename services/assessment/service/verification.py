"""RPCs in, for what comes after the self-assessment: external stages, review, determination, publication."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

from google.protobuf.message import Message
from livinglab.assessment.v1 import cycle_pb2, evaluation_pb2, events_pb2, verification_pb2_grpc
from livinglab.assessment.v1 import verification_pb2 as pb
from livinglab.common.v1 import options_pb2
from livinglab.common.v1.meta_pb2 import Meta

from chassis import auth, mongo
from chassis.errors import conflict, invalid, invalid_field
from instruments.scoring import Scorer
from services.assessment.model import assessors, cycle, objections, publication, review
from services.assessment.model.cycle import Outcome
from services.assessment.service import access
from services.assessment.store.editions import Editions
from services.assessment.store.evaluations import Store

R = TypeVar("R", bound=Message)
_Evaluation = evaluation_pb2.Evaluation
# What single assessors did is no matter of the institution until the stage is concluded.
_HIDDEN = frozenset({"assessed", "reviewed"})


class VerificationService(verification_pb2_grpc.VerificationServiceServicer):
    """The contract, on one store and the editions of instruments."""

    def __init__(self, store: Store, reach: access.Access, editions: Editions) -> None:
        self._store = store
        self._access = reach
        self._editions = editions

    async def SetCycle(self, request: pb.SetCycleRequest, context: Any) -> pb.SetCycleResponse:
        wanted = request.cycle
        faults = cycle.faults(wanted.stages)
        if faults:
            raise invalid(faults)
        await self._require_instrument(wanted.instrument, "cycle.instrument")

        async def decide(tx: mongo.Tx) -> pb.SetCycleResponse:
            name = f"{wanted.instrument}:{wanted.period}"
            known = await self._store.cycle(wanted.instrument, wanted.period, tx)
            if wanted.etag and wanted.etag != (known.etag if known else ""):
                raise conflict("cycle", name)
            version = int(known.etag) + 1 if known else 1
            kept = cycle_pb2.Cycle(instrument=wanted.instrument, period=wanted.period, stages=wanted.stages)
            kept.etag, kept.set_by = str(version), auth.caller().subject
            kept.set_time.FromDatetime(datetime.now(UTC))
            await self._store.keep_cycle(tx, kept)
            meta = Meta(aggregate_id=f"cycle:{name}", version=version)
            tx.add(events_pb2.CycleSet(meta=meta, instrument=kept.instrument, period=kept.period, stages=kept.stages))
            return pb.SetCycleResponse(cycle=kept)

        return await self._store.db.once(request, decide, pb.SetCycleResponse)

    async def GetCycle(self, request: pb.GetCycleRequest, context: Any) -> pb.GetCycleResponse:
        await self._require_instrument(request.instrument, "instrument")
        found = await self._store.cycle(request.instrument, request.period)
        if found is None:
            found = cycle_pb2.Cycle(instrument=request.instrument, period=request.period, stages=cycle.standard())
        if access.is_public(auth.caller()):
            found.ClearField("set_by")
        return pb.GetCycleResponse(cycle=found)

    async def AssignAssessor(self, request: pb.AssignAssessorRequest, context: Any) -> pb.AssignAssessorResponse:
        def rule(evaluation: _Evaluation, dossier: cycle_pb2.Dossier, scorer: Scorer) -> Outcome:
            return assessors.assign(evaluation, request, *_by_now())

        return await self._write(request, rule, pb.AssignAssessorResponse)

    async def WithdrawAssessor(self, request: pb.WithdrawAssessorRequest, context: Any) -> pb.WithdrawAssessorResponse:
        def rule(evaluation: _Evaluation, dossier: cycle_pb2.Dossier, scorer: Scorer) -> Outcome:
            return assessors.withdraw(evaluation, request, *_by_now())

        return await self._write(request, rule, pb.WithdrawAssessorResponse)

    async def SaveAssessments(self, request: pb.SaveAssessmentsRequest, context: Any) -> pb.SaveAssessmentsResponse:
        def rule(evaluation: _Evaluation, dossier: cycle_pb2.Dossier, scorer: Scorer) -> Outcome:
            _require_duty(evaluation, evaluation_pb2.DUTY_ASSESS)
            return assessors.save_assessments(evaluation, dossier, request, scorer, *_by_now())

        return await self._write(request, rule, pb.SaveAssessmentsResponse)

    async def RaiseObjections(self, request: pb.RaiseObjectionsRequest, context: Any) -> pb.RaiseObjectionsResponse:
        def rule(evaluation: _Evaluation, dossier: cycle_pb2.Dossier, scorer: Scorer) -> Outcome:
            return objections.raise_objections(evaluation, dossier, request, scorer, *_by_now())

        return await self._write(request, rule, pb.RaiseObjectionsResponse)

    async def AnswerObjections(self, request: pb.AnswerObjectionsRequest, context: Any) -> pb.AnswerObjectionsResponse:
        def rule(evaluation: _Evaluation, dossier: cycle_pb2.Dossier, scorer: Scorer) -> Outcome:
            _require_duty(evaluation, evaluation_pb2.DUTY_ASSESS)
            return objections.answer_objections(evaluation, dossier, request, scorer, *_by_now())

        return await self._write(request, rule, pb.AnswerObjectionsResponse)

    async def SaveVerdicts(self, request: pb.SaveVerdictsRequest, context: Any) -> pb.SaveVerdictsResponse:
        def rule(evaluation: _Evaluation, dossier: cycle_pb2.Dossier, scorer: Scorer) -> Outcome:
            if not _is_manager():
                _require_duty(evaluation, evaluation_pb2.DUTY_REVIEW)
            return review.save_verdicts(evaluation, dossier, request, scorer, *_by_now())

        return await self._write(request, rule, pb.SaveVerdictsResponse)

    async def ConcludeStage(self, request: pb.ConcludeStageRequest, context: Any) -> pb.ConcludeStageResponse:
        def rule(evaluation: _Evaluation, dossier: cycle_pb2.Dossier, scorer: Scorer) -> Outcome:
            if not _is_manager():
                _require_duty(evaluation)
            return review.conclude(evaluation, dossier, request, scorer, *_by_now())

        return await self._write(request, rule, pb.ConcludeStageResponse)

    async def DetermineEvaluation(
        self, request: pb.DetermineEvaluationRequest, context: Any
    ) -> pb.DetermineEvaluationResponse:
        def rule(evaluation: _Evaluation, dossier: cycle_pb2.Dossier, scorer: Scorer) -> Outcome:
            return publication.determine(evaluation, request, scorer, *_by_now())

        return await self._write(request, rule, pb.DetermineEvaluationResponse)

    async def PublishEvaluation(
        self, request: pb.PublishEvaluationRequest, context: Any
    ) -> pb.PublishEvaluationResponse:
        def rule(evaluation: _Evaluation, dossier: cycle_pb2.Dossier, scorer: Scorer) -> Outcome:
            return publication.publish(evaluation, request, scorer, *_by_now())

        return await self._write(request, rule, pb.PublishEvaluationResponse)

    async def CorrectEvaluation(
        self, request: pb.CorrectEvaluationRequest, context: Any
    ) -> pb.CorrectEvaluationResponse:
        def rule(evaluation: _Evaluation, dossier: cycle_pb2.Dossier, scorer: Scorer) -> Outcome:
            return publication.correct(evaluation, request, scorer, *_by_now())

        return await self._write(request, rule, pb.CorrectEvaluationResponse)

    async def GetDossier(self, request: pb.GetDossierRequest, context: Any) -> pb.GetDossierResponse:
        evaluation = await self._access.for_duty(request.evaluation_id)
        dossier = await self._store.dossier(evaluation.id)
        if auth.caller().bound_to is not None:
            concluded = {result.stage for result in evaluation.results}
            dossier = cycle_pb2.Dossier(
                assessments=[one for one in dossier.assessments if one.stage in concluded],
                objections=dossier.objections,
                verdicts=dossier.verdicts if evaluation_pb2.STAGE_REVIEW in concluded else (),
            )
        elif not _is_manager():
            _require_duty(evaluation)
        return pb.GetDossierResponse(dossier=dossier)

    async def GetCalibration(self, request: pb.GetCalibrationRequest, context: Any) -> pb.GetCalibrationResponse:
        evaluation = await self._access.for_duty(request.evaluation_id)
        if not _is_manager():
            _require_duty(evaluation)
        scorer = (await self._editions.of(evaluation)).scorer
        return assessors.calibration(evaluation, await self._store.dossier(evaluation.id), request.stage, scorer)

    async def ListChanges(self, request: pb.ListChangesRequest, context: Any) -> pb.ListChangesResponse:
        evaluation = await self._access.for_duty(request.evaluation_id)
        bound = auth.caller().bound_to is not None
        if not bound and not _is_manager():
            _require_duty(evaluation)
        changes, token = await self._store.changes(request)
        seen = [one for one in changes if not bound or one.action not in _HIDDEN]
        return pb.ListChangesResponse(changes=seen, next_page_token=token)

    async def _write(
        self, request: Any, rule: Callable[[_Evaluation, cycle_pb2.Dossier, Scorer], Outcome], response: type[R]
    ) -> R:
        """One transaction around a rule: the evaluation with its papers, what the rule made of them, its facts."""

        async def decide(tx: mongo.Tx) -> R:
            evaluation = await self._access.for_duty(request.evaluation_id, tx)
            dossier = await self._store.dossier(evaluation.id, tx)
            before = dossier.SerializeToString(deterministic=True)
            scorer = (await self._editions.of(evaluation)).scorer
            outcome = rule(evaluation, dossier, scorer)
            changed = dossier.SerializeToString(deterministic=True) != before
            await access.save(self._store, tx, evaluation, outcome, dossier if changed else None)
            return response(evaluation=access.shown(evaluation, scorer))

        return await self._store.db.once(request, decide, response, request.evaluation_id)

    async def _require_instrument(self, instrument: str, field: str) -> None:
        if await self._editions.find(instrument) is None:
            raise invalid_field(field, f"{instrument} is not a known instrument")


def _by_now() -> tuple[str, datetime]:
    return auth.caller().subject, datetime.now(UTC)


def _is_manager() -> bool:
    return auth.caller().role == options_pb2.ROLE_MANAGER


def _require_duty(
    evaluation: _Evaluation, duty: evaluation_pb2.Duty.ValueType = evaluation_pb2.DUTY_UNSPECIFIED
) -> None:
    caller = auth.caller()
    assessors.require_duty(evaluation, caller.subject, caller.identity.institution, duty)
