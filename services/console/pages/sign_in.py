"""Signing in and out: off to the issuer, back from it, and away."""

from starlette.requests import Request
from starlette.responses import Response

from chassis.errors import denied
from services.console.pages import answers
from services.console.session import people
from services.console.session.sessions import COOKIE, STARTED, Sessions
from services.console.session.sign_in import SignIn

_START_PATH = "/"
_LONGEST = 300


async def begin(request: Request) -> Response:
    """Off to the issuer; back to where the person wanted to go."""
    sign_in: SignIn = request.app.state.sign_in
    place, started = await sign_in.start(_seen(request), _local(request.query_params.get("next", "/work")))
    away = _away(place)
    _set(away, STARTED, request.app.state.sessions.begin(started), 600)
    return away


async def back(request: Request) -> Response:
    """From the issuer with a code. PERMISSION_DENIED unless this browser has begun it."""
    sessions: Sessions = request.app.state.sessions
    sign_in: SignIn = request.app.state.sign_in
    started = sessions.finish(request.cookies.get(STARTED, ""))
    asked = request.query_params
    if started is None or asked.get("state") != started.state or not asked.get("code"):
        raise denied("SIGN_IN", "this sign-in has not begun here, or took too long: begin it again")
    session = await sign_in.finish(_seen(request), started, asked["code"])
    # A name from before is not kept: whoever knew it knows nothing now.
    sessions.end(request.cookies.get(COOKIE, ""))
    away = _away(started.after)
    _set(away, COOKIE, sessions.keep(session), None)
    _set(away, STARTED, "", 0)
    return away


async def end(request: Request) -> Response:
    """Signed out here, then at the issuer."""
    session = await people.session_of(request)
    await people.form_of(request, session)
    request.app.state.sessions.end(request.cookies.get(COOKIE, ""))
    away = _away(await request.app.state.sign_in.leave(_seen(request)))
    _set(away, COOKIE, "", 0)
    away.headers["clear-site-data"] = '"cache"'
    return away


def _away(place: str) -> Response:
    return Response(status_code=303, headers={**answers.SAFETY, "cache-control": answers.PRIVATE, "location": place})


def _set(sent: Response, name: str, value: str, seconds: int | None) -> None:
    sent.set_cookie(name, value, max_age=seconds, path="/", secure=True, httponly=True, samesite="lax")


def _seen(request: Request) -> str:
    """This console's address as the browser wrote it."""
    return f"{request.url.scheme}://{request.headers.get('host', '')}"


def _local(place: str) -> str:
    """A path of ours and nobody else's."""
    fine = (
        place.startswith("/") and not place.startswith(("//", "/\\")) and place.isprintable() and len(place) < _LONGEST
    )
    return place if fine and "\\" not in place else "/work"
