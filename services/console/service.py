"""Requests in: which page an address is, and what a refusal or a failure looks like to a person."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import grpc.aio
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chassis import telemetry
from chassis.config import Settings
from chassis.errors import Kind, Refused
from chassis.status import from_rpc_error
from services.console.api.calling import Api
from services.console.live import Remembered, Watches
from services.console.pages import (
    answers,
    assessment,
    dossier,
    evidence,
    inbox,
    indicator,
    learn,
    plan,
    platform,
    sessions,
    shell,
    sign_in,
    wall,
    work,
)
from services.console.pages.asked import Asked
from services.console.pages.cohort import board, launch, orders, participants, records
from services.console.pages.public import feed, find, practices, programs, race, region, unsubscribe
from services.console.session.neighbours import Neighbours
from services.console.session.people import NotSignedIn
from services.console.session.sessions import Sessions
from services.console.session.sign_in import SignIn

Page = Callable[[Request], Awaitable[Response]]

_STATUS = {
    Kind.NOT_FOUND: 404,
    Kind.INVALID_ARGUMENT: 400,
    Kind.FAILED_PRECONDITION: 409,
    Kind.ABORTED: 409,
    Kind.ALREADY_EXISTS: 409,
    Kind.PERMISSION_DENIED: 403,
    Kind.UNAUTHENTICATED: 403,
    Kind.RESOURCE_EXHAUSTED: 429,
}
_FOREVER = "public, max-age=31536000, immutable"


_BOTH = ["GET", "POST"]


def application(neighbours: Neighbours, api: Api, settings: Settings, stopping: asyncio.Event) -> Starlette:
    """The whole console. Indonesian pages start at /, English ones at /en/. Streams end when `stopping` is set."""
    routes = [
        # First, as it is what most people ask for.
        Route("/", _in("id", race.page)),
        Route("/healthz", _healthy),
        Route("/static/{name}", _static),
        Route("/api/openapi.json", api.document),
        Route("/api/{method:path}", api.answer, methods=_BOTH),
        Route("/data/race.csv", feed.csv_table),
        Route("/data/race.json", feed.json_table),
        Route("/race.csv", race.csv_table),
        Route("/race.json", race.json_table),
        Route("/r/{code:path}.csv", region.csv_table),
        Route("/r/{code:path}.json", region.json_table),
        Route("/work/evidence/{evidence}", evidence.fetch),
        Route("/sign-in", sign_in.begin),
        Route("/sign-in/back", sign_in.back),
        Route("/sign-out", sign_in.end, methods=["POST"]),
    ]
    for language, start in (("id", ""), ("en", "/en")):
        routes += [
            Route(f"{start}/", _in(language, race.page)),
            Route(f"{start}/find", _in(language, find.page)),
            Route(f"{start}/r/{{code:path}}", _in(language, region.page)),
            Route(f"{start}/practices", _in(language, practices.listed)),
            Route(f"{start}/practices/{{practice:path}}", _in(language, practices.one)),
            Route(f"{start}/programs", _in(language, programs.listed)),
            Route(f"{start}/programs/{{cohort}}", _in(language, programs.one)),
            Route(f"{start}/unsubscribe/{{token}}", _in(language, unsubscribe.page), methods=_BOTH),
            Route(f"{start}/work", _in(language, work.page)),
            Route(f"{start}/work/assessment/{{evaluation}}", _in(language, assessment.overview), methods=_BOTH),
            Route(
                f"{start}/work/assessment/{{evaluation}}/{{indicator}}",
                _in(language, indicator.page),
                methods=_BOTH,
            ),
            Route(
                f"{start}/work/assessment/{{evaluation}}/{{indicator}}/evidence",
                _in(language, evidence.attach),
                methods=["POST"],
            ),
            Route(
                f"{start}/work/assessment/{{evaluation}}/{{indicator}}/evidence/detach",
                _in(language, evidence.detach),
                methods=["POST"],
            ),
            Route(f"{start}/work/dossier/{{evaluation}}", _in(language, dossier.page), methods=_BOTH),
            Route(
                f"{start}/work/dossier/{{evaluation}}/{{indicator}}", _in(language, dossier.indicator), methods=_BOTH
            ),
            Route(f"{start}/inbox", _in(language, inbox.page), methods=_BOTH),
            Route(f"{start}/inbox/live", _in(language, inbox.live)),
            Route(f"{start}/learn", _in(language, learn.page)),
            Route(f"{start}/launch", _in(language, launch.page), methods=_BOTH),
            Route(f"{start}/wall", _in(language, wall.page)),
            Route(f"{start}/wall/live", _in(language, wall.live)),
            Route(f"{start}/platform", _in(language, platform.page), methods=_BOTH),
            Route(f"{start}/work/sessions", _in(language, sessions.listed)),
            Route(f"{start}/work/session/{{session}}/{{institution}}", _in(language, sessions.one), methods=_BOTH),
            Route(f"{start}/work/plan/{{plan:path}}", _in(language, plan.page), methods=_BOTH),
            Route(f"{start}/cohorts/{{cohort}}", _in(language, board.page)),
            Route(f"{start}/cohorts/{{cohort}}/live", _in(language, board.live)),
            Route(f"{start}/cohorts/{{cohort}}/participants", _in(language, participants.page), methods=_BOTH),
            Route(f"{start}/cohorts/{{cohort}}/audit", _in(language, records.audit)),
            Route(f"{start}/cohorts/{{cohort}}/report", _in(language, records.report)),
            Route(f"{start}/cohorts/{{cohort}}/messages", _in(language, records.messages)),
            Route(f"{start}/cohorts/{{cohort}}/order/{{order}}", _in(language, orders.page), methods=_BOTH),
        ]
    handlers: Any = {
        grpc.aio.AioRpcError: _refused,
        Refused: _refused,
        NotSignedIn: _sign_in,
        HTTPException: _wrong,
        Exception: _failed,
    }
    made = Starlette(routes=routes, exception_handlers=handlers)
    made.state.settings = settings
    made.state.neighbours = neighbours
    made.state.asked = Asked(neighbours, Remembered())
    made.state.watches = Watches()
    made.state.sessions = Sessions()
    made.state.sign_in = SignIn(settings)
    made.state.stopping = stopping
    shell.environment().globals["sign_in"] = made.state.sign_in.possible
    return made


def _in(language: str, page: Page) -> Page:
    async def answered(request: Request) -> Response:
        request.state.language = language
        return await page(request)

    return answered


async def _healthy(_request: Request) -> Response:
    """For probes: this process answers. What others are doing is theirs to say."""
    return Response("ok\n", headers={**answers.SAFETY, "content-type": "text/plain", "cache-control": "no-store"})


async def _static(request: Request) -> Response:
    media = {"css": "text/css; charset=utf-8", "svg": "image/svg+xml", "js": "text/javascript; charset=utf-8"}
    for name in ("console.css", "inside.css", "wall.css", "icon.svg", "live.js", "draft.js"):
        if request.path_params["name"] == shell.static_name(name):
            kind = media[name.rpartition(".")[2]]
            return answers.public(request, answers.answer(shell.static_file(name), kind, cache=_FOREVER))
    raise HTTPException(404)


def _told(request: Request, status: int, title: str, *lines: str) -> Response:
    """An error as a page, in the language of the address; kept nowhere."""
    language = "en" if request.url.path.startswith("/en/") else "id"
    body = shell.render("error.html", language, title=title, lines=lines, alternate=shell.root(_other(language)))
    sent = answers.private(body, status)
    if status in (429, 503):
        sent.headers["retry-after"] = "5"
    return sent


def _other(language: str) -> str:
    return "en" if language == "id" else "id"


async def _sign_in(request: Request, _error: Any) -> Response:
    """Whoever is not signed in goes to do so, and comes back to the page; a form is not sent again by itself."""
    place = request.url.path if request.method == "GET" and not request.url.path.endswith("/live") else "/work"
    headers = {**answers.SAFETY, "cache-control": answers.PRIVATE, "location": f"/sign-in{shell.query(next=place)}"}
    return Response(status_code=303, headers=headers)


async def _wrong(request: Request, error: Any) -> Response:
    if error.status_code == 404:
        return _told(request, 404, "not_found", "not_found_text")
    return _told(request, error.status_code, "refused")


async def _refused(request: Request, error: Any) -> Response:
    """What a service refused, as it says it itself; what it could not do is our fault and not the visitor's."""
    refused = from_rpc_error(error) if isinstance(error, grpc.aio.AioRpcError) else error
    status = _STATUS.get(refused.kind, 503)
    if status == 404:
        return _told(request, 404, "not_found", "not_found_text")
    if status == 503:
        telemetry.log.warning("page without an answer", because=str(refused)[:200])
        return _told(request, 503, "away", "away_text")
    return _told(request, status, "refused", *(str(v) for v in refused.violations[:10] or [refused.message]))


async def _failed(request: Request, error: Exception) -> Response:
    telemetry.log.error("page failed", error=f"{type(error).__name__}: {error}"[:300])
    return _told(request, 500, "away", "away_text")
