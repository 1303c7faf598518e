"""An assessor's desk: an evaluation with its stages side by side, one indicator with its evidence, values and notes."""

from typing import Any

import grpc
import grpc.aio
from livinglab.assessment.v1 import cycle_pb2, evaluation_pb2
from livinglab.assessment.v1 import service_pb2 as assessment_pb
from livinglab.assessment.v1 import verification_pb2 as pb
from livinglab.common.v1 import options_pb2
from starlette.requests import Request
from starlette.responses import Response

from chassis.errors import Refused
from chassis.status import from_rpc_error
from instruments.lint import leaves
from services.console.pages import evidence, shown
from services.console.pages.asked import Asked
from services.console.pages.assessment import evaluation_of, id_of, indicator_of, levels_of
from services.console.session import people
from services.console.session.neighbours import Neighbours, Person

_STAGES = (
    evaluation_pb2.STAGE_DOCUMENT,
    evaluation_pb2.STAGE_INTERVIEW,
    evaluation_pb2.STAGE_VISIT,
    evaluation_pb2.STAGE_REVIEW,
)
_NOTE = ("fact", "analysis", "justification")


async def assigned(person: Person, neighbours: Neighbours) -> list[Any]:
    """The evaluations that this assessor is assigned to, those that are not published first."""
    request = assessment_pb.ListEvaluationsRequest()
    found = await person.every(neighbours.instruments.ListEvaluations, request, "evaluations")
    return sorted(found, key=lambda one: (one.state == evaluation_pb2.EVALUATION_STATE_PUBLISHED, one.institution))


async def page(request: Request) -> Response:
    """Every indicator with what each stage found; concluding the stage that is under way."""
    session = await people.session_of(request)
    person, asked = people.person_of(session), request.app.state.asked
    error: Refused | None = None
    if request.method == "POST":
        form = await people.form_of(request, session)
        order = pb.ConcludeStageRequest(
            request_id=form.get("request_id", ""),
            evaluation_id=id_of(request),
            etag=form.get("etag", ""),
            stage=_stage(form.get("stage", "")),
            remark=form.get("remark", ""),
        )
        try:
            await person.ask(asked.neighbours.verification.ConcludeStage, order)
            return shown.there(request, f"work/dossier/{id_of(request)}", saved="1")
        except grpc.aio.AioRpcError as refused:
            error = from_rpc_error(refused)
    evaluation = await evaluation_of(asked, person, id_of(request))
    instrument = await asked.instrument(person, evaluation.instrument, evaluation.instrument_version)
    dossier = await _dossier(asked, person, evaluation.id)
    return shown.page(
        request,
        "dossier.html",
        session,
        status=409 if error else 200,
        evaluation=evaluation,
        title=instrument.title,
        leaves=list(leaves(instrument.nodes)),
        stages=_stages(evaluation),
        self_values={answer.indicator: answer.value for answer in evaluation.answers},
        values=_values(evaluation, dossier),
        objections={one.indicator: one for one in dossier.objections},
        under_way=_under_way(evaluation),
        assesses=session.has(options_pb2.ROLE_ASSESSOR),
        saved=request.query_params.get("saved", ""),
        error=error,
    )


async def indicator(request: Request) -> Response:
    """One indicator: what the institution says and shows, what each stage found, this assessor's own value and note."""
    session = await people.session_of(request)
    person, asked = people.person_of(session), request.app.state.asked
    evaluation, instrument, place = await indicator_of(request, session)
    number = place.leaf.number
    error: Refused | None = None
    form: dict[str, str] = {}
    if request.method == "POST":
        form = await people.form_of(request, session)
        error = await _saved(asked, person, evaluation, number, form)
        if error is None:
            following = (place.following() if "next" in form else "") or number
            return shown.there(request, f"work/dossier/{evaluation.id}/{following}", saved="1")
    dossier = await _dossier(asked, person, evaluation.id)
    own = [one for one in dossier.assessments if one.indicator == number and one.assessor == session.subject]
    mine = max(own, key=lambda one: one.stage, default=None)
    return shown.page(
        request,
        "dossier_indicator.html",
        session,
        status=409 if error else 200,
        evaluation=evaluation,
        place=place,
        answer=next((answer for answer in evaluation.answers if answer.indicator == number), None),
        guide=await asked.guide(person, instrument, number),
        pieces=await evidence.shown_for(person, asked.neighbours, evaluation.id, number),
        found=[one for one in dossier.assessments if one.indicator == number],
        objection=next((one for one in dossier.objections if one.indicator == number), None),
        value=form.get("value") or (mine.value if mine else ""),
        note={part: form.get(part) or (getattr(mine.note, part) if mine else "") for part in _NOTE},
        stages=_stages(evaluation),
        under_way=_under_way(evaluation),
        levels=levels_of(instrument, place.leaf),
        scale=instrument.scale,
        assesses=session.has(options_pb2.ROLE_ASSESSOR)
        and evaluation.state != evaluation_pb2.EVALUATION_STATE_PUBLISHED,
        saved=request.query_params.get("saved", ""),
        error=error,
    )


async def _saved(asked: Asked, person: Person, evaluation: Any, number: str, form: dict[str, str]) -> Refused | None:
    """Keeps the assessor's value with its note; why not, where it is refused."""
    level = pb.AssessedLevel(
        indicator=number,
        value=form.get("value", "").strip().replace(",", "."),
        note=evaluation_pb2.AssessorNote(**{part: form.get(part, "") for part in _NOTE}),
    )
    order = pb.SaveAssessmentsRequest(
        request_id=form.get("request_id", ""),
        evaluation_id=evaluation.id,
        etag=form.get("etag", ""),
        stage=_stage(form.get("stage", "")),
        assessments=[level],
    )
    try:
        await person.ask(asked.neighbours.verification.SaveAssessments, order)
    except grpc.aio.AioRpcError as refused:
        return from_rpc_error(refused)
    return None


async def _dossier(asked: Asked, person: Person, evaluation_id: str) -> cycle_pb2.Dossier:
    request = pb.GetDossierRequest(evaluation_id=evaluation_id)
    found: cycle_pb2.Dossier = (await person.ask(asked.neighbours.verification.GetDossier, request)).dossier
    return found


def _values(evaluation: Any, dossier: cycle_pb2.Dossier) -> dict[tuple[int, str], str]:
    """By stage and indicator: what the stage was concluded with; until then what its assessors found, 3 / 2 where they
    differ."""
    found: dict[tuple[int, str], list[str]] = {}
    for one in dossier.assessments:
        found.setdefault((one.stage, one.indicator), []).append(one.value)
    values = {key: " / ".join(dict.fromkeys(each)) for key, each in found.items()}
    for result in evaluation.results:
        values |= {(result.stage, value.indicator): value.value for value in result.values}
    return values


def _stages(evaluation: Any) -> list[int]:
    """Those of assessors that this evaluation goes through, in their order."""
    cycle = {entry.stage for entry in evaluation.cycle}
    return [one for one in _STAGES if one in cycle]


def _under_way(evaluation: Any) -> int:
    """The stage that is worked on, or begins with the first value."""
    return int(evaluation.next_stage or evaluation.stage)


def _stage(text: str) -> evaluation_pb2.Stage.ValueType:
    found = int(text) if text.isdecimal() and len(text) == 1 else 0
    return evaluation_pb2.Stage.ValueType(found if found in _STAGES else 0)
