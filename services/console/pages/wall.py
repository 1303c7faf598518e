"""The command centre: what has to be decided, and the ladder from data to policy, for a screen that many look at."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio
from livinglab.benchmark.v1 import analysis_service_pb2 as analysis_pb
from livinglab.benchmark.v1 import service_pb2 as benchmark_pb
from livinglab.program.v1 import cohort_pb2
from livinglab.program.v1 import service_pb2 as pb
from starlette.requests import Request
from starlette.responses import Response

from chassis.errors import Kind, denied
from chassis.status import from_rpc_error
from services.console.model.choice import Choice, chosen
from services.console.pages import shell, shown, streamed
from services.console.pages.asked import Asked, group_name
from services.console.session import people
from services.console.session.neighbours import Neighbours, Person
from services.console.session.sessions import Session

_RUNNING = (cohort_pb2.COHORT_STATE_RUNNING, cohort_pb2.COHORT_STATE_PAUSED)
_COHORTS = 100
# What comes within a moment is shown at once; what no stream tells is looked at again after a while.
_TOGETHER_SECONDS, _AGAIN_SECONDS = 0.5, 30.0
# What goes together among hundreds is computed anew.
_PATIENCE_SECONDS = 20.0
# Nothing to show is an answer; anything else is a fault.
_NOTHING = (Kind.NOT_FOUND, Kind.FAILED_PRECONDITION, Kind.INVALID_ARGUMENT)


@dataclass
class State:
    """All that the wall shows."""

    choice: Choice
    cohorts: list[Any] = field(default_factory=list)
    ladder: Any = None
    aggregate: Any = None
    instrument: Any = None


async def page(request: Request) -> Response:
    """The wall now; a browser with script keeps it up to date."""
    session = await _looker(request)
    state = await _state(request.app.state.asked, people.person_of(session), dict(request.query_params))
    sent = shown.page(
        request,
        "wall.html",
        session,
        fragment=_fragment(state, shown.language_of(request)),
        live=f"{shell.root(shown.language_of(request))}wall/live{_query(request)}",
        script=streamed.script(),
    )
    return streamed.with_script(sent)


async def live(request: Request) -> Response:
    """The same as events."""
    session, language = await _looker(request), shown.language_of(request)
    asked: Asked = request.app.state.asked
    wanted = dict(request.query_params)
    state = await _state(asked, people.person_of(session), wanted)
    # Roles see the same rungs or are refused, but one who may less than another shares no stream with them.
    name = "wall", _query(request), session.roles
    return streamed.events(
        request,
        session,
        name,
        lambda token: _states(asked, Person(token), wanted),
        _fragment(state, language),
        lambda said: _fragment(said, language),
    )


async def _looker(request: Request) -> Session:
    session = await people.session_of(request)
    if not session.sees_wall:
        raise denied("ROLE", "the wall is for managers, assessors and coaches")
    return session


def _query(request: Request) -> str:
    names = ("instrument", "period", "stage", "group")
    return shell.query(**{name: request.query_params.get(name, "")[:160] for name in names})


async def _states(asked: Asked, person: Person, wanted: dict[str, str]) -> AsyncIterator[State]:
    """The state now, and again after each change of a running cohort or of the race."""
    changed = asyncio.Event()
    followed: dict[str, asyncio.Task[None]] = {}
    try:
        while True:
            changed.clear()
            state = await _state(asked, person, wanted)
            for name, stream in _streams(asked.neighbours, person, state).items():
                if name not in followed or followed[name].done():
                    followed[name] = asyncio.create_task(_told(stream(), changed))
            yield state
            with suppress(TimeoutError):
                async with asyncio.timeout(_AGAIN_SECONDS):
                    await changed.wait()
            await asyncio.sleep(_TOGETHER_SECONDS)
    finally:
        for task in followed.values():
            task.cancel()


def _streams(neighbours: Neighbours, person: Person, state: State) -> dict[str, Any]:
    """What tells that something has changed, by name; each is opened by calling it."""
    metadata = person.metadata()

    def cohort(cohort_id: str) -> Any:
        request = pb.WatchCohortRequest(cohort_id=cohort_id)
        return lambda: neighbours.program.WatchCohort(request, metadata=metadata)

    found = {one.id: cohort(one.id) for one in state.cohorts}
    if state.ladder:
        request = benchmark_pb.WatchRankingRequest(race=_race(state.choice))
        found["race "] = lambda: neighbours.race.WatchRanking(request, metadata=metadata)
    return found


async def _told(stream: Any, changed: asyncio.Event) -> None:
    """Its first answer is what is known already. One that breaks is looked at again with the rest."""
    first = True
    with suppress(grpc.aio.AioRpcError):
        async for _ in stream:
            if not first:
                changed.set()
            first = False


async def _state(asked: Asked, person: Person, wanted: dict[str, str]) -> State:
    neighbours = asked.neighbours
    listed, races, instruments = await asyncio.gather(
        person.ask(neighbours.program.ListCohorts, pb.ListCohortsRequest(page_size=_COHORTS)),
        asked.races(Person()),
        asked.instruments(Person()),
    )
    choice = chosen(wanted, races)
    state = State(choice, [one for one in listed.cohorts if one.state in _RUNNING])
    if choice.instrument and choice.period:
        race = _race(choice)
        state.ladder, state.aggregate = await asyncio.gather(
            _or_none(person, neighbours.analysis.GetInsights, analysis_pb.GetInsightsRequest(race=race)),
            _or_none(person, neighbours.race.GetAggregate, benchmark_pb.GetAggregateRequest(race=race)),
        )
        state.instrument = instruments.get(choice.instrument)
    return state


def _race(choice: Choice) -> benchmark_pb.Race:
    return benchmark_pb.Race(instrument=choice.instrument, period=choice.period, stage=choice.stage, group=choice.group)


async def _or_none(person: Person, method: Any, request: Any) -> Any:
    try:
        return await person.ask(method, request, _PATIENCE_SECONDS)
    except grpc.aio.AioRpcError as error:
        if from_rpc_error(error).kind not in _NOTHING:
            raise
        return None


def _indicators(nodes: Iterable[Any], language: str) -> Iterator[tuple[str, str]]:
    """Number and name of each leaf."""
    for node in nodes:
        if node.children:
            yield from _indicators(node.children, language)
        else:
            yield node.number, (node.name_en if language == "en" else "") or node.name


def _fragment(state: State, language: str) -> str:
    names = dict(_indicators(state.instrument.nodes, language)) if state.instrument else {}
    ladder = state.ladder.ladder if state.ladder else None
    insights = list(ladder.insights) if ladder else []
    attention = {one.indicator: one for one in ladder.knowledge} if ladder else {}
    return shell.render(
        "wall_board.html",
        language,
        choice=state.choice,
        cohorts=state.cohorts,
        ladder=ladder,
        aggregate=state.aggregate,
        insights=insights,
        attention=attention,
        named=lambda number: f"{number} {names.get(number, '')}".strip(),
        group=group_name(state.choice.group, language),
        query=shell.query,
        region=shown.region,
        when=lambda stamp: shown.when(stamp, language),
        open_state=cohort_pb2.PHASE_STATE_OPEN,
    )
