"""The activities that a cohort's workflow calls: participants started and told, phases recorded, sessions scheduled."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from livinglab.program.v1 import cohort_pb2
    from livinglab.program.v1 import workflow_pb2 as pb

    from services.program.activities.all import Activities
    from services.program.model import errands, phase_steps
    from services.program.model.agenda import Cohort
    from services.program.workflows import calls


class CohortCalls:
    """Each one is an activity; what is refused for good is a problem of the cohort and holds nobody up."""

    def __init__(self, cohort_id: str, cohort: Cohort, heed_cancellation: Callable[[], None]) -> None:
        self._cohort_id = cohort_id
        self._cohort = cohort
        self._heed_cancellation = heed_cancellation

    async def step(self, activity: Any, step: Any, how: dict[str, Any] = calls.ONE) -> Any:
        """What an activity answers; the story of the cohort ends here when it is cancelled."""
        answer = await calls.ask(activity, step, how, self._cohort.state.problems)
        self._heed_cancellation()
        return answer

    async def start_participants(self, openings: Iterable[pb.PhaseOpening] = ()) -> None:
        """Everybody of the launch, once."""
        if not self._cohort.state.participants_started:
            await self._start(pb.RosterStep(openings=openings, prepare=True))
            self._cohort.state.participants_started = True

    async def announce(self, announcement: pb.Announcement) -> None:
        """Everybody, or those named, are told."""
        announcement.cohort_id = self._cohort_id
        await self._reach(Activities.announce, announcement)

    async def reach(self, announcement: pb.Announcement) -> None:
        """The same, for a command: beside the story of the cohort, also when that has ended."""
        announcement.cohort_id = self._cohort_id
        before = dict(self._cohort.state.readmissions)
        self._note(await calls.ask(Activities.announce, announcement, calls.MANY, self._cohort.state.problems), before)

    async def announce_opening(self, place: int) -> None:
        """To those whom the phase is for, with the closings that nobody was told of yet."""
        opening, state = errands.opening_of(self._cohort, place), self._cohort.state
        addressed = state.phases[place].addressed
        if addressed:
            await self.catch_up()
        opening.closed.extend(state.untold)
        lives = state.readmissions
        await self.announce(pb.Announcement(opening=opening, only=addressed, prepare=True, readmissions=lives))
        del state.untold[: len(opening.closed)]

    async def announce_closing(self, place: int) -> None:
        """To those whom the phase was for; together with the next opening where it changes nothing for anybody."""
        announcement = phase_steps.closing(self._cohort, place)
        if phase_steps.closes_quietly(self._cohort, place):
            self._cohort.state.untold.append(announcement.closing)
            return
        await self.announce(announcement)

    async def catch_up(self) -> None:
        """Everybody hears of the closings that nobody was told of yet."""
        while self._cohort.state.untold:
            await self.announce(pb.Announcement(closing=self._cohort.state.untold[0]))
            del self._cohort.state.untold[0]

    async def choose_addressed(self, record: pb.PhaseRecord) -> pb.Addressed | None:
        """For whom the condition of a phase holds now."""
        step = pb.PhaseStep(cohort_id=self._cohort_id, record=record)
        addressed: pb.Addressed | None = await self.step(Activities.choose_addressed, step)
        return addressed

    async def record_phase(self, activity: Any, record: pb.PhaseRecord) -> None:
        """In the read model."""
        self._cohort.state.revision += 1
        step = pb.PhaseStep(cohort_id=self._cohort_id, record=record, revision=self._cohort.state.revision)
        await self.step(activity, step)

    async def schedule_sessions(self, record: pb.PhaseRecord) -> None:
        """Where they belong now; those of a phase that has not opened wait until it does."""
        if record.state == cohort_pb2.PHASE_STATE_OPEN:
            steps = phase_steps.sessions(self._cohort_id, self._cohort, record)
            await asyncio.gather(*(self.step(Activities.schedule_session, step) for step in steps))

    async def cancel_sessions(self) -> None:
        """Those that were to come: they do not take place any more."""
        steps = phase_steps.sessions_to_cancel(self._cohort_id, self._cohort, workflow.now())
        await asyncio.gather(*(self.step(Activities.schedule_session, step) for step in steps))

    async def run_errand(self, errand: pb.Errand) -> None:
        """What follows from a command."""
        if errand.HasField("announcement"):
            await self.announce(errand.announcement)
        elif errand.HasField("starting"):
            await self._start(errand.starting)
        elif errand.sessions_of:
            await self.schedule_sessions(self._cohort.state.phases[self._cohort.place(errand.sessions_of)])

    async def complete(self) -> None:
        """The end of the cohort."""
        state = self._cohort.state
        step = pb.CompletionStep(
            cohort_id=self._cohort_id, outcome=state.outcome, reason=state.reason, actor=state.actor
        )
        await self.step(Activities.complete_cohort, step)

    async def _start(self, step: pb.RosterStep) -> None:
        roster = pb.RosterStep(cohort_id=self._cohort_id, clock=self._cohort.clock)
        roster.MergeFrom(step)
        await self._reach(Activities.start_participants, roster)

    async def _reach(self, activity: Any, step: Any) -> None:
        """Notes what the read model knows of participants that ended, should a signal of theirs have found nobody;
        not of those taken in again meanwhile."""
        before = dict(self._cohort.state.readmissions)
        self._note(await self.step(activity, step, calls.MANY), before)

    def _note(self, reached: pb.Reached | None, before: dict[str, int]) -> None:
        state = self._cohort.state
        for institution, outcome in reached.ended.items() if reached else ():
            if state.readmissions.get(institution, 0) == before.get(institution, 0):
                state.ended[institution] = outcome
