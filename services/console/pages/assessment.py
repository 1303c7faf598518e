"""The self-assessment: the list of indicators, what is doubtful, handing in."""

from collections.abc import Iterator
from typing import Any

import grpc
import grpc.aio
from livinglab.assessment.v1 import evaluation_pb2, service_pb2, understanding_pb2
from livinglab.common.v1 import options_pb2
from starlette.requests import Request
from starlette.responses import Response

from chassis.errors import Refused
from chassis.status import from_rpc_error
from services.console.pages import shown
from services.console.pages.asked import Asked
from services.console.session import people
from services.console.session.neighbours import Person

WRITERS = (options_pb2.ROLE_OPERATOR, options_pb2.ROLE_HEAD)
_OPEN = evaluation_pb2.EVALUATION_STATE_OPEN


async def overview(request: Request) -> Response:
    """Every indicator with its answer; handing in, for the head, once nothing is missing."""
    session = await people.session_of(request)
    person, asked = people.person_of(session), request.app.state.asked
    error: Refused | None = None
    if request.method == "POST":
        form = await people.form_of(request, session)
        order = service_pb2.SubmitEvaluationRequest(
            request_id=form.get("request_id", ""), evaluation_id=id_of(request), etag=form.get("etag", "")
        )
        try:
            await person.ask(asked.neighbours.instruments.SubmitEvaluation, order)
            return shown.there(request, f"work/assessment/{id_of(request)}", saved="1")
        except grpc.aio.AioRpcError as refused:
            error = from_rpc_error(refused)
    evaluation = await evaluation_of(asked, person, id_of(request))
    instrument = await asked.instrument(person, evaluation.instrument, evaluation.instrument_version)
    needs = await person.ask(
        asked.neighbours.understanding.ListNeeds, understanding_pb2.ListNeedsRequest(evaluation_id=evaluation.id)
    )
    answers = {answer.indicator: answer for answer in evaluation.answers}
    leaves = list(leaves_of(instrument.nodes))
    return shown.page(
        request,
        "assessment.html",
        session,
        status=409 if error else 200,
        evaluation=evaluation,
        title=instrument.title,
        leaves=leaves,
        answers=answers,
        warnings=needs.warnings,
        next_open=next((leaf.number for leaf in leaves if leaf.number in set(evaluation.missing)), ""),
        open=evaluation.state == _OPEN,
        writes=session.has(*WRITERS) and evaluation.state == _OPEN,
        hands_in=session.has(options_pb2.ROLE_HEAD) and evaluation.state == _OPEN and not evaluation.missing,
        saved=request.query_params.get("saved", ""),
        error=error,
    )


async def evaluation_of(asked: Asked, person: Person, evaluation_id: str) -> Any:
    request = service_pb2.GetEvaluationRequest(evaluation_id=evaluation_id)
    return (await person.ask(asked.neighbours.instruments.GetEvaluation, request)).evaluation


def leaves_of(nodes: Any) -> Iterator[Any]:
    for node in nodes:
        if node.children:
            yield from leaves_of(node.children)
        else:
            yield node


def id_of(request: Request) -> str:
    found: str = request.path_params["evaluation"]
    return found
