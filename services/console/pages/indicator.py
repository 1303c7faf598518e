"""One indicator of a self-assessment: what each level asks for, what it was before, and the answer to it."""

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import grpc
import grpc.aio
from livinglab.assessment.v1 import evaluation_pb2, guidance_pb2, results_service_pb2, service_pb2, understanding_pb2
from starlette.requests import Request
from starlette.responses import Response

from chassis.errors import Kind, Refused
from chassis.status import from_rpc_error
from services.console.model import charts
from services.console.pages import answers, evidence, shown, streamed
from services.console.pages.asked import Asked
from services.console.pages.assessment import WRITERS, Place, indicator_of, levels_of
from services.console.session import people
from services.console.session.neighbours import Person
from services.console.session.sessions import Session

_AGAIN = (Kind.UNAVAILABLE, Kind.DEADLINE_EXCEEDED, Kind.RESOURCE_EXHAUSTED)
_OPEN = evaluation_pb2.EVALUATION_STATE_OPEN


async def page(request: Request) -> Response:
    """One indicator: what it is, what it was, and the answer to it."""
    session = await people.session_of(request)
    person, asked = people.person_of(session), request.app.state.asked
    evaluation, instrument, place = await indicator_of(request, session)
    number = place.leaf.number
    given = {answer.indicator: answer for answer in evaluation.answers}.get(number)
    value, note = (given.value, given.note) if given else ("", "")
    met = {one.criterion: list(one.evidence) for one in given.met} if given else {}
    guide = await asked.guide(person, instrument, number)
    error: Refused | None = None
    if request.method == "POST":
        form = await people.form_of(request, session)
        value, note = form.get("value", ""), form.get("note", "")
        met = {one: met.get(one, []) for one in (guide.criteria if guide else ()) if f"met.{one}" in form}
        etag, error = await _saved(asked, person, evaluation, number, form, met)
        onward = shown.there(request, _onward(evaluation, place, form), saved="1")
        if request.headers.get("accept") == answers.JSON:
            # A draft that was kept on a device: acknowledged, refused, or to be sent again.
            if error and error.kind in _AGAIN:
                raise error
            return answers.told(
                {"message": str(error)} if error else {"next": onward.headers["location"], "etag": etag},
                409 if error else 200,
            )
        if error is None:
            return onward
    pieces, before, gain = await asyncio.gather(
        evidence.shown_for(person, asked.neighbours, evaluation.id, number),
        _before(asked, session, evaluation, number),
        _gain(asked, session, evaluation, number),
    )
    writes = session.has(*WRITERS) and evaluation.state == _OPEN
    sent = shown.page(
        request,
        "indicator.html",
        session,
        status=409 if error else 200,
        evaluation=evaluation,
        place=place,
        value=value,
        note=note,
        etag=evaluation.etag,
        levels=levels_of(instrument, place.leaf),
        guide=guide,
        asks={level.level: level for level in guide.levels} if guide else {},
        met=met,
        scale=instrument.scale,
        pieces=pieces,
        told={name: request.query_params.get(name, "") for name in ("attached", "detached", "refused", "doubt")},
        attaches=session.has(*WRITERS) and bool(session.institution),
        care=next((one for one in evaluation.delegations if one.indicator == number), None),
        before=before,
        gain=gain,
        writes=writes,
        script_draft=streamed.script("draft.js") if writes else "",
        error=error,
        conflict=error is not None and error.kind is Kind.ABORTED,
        saved=request.query_params.get("saved", ""),
    )
    return streamed.with_script(sent)


async def _saved(
    asked: Asked, person: Person, evaluation: Any, number: str, form: Mapping[str, str], met: Mapping[str, list[str]]
) -> tuple[str, Refused | None]:
    """Keeps the answer with the criteria that it calls met, each with the evidence it had: the new etag, or why it is
    refused."""
    order = service_pb2.SaveAnswersRequest(
        request_id=form.get("request_id", ""),
        evaluation_id=evaluation.id,
        etag=form.get("etag", ""),
        answers=[
            evaluation_pb2.Answer(
                indicator=number,
                value=form.get("value", "").strip().replace(",", "."),
                note=form.get("note", ""),
                met=[guidance_pb2.CriterionMet(criterion=one, evidence=pieces) for one, pieces in met.items()],
                # A browser says nothing of a box that is not ticked.
                forget_met=not met,
            )
        ],
    )
    try:
        answer = await person.ask(asked.neighbours.instruments.SaveAnswers, order)
    except grpc.aio.AioRpcError as error:
        return "", from_rpc_error(error)
    return str(answer.evaluation.etag), None


def _onward(evaluation: Any, place: Place, form: Mapping[str, str]) -> str:
    """The page after one that was saved: the next indicator without an answer, or the same."""
    missing = set(evaluation.missing) - {place.leaf.number}
    onward = place.following(missing) if "next" in form else place.leaf.number
    return f"work/assessment/{evaluation.id}" + (f"/{onward}" if onward else "")


async def _before(asked: Asked, session: Session, evaluation: Any, number: str) -> tuple[str, str]:
    """Period and value of the indicator in the newest result before this one; empty where there is none, and for an
    agency, which sees no results."""
    if session.of_agency:
        return "", ""
    request = results_service_pb2.ListResultsRequest(
        institution=evaluation.institution, instrument=evaluation.instrument, page_size=100
    )
    listed = await people.person_of(session).ask(asked.neighbours.results.ListResults, request)
    year = charts.year_of(evaluation.period)
    earlier = [r for r in listed.results if charts.year_of(r.period) < year and number in r.values]
    newest = max(earlier, key=lambda r: (charts.year_of(r.period), r.stage), default=None)
    return (newest.period, newest.values[number]) if newest else ("", "")


async def _gain(asked: Asked, session: Session, evaluation: Any, number: str) -> str:
    """What one step of the indicator adds to the index; empty for an agency, which sees no index."""
    if session.of_agency:
        return ""
    request = understanding_pb2.WhatIfRequest(evaluation_id=evaluation.id)
    answer = await people.person_of(session).ask(asked.neighbours.understanding.WhatIf, request)
    found = next((step.gain for step in answer.gains if step.indicator == number), "")
    return f"{Decimal(found):.3f}" if found else ""
