"""The course of a cohort: one workflow that carries out its agenda and takes commands."""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from livinglab.program.v1 import cohort_pb2, command_pb2
    from livinglab.program.v1 import workflow_pb2 as pb

    from services.program import calls, clock, errands, model, phase_steps, search_attributes, steering
    from services.program.activities import Activities
    from services.program.agenda import Act, Cohort, Step

# A run of the parent goes on in a new one from here, so that no history grows with the size of a cohort: between two
# phases, when nobody reports and it cannot fail for a signal that comes in between; within one when it waits for long.
MOST_EVENTS_AT_GATE = 300
MOST_EVENTS = 900
# Only somebody who ends a participant's workflow by hand makes the last wait longer than this.
PATIENCE = timedelta(hours=1)


@workflow.defn(name="ProgramWorkflow")
class ProgramWorkflow:
    """Does one thing of the agenda after the other, and counts what participants report."""

    @workflow.init
    def __init__(self, start: pb.ProgramInput) -> None:
        self._start = start
        self._state = pb.ProgramState()
        self._state.CopyFrom(start.state)
        self._cohort = Cohort(start.definition, start.clock, start.participants, self._state)
        self._story: asyncio.Task[None] | None = None
        # Its end has begun: no command can change it any more, but it can be cancelled until the last one has left.
        self._over = False
        self._ending = False
        # Held while a command is carried out and recorded: its errands come after.
        self._steering = asyncio.Lock()

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
        """A participant has done the required duties of a phase, or those of its quorum; told twice, it counts once."""
        for record in self._state.phases:
            if record.phase == done.phase:
                for heard in (record.quorum,) if done.quorum_only else (record.quorum, record.done):
                    if done.institution not in heard:
                        heard.append(done.institution)

    @workflow.signal
    def participant_ended(self, end: pb.ParticipantEnd) -> None:
        """A participant graduated, withdrew or failed."""
        if end.readmissions >= self._state.readmissions.get(end.institution, 0):
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

    @workflow.update
    async def steer(self, command: command_pb2.Command) -> command_pb2.CommandAnswer:
        """A manager's command: one after the other, answered by what stands, and recorded before it is answered."""
        async with self._steering:
            with calls.refusals():
                if known := steering.known_answer(self._state, command):
                    return known
                steering.require_steerable(self._state, ending=self._over)
                step = steering.carry_out(self._cohort, command, workflow.now())
            step.cohort_id = self._start.cohort_id
            await self._call(Activities.record_command, step, calls.ONE)
            return command_pb2.CommandAnswer(request_id=command.request_id, awaiting_second=step.awaiting_second)

    @steer.validator
    def check(self, command: command_pb2.Command) -> None:
        """Refuses at once, and without a trace, what could not be carried out as things stand."""
        with calls.refusals():
            if steering.known_answer(self._state, command) is None:
                steering.require_steerable(self._state, ending=self._over)
                steering.carry_out(self._cohort.copy(), command, workflow.now())

    @workflow.query
    def progress(self) -> pb.ProgramState:
        """The cohort as the workflow sees it."""
        return self._state

    async def _end(self) -> pb.ProgramResult:
        self._over = self._ending = True
        if not self._state.outcome:
            await self._take_everyone_out()
        step = pb.CompletionStep(
            cohort_id=self._start.cohort_id,
            outcome=self._state.outcome,
            reason=self._state.reason,
            actor=self._state.actor,
        )
        await self._step(Activities.complete_cohort, step, calls.ONE)
        self._show()
        await workflow.wait_condition(workflow.all_handlers_finished)
        return model.result(self._state.outcome, self._state.ended)

    async def _carry_out(self) -> None:
        await self._start_participants()
        while True:
            step = self._next_step()
            self._show()
            if step is None:
                await self._rest()
            elif step.act is Act.END:
                break
            else:
                await self._take(step)
        self._over = True
        await self._say_farewell()
        stopped = any(record.stopped for record in self._state.phases)
        self._state.outcome = cohort_pb2.COHORT_STATE_STOPPED if stopped else cohort_pb2.COHORT_STATE_COMPLETED

    def _show(self) -> None:
        """Where it stands, in the lists of Temporal."""
        state = cohort_pb2.COHORT_STATE_PAUSED if self._cohort.paused else cohort_pb2.COHORT_STATE_RUNNING
        phases = [self._state.phases[place].phase for place in self._cohort.open_places()]
        search_attributes.upsert(
            phase=phases[0] if phases else "", state=search_attributes.cohort_state(self._state.outcome or state)
        )

    def _next_step(self) -> Step | None:
        return None if self._steering.locked() else self._cohort.next_step(workflow.now())

    async def _take(self, step: Step) -> None:
        if step.act is Act.ERRAND:
            await self._run_errand(self._state.errands[0])
            del self._state.errands[0]
            return
        record = self._state.phases[step.phase]
        if step.act is Act.OPEN:
            await self._open(step.phase, record)
        elif step.act is Act.ANNOUNCE:
            record.announced = True
            await self._announce_opening(step.phase)
        elif step.act is Act.EXTEND:
            phase_steps.extend(self._cohort, step.phase)
            await self._record_phase(Activities.extend_phase, record)
            await self._announce_opening(step.phase)
        elif step.act is Act.HOLD:
            record.held_time.CopyFrom(clock.stamp(workflow.now()))
            await self._record_phase(Activities.extend_phase, record)
        elif step.act in {Act.CLOSE, Act.STOP}:
            phase_steps.begin_closing(self._cohort, step.phase, workflow.now(), stopped=step.act is Act.STOP)
            await self._announce(phase_steps.closing(self._cohort, step.phase))
        elif step.act is Act.SETTLE:
            phase_steps.settle(self._cohort, step.phase)
            await self._record_phase(Activities.close_phase, record)
            if _events() > MOST_EVENTS_AT_GATE and self._cohort.active_count:
                await self._continue_as_new()

    async def _rest(self) -> None:
        """Until there is something to do. Continues as new when the history has grown long."""
        wake = self._cohort.next_time()
        longest = None if wake is None else max(wake - workflow.now(), timedelta())
        if closing := self._cohort.closing():
            longest = PATIENCE if longest is None else min(longest, PATIENCE)
        if not await self._wait(lambda: self._next_step() is not None, longest):
            # Should a participant's workflow have been ended by hand, telling them again brings it to light.
            for place in closing:
                if workflow.now() - clock.moment(self._state.phases[place].close_time) >= PATIENCE:
                    await self._announce(phase_steps.closing(self._cohort, place))

    async def _open(self, place: int, record: pb.PhaseRecord) -> None:
        addressed = None
        if self._start.definition.phases[place].HasField("when"):
            step = pb.PhaseStep(cohort_id=self._start.cohort_id, record=record)
            addressed = await self._step(Activities.choose_addressed, step, calls.ONE)
            if self._next_step() != Step(Act.OPEN, place):
                # A command has come in between.
                return
        phase_steps.begin(self._cohort, place, workflow.now(), addressed)
        await asyncio.gather(self._record_phase(Activities.open_phase, record), self._schedule_sessions(record))

    async def _schedule_sessions(self, record: pb.PhaseRecord) -> None:
        if record.state == cohort_pb2.PHASE_STATE_OPEN:
            steps = phase_steps.sessions(self._start.cohort_id, self._cohort, record)
            await asyncio.gather(*(self._step(Activities.schedule_session, step, calls.ONE) for step in steps))

    async def _run_errand(self, errand: pb.Errand) -> None:
        if errand.HasField("announcement"):
            await self._announce(errand.announcement)
        elif errand.HasField("starting"):
            await self._start_some(errand.starting)
        elif errand.sessions_of:
            await self._schedule_sessions(self._state.phases[self._cohort.place(errand.sessions_of)])

    async def _start_participants(self) -> None:
        if not self._state.participants_started:
            await self._start_some(pb.RosterStep())
            self._state.participants_started = True

    async def _start_some(self, step: pb.RosterStep) -> None:
        roster = pb.RosterStep(cohort_id=self._start.cohort_id, clock=self._start.clock)
        roster.MergeFrom(step)
        await self._reach(Activities.start_participants, roster)

    async def _take_everyone_out(self) -> None:
        """Sessions to come are cancelled and people are told; plans are left as they are."""
        self._state.reason = self._state.reason or "the cohort was cancelled"
        await self._start_participants()
        sessions = phase_steps.sessions_to_cancel(self._start.cohort_id, self._cohort, workflow.now())
        await asyncio.gather(*(self._step(Activities.schedule_session, step, calls.ONE) for step in sessions))
        withdrawal = pb.Withdrawal(reason=self._state.reason, actor=self._state.actor, cancelled=True)
        await self._until_everyone_ended(pb.Announcement(withdrawal=withdrawal))
        self._state.outcome = cohort_pb2.COHORT_STATE_CANCELLED

    async def _say_farewell(self) -> None:
        """To those whom no closing has ended; phases that were open side by side with one that stopped the cohort are
        over too."""
        for place in self._cohort.open_places():
            phase_steps.begin_closing(self._cohort, place, workflow.now(), stopped=False)
            phase_steps.settle(self._cohort, place)
            await self._record_phase(Activities.close_phase, self._state.phases[place])
        await self._until_everyone_ended(phase_steps.last_closing(self._cohort))

    async def _until_everyone_ended(self, last_words: pb.Announcement) -> None:
        while self._cohort.active_count:
            await self._announce(last_words)
            await self._wait(lambda: not self._cohort.active_count, PATIENCE)

    async def _wait(self, condition: Callable[[], bool], longest: timedelta | None) -> bool:
        """Whether the condition came true in time. Continues as new when the history has grown long."""
        try:
            await workflow.wait_condition(lambda: condition() or _events() > MOST_EVENTS, timeout=longest)
        except TimeoutError:
            return False
        self._heed_cancellation()
        if not condition():
            await self._continue_as_new()
        return True

    async def _continue_as_new(self) -> None:
        """Once every command that was accepted is answered."""
        await workflow.wait_condition(workflow.all_handlers_finished)
        self._heed_cancellation()
        again = pb.ProgramInput()
        again.CopyFrom(self._start)
        again.state.CopyFrom(self._state)
        workflow.continue_as_new(again)

    async def _announce_opening(self, place: int) -> None:
        opening = errands.opening_of(self._cohort, place)
        await self._announce(pb.Announcement(opening=opening, only=self._state.phases[place].addressed))

    async def _announce(self, announcement: pb.Announcement) -> None:
        announcement.cohort_id = self._start.cohort_id
        await self._reach(Activities.announce, announcement)

    async def _record_phase(self, activity: Any, record: pb.PhaseRecord) -> None:
        self._state.revision += 1
        step = pb.PhaseStep(cohort_id=self._start.cohort_id, record=record, revision=self._state.revision)
        await self._step(activity, step, calls.ONE)

    async def _reach(self, activity: Any, step: Any) -> None:
        """Notes what the read model knows of participants that ended, should a signal of theirs have found nobody;
        not of those taken in again meanwhile."""
        before = dict(self._state.readmissions)
        reached: pb.Reached | None = await self._step(activity, step, calls.MANY)
        for institution, outcome in reached.ended.items() if reached else ():
            if self._state.readmissions.get(institution, 0) == before.get(institution, 0):
                self._state.ended[institution] = outcome

    async def _step(self, activity: Any, step: Any, how: dict[str, Any]) -> Any:
        """As `_call`, for the story, which ends when it is cancelled."""
        answer = await self._call(activity, step, how)
        self._heed_cancellation()
        return answer

    async def _call(self, activity: Any, step: Any, how: dict[str, Any]) -> Any:
        """What the activity answers; None when it was refused for good, which goes to the manager and not on."""
        try:
            return await workflow.execute_activity_method(activity, step, **how)
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise asyncio.CancelledError from error
            self._state.problems.append(f"{error.activity_type}: {error.cause}")
            workflow.logger.error("an activity was refused for good: %s", self._state.problems[-1])
            return None

    def _heed_cancellation(self) -> None:
        """A cancellation that comes together with an answer is swallowed by the await."""
        if self._state.cancelling and not self._ending:
            raise asyncio.CancelledError


def _events() -> int:
    return workflow.info().get_current_history_length()
