"""Pages that are kept up to date: whole fragments with a revision as server-sent events, all of it at each
connection, so that a lost one costs nothing."""

from collections.abc import AsyncIterator, Callable, Hashable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from chassis.errors import Refused
from services.console.live import Open, Topic
from services.console.pages import answers, shell
from services.console.session.sessions import COOKIE, Session

# How soon one who has signed out, or a process that ends, is noticed; how often a silent connection is spoken to, so
# that proxies leave it alone.
_LOOK_SECONDS, _SILENT_LOOKS = 1.0, 15


def script(name: str = "live.js") -> str:
    """The address of a script; that of the one that takes events."""
    return f"/static/{shell.static_name(name)}"


def with_script(sent: Response) -> Response:
    """A page that may run our scripts, and may make markup by our one policy."""
    sent.headers["content-security-policy"] = answers.WITH_SCRIPT
    return sent


def events(
    request: Request, session: Session, name: Hashable, open_: Open, first: str, make: Callable[[Any], str]
) -> Response:
    """The stream of a topic for one browser. `first` is what it says at once; `make` writes the fragment of what the
    topic said, once for all who look at it in that language."""
    language: str = request.state.language
    cookie, state = request.cookies.get(COOKIE, ""), request.app.state

    def made(topic: Topic) -> str:
        if language not in topic.made:
            topic.made[language] = make(topic.latest)
        text: str = topic.made[language]
        return text

    async def may_look() -> bool:
        if state.stopping.is_set() or state.sessions.get(cookie) is not session:
            return False
        try:
            return bool(await state.sign_in.fresh(session))
        except Refused:
            return False

    async def said() -> AsyncIterator[bytes]:
        yield b"retry: 2000\n\n" + _event(0, first)
        async with state.watches.watching(name, lambda: session.token, open_) as topic:
            revision = silent = 0
            while await may_look():
                if await topic.after(revision, _LOOK_SECONDS):
                    revision, silent = topic.revision, 0
                    yield _event(revision, made(topic))
                elif (silent := silent + 1) % _SILENT_LOOKS == 0:
                    yield b": still here\n\n"

    headers = {**answers.SAFETY, "cache-control": answers.PRIVATE, "x-accel-buffering": "no"}
    return StreamingResponse(said(), media_type="text/event-stream", headers=headers)


def _event(revision: int, text: str) -> bytes:
    lines = "".join(f"data: {line}\n" for line in text.splitlines())
    return f"id: {revision}\n{lines}\n".encode()
