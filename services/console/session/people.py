"""The person behind a request, and whether the request really comes from their own browser."""

import urllib.parse
from typing import Any

from starlette.requests import Request

from chassis.errors import Kind, Refused, denied
from services.console.session.neighbours import Person
from services.console.session.sessions import COOKIE, Session

LARGEST_FORM = 64 * 1024
# Of the minutes of a session with all of its steps.
_MOST_FIELDS = 300


class NotSignedIn(Exception):
    """The page is for people who are signed in."""


def public_person(request: Request) -> Person:
    """Anybody: a public page asks as the public, whoever looks at it."""
    return Person(origin=origin(request))


async def session_of(request: Request) -> Session:
    """The session of this browser with a token that holds; NotSignedIn without one."""
    name = request.cookies.get(COOKIE, "")
    session: Session | None = request.app.state.sessions.get(name)
    if session is None:
        raise NotSignedIn
    try:
        holds = await request.app.state.sign_in.fresh(session)
    except Refused as refused:
        if refused.kind is not Kind.UNAUTHENTICATED:
            raise
        holds = False
    if not holds:
        request.app.state.sessions.end(name)
        raise NotSignedIn
    return session


def person_of(session: Session) -> Person:
    """Asks with the person's own token."""
    return Person(token=session.token)


async def form_of(request: Request, session: Session) -> dict[str, str]:
    """What a form of this session says. PERMISSION_DENIED for one that another site sent, or that is not of this
    session; RESOURCE_EXHAUSTED for one that is too large."""
    require_same_site(request)
    form = await _form(request)
    require_own(session, form.get("csrf", ""))
    return form


def require_own(session: Session, csrf: str) -> None:
    """Refuses a form that is not of this session."""
    if not session.holds(csrf):
        raise denied("FORM", "the form is too old, or of another session: load the page again")


def require_same_site(request: Request) -> None:
    """Refuses what another site made the browser send."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        fine = site in ("same-origin", "none")
    else:
        # An older browser: it names where the form stood.
        origin = request.headers.get("origin", "")
        fine = urllib.parse.urlsplit(origin).netloc == request.headers.get("host", "") != ""
    if not fine:
        raise denied("FORM", "the form came from another site")


async def _form(request: Request) -> dict[str, str]:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > LARGEST_FORM:
            raise Refused(Kind.RESOURCE_EXHAUSTED, "FORM", f"a form holds at most {LARGEST_FORM} bytes")
    text = body.decode(errors="replace")
    try:
        pairs: Any = urllib.parse.parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise Refused(Kind.RESOURCE_EXHAUSTED, "FORM", f"a form has at most {_MOST_FIELDS} fields") from error
    return dict(pairs)


def origin(request: Request) -> str:
    """The visitor's address with the proxies before it; a service decides which of them it believes."""
    peer = request.client.host if request.client else ""
    before = request.headers.get("x-forwarded-for", "")[:200]
    return ", ".join(hop for hop in (before, peer) if hop and hop.isascii() and hop.isprintable())
