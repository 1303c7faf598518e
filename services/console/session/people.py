"""Who a request comes from."""

from starlette.requests import Request

from services.console.session.neighbours import Person


def public_person(request: Request) -> Person:
    """Anybody: a public page asks as the public, whoever looks at it."""
    return Person(origin=_origin(request))


def _origin(request: Request) -> str:
    """The visitor's address with the proxies before it; a service decides which of them it believes."""
    peer = request.client.host if request.client else ""
    before = request.headers.get("x-forwarded-for", "")[:200]
    return ", ".join(hop for hop in (before, peer) if hop and hop.isascii() and hop.isprintable())
