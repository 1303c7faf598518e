"""The course of one participant through a cohort: told of phases, waiting for facts, reporting what is done."""

import asyncio
import contextlib
from collections.abc import Coroutine
from datetime import datetime
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from livinglab.program.v1 import cohort_pb2, definition_pb2
    from livinglab.program.v1 import workflow_pb2 as pb

    from services.program import calls, letter_steps, model, reminders, search_attributes
    from services.program.activities import Activities


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
        self._failed_phase = ""

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
        """A phase opened, or its dates moved; a repeat, or one that comes after its closing, changes nothing."""
        if model.occurrence(opening.phase.id, opening.reopened) in self._closed():
            return
        for phase in self._record.open:
            if phase.opening.phase.id == opening.phase.id:
                self._move(phase, opening)
                return
        self._record.open.add(opening=opening)

    @workflow.signal
    def phase_closed(self, closing: pb.PhaseClosing) -> None:
        """A phase closed."""
        if model.occurrence(closing.phase, closing.reopened) not in self._closed():
            self._closings.append(closing)

    @workflow.signal
    def paused(self, pause: pb.Pause) -> None:
        """Nothing is due until it is resumed; people are told of the phases that are open."""
        self._record.paused = True
        for phase in self._record.open:
            name = phase.opening.phase.id
            occasion = f"{name}.{phase.opening.deadline_time.seconds}"
            self._record.notices.add(template="paused", reason=pause.reason, occasion=occasion, phase=name)

    @workflow.signal
    def resumed(self, resumption: pb.Resumption) -> None:
        """The program goes on; where dates moved they come as openings."""
        self._record.paused = False

    @workflow.signal
    def noticed(self, notice: pb.Notice) -> None:
        """People are to be told of something."""
        self._record.notices.append(notice)

    @workflow.signal
    def retried(self, retry: pb.Retry) -> None:
        """What was refused for good is asked again: every open phase is prepared anew."""
        del self._record.problems[:]
        for phase in self._record.open:
            phase.prepared = False

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
            self._show()
            await self._take_up_next()
        await self._take_leave()
        self._show()
        await workflow.wait_condition(workflow.all_handlers_finished)
        return pb.ParticipantResult(outcome=self._record.outcome, reason=self._record.reason)

    def _show(self) -> None:
        """Where it stands, in the lists of Temporal."""
        phases = [phase.opening.phase.id for phase in self._record.open]
        state = search_attributes.participant_state(self._record.outcome or model.ACTIVE)
        search_attributes.upsert(phase=phases[0] if phases else "", state=state)

    async def _take_up_next(self) -> None:
        if self._leaving:
            self._end(model.WITHDRAWN, self._leaving.reason)
        elif self._closings:
            await self._close(self._closings[0])
            self._closings.pop(0)
        elif done := self._to_report():
            await self._report(done)
        elif phase := self._to_prepare():
            await self._unless_urgent(self._prepare(phase))
        elif self._record.notices:
            await self._unless_urgent(self._give_notice(self._record.notices[0]))
        elif letter := self._due_letter():
            await self._unless_urgent(self._remind(letter))
        else:
            await self._idle()

    def _closed(self) -> set[str]:
        return {*self._record.closed, *(model.occurrence(c.phase, c.reopened) for c in self._closings)}

    def _move(self, phase: pb.OpenPhase, opening: pb.PhaseOpening) -> None:
        """The dates of an open phase moved. What is due before the new deadline is due anew, unless all that moved is
        the calendar and the time that remains is the same."""
        before = phase.opening
        if opening.revision < before.revision or opening.deadline_time == before.deadline_time:
            return
        if opening.reason:
            self._record.notices.add(
                template="postponed",
                reason=opening.reason,
                occasion=f"{opening.phase.id}.{opening.deadline_time.seconds}",
                phase=opening.phase.id,
            )
        phase.opening.CopyFrom(opening)
        if not opening.shifted:
            del phase.reminded[:]
            del phase.escalated[:]
        if opening.reason:
            self._pass_over(phase)

    def _to_report(self) -> pb.PhaseDone | None:
        """A phase whose required duties, or those of its quorum, are done and not reported. One that requires none has
        nothing to report."""
        for phase in self._record.open:
            name = phase.opening.phase.id
            needs = model.required(phase.opening.phase)
            if needs and not phase.reported and not model.missing(phase.opening.phase, self._record.duties):
                return pb.PhaseDone(institution=self._start.institution, phase=name)
            counted = phase.opening.phase.gate.quorum_of
            if counted and not (phase.reported or phase.quorum_reported) and set(counted) <= set(self._record.duties):
                return pb.PhaseDone(institution=self._start.institution, phase=name, quorum_only=True)
        return None

    def _to_prepare(self) -> pb.OpenPhase | None:
        return next((phase for phase in self._record.open if not phase.prepared), None)

    def _due_letter(self) -> reminders.Letter | None:
        due = [letter for letter in self._letters() if letter.at <= workflow.now()]
        return due[0] if due else None

    def _letters(self) -> list[reminders.Letter]:
        """Reminders and escalations to come, where a duty is still to be done."""
        if self._record.paused:
            return []
        return [
            letter
            for phase in self._record.open
            if self._undone(phase)
            for letter in reminders.letters(self._start.clock, phase)
        ]

    def _undone(self, phase: pb.OpenPhase) -> list[str]:
        return [duty.id for duty in phase.opening.phase.duties if duty.id not in self._record.duties]

    async def _idle(self) -> None:
        wake = self._wake_time()

        def has_news() -> bool:
            to_do = self._urgent() or self._to_report() or self._to_prepare() or self._record.notices
            return bool(to_do) or self._wake_time() != wake

        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(has_news, timeout=wake - workflow.now() if wake else None)

    def _wake_time(self) -> datetime | None:
        return min((letter.at for letter in self._letters()), default=None)

    def _urgent(self) -> bool:
        return bool(self._leaving or self._closings)

    async def _unless_urgent(self, work: Coroutine[Any, Any, None]) -> None:
        """A service that is down must not hold up a closing or a withdrawal: then the work is let go."""
        task = asyncio.create_task(work)
        # Nothing awaits in a `finally` here: a workflow that leaves the worker's cache could not be closed.
        await workflow.wait_condition(lambda: task.done() or self._urgent())
        unfinished = task.cancel()
        results = await asyncio.gather(task, return_exceptions=True)
        if not unfinished and isinstance(results[0], BaseException):
            raise results[0]

    async def _prepare(self, open_phase: pb.OpenPhase) -> None:
        """Side by side: what the ledger holds from before, what each duty needs to begin, and the invitation."""
        phase = open_phase.opening.phase
        names = {"cohort_id": self._start.cohort_id, "institution": self._start.institution, "phase": phase.id}
        work = [self._read_ledger(), self._invite(open_phase.opening)]
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
        """Letters whose day had passed when people were told of the dates are not sent."""
        for letter in reminders.letters(self._start.clock, phase):
            if letter.at <= workflow.now():
                letter.mark()

    async def _invite(self, opening: pb.PhaseOpening) -> None:
        await self._write(letter_steps.invitation(opening), opening)

    async def _remind(self, due: reminders.Letter) -> None:
        last = reminders.nearest(self._start.clock, due, workflow.now())
        await self._write(letter_steps.reminder(last, self._undone(due.phase)), due.phase.opening)

    async def _give_notice(self, notice: pb.Notice) -> None:
        """About its phase, else the first that is open, with what is still to be done."""
        about = [p for p in self._record.open if notice.phase in {"", p.opening.phase.id}]
        if about:
            await self._write(letter_steps.notice(notice, self._undone(about[0])), about[0].opening)
        elif not notice.phase:
            await self._write(letter_steps.notice(notice, []), None)
        self._record.notices.remove(notice)

    async def _report(self, done: pb.PhaseDone) -> None:
        for phase in self._record.open:
            if phase.opening.phase.id == done.phase:
                phase.quorum_reported = True
                phase.reported = not done.quorum_only
        await self._tell_program("phase_done", done)

    async def _close(self, closing: pb.PhaseClosing) -> None:
        """The ledger has the last word: a fact that was stored in time counts, wherever its signal is."""
        if any(duty not in self._record.duties for duty in closing.required):
            await self._read_ledger()
        missed = [duty for duty in closing.required if duty not in self._record.duties]
        reported = any(phase.reported for phase in self._record.open if phase.opening.phase.id == closing.phase)
        if closing.required and not missed and not reported:
            await self._report(pb.PhaseDone(institution=self._start.institution, phase=closing.phase))
        still_open = [phase for phase in self._record.open if phase.opening.phase.id != closing.phase]
        del self._record.open[:]
        self._record.open.extend(still_open)
        self._record.closed.append(model.occurrence(closing.phase, closing.reopened))
        if missed:
            self._failed_phase = closing.phase
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
        step = pb.OutcomeStep(
            outcome=self._record.outcome,
            reason=self._record.reason,
            actor=actor,
            failed_phase=self._failed_phase,
            **names,
        )
        recorded = await self._call(Activities.record_outcome, step)
        if recorded:
            # A withdrawal that was acknowledged before this was recorded stands.
            self._end(recorded.outcome, recorded.reason)
        end = pb.ParticipantEnd(
            institution=self._start.institution, outcome=self._record.outcome, readmissions=self._start.readmissions
        )
        work = [self._tell_program("participant_ended", end)]
        if letter := letter_steps.farewell(self._record, self._leaving):
            # The program need not wait for letters.
            work.append(self._write(letter, None))
        await asyncio.gather(*work)

    async def _read_ledger(self) -> None:
        step = pb.LedgerStep(cohort_id=self._start.cohort_id, institution=self._start.institution)
        await self._hear(Activities.read_ledger, step)

    async def _write(self, step: pb.LetterStep, opening: pb.PhaseOpening | None) -> None:
        step.cohort_id = self._start.cohort_id
        step.institution = self._start.institution
        if opening:
            step.phase = opening.phase.id
            step.deadline_time.CopyFrom(opening.deadline_time)
        await self._hear(Activities.notify_people, step)

    async def _hear(self, activity: Any, step: Any) -> None:
        """One call; the duties that its answer tells of are done."""
        self._add(await self._call(activity, step))

    async def _call(self, activity: Any, step: Any) -> Any:
        """The answer; None where it was refused for good. That is noted: it lets the participant fail at the closing
        if a duty hung on it, and holds nobody else up."""
        try:
            return await workflow.execute_activity_method(activity, step, **calls.ONE)
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
