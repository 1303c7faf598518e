"""The catalogue of good practices, for everybody: what helps, by whom, how to copy it."""

from livinglab.coaching.v1 import practice_pb2
from livinglab.coaching.v1 import practice_service_pb2 as pb
from starlette.requests import Request
from starlette.responses import Response

from services.console.pages import answers, shell, shown
from services.console.pages.asked import Asked
from services.console.session.people import public_person

_MOST = 1_000
_KINDS = (
    practice_pb2.SERVICE_KIND_G2G,
    practice_pb2.SERVICE_KIND_G2C,
    practice_pb2.SERVICE_KIND_G2E,
    practice_pb2.SERVICE_KIND_G2B,
)


async def listed(request: Request) -> Response:
    """What is published; `kind` and `indicator` of the address choose from it."""
    language: str = request.state.language
    asked: Asked = request.app.state.asked
    kind = request.query_params.get("kind", "")
    chosen = int(kind) if kind in {str(one) for one in _KINDS} else 0
    indicator = request.query_params.get("indicator", "")[:40]

    async def made() -> answers.Answer:
        question = pb.ListPracticesRequest(page_size=_MOST, kind=practice_pb2.ServiceKind.ValueType(chosen))
        answer = await asked.once(public_person(request), asked.neighbours.practices.ListPractices, question)
        found = [one for one in answer.practices if not indicator or any(p.indicator == indicator for p in one.levels)]
        place = "practices" + shell.query(kind=str(chosen or ""), indicator=indicator)
        values = {"practices": found, "kinds": _KINDS, "chosen": chosen, "indicator": indicator}
        return shown.public("practices.html", language, place, **values)

    return answers.public(request, await asked.remembered(("practices", language, chosen, indicator), made))


async def one(request: Request) -> Response:
    """One practice with its steps, whom to ask, and what shows it."""
    language: str = request.state.language
    asked: Asked = request.app.state.asked
    practice_id: str = request.path_params["practice"]

    async def made() -> answers.Answer:
        question = pb.GetPracticeRequest(practice_id=practice_id)
        answer = await asked.once(public_person(request), asked.neighbours.practices.GetPractice, question)
        return shown.public("practice.html", language, f"practices/{practice_id}", practice=answer.practice)

    return answers.public(request, await asked.remembered(("practice", language, practice_id), made))
