"""The self-assessment: the list of indicators, what is doubtful, handing in."""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import grpc
import grpc.aio
from livinglab.assessment.v1 import evaluation_pb2, service_pb2, understanding_pb2
from livinglab.common.v1 import options_pb2
from starlette.requests import Request
from starlette.responses import Response

from chassis.errors import Refused, not_found
from chassis.status import from_rpc_error
from instruments.lint import leaves
from services.console.pages import shown, streamed
from services.console.pages.asked import Asked
from services.console.session import people
from services.console.session.neighbours import Person
from services.console.session.sessions import Session

# An agency answers what it was given; the services know what that is.
WRITERS = (options_pb2.ROLE_OPERATOR, options_pb2.ROLE_HEAD, options_pb2.ROLE_AGENCY)
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
    indicators = _shown(evaluation, instrument, session)
    writes = session.has(*WRITERS) and evaluation.state == _OPEN
    sent = shown.page(
        request,
        "assessment.html",
        session,
        status=409 if error else 200,
        evaluation=evaluation,
        title=instrument.title,
        leaves=indicators,
        answers=answers,
        given={one.indicator: one for one in evaluation.delegations},
        today=datetime.now(UTC).date().isoformat(),
        warnings=needs.warnings,
        next_open=next((leaf.number for leaf in indicators if leaf.number in set(evaluation.missing)), ""),
        open=evaluation.state == _OPEN,
        writes=writes,
        script_draft=streamed.script("draft.js") if writes else "",
        hands_in=session.has(options_pb2.ROLE_HEAD) and evaluation.state == _OPEN and not evaluation.missing,
        saved=request.query_params.get("saved", ""),
        error=error,
    )
    return streamed.with_script(sent)


@dataclass(frozen=True)
class Place:
    """An indicator among all of its instrument, in their order."""

    leaf: Any
    leaves: Sequence[Any]

    @property
    def position(self) -> int:
        """Counts from 1."""
        return self.leaves.index(self.leaf) + 1

    def following(self, among: Container[str] | None = None) -> str:
        """The next one, after the last the first; of those that are named, where any are. Empty where there is none."""
        others = [*self.leaves[self.position :], *self.leaves[: self.position - 1]]
        return next((one.number for one in others if among is None or one.number in among), "")


def _shown(evaluation: Any, instrument: Any, session: Session) -> list[Any]:
    """The indicators in their order; of an agency's evaluation those that were given to it."""
    given = {one.indicator for one in evaluation.delegations}
    return [one for one in leaves(instrument.nodes) if not session.of_agency or one.number in given]


async def indicator_of(request: Request, session: Session) -> tuple[Any, Any, Place]:
    """The evaluation and the indicator that the address names, with the instrument between them; NOT_FOUND."""
    asked: Asked = request.app.state.asked
    person = people.person_of(session)
    evaluation = await evaluation_of(asked, person, id_of(request))
    instrument = await asked.instrument(person, evaluation.instrument, evaluation.instrument_version)
    number, indicators = request.path_params["indicator"], _shown(evaluation, instrument, session)
    leaf = next((one for one in indicators if one.number == number), None)
    if leaf is None:
        raise not_found("indicator", number[:40])
    return evaluation, instrument, Place(leaf, indicators)


async def evaluation_of(asked: Asked, person: Person, evaluation_id: str) -> Any:
    """The evaluation of that id, as this person may see it."""
    request = service_pb2.GetEvaluationRequest(evaluation_id=evaluation_id)
    return (await person.ask(asked.neighbours.instruments.GetEvaluation, request)).evaluation


def id_of(request: Request) -> str:
    """The evaluation that the address names."""
    found: str = request.path_params["evaluation"]
    return found


def levels_of(instrument: Any, leaf: Any) -> list[tuple[str, str]]:
    """Level and name of each, where the scale has levels; none where any decimal counts."""
    scale = instrument.scale
    if scale.kind not in (1, 3):
        return []
    low, high = int(Decimal(scale.min)), int(Decimal(scale.max))
    values = [low, high] if scale.kind == 3 else list(range(low, high + 1))
    names = next((list(n.names) for n in instrument.level_names if n.capability == leaf.capability), [])
    return [(str(v), names[place] if place < len(names) else "") for place, v in enumerate(values)]
