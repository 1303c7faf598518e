"""The program, for everybody: which cohorts there are; of one its phases, when people meet, who takes part, targets."""

from typing import Any

import grpc
import grpc.aio
from livinglab.benchmark.v1 import service_pb2 as benchmark_pb
from livinglab.program.v1 import overview_service_pb2 as pb
from starlette.requests import Request
from starlette.responses import Response

from chassis.errors import Kind
from chassis.status import from_rpc_error
from services.console.model.choice import Choice, chosen
from services.console.pages import answers, shell, shown
from services.console.pages.asked import Asked
from services.console.session.neighbours import Person
from services.console.session.people import public_person

_MOST = 100


async def listed(request: Request) -> Response:
    """Cohorts that are or were held, newest first."""
    language: str = request.state.language
    asked: Asked = request.app.state.asked

    async def made() -> answers.Answer:
        question = pb.ListOverviewsRequest(page_size=_MOST)
        answer = await asked.once(public_person(request), asked.neighbours.overviews.ListOverviews, question)
        return shown.public("programs.html", language, "programs", overviews=answer.overviews)

    return answers.public(request, await asked.remembered(("programs", language), made))


async def one(request: Request) -> Response:
    """One cohort as everybody may see it; 404 also for a rehearsal."""
    language: str = request.state.language
    asked: Asked = request.app.state.asked
    cohort_id: str = request.path_params["cohort"]

    async def made() -> answers.Answer:
        person = public_person(request)
        question = pb.GetOverviewRequest(cohort_id=cohort_id)
        overview = (await asked.once(person, asked.neighbours.overviews.GetOverview, question)).overview
        choice, aggregate = await _race_of(asked, person, cohort_id)
        return shown.public(
            "program.html",
            language,
            f"programs/{cohort_id}",
            overview=overview,
            choice=choice,
            query=shell.query,
            aggregate=aggregate,
        )

    return answers.public(request, await asked.remembered(("program", language, cohort_id), made))


async def _race_of(asked: Asked, person: Person, cohort_id: str) -> tuple[Choice, Any]:
    """The newest race with where the cohort's mean stands in it; None where it has not begun, or where published and
    computed values would have to be mixed."""
    choice = chosen({"group": f"cohort:{cohort_id}"}, await asked.races(person))
    if not choice.instrument:
        return choice, None
    race = benchmark_pb.Race(instrument=choice.instrument, period=choice.period, stage=choice.stage, group=choice.group)
    try:
        question = benchmark_pb.GetAggregateRequest(race=race)
        aggregate = await asked.once(person, asked.neighbours.race.GetAggregate, question)
    except grpc.aio.AioRpcError as error:
        if from_rpc_error(error).kind not in (Kind.NOT_FOUND, Kind.FAILED_PRECONDITION, Kind.INVALID_ARGUMENT):
            raise
        return choice, None
    return choice, aggregate if aggregate.count else None
