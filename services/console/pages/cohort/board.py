"""A cohort as its managers see it: phases and who blocks, live; its participants."""

from collections.abc import AsyncIterator
from typing import Any

from livinglab.common.v1 import options_pb2
from livinglab.program.v1 import cohort_pb2
from livinglab.program.v1 import service_pb2 as pb
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from services.console.live import Topic
from services.console.pages import answers, shell, shown
from services.console.pages.cohort.orders import possible
from services.console.session import people
from services.console.session.neighbours import Neighbours, Person
from services.console.session.sessions import COOKIE

# How soon one who has signed out, or a process that ends, is noticed; how often a silent connection is spoken to, so
# that proxies leave it alone.
_LOOK_SECONDS, _SILENT_LOOKS = 1.0, 15
_SEES_PEOPLE = (options_pb2.ROLE_MANAGER, options_pb2.ROLE_COACH, options_pb2.ROLE_PLATFORM)
_ACTIVE = cohort_pb2.PARTICIPANT_STATE_ACTIVE


async def page(request: Request) -> Response:
    """The cohort now; a browser with script keeps it up to date."""
    session = await people.session_of(request)
    cohort = await _cohort(people.person_of(session), request)
    manages = session.has(options_pb2.ROLE_MANAGER)
    sent = shown.page(
        request,
        "cohort.html",
        session,
        cohort=cohort,
        fragment=_fragment(cohort, shown.language_of(request)),
        orders=possible(cohort) if manages else [],
        sees_people=session.has(*_SEES_PEOPLE),
        script=f"/static/{shell.static_name('live.js')}",
        done=request.query_params.get("done", ""),
    )
    sent.headers["content-security-policy"] = answers.WITH_SCRIPT
    return sent


async def live(request: Request) -> Response:
    """The board as events: whole fragments with the revision as their id, all of it at each connection, so that a lost
    one costs nothing."""
    session = await people.session_of(request)
    person, language = people.person_of(session), shown.language_of(request)
    cohort = await _cohort(person, request)
    neighbours: Neighbours = request.app.state.neighbours

    def watch(token: str) -> AsyncIterator[Any]:
        asked = pb.WatchCohortRequest(cohort_id=cohort.id)
        stream: AsyncIterator[Any] = neighbours.program.WatchCohort(
            asked, metadata=(("authorization", f"Bearer {token}"),)
        )
        return stream

    name = request.cookies.get(COOKIE, "")

    async def events() -> AsyncIterator[bytes]:
        yield b"retry: 2000\n\n" + _event(0, _fragment(cohort, language))
        async with request.app.state.watches.watching(("cohort", cohort.id), session.token, watch) as topic:
            revision = silent = 0
            while request.app.state.sessions.get(name) is session and not request.app.state.stopping.is_set():
                if await topic.after(revision, _LOOK_SECONDS):
                    revision, silent = topic.revision, 0
                    yield _event(revision, _made(topic, language))
                elif (silent := silent + 1) % _SILENT_LOOKS == 0:
                    yield b": still here\n\n"

    headers = {**answers.SAFETY, "cache-control": answers.PRIVATE, "x-accel-buffering": "no"}
    return StreamingResponse(events(), media_type="text/event-stream", headers=headers)


async def participants(request: Request) -> Response:
    """Who takes part, what each has done and lacks."""
    session = await people.session_of(request)
    person = people.person_of(session)
    cohort = await _cohort(person, request)
    asked = pb.ListParticipantsRequest(cohort_id=cohort.id)
    found = await person.every(request.app.state.neighbours.program.ListParticipants, asked, "participants")
    lacking = request.query_params.get("show") == "missing"
    if lacking:
        found = [one for one in found if one.missing or one.problems]
    withdraws = session.has(options_pb2.ROLE_MANAGER) and "withdraw" in possible(cohort)
    return shown.page(
        request,
        "participants.html",
        session,
        cohort=cohort,
        people=found,
        lacking=lacking,
        withdraws=withdraws,
        active=_ACTIVE,
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


def _made(topic: Topic, language: str) -> str:
    """Made once for all who look at it in that language."""
    if language not in topic.made:
        topic.made[language] = _fragment(topic.latest.cohort, language)
    text: str = topic.made[language]
    return text


def _event(revision: int, text: str) -> bytes:
    lines = "".join(f"data: {line}\n" for line in text.splitlines())
    return f"id: {revision}\n{lines}\n".encode()
