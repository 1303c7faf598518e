"""Starts or tells all participants of a cohort, in batches."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from google.protobuf.message import Message
from livinglab.program.v1 import workflow_pb2 as pb
from temporalio import activity

from services.program.activities.crowd import Crowd
from services.program.engine.client import Engine
from services.program.model import states
from services.program.model.course import Course
from services.program.store.cohorts import Store

BATCH = 50
_GONE = "its workflow was ended from outside of the program"


class FanOut:
    """Runs inside an activity: each batch is a heartbeat, and another try goes on after the last one."""

    def __init__(self, store: Store, engine: Engine, crowd: Crowd) -> None:
        self._store = store
        self._engine = engine
        self._crowd = crowd

    async def start(self, step: pb.RosterStep) -> pb.Reached:
        """Starts the workflow of each participant; one that runs stays as it is. One that has run is started again
        only where it was taken in again."""
        course = await self._store.known_course(step.cohort_id)

        async def start(batch: Sequence[str]) -> None:
            # Where they begin with a phase, they begin with what they have done, too.
            known = await self._duties(course, batch) if step.openings else {}
            ready = await self._begin(course, step, batch, known)
            await asyncio.gather(*(self._start(course, step, code, known.get(code, []), ready) for code in batch))
            if step.openings:
                await self._tell_what_was_done_since(course, batch, known)

        await in_batches(await self._named(step.cohort_id, step.only), start)
        return await self._reached(step.cohort_id, step.only)

    async def _begin(
        self, course: Course, step: pb.RosterStep, batch: Sequence[str], known: dict[str, list[str]]
    ) -> dict[str, dict[str, list[str]]]:
        """By phase, for whom it is prepared, and what was refused."""
        new = [code for code in batch if code not in step.readmissions]
        openings = step.openings if step.prepare and new else ()
        return {o.phase.id: await self._crowd.begin(course, o, new, known) for o in openings}

    async def _start(
        self,
        course: Course,
        step: pb.RosterStep,
        institution: str,
        duties: Sequence[str],
        ready: Mapping[str, Mapping[str, Sequence[str]]],
    ) -> None:
        again = step.readmissions.get(institution, 0)
        start = course.participant_input(institution, step.openings, duties)
        for phase in start.state.open:
            prepared = ready.get(phase.opening.phase.id, {})
            phase.opening.prepared = institution in prepared
            start.state.problems.extend(prepared.get(institution, ()))
        await self._engine.start_participant(start, again)
        if again and (leaving := await self._store.participants.leaving(course.cohort_id, institution)):
            # It withdrew when it was taken in again and its workflow had not started: nobody heard that.
            await self._engine.signal(course.cohort_id, institution, states.SIGNALS["withdrawal"], leaving)

    async def _tell_what_was_done_since(
        self, course: Course, batch: Sequence[str], known: dict[str, list[str]]
    ) -> None:
        """A fact that was stored before its workflow ran found nobody to tell; from here on each finds one."""
        for institution, duties in (await self._duties(course, batch)).items():
            if new := [duty for duty in duties if duty not in known.get(institution, ())]:
                news = pb.DutiesDone(duties=new)
                await self._engine.signal(course.cohort_id, institution, "duties_done", news)

    async def announce(self, announcement: pb.Announcement) -> pb.Reached:
        """Tells everybody, or those named, the same. One that should run and does not has failed."""
        course = await self._store.known_course(announcement.cohort_id)
        kind = announcement.WhichOneof("news") or ""

        async def tell(institution: str, news: Message, *, may_be_gone: bool = False) -> None:
            heard = await self._engine.signal(course.cohort_id, institution, states.SIGNALS[kind], news)
            if not heard and not may_be_gone:
                step = pb.OutcomeStep(institution=institution, outcome=states.FAILED, reason=_GONE)
                await self._store.participants.record_outcome(course, step)

        async def tell_all(batch: Sequence[str]) -> None:
            own, ended = await self._own_news(course, announcement, kind, batch)
            every = getattr(announcement, kind)
            await asyncio.gather(*(tell(code, own.get(code, every), may_be_gone=code in ended) for code in batch))

        is_end = announcement.prepare and kind == "closing" and announcement.closing.last
        named = await self._named(course.cohort_id, announcement.only, graduated=is_end)
        await in_batches(named, tell_all)
        return await self._reached(course.cohort_id, announcement.only)

    async def _own_news(
        self, course: Course, announcement: pb.Announcement, kind: str, batch: Sequence[str]
    ) -> tuple[Mapping[str, Message], set[str]]:
        """What some are told otherwise than all, and whose end is recorded already: such a workflow may be gone."""
        new = [code for code in batch if code not in announcement.readmissions]
        if kind == "opening":
            return await self._own_openings(course, announcement, batch, new), set()
        if (
            kind == "closing"
            and announcement.prepare
            and announcement.closing.last
            and not announcement.closing.stopped
        ):
            closings = await self._crowd.end(course, announcement.closing, new, await self._duties(course, new))
            return closings, set(closings)
        return {}, set()

    async def _own_openings(
        self, course: Course, announcement: pb.Announcement, batch: Sequence[str], new: Sequence[str]
    ) -> dict[str, Message]:
        known = await self._duties(course, batch)
        prepare = announcement.prepare and new
        ready = await self._crowd.begin(course, announcement.opening, new, known) if prepare else {}
        early = await self._crowd.report(course, announcement.opening.phase, ready, known)
        own: dict[str, Message] = {}
        for code in batch:
            opening = pb.PhaseOpening(duties=known.get(code, ()), prepared=code in ready, problems=ready.get(code, ()))
            opening.reported = code in early
            opening.MergeFrom(announcement.opening)
            own[code] = opening
        return own

    async def _duties(self, course: Course, batch: Sequence[str]) -> dict[str, list[str]]:
        return await self._store.participants.known_duties(course.cohort_id, batch)

    async def _reached(self, cohort_id: str, only: Sequence[str]) -> pb.Reached:
        ended = await self._store.participants.ended(cohort_id)
        named = set(only)
        return pb.Reached(ended={code: state for code, state in ended.items() if not named or code in named})

    async def _named(self, cohort_id: str, only: Sequence[str], *, graduated: bool = False) -> list[str]:
        """Those still active, or of them those named, in order. With the `graduated`, where another try may have
        recorded an end that its workflow was not told of."""
        active = await self._store.participants.active(cohort_id, graduated=graduated)
        named = set(only)
        return [institution for institution in active if institution in named] if named else active


async def in_batches(institutions: Sequence[str], work: Callable[[Sequence[str]], Awaitable[None]]) -> None:
    """Batch after batch, with a heartbeat after each; another try of the activity goes on after the last one that was
    finished. They are in order."""
    details = activity.info().heartbeat_details
    done = str(details[0]) if details else ""
    remaining = [institution for institution in institutions if institution > done]
    for first in range(0, len(remaining), BATCH):
        batch = remaining[first : first + BATCH]
        await work(batch)
        activity.heartbeat(batch[-1])
