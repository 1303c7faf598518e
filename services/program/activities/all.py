"""The activities of cohorts: each is one idempotent call to another service, or one write to our own store."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from livinglab.coaching.v1 import service_pb2 as coaching
from livinglab.program.v1 import workflow_pb2 as pb
from temporalio import activity

from chassis.errors import Refused
from directory import Institution, official_regions
from programs import clock, phases
from services.program.activities.crowd import Crowd
from services.program.activities.duties import Duties
from services.program.activities.fan_out import FanOut
from services.program.activities.neighbours import Neighbour
from services.program.activities.reports import Reporter
from services.program.activities.together import Together
from services.program.activities.writing import Writing
from services.program.engine.client import Engine
from services.program.model.course import Course
from services.program.store.cohorts import Store

if TYPE_CHECKING:
    # Only the stubs' types know that these are asynchronous.
    from livinglab.assessment.v1.service_pb2_grpc import AssessmentServiceAsyncStub
    from livinglab.coaching.v1.service_pb2_grpc import CoachingServiceAsyncStub
    from livinglab.notify.v1.service_pb2_grpc import NotifyServiceAsyncStub

# Ends of participants that one transaction holds.
_MOST_OUTCOMES = 50


class Activities:
    """Stubs and store, shared by all of them."""

    def __init__(
        self,
        store: Store,
        engine: Engine,
        assessment: "AssessmentServiceAsyncStub",
        coaching: "CoachingServiceAsyncStub",
        notify: "NotifyServiceAsyncStub",
        institutions: Mapping[str, Institution] | None = None,
    ) -> None:
        self._store = store
        self._reporter = Reporter(engine)
        self._coaching = coaching
        self._coaching_calls = Neighbour("coaching", store)
        self._duties = Duties(store, assessment, coaching, self._coaching_calls)
        self._writing = Writing(store, notify, institutions or official_regions())
        self._fan_out = FanOut(store, engine, Crowd(store, self._duties, self._writing, self._reporter))
        self._outcomes: Together[str, pb.OutcomeStep, pb.ParticipantResult] = Together(
            self._record, _MOST_OUTCOMES, is_refusal=lambda error: isinstance(error, Refused)
        )

    @activity.defn
    async def start_participants(self, step: pb.RosterStep) -> pb.Reached:
        """Starts the workflow of each participant, in batches."""
        return await self._fan_out.start(step)

    @activity.defn
    async def announce(self, announcement: pb.Announcement) -> pb.Reached:
        """Tells everybody, or those named, the same, in batches."""
        return await self._fan_out.announce(announcement)

    @activity.defn
    async def record_command(self, step: pb.CommandStep) -> None:
        """Enters what a command came to into the read model and the audit, and publishes it."""
        await self._store.steering.record(step)

    @activity.defn
    async def choose_addressed(self, step: pb.PhaseStep) -> pb.Addressed:
        """The participants for which the condition of a phase holds now."""
        course = await self._store.known_course(step.cohort_id)
        phase = phases.find_phase(course.definition, step.record.phase)
        return pb.Addressed(institutions=await self._store.participants.addressed(step.cohort_id, phase))

    @activity.defn
    async def open_phase(self, step: pb.PhaseStep) -> None:
        """Notes in the read model that a phase opened, and publishes it."""
        await self._store.record_phase(step.cohort_id, step.record, step.revision)

    @activity.defn
    async def extend_phase(self, step: pb.PhaseStep) -> None:
        """Notes in the read model that a deadline moved."""
        await self._store.record_phase(step.cohort_id, step.record, step.revision)

    @activity.defn
    async def close_phase(self, step: pb.PhaseStep) -> None:
        """Notes in the read model that a phase closed, and publishes it."""
        await self._store.record_phase(step.cohort_id, step.record, step.revision)

    @activity.defn
    async def schedule_session(self, step: pb.SessionStep) -> None:
        """Puts a session on coaching's calendar, at the wall clock time that it has in this cohort, or takes it off."""
        course = await self._store.known_course(step.cohort_id)
        if step.cancelled_reason:
            await self._cancel_session(course, step)
            return
        meeting = await self._store.meetings.to_schedule(course, step)
        if meeting.cancelled:
            return
        times = {"start_time": clock.stamp(meeting.start), "end_time": clock.stamp(meeting.end)}
        name = f"{course.cohort_id}:{meeting.session}"
        request = coaching.ScheduleSessionRequest(
            request_id=f"{name}:schedule:{step.revision}:{times['start_time'].seconds}",
            session_id=name,
            cohort_id=course.cohort_id,
            phase=meeting.phase,
            title=meeting.title,
            place=meeting.place,
            time_zone=meeting.time_zone,
            rehearsal=course.mark,
            shifted_days=step.moved_days,
            **times,
        )
        await self._coaching_calls.ask(self._coaching.ScheduleSession, request, f"session {meeting.session}", course)

    async def _cancel_session(self, course: Course, step: pb.SessionStep) -> None:
        name = f"{course.cohort_id}:{step.session}"
        request = coaching.CancelSessionRequest(
            request_id=f"{name}:cancel", session_id=name, reason=step.cancelled_reason
        )
        await self._coaching_calls.ask(self._coaching.CancelSession, request, f"session {step.session}", course)

    @activity.defn
    async def open_evaluation(self, step: pb.DutyStep) -> pb.DutiesDone:
        """Opens the evaluation that a duty asks for. Where it was handed in before, the duty is done already."""
        return pb.DutiesDone(duties=await self._duties.open_evaluation(step))

    @activity.defn
    async def assign_coach(self, step: pb.DutyStep) -> None:
        """Has coaching give the participant a coach."""
        await self._duties.assign_coach(step)

    @activity.defn
    async def read_ledger(self, step: pb.LedgerStep) -> pb.DutiesDone:
        """The duties that facts have met so far."""
        duties, _ = await self._store.participants.duties(step.cohort_id, step.institution)
        return pb.DutiesDone(duties=duties)

    @activity.defn
    async def notify_people(self, step: pb.LetterStep) -> None:
        """Writes to the people whom a phase invites, or at the end to all, each in their language, in one call."""
        await self._writing.write(step)

    @activity.defn
    async def record_outcome(self, step: pb.OutcomeStep) -> pb.ParticipantResult:
        """Notes how a participant ended, publishes it and tells the program; answers what stands in the end."""
        stands = await self._outcomes.do(step.cohort_id, step)
        end = pb.ParticipantEnd(institution=step.institution, outcome=stands.outcome, readmissions=step.readmissions)
        await self._reporter.report(pb.Reports(cohort_id=step.cohort_id, ended=[end]))
        return stands

    @activity.defn
    async def report(self, news: pb.Reports) -> None:
        """Tells the program of a cohort what one of its participants has done, together with others."""
        await self._reporter.report(news)

    @activity.defn
    async def complete_cohort(self, step: pb.CompletionStep) -> None:
        """Notes how the cohort ended, and publishes it."""
        await self._store.complete(step)

    async def _record(self, cohort_id: str, steps: Sequence[pb.OutcomeStep]) -> Sequence[pb.ParticipantResult]:
        """Those that end at the same time, in one transaction."""
        course = await self._store.known_course(cohort_id)
        return await self._store.participants.record_outcomes(course, steps)
