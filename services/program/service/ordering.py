"""The way of a manager's order: what needs the database is checked here; then the workflow of the cohort decides, one
order at a time, and has the order recorded before it answers."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from livinglab.program.v1 import cohort_pb2, command_pb2

from chassis import auth
from chassis.errors import Refused, not_found
from programs.phases import has_ended
from services.program.engine.client import Engine
from services.program.model import states
from services.program.service.preview import Previews
from services.program.store.cohorts import Store

Check = Callable[[cohort_pb2.Cohort], Awaitable[None]]


def command_of(request: Any, **order: Any) -> command_pb2.Command:
    """What the cohort's workflow is asked for: the caller's request with one of the orders."""
    return command_pb2.Command(
        request_id=request.request_id, actor=auth.caller().subject, reason=request.reason, **order
    )


@dataclass(frozen=True)
class Given:
    """What became of an order: the cohort as it stands, whether it waits for a second manager; of one that was only
    tried, what it would bring about."""

    cohort: cohort_pb2.Cohort
    awaiting_second: bool = False
    preview: cohort_pb2.OrderPreview | None = None


class Ordering:
    """For every RPC that changes a cohort that runs."""

    def __init__(self, store: Store, engine: Engine) -> None:
        self._store = store
        self._engine = engine
        self._previews = Previews(store, engine)

    async def give(self, request: Any, check: Check | None = None, **order: Any) -> Given:
        """The cohort as it stands after the order, and whether that waits for a second manager. A repeat is known
        before anything is checked: the first one may have changed what the checks look at."""
        name: str = request.cohort_id
        command = command_of(request, **order)
        cohort = await self._store.cohort(name)
        if request.validate_only:
            await self._require_fitting(cohort, next(iter(order.values())), check)
            return Given(cohort, preview=await self._previews.of(name, command))
        known = await self._store.steering.recorded(name, command)
        if known is None:
            try:
                await self._require_fitting(cohort, next(iter(order.values())), check)
            except Refused:
                # The first one may have been carried out a moment ago.
                known = await self._store.steering.recorded(name, command)
                if known is None:
                    raise
        if known is None:
            known = await self._steer(name, command)
        return Given(await self._store.cohort(name), known)

    async def _steer(self, name: str, command: command_pb2.Command) -> bool:
        try:
            return (await self._engine.steer(name, command)).awaiting_second
        except Refused as refused:
            if refused.reason != "COHORT_ENDED" or has_ended((await self._store.cohort(name)).state):
                raise
        # A crash between its launch and the start of its workflow. One that has run is not started again.
        await self._engine.start_program(await self._store.known_course(name))
        return (await self._engine.steer(name, command)).awaiting_second

    async def _require_fitting(self, cohort: cohort_pb2.Cohort, order: Any, check: Check | None) -> None:
        """What can be said of an order without the workflow: whom and what it names is there."""
        states.require_running(cohort)
        phase = getattr(order, "phase", "")
        if phase and phase not in {progress.phase for progress in cohort.phases}:
            raise not_found("phase", f"{cohort.id}/{phase}")
        if check:
            await check(cohort)
