"""A cohort as its managers see it: phases and who blocks, live; its participants."""

from collections.abc import AsyncIterator
from typing import Any

from livinglab.common.v1 import options_pb2
from livinglab.program.v1 import cohort_pb2
from livinglab.program.v1 import service_pb2 as pb
from starlette.requests import Request
from starlette.responses import Response

from services.console.pages import shell, shown, streamed
from services.console.pages.cohort.records import READS_MESSAGES, READS_RECORDS
from services.console.pages.cohort.requests import possible
from services.console.session import people
from services.console.session.neighbours import Neighbours, Person


async def page(request: Request) -> Response:
    """The cohort now; a browser with script keeps it up to date."""
    session = await people.session_of(request)
    cohort = await _cohort(people.person_of(session), request)
    manages = session.has(options_pb2.ROLE_MANAGER)
    room = request.query_params.get("view") == "room"
    sent = shown.page(
        request,
        "room.html" if room else "cohort.html",
        session,
        cohort=cohort,
        fragment=_fragment(cohort, shown.language_of(request)),
        orders=possible(cohort) if manages else [],
        sees_people=session.has(*READS_RECORDS),
        sees_messages=session.has(*READS_MESSAGES),
        script=streamed.script(),
        done=request.query_params.get("done", ""),
    )
    return streamed.with_script(sent)


async def live(request: Request) -> Response:
    """The board as events: whole fragments with the revision as their id, all of it at each connection, so that a lost
    one costs nothing."""
    session = await people.session_of(request)
    person, language = people.person_of(session), shown.language_of(request)
    cohort = await _cohort(person, request)
    neighbours: Neighbours = request.app.state.neighbours

    def watch(token: str) -> AsyncIterator[Any]:
        asked = pb.WatchCohortRequest(cohort_id=cohort.id)
        stream: AsyncIterator[Any] = neighbours.program.WatchCohort(asked, metadata=Person(token).metadata())
        return stream

    first = _fragment(cohort, language)
    return streamed.events(
        request, session, ("cohort", cohort.id), watch, first, lambda said: _fragment(said.cohort, language)
    )


async def _cohort(person: Person, request: Request) -> Any:
    asked = pb.GetCohortRequest(cohort_id=request.path_params["cohort"])
    return (await person.ask(request.app.state.neighbours.program.GetCohort, asked)).cohort


def _fragment(cohort: Any, language: str) -> str:
    return shell.render(
        "board.html",
        language,
        cohort=cohort,
        region=shown.region,
        when=lambda stamp: shown.when(stamp, language),
        open_state=cohort_pb2.PHASE_STATE_OPEN,
    )
