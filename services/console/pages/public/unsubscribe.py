"""Leaving a kind of letters by the address that stands in them: nobody signs in, the address itself is the right."""

import uuid

from livinglab.notify.v1 import subscription_service_pb2 as pb
from starlette.requests import Request
from starlette.responses import Response

from services.console.pages import answers, shell
from services.console.session.neighbours import Neighbours
from services.console.session.people import public_person


async def page(request: Request) -> Response:
    """Asks first: programs that look at every address of a mail turn nothing off. A POST carries it out, also one that
    a mail program sends by itself (RFC 8058), from no page, with no cookie and no session."""
    language: str = request.state.language
    neighbours: Neighbours = request.app.state.neighbours
    person, token = public_person(request), request.path_params["token"]
    done = request.method == "POST"
    if done:
        asked = pb.UnsubscribeRequest(request_id=uuid.uuid4().hex, token=token)
        kind = (await person.ask(neighbours.subscriptions.Unsubscribe, asked)).kind
    else:
        known = await person.ask(neighbours.subscriptions.GetSubscription, pb.GetSubscriptionRequest(token=token))
        kind, done = known.kind, known.ended
    other = shell.root("en" if language == "id" else "id")
    made = shell.render(
        "unsubscribe.html", language, alternate=f"{other}unsubscribe/{token}", kind=f"letters_{kind}", done=done
    )
    return answers.private(made, headers={"x-robots-tag": "noindex", "referrer-policy": "no-referrer"})
