"""Events in: facts of the services become entries of a participant's ledger, then signals to its workflow."""

from collections.abc import Callable
from typing import Any

from google.protobuf.message import Message
from livinglab.assessment.v1 import evaluation_pb2
from livinglab.assessment.v1 import events_pb2 as assessment
from livinglab.coaching.v1 import events_pb2 as coaching
from livinglab.program.v1 import cohort_pb2, events_pb2
from livinglab.program.v1 import workflow_pb2 as pb
from prometheus_client import Counter

from chassis.mongo import Tx
from chassis.stream import Reaction
from services.program.engine import Engine
from services.program.ledger import Ledger
from services.program.store import Store

SIGNALS = Counter("livinglab_signals_total", "Signals to participants, by what became of them", ["outcome"])


class Reactions:
    """A fact belongs to the participant that its cohort and institution name, and only in its own realm."""

    def __init__(self, store: Store, engine: Engine) -> None:
        self._store = store
        self._engine = engine

    async def on_cohort_launched(self, event: events_pb2.CohortLaunched) -> None:
        """Heals a crash between the commit of a launch and the start of its workflow."""
        course = await self._store.course(event.cohort_id)
        if course and (await self._store.cohort(event.cohort_id)).state == cohort_pb2.COHORT_STATE_RUNNING:
            await self._engine.start_program(course)

    async def on_evaluation_submitted(self, tx: Tx, event: assessment.EvaluationSubmitted) -> None:
        """A self-assessment was handed in."""
        if event.stage == evaluation_pb2.STAGE_SELF_ASSESSMENT:
            await self._learn(tx, event, lambda ledger: ledger.submit(event.instrument, event.period))

    async def on_attendance_recorded(self, tx: Tx, event: coaching.AttendanceRecorded) -> None:
        """Somebody came to a session."""
        await self._learn(tx, event, lambda ledger: ledger.attend(event.phase, event.role))

    async def on_agreement_signed(self, tx: Tx, event: coaching.AgreementSigned) -> None:
        """The joint commitment was signed."""
        await self._learn(tx, event, lambda ledger: ledger.sign(event.phase))

    async def on_plan_approved(self, tx: Tx, event: coaching.PlanApproved) -> None:
        """The coach approved the plan."""
        await self._learn(tx, event, lambda ledger: ledger.approve_plan())

    async def on_action_completed(self, tx: Tx, event: coaching.ActionCompleted) -> None:
        """An action of the plan is done."""
        await self._learn(tx, event, lambda ledger: ledger.complete_actions(event.done, event.total))

    async def tell_workflow(self, event: Any) -> None:
        """Signals the duties that the participant's workflow has not been told of. One that does not run yet, or no
        more, needs no signal: it reads the ledger when a phase opens and before it closes."""
        for cohort_id in await self._cohorts(event):
            duties, told = await self._store.participants.duties(cohort_id, event.institution)
            if len(duties) <= told:
                continue
            reached = await self._engine.signal(
                cohort_id, event.institution, "duties_done", pb.DutiesDone(duties=duties[told:])
            )
            SIGNALS.labels("delivered" if reached else "nobody").inc()
            await self._store.participants.told(cohort_id, event.institution, len(duties))

    async def _learn(self, tx: Tx, event: Any, change: Callable[[Ledger], Ledger]) -> None:
        for cohort_id in await self._cohorts(event):
            course = await self._store.course(cohort_id)
            if course and course.mark == event.meta.rehearsal:
                await self._store.participants.learn(tx, course, event.institution, change)

    async def _cohorts(self, event: Any) -> list[str]:
        """A rehearsal's facts stay in it. A real evaluation serves every real cohort that its institution is in,
        whichever of them, if any, it was opened for."""
        if event.meta.rehearsal:
            return [event.meta.rehearsal]
        if isinstance(event, assessment.EvaluationSubmitted):
            return await self._store.participants.real_cohorts(event.institution)
        return [event.meta.cohort_id] if event.meta.cohort_id else []

    def table(self) -> list[Reaction]:
        """Every fact that program listens to."""

        def fact(event: type[Message], handle: Callable[[Tx, Any], Any]) -> Reaction:
            return Reaction(event, handle, self.tell_workflow)

        return [
            Reaction(events_pb2.CohortLaunched, after=self.on_cohort_launched),
            fact(assessment.EvaluationSubmitted, self.on_evaluation_submitted),
            fact(coaching.AttendanceRecorded, self.on_attendance_recorded),
            fact(coaching.AgreementSigned, self.on_agreement_signed),
            fact(coaching.PlanApproved, self.on_plan_approved),
            fact(coaching.ActionCompleted, self.on_action_completed),
        ]
