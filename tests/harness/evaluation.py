"""One evaluation as its people drive it, for tests of the assessment service."""

import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import grpc.aio
from livinglab.assessment.v1 import (
    cycle_pb2,
    evaluation_pb2,
    service_pb2,
    service_pb2_grpc,
    understanding_pb2_grpc,
    verification_pb2,
    verification_pb2_grpc,
)

from tests.harness.service import Running

T = TypeVar("T")
SUMEDANG, BANDUNG = "32.11", "32.04"
SPBE = "spbe-59-2020"
DOCUMENT, INTERVIEW = evaluation_pb2.STAGE_DOCUMENT, evaluation_pb2.STAGE_INTERVIEW
VISIT, REVIEW = evaluation_pb2.STAGE_VISIT, evaluation_pb2.STAGE_REVIEW


def request_id() -> str:
    """One for each write."""
    return uuid.uuid4().hex


def answers(level: str, codes: Iterable[object] = range(1, 48)) -> list[evaluation_pb2.Answer]:
    """The same level for all of them."""
    return [evaluation_pb2.Answer(indicator=str(code), value=level) for code in codes]


@dataclass
class People:
    """Stubs by role, and the evaluation that they work on."""

    running: Running
    institution: str = SUMEDANG
    instrument: str = SPBE
    evaluation_id: str = ""
    _stubs: dict[tuple[Any, ...], Any] = field(default_factory=dict)

    def stub(
        self, kind: Callable[[grpc.aio.Channel], T], role: str, subject: str = "", institution: str | None = None
    ) -> T:
        """A person's stub; people of the region act for it."""
        if institution is None:
            institution = self.institution if role in ("operator", "head", "secretary", "regent") else ""
        key = (kind, role, subject, institution)
        if key not in self._stubs:
            self._stubs[key] = self.running.as_role(kind, role, institution, subject or role)
        found: T = self._stubs[key]
        return found

    def basic(self, role: str, subject: str = "") -> "service_pb2_grpc.AssessmentServiceAsyncStub":
        """For AssessmentService."""
        return self.stub(service_pb2_grpc.AssessmentServiceStub, role, subject)

    def verifying(
        self, role: str, subject: str = "", institution: str | None = None
    ) -> "verification_pb2_grpc.VerificationServiceAsyncStub":
        """For VerificationService."""
        return self.stub(verification_pb2_grpc.VerificationServiceStub, role, subject, institution)

    def understanding(self, role: str, subject: str = "") -> "understanding_pb2_grpc.UnderstandingServiceAsyncStub":
        """For UnderstandingService."""
        return self.stub(understanding_pb2_grpc.UnderstandingServiceStub, role, subject)

    def about(self) -> dict[str, Any]:
        """What every write on the evaluation says."""
        return {"request_id": request_id(), "evaluation_id": self.evaluation_id}

    async def open(self, period: str = "2022") -> None:
        """By the operator."""
        opened = await self.basic("operator").OpenEvaluation(
            service_pb2.OpenEvaluationRequest(
                request_id=request_id(), institution=self.institution, instrument=self.instrument, period=period
            )
        )
        self.evaluation_id = opened.evaluation.id

    async def answer(self, given: list[evaluation_pb2.Answer]) -> evaluation_pb2.Evaluation:
        """By the operator."""
        request = service_pb2.SaveAnswersRequest(answers=given, **self.about())
        return (await self.basic("operator").SaveAnswers(request)).evaluation

    async def submit(self) -> evaluation_pb2.Evaluation:
        """By the head."""
        request = service_pb2.SubmitEvaluationRequest(**self.about())
        return (await self.basic("head").SubmitEvaluation(request)).evaluation

    async def submitted(self, given: list[evaluation_pb2.Answer] | None = None) -> evaluation_pb2.Evaluation:
        """Opened, answered (all at level 3 unless told) and submitted."""
        await self.open()
        await self.answer(answers("3") if given is None else given)
        return await self.submit()

    async def assign(self, subject: str, duty: str = "DUTY_ASSESS", institution: str = "") -> None:
        """By a manager."""
        await self.verifying("manager").AssignAssessor(
            verification_pb2.AssignAssessorRequest(
                assessor=subject, duty=evaluation_pb2.Duty.Value(duty), institution=institution, **self.about()
            )
        )

    async def assess(
        self, subject: str, levels: Mapping[str, str], stage: evaluation_pb2.Stage.ValueType = DOCUMENT
    ) -> evaluation_pb2.Evaluation:
        """An assessor's values, each with a note of three parts."""
        request = verification_pb2.SaveAssessmentsRequest(
            stage=stage,
            assessments=[
                verification_pb2.AssessedLevel(
                    indicator=code,
                    value=value,
                    note=evaluation_pb2.AssessorNote(fact="seen", analysis="weighed", justification=f"hence {value}"),
                )
                for code, value in levels.items()
            ],
            **self.about(),
        )
        return (await self.verifying("assessor", subject).SaveAssessments(request)).evaluation

    async def conclude(
        self, stage: evaluation_pb2.Stage.ValueType, role: str = "manager", subject: str = "", **more: Any
    ) -> evaluation_pb2.Evaluation:
        """Ends an external stage, also where an assessor has saved nothing."""
        request = verification_pb2.ConcludeStageRequest(stage=stage, **{"force": True, **more}, **self.about())
        return (await self.verifying(role, subject).ConcludeStage(request)).evaluation

    async def object_to(self, levels: Mapping[str, str]) -> evaluation_pb2.Evaluation:
        """By the head."""
        objections = [
            cycle_pb2.Objection(indicator=code, wanted_value=value, reason="the decree was overlooked")
            for code, value in levels.items()
        ]
        request = verification_pb2.RaiseObjectionsRequest(objections=objections, **self.about())
        return (await self.verifying("head").RaiseObjections(request)).evaluation

    async def review_all(self, role: str = "manager", subject: str = "", but: Iterable[str] = ()) -> None:
        """Everything Valid, but for some."""
        current = (
            await self.basic("manager").GetEvaluation(
                service_pb2.GetEvaluationRequest(evaluation_id=self.evaluation_id)
            )
        ).evaluation
        verdicts = [
            cycle_pb2.ReviewVerdict(indicator=one.indicator, verdict=cycle_pb2.VERDICT_VALID)
            for one in current.answers
            if one.indicator not in set(but) and not one.not_applicable
        ]
        request = verification_pb2.SaveVerdictsRequest(verdicts=verdicts, **self.about())
        await self.verifying(role, subject).SaveVerdicts(request)

    async def determine(self) -> evaluation_pb2.Evaluation:
        """By a manager."""
        request = verification_pb2.DetermineEvaluationRequest(
            determination=evaluation_pb2.Determination(decree="SK 108/2022", decree_date="2022-12-30"), **self.about()
        )
        return (await self.verifying("manager").DetermineEvaluation(request)).evaluation

    async def publish(self, published_index: str = "") -> evaluation_pb2.Evaluation:
        """By a manager."""
        request = verification_pb2.PublishEvaluationRequest(published_index=published_index, **self.about())
        return (await self.verifying("manager").PublishEvaluation(request)).evaluation

    async def published(self, published_index: str = "") -> evaluation_pb2.Evaluation:
        """All the way with nothing but inherited values after the self-assessment."""
        await self.submitted()
        await self.assign("ani")
        await self.conclude(DOCUMENT)
        await self.conclude(INTERVIEW)
        await self.review_all()
        await self.conclude(REVIEW)
        await self.determine()
        return await self.publish(published_index)
