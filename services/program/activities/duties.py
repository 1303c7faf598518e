"""What a duty needs before its participant can do it: an evaluation is opened, a coach assigned."""

from typing import TYPE_CHECKING

from livinglab.assessment.v1 import service_pb2 as assessment
from livinglab.coaching.v1 import service_pb2 as coaching
from livinglab.program.v1 import definition_pb2
from livinglab.program.v1 import workflow_pb2 as pb
from temporalio.exceptions import ApplicationError

from chassis import mongo
from programs import phases
from programs.rules.duties import EVALUATIONS
from services.program.activities.neighbours import Neighbour
from services.program.model import self_assessment
from services.program.model.course import Course
from services.program.model.ledger import Ledger
from services.program.store.cohorts import Store

if TYPE_CHECKING:
    # Only the stubs' types know that they are asynchronous.
    from livinglab.assessment.v1.service_pb2_grpc import AssessmentServiceAsyncStub
    from livinglab.coaching.v1.service_pb2_grpc import CoachingServiceAsyncStub


class Duties:
    """Each call is idempotent, by the cohort, the participant and the duty."""

    def __init__(
        self,
        store: Store,
        assessment_stub: "AssessmentServiceAsyncStub",
        coaching_stub: "CoachingServiceAsyncStub",
        coaching_calls: Neighbour,
    ) -> None:
        self._store = store
        self._assessment = assessment_stub
        self._coaching = coaching_stub
        self._assessment_calls = Neighbour("assessment", store)
        self._coaching_calls = coaching_calls

    async def prepare(
        self, course: Course, phase: definition_pb2.Phase, institution: str
    ) -> tuple[list[str], list[str]]:
        """All that a phase needs for one participant: duties that turn out to be done already, and what was refused
        for good, which holds nothing up. What may pass is raised."""
        done: list[str] = []
        problems: list[str] = []
        for duty in phase.duties:
            step = pb.DutyStep(cohort_id=course.cohort_id, institution=institution, phase=phase.id, duty=duty.id)
            evaluated = duty.kind in EVALUATIONS
            try:
                if evaluated:
                    done += await self.open_evaluation(step)
                elif duty.kind == definition_pb2.DUTY_KIND_PLAN_APPROVED:
                    await self.assign_coach(step)
            except ApplicationError as error:
                if not error.non_retryable:
                    raise
                asked = "open_evaluation" if evaluated else "assign_coach"
                problems.append(f"{asked}: {error}")
        return done, problems

    async def open_evaluation(self, step: pb.DutyStep) -> list[str]:
        """Opens the evaluation that a duty asks for. The duty, where it was handed in before."""
        course, duty = await self._duty(step)
        request = assessment.OpenEvaluationRequest(
            request_id=_request_id(step, "open"),
            institution=step.institution,
            instrument=duty.instrument,
            period=duty.period,
            cohort_id=course.cohort_id,
            rehearsal=course.mark,
        )
        answer = await self._assessment_calls.ask(
            self._assessment.OpenEvaluation, request, duty.id, course, step.institution
        )
        handed_in, result = self_assessment.read(answer.evaluation)
        if not handed_in:
            return []

        def submitted(ledger: Ledger) -> Ledger:
            return ledger.submit(duty.instrument, duty.period, result)

        async def body(tx: mongo.Tx) -> None:
            await self._store.participants.learn(tx, course, step.institution, submitted)

        await self._store.db.transaction(body)
        return [duty.id]

    async def assign_coach(self, step: pb.DutyStep) -> None:
        """Has coaching give the participant a coach."""
        course, duty = await self._duty(step)
        request = coaching.AssignCoachRequest(
            request_id=_request_id(step, "coach"),
            cohort_id=course.cohort_id,
            institution=step.institution,
            rehearsal=course.mark,
        )
        await self._coaching_calls.ask(self._coaching.AssignCoach, request, duty.id, course, step.institution)

    async def _duty(self, step: pb.DutyStep) -> tuple[Course, definition_pb2.Duty]:
        course = await self._store.known_course(step.cohort_id)
        phase = phases.find_phase(course.definition, step.phase)
        return course, next(duty for duty in phase.duties if duty.id == step.duty)


def _request_id(step: pb.DutyStep, what: str) -> str:
    return f"{step.cohort_id}:{step.institution}:{step.duty}:{what}"
