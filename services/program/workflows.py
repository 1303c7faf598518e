"""The course of a cohort: one workflow that opens and closes its phases."""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from livinglab.program.v1 import cohort_pb2, definition_pb2
    from livinglab.program.v1 import workflow_pb2 as pb

    from services.program import clock, gate, model
    from services.program.activities import Activities

# A refusal of these kinds comes again however often it is asked: it is noted for a manager to decide.
PERMANENT = ["INVALID_ARGUMENT", "PERMISSION_DENIED", "FAILED_PRECONDITION", "NOT_FOUND", "ALREADY_EXISTS"]
# Everything else is waited out, for hours if need be.
RETRY = RetryPolicy(
    initial_interval=timedelta(milliseconds=200),
    maximum_interval=timedelta(seconds=10),
    non_retryable_error_types=PERMANENT,
)
# What is let go is not called back: all of it may happen, late or twice, without harm.
ONE_CALL: dict[str, Any] = {
    "start_to_close_timeout": timedelta(seconds=30),
    "retry_policy": RETRY,
    "cancellation_type": workflow.ActivityCancellationType.ABANDON,
}
MANY_CALLS: dict[str, Any] = {
    **ONE_CALL,
    "start_to_close_timeout": timedelta(minutes=10),
    "heartbeat_timeout": timedelta(seconds=15),
}
# A run of the parent goes on in a new one from here, so that no history grows with the size of a cohort: between two
# phases, when nobody reports and it cannot fail for a signal that comes in between; within one when it waits for long.
MOST_EVENTS_AT_GATE = 300
MOST_EVENTS = 900
# Only somebody who ends a participant's workflow by hand makes the last wait longer than this.
PATIENCE = timedelta(hours=1)


