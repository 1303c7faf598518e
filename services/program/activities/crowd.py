"""What many participants need at the same time, done for all of them at once instead of by each of their workflows:
what a phase needs to begin, and a good end. Whoever cannot be served here does it alone, and waits as long as it takes.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence

import grpc
from livinglab.program.v1 import definition_pb2
from livinglab.program.v1 import workflow_pb2 as pb
from temporalio import activity
from temporalio.exceptions import ApplicationError

from chassis import telemetry
from chassis.errors import Refused
from services.program.activities.duties import Duties
from services.program.activities.reports import Reporter
from services.program.activities.writing import Writing
from services.program.model import letter_steps, open_phases, states
from services.program.model.course import Course
from services.program.store.cohorts import Store

# For one batch. A service that hangs costs this once: what it would be asked for is left to the participants from then.
_PATIENCE_SECONDS = 5.0
_NOT_NOW = (grpc.RpcError, ApplicationError, Refused, TimeoutError)


class Crowd:
    """One of a worker."""

    def __init__(self, store: Store, duties: Duties, writing: Writing, reporter: Reporter) -> None:
        self._store = store
        self._duties = duties
        self._writing = writing
        self._reporter = reporter

    async def begin(
        self, course: Course, opening: pb.PhaseOpening, batch: Sequence[str], known: dict[str, list[str]]
    ) -> dict[str, list[str]]:
        """Prepares a phase; answers for whom all of it was asked for, with what of it was refused for good. What turns
        out to be done is added to `known`."""
        steps = {}
        for institution in batch:
            done = known.get(institution, ())
            missing = [duty.id for duty in opening.phase.duties if duty.id not in done]
            steps[institution] = letter_steps.invitation(opening, missing)
            letter_steps.address(steps[institution], course.cohort_id, institution, 0, opening)

        async def prepare(institution: str) -> list[str] | None:
            try:
                done, problems = await self._duties.prepare(course, opening.phase, institution)
            except _NOT_NOW:
                return None
            ledger = known.setdefault(institution, [])
            ledger.extend(duty for duty in done if duty not in ledger)
            return problems

        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                written, ready = await asyncio.gather(
                    self._writing.write_many(course, steps), asyncio.gather(*(prepare(code) for code in steps))
                )
        except TimeoutError:
            _tell(course, len(batch))
            return {}
        asked = zip(steps, ready, strict=True)
        return {code: problems for code, problems in asked if problems is not None and code in written}

    async def report(
        self, course: Course, phase: definition_pb2.Phase, batch: Iterable[str], known: Mapping[str, Sequence[str]]
    ) -> set[str]:
        """Tells the program who has done what a phase requires before it opened: answers who they are."""
        early = [code for code in batch if open_phases.is_done(phase, known.get(code, ()))]
        if early:
            done = [pb.PhaseDone(institution=code, phase=phase.id) for code in early]
            await self._reporter.report(pb.Reports(cohort_id=course.cohort_id, done=done))
        return set(early)

    async def end(
        self, course: Course, closing: pb.PhaseClosing, batch: Sequence[str], known: Mapping[str, Sequence[str]]
    ) -> dict[str, pb.PhaseClosing]:
        """Records who graduates with the last closing, tells the program and writes to their people; answers what
        those whose end is recorded are to be told. An acknowledged withdrawal comes first: that one ends by itself."""
        graduating = [code for code in batch if set(closing.required) <= set(known.get(code, ()))]
        steps = [pb.OutcomeStep(institution=code, outcome=states.GRADUATED) for code in graduating]
        stands = await self._store.participants.record_outcomes(course, steps) if steps else []
        ends = {
            code: result for code, result in zip(graduating, stands, strict=True) if result.outcome == states.GRADUATED
        }
        if not ends:
            return {}
        news = pb.Reports(cohort_id=course.cohort_id)
        for code, result in ends.items():
            if closing.required:
                news.done.add(institution=code, phase=closing.phase)
            news.ended.add(institution=code, outcome=result.outcome)
        await self._reporter.report(news)
        written = await self._say_farewell(course, list(ends))
        told = {}
        for code, result in ends.items():
            told[code] = pb.PhaseClosing(ended=result, farewell=code in written)
            told[code].MergeFrom(closing)
        return told

    async def _say_farewell(self, course: Course, institutions: Sequence[str]) -> set[str]:
        steps = {}
        for institution in institutions:
            letter = letter_steps.farewell(pb.ParticipantRecord(outcome=states.GRADUATED), None)
            assert letter
            letter_steps.address(letter, course.cohort_id, institution, 0, None)
            steps[institution] = letter
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                return await self._writing.write_many(course, steps)
        except TimeoutError:
            _tell(course, len(institutions))
            return set()


def _tell(course: Course, count: int) -> None:
    what = activity.info().activity_type
    telemetry.log.warning("left to the participants", cohort=course.cohort_id, what=what, participants=count)
