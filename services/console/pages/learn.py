"""Who a region can learn from: hosts for what holds it back most, and published practices that solve it."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import grpc
import grpc.aio
from livinglab.benchmark.v1 import analysis_service_pb2 as analysis_pb
from livinglab.benchmark.v1 import service_pb2 as benchmark_pb
from livinglab.coaching.v1 import practice_service_pb2 as practice_pb
from starlette.requests import Request
from starlette.responses import Response

from chassis.errors import Kind, denied
from chassis.status import from_rpc_error
from services.console.model.choice import chosen
from services.console.pages import shown
from services.console.pages.asked import Asked
from services.console.session import people
from services.console.session.neighbours import Person
from services.console.session.sessions import REGION_ROLES

_HOSTS, _PRACTICES = 3, 10
_NOTHING = (Kind.NOT_FOUND, Kind.FAILED_PRECONDITION, Kind.INVALID_ARGUMENT)


async def page(request: Request) -> Response:
    """By the newest race that is well under way."""
    session = await people.session_of(request)
    if not session.has(*REGION_ROLES) or not session.institution:
        raise denied("ROLE", "this page is for the people of a region")
    person, asked = people.person_of(session), request.app.state.asked
    races = await asked.races(Person())
    choice = chosen({}, races)
    lacks, practices = await asyncio.gather(
        _lacks(asked, person, session.institution, choice), _practices(asked, person, session.institution)
    )
    return shown.page(request, "learn.html", session, choice=choice, lacks=lacks, practices=practices)


async def _lacks(asked: Asked, person: Person, institution: str, choice: Any) -> list[tuple[Any, list[Any]]]:
    """What holds the region back most, each with who can show how; none without a result of its own."""
    if not choice.instrument:
        return []
    race = benchmark_pb.Race(instrument=choice.instrument, period=choice.period, stage=choice.stage)
    neighbours = asked.neighbours
    gap = await _or_none(
        person.ask(neighbours.race.GetGap, benchmark_pb.GetGapRequest(race=race, institution=institution))
    )
    if gap is None:
        return []

    async def hosts(indicator: str) -> list[Any]:
        request = analysis_pb.ListTeachersRequest(race=race, institution=institution, indicator=indicator, size=_HOSTS)
        found = await _or_none(person.ask(neighbours.analysis.ListTeachers, request))
        return list(found.teachers) if found else []

    found = await asyncio.gather(*(hosts(one.number) for one in gap.holding_back))
    return list(zip(gap.holding_back, found, strict=True))


async def _practices(asked: Asked, person: Person, institution: str) -> list[Any]:
    request = practice_pb.ListPracticeMatchesRequest(institution=institution, size=_PRACTICES)
    found = await _or_none(person.ask(asked.neighbours.practices.ListPracticeMatches, request))
    return list(found.matches) if found else []


async def _or_none(asking: Awaitable[Any]) -> Any:
    """None where there is nothing to compare with yet."""
    try:
        return await asking
    except grpc.aio.AioRpcError as error:
        if from_rpc_error(error).kind not in _NOTHING:
            raise
        return None
