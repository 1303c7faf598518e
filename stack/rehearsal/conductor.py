"""The conductor: launches the cohort as its manager, wakes the actors as phases open, follows it to its end."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import grpc.aio
from livinglab.assessment.v1 import instrument_pb2
from livinglab.assessment.v1 import service_pb2 as assessment
from livinglab.coaching.v1 import service_pb2 as coaching
from livinglab.program.v1 import cohort_pb2, definition_pb2
from livinglab.program.v1 import service_pb2 as program

from chassis.errors import Refused
from programs.phases import has_ended
from stack.rehearsal.actors import Region, leaving_hour
from stack.rehearsal.people import Character, cast
from stack.rehearsal.stage import Stage

_COACH_CAPACITY = 8
_RECONNECT_SECONDS = 0.5
# How a stream ends when what serves it is away, stopped or lost its own servers.
_BROKEN = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
)


class Conductor:
    """One rehearsal from launch to end."""

    def __init__(
        self,
        stage: Stage,
        definition: definition_pb2.Definition,
        spec: definition_pb2.CohortSpec,
        seed: str,
        haste: float = 1.0,
    ) -> None:
        """`haste` below 1 lets everybody act that much earlier in a phase."""
        self._stage = stage
        self._definition = definition
        self._spec = spec
        self._seed = seed
        self._haste = haste
        self._manager = stage.as_role("manager")
        self._playing: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._standing: dict[str, asyncio.Task[set[str]]] = {}
        self._fallen: asyncio.Future[cohort_pb2.Cohort] = asyncio.get_running_loop().create_future()
        self._regions: dict[str, Region] = {}
        self._characters: dict[str, Character] = {}

    async def run(self, on_change: Callable[[cohort_pb2.Cohort], None]) -> cohort_pb2.Cohort:
        """The cohort as it ended; `on_change` sees it each time that it changes."""
        await self._prepare()
        request = program.LaunchCohortRequest(definition=self._definition, cohort=self._spec)
        await self._stage.write("launched", self._stage.program().LaunchCohort, request, self._manager)
        following = asyncio.create_task(self._follow(on_change))
        try:
            await asyncio.wait({following, self._fallen}, return_when=asyncio.FIRST_COMPLETED)
            if not self._fallen.done():
                await asyncio.gather(*(region.verified() for region in self._regions.values()))
            return self._fallen.result() if self._fallen.done() else following.result()
        finally:
            tasks = [following, *self._playing.values(), *self._standing.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _watch_over(self, scene: asyncio.Task[Any]) -> None:
        """An actor that falls over is a fault of the play: whatever came of it would say nothing."""
        failed = None if scene.cancelled() else scene.exception()
        if failed is not None and not self._fallen.done():
            self._fallen.set_exception(failed)

    async def _prepare(self) -> None:
        codes = [participant.institution for participant in self._spec.roster]
        self._characters = cast(codes, await self._asked_for(), self._definition.role_model, self._seed)
        self._regions = {code: Region(self._stage, self._characters[code], self._haste) for code in codes}
        for number in range(1, -(-len(codes) // _COACH_CAPACITY) + 1):
            coach = coaching.RegisterCoachRequest(
                coach_id=f"{self._spec.id}-coach-{number}",
                name=f"Pendamping {number}, Telkom University",
                email=f"pendamping-{number}@coach.example",
                capacity=_COACH_CAPACITY,
                rehearsal=self._spec.id,
            )
            await self._stage.write("coaches", self._stage.coaching().RegisterCoach, coach, self._manager)

    async def _asked_for(self) -> list[str]:
        """The indicators of the instrument that the program assesses with; none where it does not."""
        instruments = [duty.instrument for phase in self._definition.phases for duty in phase.duties if duty.instrument]
        if not instruments:
            return []
        asked = assessment.GetInstrumentRequest(id=instruments[0])
        answer = await self._stage.read(self._stage.assessment().GetInstrument, asked, self._manager)
        return _indicators(answer.instrument)

    async def _follow(self, on_change: Callable[[cohort_pb2.Cohort], None]) -> cohort_pb2.Cohort:
        """The stream ends with the cohort; where it breaks, it is opened again and starts with the cohort as it is."""
        request = program.WatchCohortRequest(cohort_id=self._spec.id)
        while True:
            try:
                async for change in self._stage.program().WatchCohort(request, metadata=self._manager):
                    cohort: cohort_pb2.Cohort = change.cohort
                    on_change(cohort)
                    self._wake(cohort)
                    if has_ended(cohort.state):
                        return cohort
            except grpc.aio.AioRpcError as error:
                if error.code() not in _BROKEN:
                    raise
            await asyncio.sleep(_RECONNECT_SECONDS)

    def _wake(self, cohort: cohort_pb2.Cohort) -> None:
        phases = {phase.id: phase for phase in self._definition.phases}
        for progress in cohort.phases:
            if progress.state != cohort_pb2.PHASE_STATE_OPEN:
                continue
            opened, deadline = progress.open_time.ToDatetime(UTC), progress.deadline_time.ToDatetime(UTC)
            if progress.phase not in self._standing:
                self._standing[progress.phase] = asyncio.create_task(self._still_in())
                self._standing[progress.phase].add_done_callback(self._watch_over)
            for code, region in self._regions.items():
                key = (progress.phase, code)
                if key not in self._playing:
                    scene = self._scene(region, self._characters[code], phases[progress.phase], opened, deadline)
                    self._playing[key] = asyncio.create_task(scene)
                    self._playing[key].add_done_callback(self._watch_over)

    async def _scene(
        self,
        region: Region,
        character: Character,
        phase: definition_pb2.Phase,
        opened: datetime,
        deadline: datetime,
    ) -> None:
        before = self._playing.get((self._phase_before(phase.id), character.institution))
        if before is not None:
            await asyncio.wait([before])
        if character.institution not in await self._standing[phase.id]:
            return
        if character.withdraws and phase.id == self._definition.phases[1].id:
            await asyncio.sleep(max(0.0, (leaving_hour(opened, deadline) - datetime.now(UTC)).total_seconds()))
            await self._withdraw(region, character.institution)
        await region.play(phase, opened, deadline)

    async def _withdraw(self, region: Region, code: str) -> None:
        request = program.WithdrawParticipantRequest(
            cohort_id=self._spec.id, institution=code, reason="Anggaran perjalanan tidak tersedia."
        )
        try:
            await self._stage.write("withdrawn", self._stage.program().WithdrawParticipant, request, self._manager)
            region.left = True
        except Refused:
            # It had failed before it could leave.
            return

    async def _still_in(self) -> set[str]:
        """Who has neither failed nor left when a phase opens: nobody else is invited, so nobody else acts."""
        request = program.ListParticipantsRequest(cohort_id=self._spec.id)
        pages = await self._stage.pages(self._stage.program().ListParticipants, request, self._manager)
        active = cohort_pb2.PARTICIPANT_STATE_ACTIVE
        return {p.institution for page in pages for p in page.participants if p.state == active}

    def _phase_before(self, phase: str) -> str:
        ids = [p.id for p in self._definition.phases]
        place = ids.index(phase)
        return ids[place - 1] if place else ""


def _indicators(instrument: instrument_pb2.Instrument) -> list[str]:
    found: list[str] = []

    def walk(nodes: object) -> None:
        for node in nodes:  # type: ignore[attr-defined]
            if node.children:
                walk(node.children)
            else:
                found.append(node.number)

    walk(instrument.nodes)
    return found
