"""The course of a cohort: one workflow that carries out its agenda and takes commands."""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from livinglab.program.v1 import cohort_pb2, command_pb2
    from livinglab.program.v1 import workflow_pb2 as pb

    from programs import clock
    from services.program.activities.all import Activities
    from services.program.engine import search_attributes
    from services.program.model import errands, phase_steps, states
    from services.program.model.agenda import Act, Cohort, Step
    from services.program.model.orders import carried_out
    from services.program.model.orders import roster as roster_orders
    from services.program.workflows import calls
    from services.program.workflows.cohort_calls import CohortCalls

# A run of the parent goes on in a new one from here, so that no history grows with the size of a cohort: between two
# phases, when nobody reports and it cannot fail for a signal that comes in between; within one when it waits for long.
MOST_EVENTS_AT_GATE = 300
MOST_EVENTS = 900
# What may come between a closing and the opening that tells of it.
LEADS_TO_OPENING = {Act.SETTLE, Act.OPEN, Act.ANNOUNCE}
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
        self._calls = CohortCalls(start.cohort_id, self._cohort, self._heed_cancellation)
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
    def reported(self, news: pb.Reports) -> None:
        """Participants have done what a phase asks for, or have ended; told twice, it counts once."""
        phase_steps.note_done(self._state, news.done)
        for end in news.ended:
            if end.readmissions >= self._state.readmissions.get(end.institution, 0):
                self._state.ended[end.institution] = end.outcome

    @workflow.signal
    def session_changed(self, notice: pb.Notice) -> None:
        """A manager has moved or cancelled one session; those whom its phase is for are told, unless all is over."""
        if not self._over and not self._state.cancelling:
            errands.tell_of_session(self._cohort, notice)

    @workflow.update
    async def steer(self, command: command_pb2.Command) -> command_pb2.CommandAnswer:
        """A manager's command: one after the other, answered by what stands, and recorded before it is answered."""
        async with self._steering:
            with calls.refusals():
                if known := carried_out.known_answer(self._state, command):
                    return known
                carried_out.require_steerable(self._state, command, over=self._over, ending=self._ending)
                step = carried_out.carry_out(self._cohort, command, workflow.now())
            step.cohort_id = self._start.cohort_id
            refused: list[str] = []
            await calls.ask(Activities.record_command, step, calls.ONE, refused)
            self._state.problems.extend(refused)
            if refused and command.HasField("split"):
                with calls.refusals():
                    raise carried_out.take_back(self._cohort, step)
            if command.HasField("withdraw"):
                await self._calls.reach(roster_orders.farewell(command))
            if command.HasField("cancel") and self._story:
                self._story.cancel()
            return command_pb2.CommandAnswer(request_id=command.request_id, awaiting_second=step.awaiting_second)

    @steer.validator
    def check(self, command: command_pb2.Command) -> None:
        """Refuses at once, and without a trace, what could not be carried out as things stand."""
        with calls.refusals():
            if carried_out.known_answer(self._state, command) is None:
                carried_out.require_steerable(self._state, command, over=self._over, ending=self._ending)
                carried_out.carry_out(self._cohort.copy(), command, workflow.now())

    @workflow.query
    def progress(self) -> pb.ProgramState:
        """The cohort as the workflow sees it."""
        return self._state

    async def _end(self) -> pb.ProgramResult:
        self._over = self._ending = True
        # A command that was accepted is recorded first.
        await workflow.wait_condition(lambda: not self._steering.locked())
        if not self._state.outcome:
            await self._take_everyone_out()
        await self._calls.complete()
        self._show()
        await workflow.wait_condition(workflow.all_handlers_finished)
        return states.result(self._state.outcome, self._state.ended)

    async def _carry_out(self) -> None:
        await self._begin()
        while True:
            if _events() > MOST_EVENTS:
                await self._continue_as_new()
            step = self._next_step()
            if self._state.untold and (step is None or step.act not in LEADS_TO_OPENING):
                # Nothing opens by which they would hear it.
                await self._calls.catch_up()
                continue
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

    async def _begin(self) -> None:
        """Participants are started, with what is open from the first day on."""
        if self._state.participants_started:
            return
        while (step := self._next_step()) and step.act is Act.OPEN and not self._is_conditional(step.phase):
            await self._open(step.phase, self._state.phases[step.phase])
        # Who joins while an order is recorded would be told neither now nor by the order.
        await workflow.wait_condition(lambda: not self._steering.locked())
        # What an order has brought about comes first.
        openings = [] if self._state.errands else phase_steps.begin_announced(self._cohort)
        await self._calls.start_participants(openings)

    def _is_conditional(self, place: int) -> bool:
        return self._start.definition.phases[place].HasField("when")

    def _show(self) -> None:
        """Where it stands, in the lists of Temporal."""
        state = self._state.outcome or self._cohort.running_state
        phases = [self._state.phases[place].phase for place in self._cohort.open_places()]
        # Between two phases it is found by the one that it was in.
        search_attributes.upsert(phase=phases[0] if phases else None, state=states.cohort_state(state))

    def _next_step(self) -> Step | None:
        return None if self._steering.locked() else self._cohort.next_step(workflow.now())

    async def _take(self, step: Step) -> None:
        if step.act is Act.ERRAND:
            await self._calls.run_errand(self._state.errands[0])
            del self._state.errands[0]
            return
        record = self._state.phases[step.phase]
        if step.act is Act.OPEN:
            await self._open(step.phase, record)
        elif step.act is Act.ANNOUNCE:
            record.announced = True
            await self._calls.announce_opening(step.phase)
        elif step.act is Act.EXTEND:
            phase_steps.extend(self._cohort, step.phase)
            await self._calls.record_phase(Activities.extend_phase, record)
        elif step.act is Act.HOLD:
            record.held_time.CopyFrom(clock.stamp(workflow.now()))
            await self._calls.record_phase(Activities.extend_phase, record)
        elif step.act in {Act.CLOSE, Act.STOP}:
            phase_steps.begin_closing(self._cohort, step.phase, workflow.now(), stopped=step.act is Act.STOP)
            if step.act is Act.STOP:
                await self._calls.cancel_sessions()
            await self._calls.announce_closing(step.phase)
        elif step.act is Act.SETTLE:
            phase_steps.settle(self._cohort, step.phase)
            await self._calls.record_phase(Activities.close_phase, record)
            if _events() > MOST_EVENTS_AT_GATE and self._cohort.active_count:
                await self._continue_as_new()

    async def _rest(self) -> None:
        """Until there is something to do. Continues as new when the history has grown long."""
        if self._steering.locked():
            # What has fallen due waits until the command is recorded: no timer would help.
            await self._wait(lambda: not self._steering.locked(), None)
            return
        wake = self._cohort.next_time()
        longest = None if wake is None else max(wake - workflow.now(), timedelta())
        if closing := self._cohort.closing():
            longest = PATIENCE if longest is None else min(longest, PATIENCE)
        if not await self._wait(lambda: self._next_step() is not None, longest):
            # Should a participant's workflow have been ended by hand, telling them again brings it to light.
            for place in closing:
                if workflow.now() - clock.moment(self._state.phases[place].close_time) >= PATIENCE:
                    await self._calls.announce_closing(place)

    async def _open(self, place: int, record: pb.PhaseRecord) -> None:
        addressed = None
        if self._is_conditional(place):
            addressed = await self._calls.choose_addressed(record)
            if self._next_step() != Step(Act.OPEN, place):
                # A command has come in between.
                return
        phase_steps.begin(self._cohort, place, workflow.now(), addressed)
        recording = self._calls.record_phase(Activities.open_phase, record)
        await asyncio.gather(recording, self._calls.schedule_sessions(record))

    async def _take_everyone_out(self) -> None:
        """Sessions to come are cancelled and people are told; plans are left as they are."""
        self._state.reason = self._state.reason or "the cohort was cancelled"
        await self._calls.start_participants()
        for errand in self._state.errands:
            # Who was to be taken in is taken out with the others.
            if errand.HasField("starting"):
                await self._calls.run_errand(errand)
        del self._state.errands[:]
        await self._calls.cancel_sessions()
        withdrawal = pb.Withdrawal(reason=self._state.reason, actor=self._state.actor, cancelled=True)
        await self._until_everyone_ended(pb.Announcement(withdrawal=withdrawal))
        self._state.outcome = cohort_pb2.COHORT_STATE_CANCELLED

    async def _say_farewell(self) -> None:
        """To those whom no closing has ended; phases that were open side by side with one that stopped the cohort are
        over too."""
        for place in self._cohort.open_places():
            phase_steps.begin_closing(self._cohort, place, workflow.now(), stopped=False)
            phase_steps.settle(self._cohort, place)
            await self._calls.record_phase(Activities.close_phase, self._state.phases[place])
        await self._until_everyone_ended(phase_steps.last_closing(self._cohort))

    async def _until_everyone_ended(self, last_words: pb.Announcement) -> None:
        while self._cohort.active_count:
            await self._calls.announce(last_words)
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

    def _heed_cancellation(self) -> None:
        """A cancellation that comes together with an answer is swallowed by the await."""
        if self._state.cancelling and not self._ending:
            raise asyncio.CancelledError


def _events() -> int:
    return workflow.info().get_current_history_length()
