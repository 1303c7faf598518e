"""What a person was told: newest first, as it comes; read and unread."""

from collections.abc import AsyncIterator
from typing import Any

from livinglab.notify.v1 import inbox_service_pb2 as pb
from starlette.requests import Request
from starlette.responses import Response

from chassis.errors import denied
from services.console.pages import shell, shown, streamed
from services.console.session import people
from services.console.session.neighbours import Neighbours, Person
from services.console.session.sessions import COOKIE, Session

_MOST = 50
# A form may name as many at once.
_AT_ONCE = 500


async def page(request: Request) -> Response:
    """The newest ones; a form marks one, or all of them, as read."""
    session = await _reader(request)
    person, inbox = people.person_of(session), request.app.state.neighbours.inbox
    if request.method == "POST":
        form = await people.form_of(request, session)
        if ids := [one for one in form.get("read", "").split(",") if one][:_AT_ONCE]:
            await person.ask(inbox.MarkRead, pb.MarkReadRequest(request_id=form["request_id"], message_ids=ids))
        return shown.there(request, "inbox")
    language = shown.language_of(request)
    sent = shown.page(
        request,
        "inbox.html",
        session,
        fragment=_fragment(await _listed(person, request.app.state.neighbours), language),
        live=f"{shell.root(language)}inbox/live",
        script=streamed.script(),
    )
    return streamed.with_script(sent)


async def live(request: Request) -> Response:
    """The same as events, whenever somebody is told something."""
    session, language = await _reader(request), shown.language_of(request)
    neighbours: Neighbours = request.app.state.neighbours
    first = await _listed(people.person_of(session), neighbours)
    # One inbox is one person's: nobody else shares the stream.
    return streamed.events(
        request,
        session,
        ("inbox", request.cookies.get(COOKIE, "")),
        lambda token: _told(Person(token), neighbours),
        _fragment(first, language),
        lambda said: _fragment(said, language),
    )


async def _reader(request: Request) -> Session:
    session = await people.session_of(request)
    if not session.has_inbox:
        raise denied("ROLE", "nobody writes to this role")
    return session


async def _listed(person: Person, neighbours: Neighbours) -> Any:
    return await person.ask(neighbours.inbox.ListInbox, pb.ListInboxRequest(page_size=_MOST))


async def _told(person: Person, neighbours: Neighbours) -> AsyncIterator[Any]:
    async for _ in neighbours.inbox.WatchInbox(pb.WatchInboxRequest(), metadata=person.metadata()):
        yield await _listed(person, neighbours)


def _fragment(listed: Any, language: str) -> str:
    return shell.render(
        "inbox_board.html",
        language,
        listed=listed,
        region=shown.region,
        when=lambda stamp, code="": shown.when(stamp, language, code),
    )