@workflow.defn(name="ProgramWorkflow")
class ProgramWorkflow:
    """Opens and closes the phases of a cohort and counts what its participants report."""

    @workflow.init
    def __init__(self, start: pb.ProgramInput) -> None:
        self._start = start
        self._definition = start.definition
        self._state = pb.ProgramState()
        self._state.CopyFrom(start.state)
        self._story: asyncio.Task[None] | None = None
        self._ending = False

    @workflow.run
    async def run(self, start: pb.ProgramInput) -> pb.ProgramResult:
        """Ends when every participant has; cancelled, it takes them all out first."""
        if not self._state.cancelling:
            self._story = asyncio.create_task(self._carry_out())
            try:
                await asyncio.shield(self._story)
            except asyncio.CancelledError:
                self._state.cancelling = True
                self._story.cancel()
                await asyncio.gather(self._story, return_exceptions=True)
        ending = asyncio.create_task(self._end())
        while not ending.done():
            # From here on nothing stops it: everybody's end is counted and recorded.
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.shield(ending)
        return ending.result()

    @workflow.signal
    def phase_done(self, done: pb.PhaseDone) -> None:
        """A participant has done the required duties of a phase; told twice, it counts once."""
        for record in self._state.phases:
            if record.phase == done.phase and done.institution not in record.done:
                record.done.append(done.institution)

    @workflow.signal
    def participant_ended(self, end: pb.ParticipantEnd) -> None:
        """A participant graduated, withdrew or failed."""
        self._state.ended[end.institution] = end.outcome

    @workflow.signal
    def cancelled(self, cancellation: pb.Cancellation) -> None:
        """A manager ends the cohort before its time."""
        if not self._state.cancelling and not self._state.outcome:
            self._state.cancelling = True
            self._state.reason = cancellation.reason
            self._state.actor = cancellation.actor
            if self._story:
                self._story.cancel()

    @workflow.query
    def progress(self) -> pb.ProgramState:
        """The cohort as the workflow sees it."""
        return self._state

    async def _end(self) -> pb.ProgramResult:
        self._ending = True
        if not self._state.outcome:
            await self._take_everyone_out()
        step = pb.CompletionStep(
            cohort_id=self._start.cohort_id,
            outcome=self._state.outcome,
            reason=self._state.reason,
            actor=self._state.actor,
        )
        await self._step(Activities.complete_cohort, step, ONE_CALL)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return model.result(self._state.outcome, self._state.ended)

    async def _carry_out(self) -> None:
        await self._start_participants()
        outcome = cohort_pb2.COHORT_STATE_COMPLETED
        while self._state.phase < len(self._definition.phases) and self._active_count():
            record = self._state.phases[self._state.phase]
            phase = self._definition.phases[self._state.phase]
            await self._hold(phase, record)
            if record.stopped:
                outcome = cohort_pb2.COHORT_STATE_STOPPED
                self._state.reason = f"the quorum of {phase.id} was missed"
                break
            self._state.phase += 1
            if _events() > MOST_EVENTS_AT_GATE and self._active_count():
                self._continue_as_new()
        await self._everyone_ended()
        self._state.outcome = outcome

    async def _start_participants(self) -> None:
        if not self._state.participants_started:
            step = pb.RosterStep(cohort_id=self._start.cohort_id, clock=self._start.clock)
            self._note(await self._step(Activities.start_participants, step, MANY_CALLS))
            self._state.participants_started = True

    async def _hold(self, phase: definition_pb2.Phase, record: pb.PhaseRecord) -> None:
        if record.state == cohort_pb2.PHASE_STATE_PENDING:
            early = clock.moment(record.open_time) - workflow.now()
            if early > timedelta():
                await workflow.sleep(early)
            await self._open(phase, record)
        if record.state == cohort_pb2.PHASE_STATE_OPEN:
            if not record.announced:
                await self._announce_opening(phase, record)
            if not record.HasField("close_time"):
                await self._wait_at_gate(phase, record)
            await self._close(phase, record)

    async def _open(self, phase: definition_pb2.Phase, record: pb.PhaseRecord) -> None:
        now = workflow.now()
        record.deadline_time.CopyFrom(clock.stamp(clock.deadline(self._start.clock, record, now)))
        record.open_time.CopyFrom(clock.stamp(now))
        record.invited = self._active_count()
        record.state = cohort_pb2.PHASE_STATE_OPEN
        step = pb.PhaseStep(cohort_id=self._start.cohort_id, record=record)
        sessions = [
            pb.SessionStep(cohort_id=self._start.cohort_id, clock=self._start.clock, phase=phase.id, session=session.id)
            for session in phase.sessions
        ]
        await asyncio.gather(
            self._step(Activities.open_phase, step, ONE_CALL),
            *(self._step(Activities.schedule_session, session, ONE_CALL) for session in sessions),
        )

    async def _announce_opening(self, phase: definition_pb2.Phase, record: pb.PhaseRecord) -> None:
        opening = pb.PhaseOpening(phase=phase, deadline_time=record.deadline_time)
        await self._announce(pb.Announcement(opening=opening))
        record.announced = True

    async def _wait_at_gate(self, phase: definition_pb2.Phase, record: pb.PhaseRecord) -> None:
        """Returns when the phase is to close."""

        def is_open() -> bool:
            return gate.gate_open(phase, *gate.standing(self._start.participants, self._state.ended, record))

        while not await self._wait(is_open, clock.moment(record.deadline_time) - workflow.now()):
            active, done = gate.standing(self._start.participants, self._state.ended, record)
            decision = gate.on_deadline(phase, active, done, extended=record.extended)
            if decision is not gate.Decision.EXTEND:
                record.stopped = decision is gate.Decision.STOP
                return
            later = clock.moment(record.deadline_time) + clock.wall_days(self._start.clock, phase.gate.extend_days)
            record.deadline_time.CopyFrom(clock.stamp(later))
            record.extended = True
            step = pb.PhaseStep(cohort_id=self._start.cohort_id, record=record)
            await self._step(Activities.extend_phase, step, ONE_CALL)
            await self._announce_opening(phase, record)

    async def _close(self, phase: definition_pb2.Phase, record: pb.PhaseRecord) -> None:
        """Closed is a phase when each participant has either done its duties or ended, so that who is invited to the
        next one, and how many were done, are facts."""
        record.close_time.CopyFrom(clock.stamp(workflow.now()))
        last = record.stopped or phase.id == self._definition.phases[-1].id
        closing = pb.Announcement(closing=self._closing(phase, last=last, stopped=record.stopped))

        def settled() -> bool:
            active, done = gate.standing(self._start.participants, self._state.ended, record)
            return active == 0 or done >= active or not model.required(phase)

        await self._announce(closing)
        while not await self._wait(settled, PATIENCE):
            await self._announce(closing)
        record.state = cohort_pb2.PHASE_STATE_CLOSED
        step = pb.PhaseStep(cohort_id=self._start.cohort_id, record=record)
        await self._step(Activities.close_phase, step, ONE_CALL)

    def _closing(self, phase: definition_pb2.Phase, *, last: bool, stopped: bool) -> pb.PhaseClosing:
        return pb.PhaseClosing(phase=phase.id, last=last, stopped=stopped, required=model.required(phase))

    async def _take_everyone_out(self) -> None:
        """Invitations stand as they were sent; everybody who is still in the cohort is withdrawn."""
        self._state.reason = self._state.reason or "the cohort was cancelled"
        await self._start_participants()
        farewell = pb.Announcement(withdrawal=pb.Withdrawal(reason=self._state.reason, actor=self._state.actor))
        await self._announce(farewell)
        await self._everyone_ended(farewell)
        self._state.outcome = cohort_pb2.COHORT_STATE_CANCELLED

    async def _everyone_ended(self, last_words: pb.Announcement | None = None) -> None:
        """Should a participant's workflow have been ended by hand, telling them all again brings it to light."""
        while not await self._wait(lambda: not self._active_count(), PATIENCE):
            if last_words is None:
                phase = self._definition.phases[min(self._state.phase, len(self._definition.phases) - 1)]
                stopped = any(record.stopped for record in self._state.phases)
                last_words = pb.Announcement(closing=self._closing(phase, last=True, stopped=stopped))
            await self._announce(last_words)

    async def _wait(self, condition: Callable[[], bool], longest: timedelta) -> bool:
        """Whether the condition came true in time. Continues as new when the history has grown long."""
        if longest <= timedelta():
            return condition()

        try:
            await workflow.wait_condition(lambda: condition() or _events() > MOST_EVENTS, timeout=longest)
        except TimeoutError:
            return False
        self._heed_cancellation()
        if not condition():
            self._continue_as_new()
        return True

    def _continue_as_new(self) -> None:
        again = pb.ProgramInput()
        again.CopyFrom(self._start)
        again.state.CopyFrom(self._state)
        workflow.continue_as_new(again)

    async def _announce(self, announcement: pb.Announcement) -> None:
        announcement.cohort_id = self._start.cohort_id
        self._note(await self._step(Activities.announce, announcement, MANY_CALLS))

    def _note(self, reached: pb.Reached | None) -> None:
        """What the read model knows of participants that ended, should a signal of theirs have found nobody."""
        if reached:
            for institution, outcome in reached.ended.items():
                self._state.ended[institution] = outcome

    def _active_count(self) -> int:
        return self._start.participants - len(self._state.ended)

    async def _step(self, activity: Any, step: Any, how: dict[str, Any]) -> Any:
        """What the activity answers; None when it was refused for good, which goes to the manager and not on."""
        answer = None
        try:
            answer = await workflow.execute_activity_method(activity, step, **how)
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise asyncio.CancelledError from error
            self._state.problems.append(f"{error.activity_type}: {error.cause}")
            workflow.logger.error("an activity was refused for good: %s", self._state.problems[-1])
        self._heed_cancellation()
        return answer

    def _heed_cancellation(self) -> None:
        """A cancellation that comes together with an answer is swallowed by the await."""
        if self._state.cancelling and not self._ending:
            raise asyncio.CancelledError


def _events() -> int:
    return workflow.info().get_current_history_length()
