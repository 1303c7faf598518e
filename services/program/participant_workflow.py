"""The course of one participant through a cohort: told of phases, waiting for facts, reporting what is done."""

import asyncio
import contextlib
from collections.abc import Coroutine, Sequence
from datetime import datetime
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from livinglab.program.v1 import cohort_pb2, definition_pb2
    from livinglab.program.v1 import workflow_pb2 as pb

    from services.program import clock, model
    from services.program.activities import Activities
    from services.program.workflows import ONE_CALL

_FAREWELL = {
    cohort_pb2.PARTICIPANT_STATE_GRADUATED: "graduation",
    cohort_pb2.PARTICIPANT_STATE_WITHDRAWN: "withdrawal",
}


@workflow.defn(name="ParticipantWorkflow")
class ParticipantWorkflow:
    """Takes up one thing at a time: a withdrawal first, then closings, then reports, openings and reminders."""

    @workflow.init
    def __init__(self, start: pb.ParticipantInput) -> None:
        self._start = start
        self._record = pb.ParticipantRecord()
        self._record.CopyFrom(start.state)
        self._closings: list[pb.PhaseClosing] = []
        self._leaving: pb.Withdrawal | None = None

    @workflow.run
    async def run(self, start: pb.ParticipantInput) -> pb.ParticipantResult:
        """Ends when it has graduated, withdrawn or failed, with that recorded and the program told."""
        story = asyncio.create_task(self._carry_out())
        while not story.done():
            try:
                await asyncio.shield(story)
            except asyncio.CancelledError:
                self._leaving = self._leaving or pb.Withdrawal(reason="its workflow was cancelled")
        return story.result()

    @workflow.signal
    def phase_opened(self, opening: pb.PhaseOpening) -> None:
        """A phase opened, or its deadline moved; a repeat, or one that comes after its closing, changes nothing."""
        closed = {*self._record.closed, *(closing.phase for closing in self._closings)}
        if opening.phase.id in closed:
            return
        for phase in self._record.open:
            if phase.opening.phase.id == opening.phase.id:
                if clock.moment(opening.deadline_time) > clock.moment(phase.opening.deadline_time):
                    phase.opening.CopyFrom(opening)
                    del phase.reminded[:]
                return
        self._record.open.add(opening=opening)

    @workflow.signal
    def phase_closed(self, closing: pb.PhaseClosing) -> None:
        """A phase closed."""
        if closing.phase not in self._record.closed and all(c.phase != closing.phase for c in self._closings):
            self._closings.append(closing)

    @workflow.signal
    def duties_done(self, done: pb.DutiesDone) -> None:
        """Facts arrived."""
        self._add(done)

    @workflow.signal
    def withdrawn(self, withdrawal: pb.Withdrawal) -> None:
        """It leaves the cohort."""
        self._leaving = self._leaving or withdrawal

    @workflow.query
    def progress(self) -> pb.ParticipantRecord:
        """The participant as the workflow sees it."""
        return self._record

    async def _carry_out(self) -> pb.ParticipantResult:
        while not self._record.outcome:
            await self._take_up_next()
        await self._take_leave()
        await workflow.wait_condition(workflow.all_handlers_finished)
        return pb.ParticipantResult(outcome=self._record.outcome, reason=self._record.reason)

    async def _take_up_next(self) -> None:
        if self._leaving:
            self._end(model.WITHDRAWN, self._leaving.reason)
        elif self._closings:
            await self._close(self._closings[0])
            self._closings.pop(0)
        elif phase := self._to_report():
            phase.reported = True
            await self._report(phase.opening.phase.id)
        elif phase := self._to_prepare():
            await self._unless_urgent(self._prepare(phase))
        elif phase := self._to_remind():
            await self._unless_urgent(self._remind(phase))
        else:
            await self._idle()

    def _to_report(self) -> pb.OpenPhase | None:
        """A phase whose required duties are done and not reported. One that requires none has nothing to report."""
        for phase in self._record.open:
            needs = model.required(phase.opening.phase)
            if needs and not phase.reported and not model.missing(phase.opening.phase, self._record.duties):
                return phase
        return None

    def _to_prepare(self) -> pb.OpenPhase | None:
        return next((phase for phase in self._record.open if not phase.prepared), None)

    def _to_remind(self) -> pb.OpenPhase | None:
        return next((p for p in self._record.open if any(at <= workflow.now() for at, _ in self._reminders(p))), None)

    def _reminders(self, phase: pb.OpenPhase) -> list[tuple[datetime, int]]:
        """Reminders to come, where a duty is still to be done."""
        if not self._undone(phase):
            return []
        deadline = clock.moment(phase.opening.deadline_time)
        days = [d for d in phase.opening.phase.remind_days_before if d not in phase.reminded]
        return sorted((clock.reminder(self._start.clock, deadline, d), d) for d in days)

    def _undone(self, phase: pb.OpenPhase) -> list[str]:
        return [duty.id for duty in phase.opening.phase.duties if duty.id not in self._record.duties]

    async def _idle(self) -> None:
        times = [at for phase in self._record.open for at, _ in self._reminders(phase)]
        longest = min(times) - workflow.now() if times else None
        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: bool(self._urgent() or self._to_report() or self._to_prepare()), timeout=longest
            )

    def _urgent(self) -> bool:
        return bool(self._leaving or self._closings)

    async def _unless_urgent(self, work: Coroutine[Any, Any, None]) -> None:
        """A service that is down must not hold up a closing or a withdrawal: then the work is let go."""
        task = asyncio.create_task(work)
        try:
            await workflow.wait_condition(lambda: task.done() or self._urgent())
        finally:
            unfinished = task.cancel()
            results = await asyncio.gather(task, return_exceptions=True)
        if not unfinished and isinstance(results[0], BaseException):
            raise results[0]

    async def _prepare(self, open_phase: pb.OpenPhase) -> None:
        """Side by side: what the ledger holds from before, what each duty needs to begin, and the invitation."""
        phase = open_phase.opening.phase
        names = {"cohort_id": self._start.cohort_id, "institution": self._start.institution, "phase": phase.id}
        work = [self._read_ledger(), self._write("invitation", phase.id, open_phase.opening)]
        for duty in phase.duties:
            step = pb.DutyStep(duty=duty.id, **names)
            if duty.kind in {definition_pb2.DUTY_KIND_SELF_ASSESS, definition_pb2.DUTY_KIND_REASSESS}:
                work.append(self._hear(Activities.open_evaluation, step))
            elif duty.kind == definition_pb2.DUTY_KIND_PLAN_APPROVED:
                work.append(self._hear(Activities.assign_coach, step))
        await asyncio.gather(*work)
        open_phase.prepared = True
        self._pass_over(open_phase)

    def _pass_over(self, phase: pb.OpenPhase) -> None:
        """Reminders whose day had passed when the phase opened are not sent: the invitation has just gone out."""
        for at, days in self._reminders(phase):
            if at <= workflow.now():
                phase.reminded.append(days)

    async def _remind(self, phase: pb.OpenPhase) -> None:
        due = [(at, days) for at, days in self._reminders(phase) if at <= workflow.now()]
        phase.reminded.extend(days for _, days in due)
        occasion = f"{phase.opening.phase.id}.{due[-1][1]}.{phase.opening.deadline_time.seconds}"
        await self._write("reminder", occasion, phase.opening, self._undone(phase))

    async def _report(self, phase: str) -> None:
        await self._tell_program("phase_done", pb.PhaseDone(institution=self._start.institution, phase=phase))

    async def _close(self, closing: pb.PhaseClosing) -> None:
        """The ledger has the last word: a fact that was stored in time counts, wherever its signal is."""
        if any(duty not in self._record.duties for duty in closing.required):
            await self._read_ledger()
        missed = [duty for duty in closing.required if duty not in self._record.duties]
        reported = any(phase.reported for phase in self._record.open if phase.opening.phase.id == closing.phase)
        if closing.required and not missed and not reported:
            await self._report(closing.phase)
        still_open = [phase for phase in self._record.open if phase.opening.phase.id != closing.phase]
        del self._record.open[:]
        self._record.open.extend(still_open)
        self._record.closed.append(closing.phase)
        if missed:
            why = "".join(f"; {problem}" for problem in self._record.problems)
            self._end(model.FAILED, f"{closing.phase} closed without {', '.join(missed)}{why}")
        elif closing.stopped:
            self._end(model.FAILED, f"the cohort was stopped at {closing.phase}")
        elif closing.last:
            self._end(model.GRADUATED, "")

    def _end(self, outcome: cohort_pb2.ParticipantState.ValueType, reason: str) -> None:
        self._record.outcome = outcome
        self._record.reason = reason

    async def _take_leave(self) -> None:
        names = {"cohort_id": self._start.cohort_id, "institution": self._start.institution}
        actor = self._leaving.actor if self._leaving else ""
        step = pb.OutcomeStep(outcome=self._record.outcome, reason=self._record.reason, actor=actor, **names)
        recorded = await self._call(Activities.record_outcome, step)
        if recorded:
            # A withdrawal that was acknowledged before this was recorded stands.
            self._end(recorded.outcome, recorded.reason)
        end = pb.ParticipantEnd(institution=self._start.institution, outcome=self._record.outcome)
        work = [self._tell_program("participant_ended", end)]
        if farewell := _FAREWELL.get(self._record.outcome):
            # The program need not wait for letters.
            work.append(self._write(farewell, "end", None))
        await asyncio.gather(*work)

    async def _read_ledger(self) -> None:
        step = pb.LedgerStep(cohort_id=self._start.cohort_id, institution=self._start.institution)
        await self._hear(Activities.read_ledger, step)

    async def _write(
        self, template: str, occasion: str, opening: pb.PhaseOpening | None, missing: Sequence[str] = ()
    ) -> None:
        step = pb.LetterStep(
            cohort_id=self._start.cohort_id,
            institution=self._start.institution,
            template=template,
            occasion=occasion,
            phase=opening.phase.id if opening else "",
            deadline_time=opening.deadline_time if opening else None,
            missing=missing,
        )
        await self._hear(Activities.notify_people, step)

    async def _hear(self, activity: Any, step: Any) -> None:
        """One call; the duties that its answer tells of are done."""
        self._add(await self._call(activity, step))

    async def _call(self, activity: Any, step: Any) -> Any:
        """The answer; None where it was refused for good. That is noted: it lets the participant fail at the closing
        if a duty hung on it, and holds nobody else up."""
        try:
            return await workflow.execute_activity_method(activity, step, **ONE_CALL)
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise asyncio.CancelledError from error
            self._record.problems.append(f"{error.activity_type}: {error.cause}")
            workflow.logger.error("an activity was refused for good: %s", self._record.problems[-1])
            return None

    def _add(self, done: pb.DutiesDone | None) -> None:
        if done:
            self._record.duties.extend(duty for duty in done.duties if duty not in self._record.duties)

    async def _tell_program(self, signal: str, news: Any) -> None:
        """By id and without a run, since the program continues as new. It may be gone; we end all the same."""
        program = workflow.get_external_workflow_handle(model.workflow_id(self._start.cohort_id))
        try:
            await program.signal(signal, news)
        except FailureError as error:
            workflow.logger.warning("the program could not be told %s: %s", signal, error)
