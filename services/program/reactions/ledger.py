"""Events in: facts of the services become entries of a participant's ledger, then signals to its workflow."""

from collections.abc import Callable
from typing import Any

from google.protobuf.message import Message
from livinglab.assessment.v1 import evaluation_pb2, evidence_events_pb2
from livinglab.assessment.v1 import events_pb2 as assessment
from livinglab.coaching.v1 import events_pb2 as coaching
from livinglab.coaching.v1 import plan_events_pb2
from livinglab.program.v1 import events_pb2
from livinglab.program.v1 import workflow_pb2 as pb
from prometheus_client import Counter

from chassis.events.stream import Reaction
from chassis.mongo import Tx
from directory.assignments import Assignments
from programs.phases import has_ended
from services.program.engine.client import Engine
from services.program.model.ledger import Ledger, Result
from services.program.store.cohorts import Store
from services.program.store.meetings import session_name

SIGNALS = Counter("livinglab_signals_total", "Signals to participants, by what became of them", ["outcome"])


class Reactions:
    """A fact belongs to the participant that its cohort and institution name, and only in its own realm."""

    def __init__(self, store: Store, engine: Engine) -> None:
        self._store = store
        self._engine = engine

    async def on_cohort_launched(self, event: events_pb2.CohortLaunched) -> None:
        """Heals a crash between the commit of a launch and the start of its workflow, and starts what was split."""
        course = await self._store.course(event.cohort_id)
        if course and not has_ended((await self._store.cohort(event.cohort_id)).state):
            await self._engine.start_program(course)

    async def on_evaluation_submitted(self, tx: Tx, event: assessment.EvaluationSubmitted) -> None:
        """A self-assessment was handed in."""
        if event.stage == evaluation_pb2.STAGE_SELF_ASSESSMENT:
            result = Result(event.score.index, event.score.predicate, event.meta.version)
            await self._learn(tx, event, lambda ledger: ledger.submit(event.instrument, event.period, result))

    async def on_evidence_coverage_changed(self, tx: Tx, event: evidence_events_pb2.EvidenceCoverageChanged) -> None:
        """Evidence stands for more or fewer indicators than before."""
        race, count = (event.instrument, event.period), event.indicators_with_evidence
        await self._learn(tx, event, lambda ledger: ledger.support(*race, event.meta.version, count))

    async def on_attendance_recorded(self, tx: Tx, event: coaching.AttendanceRecorded) -> None:
        """Somebody came to a session."""
        await self._learn(tx, event, lambda ledger: ledger.attend(event.phase, event.role, delegate=event.delegate))

    async def on_agreement_signed(self, tx: Tx, event: coaching.AgreementSigned) -> None:
        """The joint commitment was signed."""
        await self._learn(tx, event, lambda ledger: ledger.sign(event.phase))

    async def on_plan_approved(self, tx: Tx, event: coaching.PlanApproved) -> None:
        """The coach approved the plan."""
        await self._learn(tx, event, lambda ledger: ledger.approve_plan(event.actions))

    async def on_actions_counted(self, tx: Tx, event: coaching.ActionCompleted | plan_events_pb2.PlanAmended) -> None:
        """An action of the plan is done, or the plan has other actions than it had."""
        await self._learn(tx, event, lambda ledger: ledger.complete_actions(event.done, event.total))

    async def on_session_changed(self, tx: Tx, event: coaching.SessionScheduled | coaching.SessionCancelled) -> None:
        """A session stands elsewhere on the calendar, or not any more."""
        await self._store.meetings.hear(tx, event)

    async def tell_of_session(self, event: coaching.SessionScheduled | coaching.SessionCancelled) -> None:
        """What a manager did to one session, those invited hear. What moves with its phase is told with it, and that
        has no reason of its own; of what is called off with its cohort the workflow knows."""
        if not event.reason or await self._store.course(event.meta.cohort_id) is None:
            return
        moved = isinstance(event, coaching.SessionScheduled)
        session = session_name(event)
        notice = pb.Notice(
            template="session_moved" if moved else "session_cancelled",
            reason=event.reason,
            occasion=f"{session}.{event.meta.version}",
            phase=event.phase,
            session=session,
        )
        reached = await self._engine.signal(event.meta.cohort_id, "", "session_changed", notice)
        SIGNALS.labels("delivered" if reached else "nobody").inc()

    async def on_visit_held(self, tx: Tx, event: coaching.VisitHeld) -> None:
        """An institution visited another: each of the two has done something."""
        await self._learn(tx, event, lambda ledger: ledger.visit(event.visit_id, event.host))
        received = event.institution
        await self._learn(tx, event, lambda ledger: ledger.receive(event.visit_id, received), event.host)

    async def tell_workflow(self, event: Any) -> None:
        """Signals the duties that the workflows of those concerned have not been told of. One that does not run yet,
        or no more, needs no signal, and neither does a duty of a phase that has not opened: with the opening of a
        phase it hears what the ledger holds, and before a closing it is read."""
        for institution in filter(None, (event.institution, getattr(event, "host", ""))):
            for cohort_id in await self._cohorts(event, institution):
                await self._tell(cohort_id, institution)

    async def _tell(self, cohort_id: str, institution: str) -> None:
        duties, told = await self._store.participants.duties(cohort_id, institution)
        if len(duties) <= told or not await self._store.concern_now(cohort_id, duties[told:]):
            return
        news = pb.DutiesDone(duties=duties[told:])
        reached = await self._engine.signal(cohort_id, institution, "duties_done", news)
        SIGNALS.labels("delivered" if reached else "nobody").inc()
        await self._store.participants.told(cohort_id, institution, len(duties))

    async def _learn(self, tx: Tx, event: Any, change: Callable[[Ledger], Ledger], institution: str = "") -> None:
        institution = institution or event.institution
        for cohort_id in await self._cohorts(event, institution, tx):
            course = await self._store.course(cohort_id)
            if course and course.mark == event.meta.rehearsal:
                await self._store.participants.learn(tx, course, institution, change)

    async def _cohorts(self, event: Any, institution: str, tx: Tx | None = None) -> list[str]:
        """A rehearsal's facts stay in it, and in the cohorts that were split off it. A real evaluation serves every
        real cohort that its institution is in, whichever of them, if any, it was opened for. Any other fact belongs
        to its cohort, or to the one that the institution went on in."""
        participants = self._store.participants
        if event.meta.rehearsal:
            return await participants.rehearsed_cohorts(institution, event.meta.rehearsal, tx)
        if isinstance(event, assessment.EvaluationSubmitted | evidence_events_pb2.EvidenceCoverageChanged):
            return await participants.real_cohorts(institution, tx)
        if not event.meta.cohort_id:
            return []
        return [await participants.current_cohort(event.meta.cohort_id, institution, tx)]

    def table(self, assignments: Assignments | None = None) -> list[Reaction]:
        """Every fact that program listens to."""

        def fact(event: type[Message], handle: Callable[[Tx, Any], Any]) -> Reaction:
            return Reaction(event, handle, self.tell_workflow, lambda event: str(event.institution))

        assignments = assignments or Assignments(self._store.db)
        return [
            Reaction(coaching.CoachAssigned, assignments.on_coach_assigned),
            Reaction(assessment.AssessorAssigned, assignments.on_assessor_assigned),
            Reaction(assessment.AssessorWithdrawn, assignments.on_assessor_withdrawn),
            Reaction(events_pb2.CohortLaunched, after=self.on_cohort_launched),
            fact(assessment.EvaluationSubmitted, self.on_evaluation_submitted),
            fact(evidence_events_pb2.EvidenceCoverageChanged, self.on_evidence_coverage_changed),
            fact(coaching.AttendanceRecorded, self.on_attendance_recorded),
            fact(coaching.AgreementSigned, self.on_agreement_signed),
            fact(coaching.PlanApproved, self.on_plan_approved),
            fact(coaching.ActionCompleted, self.on_actions_counted),
            fact(plan_events_pb2.PlanAmended, self.on_actions_counted),
            fact(coaching.VisitHeld, self.on_visit_held),
            Reaction(coaching.SessionScheduled, self.on_session_changed, self.tell_of_session),
            Reaction(coaching.SessionCancelled, self.on_session_changed, self.tell_of_session),
        ]
