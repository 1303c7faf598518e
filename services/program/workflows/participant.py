"""The course of one participant through a cohort: told of phases, waiting for facts, reporting what is done."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from livinglab.program.v1 import cohort_pb2
    from livinglab.program.v1 import workflow_pb2 as pb

    from services.program.activities.all import Activities
    from services.program.engine import search_attributes
    from services.program.model import letter_steps, open_phases, reminders, states
    from services.program.workflows.participant_calls import ParticipantCalls


@workflow.defn(name="ParticipantWorkflow")
class ParticipantWorkflow:
    """Takes up one thing at a time: a withdrawal first, then closings, then reports, openings and reminders."""

    @workflow.init
    def __init__(self, start: pb.ParticipantInput) -> None:
        self._start = start
        self._record = pb.ParticipantRecord()
        self._record.CopyFrom(start.state)
        self._calls = ParticipantCalls(self._start, self._record)
        self._closings: list[pb.PhaseClosing] = []
        self._leaving: pb.Withdrawal | None = None
        self._failed_phase = ""
        # With which its end was recorded, together with those of others.
        self._recorded: pb.PhaseClosing | None = None

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
        open_phases.learn(self._record, opening.duties)
        self._record.problems.extend(opening.problems)
        closed = list(opening.closed)
        del opening.duties[:], opening.closed[:], opening.problems[:]
        for closing in closed:
            self.phase_closed(closing)
        if states.occurrence(opening.phase.id, opening.reopened) in self._closed():
            return
        open_phases.take_opening(self._record, self._start.clock, opening, workflow.now())

    @workflow.signal
    def phase_closed(self, closing: pb.PhaseClosing) -> None:
        """A phase closed."""
        known = states.occurrence(closing.phase, closing.reopened) in self._closed()
        if not known and not open_phases.is_overtaken(self._record, closing):
            self._closings.append(closing)

    @workflow.signal
    def paused(self, pause: pb.Pause) -> None:
        """Nothing is due until it is resumed; people are told of the phases that are open."""
        self._record.paused = True
        open_phases.tell_of_each(self._record, "paused", pause.reason, pause.occasion)

    @workflow.signal
    def resumed(self, resumption: pb.Resumption) -> None:
        """The program goes on; where dates moved they came as openings."""
        self._record.paused = False
        if resumption.occasion:
            open_phases.tell_of_each(self._record, "resumed", resumption.reason, resumption.occasion)

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
        open_phases.learn(self._record, done.duties)

    @workflow.signal
    def withdrawn(self, withdrawal: pb.Withdrawal) -> None:
        """It leaves the cohort."""
        self._leaving = self._leaving or withdrawal

    @workflow.signal
    def taken_in(self, start: pb.ParticipantInput) -> None:
        """It is in the cohort again, while letters of its end were still to be written: its course begins anew."""
        if start.readmissions > self._start.readmissions:
            self._start = start
            self._record = pb.ParticipantRecord()
            self._record.CopyFrom(start.state)
            self._calls = ParticipantCalls(self._start, self._record)
            self._closings.clear()
            self._leaving = None
            self._failed_phase = ""
            self._recorded = None

    @workflow.query
    def progress(self) -> pb.ParticipantRecord:
        """The participant as the workflow sees it."""
        return self._record

    async def _carry_out(self) -> pb.ParticipantResult:
        while not self._record.outcome:
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
        state = states.participant_state(self._record.outcome or states.ACTIVE)
        # Between two phases it is found by the one that it was in.
        search_attributes.upsert(phase=phases[0] if phases else None, state=state)

    async def _take_up_next(self) -> None:
        if self._leaving:
            self._end(states.WITHDRAWN, self._leaving.reason)
        elif self._closings:
            await self._close(self._closings[0])
            self._closings.pop(0)
        elif done := self._to_report():
            await self._report(done)
        elif phase := open_phases.to_prepare(self._record):
            await self._unless_urgent(self._prepare(phase))
        elif self._record.notices:
            await self._unless_urgent(self._give_notice(self._record.notices[0]))
        elif letter := self._due_letter():
            await self._unless_urgent(self._remind(letter))
        else:
            await self._idle()

    def _closed(self) -> set[str]:
        return {*self._record.closed, *(states.occurrence(c.phase, c.reopened) for c in self._closings)}

    def _due_letter(self) -> reminders.Letter | None:
        letters = open_phases.letters(self._record, self._start.clock)
        return next((letter for letter in letters if letter.at <= workflow.now()), None)

    async def _idle(self) -> None:
        wake = self._wake_time()

        def has_news() -> bool:
            to_do = self._to_report() or open_phases.to_prepare(self._record)
            return bool(self._urgent() or to_do or self._record.notices) or self._wake_time() != wake

        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(has_news, timeout=wake - workflow.now() if wake else None)

    def _wake_time(self) -> datetime | None:
        letters = open_phases.letters(self._record, self._start.clock)
        return min((letter.at for letter in letters), default=None)

    def _urgent(self) -> bool:
        return bool(self._leaving or self._closings)

    async def _unless_urgent(self, work: Coroutine[Any, Any, None]) -> None:
        """A service that is down must not hold up a closing or a withdrawal: then the work is let go. What is done
        meanwhile is reported beside it: it counts at the gate."""
        task = asyncio.create_task(work)
        while not (task.done() or self._urgent()):
            if done := self._to_report():
                await self._report(done)
            await workflow.wait_condition(lambda: task.done() or self._urgent() or bool(self._to_report()))
        await self._unless(task, self._urgent)

    def _to_report(self) -> pb.PhaseDone | None:
        return open_phases.to_report(self._record, self._start.institution)

    async def _unless(self, work: "asyncio.Future[Any]", let_go: Callable[[], bool]) -> None:
        # Nothing awaits in a `finally` here: a workflow that leaves the worker's cache could not be closed.
        await workflow.wait_condition(lambda: work.done() or let_go())
        unfinished = work.cancel()
        results = await asyncio.gather(work, return_exceptions=True)
        if not unfinished and isinstance(results[0], BaseException):
            raise results[0]

    async def _prepare(self, open_phase: pb.OpenPhase) -> None:
        """What the phase needs to begin, unless it was done for this participant with others."""
        if open_phases.asks_for_more(open_phase):
            await self._calls.make_ready(open_phase)
        open_phase.prepared = True
        open_phases.pass_over(self._start.clock, open_phase, workflow.now())

    async def _remind(self, due: reminders.Letter) -> None:
        last = reminders.nearest(self._start.clock, due, workflow.now())
        await self._calls.write(
            letter_steps.reminder(last, open_phases.undone(self._record, due.phase)), due.phase.opening
        )

    async def _give_notice(self, notice: pb.Notice) -> None:
        """About its phase, else the first that is open, with what is still to be done."""
        about = [p for p in self._record.open if notice.phase in {"", p.opening.phase.id}]
        if notice.session:
            await self._calls.write(letter_steps.notice(notice, []), None)
        elif about:
            await self._calls.write(
                letter_steps.notice(notice, open_phases.undone(self._record, about[0])), about[0].opening
            )
        elif not notice.phase:
            await self._calls.write(letter_steps.notice(notice, []), None)
        self._record.notices.remove(notice)

    async def _report(self, done: pb.PhaseDone) -> None:
        open_phases.mark_reported(self._record, done)
        await self._calls.tell_program(pb.Reports(done=[done]))

    async def _close(self, closing: pb.PhaseClosing) -> None:
        """The ledger has the last word: a fact that was stored in time counts, wherever its signal is."""
        if closing.HasField("ended"):
            open_phases.drop_closed(self._record, closing)
            self._recorded = closing
            self._end(closing.ended.outcome, closing.ended.reason)
            return
        if any(duty not in self._record.duties for duty in closing.required):
            await self._calls.read_ledger()
        missed = [duty for duty in closing.required if duty not in self._record.duties]
        reported = open_phases.drop_closed(self._record, closing)
        if closing.required and not missed and not reported:
            await self._report(pb.PhaseDone(institution=self._start.institution, phase=closing.phase))
        if missed:
            self._failed_phase = closing.phase
            why = "".join(f"; {problem}" for problem in self._record.problems)
            self._end(states.FAILED, f"{closing.phase} closed without {', '.join(missed)}{why}")
        elif closing.stopped:
            self._end(states.FAILED, f"the cohort was stopped at {closing.phase}")
        elif closing.last:
            self._end(states.GRADUATED, "")

    def _end(self, outcome: cohort_pb2.ParticipantState.ValueType, reason: str) -> None:
        self._record.outcome = outcome
        self._record.reason = reason

    async def _take_leave(self) -> None:
        if self._recorded is None:
            await self._record_end()
        if not (self._recorded and self._recorded.farewell):
            await self._say_farewell()

    async def _say_farewell(self) -> None:
        life = self._start.readmissions
        if self._record.outcome and (letter := letter_steps.farewell(self._record, self._leaving)):
            # Who is taken in again does not wait for it.
            writing = asyncio.create_task(self._calls.write(letter, None))
            await self._unless(writing, lambda: self._start.readmissions != life)

    async def _record_end(self) -> None:
        names = {"cohort_id": self._start.cohort_id, "institution": self._start.institution}
        actor = self._leaving.actor if self._leaving else ""
        step = pb.OutcomeStep(
            outcome=self._record.outcome,
            reason=self._record.reason,
            actor=actor,
            failed_phase=self._failed_phase,
            readmissions=self._start.readmissions,
            **names,
        )
        life = self._start.readmissions
        recorded = await self._calls.ask(Activities.record_outcome, step)
        if self._start.readmissions != life:
            return
        if recorded:
            # The program is told with it. A withdrawal that was acknowledged before this was recorded stands.
            self._end(recorded.outcome, recorded.reason)
        else:
            end = pb.ParticipantEnd(institution=step.institution, outcome=step.outcome, readmissions=life)
            await self._calls.tell_program(pb.Reports(ended=[end]))
