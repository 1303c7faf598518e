"""What a participant's workflow has done for it: its duties prepared, its people written to, its program told."""

import asyncio
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from livinglab.program.v1 import definition_pb2
    from livinglab.program.v1 import workflow_pb2 as pb

    from programs.rules.duties import EVALUATIONS
    from services.program.activities.all import Activities
    from services.program.model import letter_steps, open_phases
    from services.program.workflows import calls


class ParticipantCalls:
    """Of one of its lives. What is refused for good is a problem of the participant: it lets it fail at the closing if
    a duty hung on it, and holds nobody else up."""

    def __init__(self, start: pb.ParticipantInput, record: pb.ParticipantRecord) -> None:
        self._start = start
        self._record = record

    async def make_ready(self, open_phase: pb.OpenPhase) -> None:
        """Side by side: what each duty needs to begin, and the invitation."""
        phase = open_phase.opening.phase
        names = {"cohort_id": self._start.cohort_id, "institution": self._start.institution, "phase": phase.id}
        invitation = letter_steps.invitation(open_phase.opening, open_phases.undone(self._record, open_phase))
        work = [self.write(invitation, open_phase.opening)]
        for duty in phase.duties:
            step = pb.DutyStep(duty=duty.id, **names)
            if duty.kind in EVALUATIONS:
                work.append(self._hear(Activities.open_evaluation, step))
            elif duty.kind == definition_pb2.DUTY_KIND_PLAN_APPROVED:
                work.append(self._hear(Activities.assign_coach, step))
        await asyncio.gather(*work)

    async def read_ledger(self) -> None:
        """What it has done so far."""
        step = pb.LedgerStep(cohort_id=self._start.cohort_id, institution=self._start.institution)
        await self._hear(Activities.read_ledger, step)

    async def write(self, step: pb.LetterStep, opening: pb.PhaseOpening | None) -> None:
        """A letter to its people, about a phase or about the whole."""
        letter_steps.address(step, self._start.cohort_id, self._start.institution, self._start.readmissions, opening)
        await self._hear(Activities.notify_people, step)

    async def ask(self, activity: Any, step: Any) -> Any:
        """The answer; None where it was refused for good."""
        return await calls.ask(activity, step, calls.ONE, self._record.problems)

    async def tell_program(self, news: pb.Reports) -> None:
        """Together with what others report at the same time. It may be gone; we end all the same."""
        news.cohort_id = self._start.cohort_id
        await workflow.execute_local_activity_method(Activities.report, news, **calls.AT_ONCE)

    async def _hear(self, activity: Any, step: Any) -> None:
        """One call; the duties that its answer tells of are done."""
        done = await self.ask(activity, step)
        open_phases.learn(self._record, done.duties if done else ())
