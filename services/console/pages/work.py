"""What a person has to do: a region's assessments and plans; for the others, the cohorts that they look after."""

from typing import Any

from livinglab.assessment.v1 import evaluation_pb2, service_pb2
from livinglab.coaching.v1 import assignment_service_pb2 as assignment_pb
from livinglab.coaching.v1 import service_pb2 as coaching_pb
from livinglab.common.v1 import options_pb2
from livinglab.program.v1 import duty_service_pb2
from livinglab.program.v1 import service_pb2 as program_pb
from starlette.requests import Request
from starlette.responses import Response

from services.console.pages import dossier, shown, streamed
from services.console.session import people
from services.console.session.neighbours import Neighbours, Person
from services.console.session.sessions import REGION_ROLES, Session

_MOST = 100
_OPEN = evaluation_pb2.EVALUATION_STATE_OPEN
_STILL_OWED = (duty_service_pb2.OWED_STATE_DUE, duty_service_pb2.OWED_STATE_COMING)
_SEE_COHORTS = (
    options_pb2.ROLE_MANAGER,
    options_pb2.ROLE_COACH,
    options_pb2.ROLE_ASSESSOR,
    options_pb2.ROLE_PLATFORM,
)


async def page(request: Request) -> Response:
    """Only what the person's roles are for."""
    session = await people.session_of(request)
    person, neighbours = people.person_of(session), request.app.state.neighbours
    evaluations: list[Any] = []
    plans: list[Any] = []
    duties: list[Any] = []
    cohorts: list[Any] = []
    if session.has(*REGION_ROLES) and session.institution:
        asked = duty_service_pb2.ListDutiesRequest(institution=session.institution)
        duties = list((await person.ask(neighbours.duties.ListDuties, asked)).duties)
    if (session.has(*REGION_ROLES) or session.of_agency) and session.institution:
        # The real ones, and those of the rehearsals that it is in at this moment.
        for realm in sorted({"", *(duty.rehearsal for duty in duties)}):
            evaluations += await _evaluations(person, neighbours, session, realm)
        listing = coaching_pb.ListPlansRequest(institution=session.institution)
        plans = await person.every(neighbours.coaching.ListPlans, listing, "plans")
    if session.has(*_SEE_COHORTS):
        listed = await person.ask(neighbours.program.ListCohorts, program_pb.ListCohortsRequest(page_size=_MOST))
        cohorts = list(listed.cohorts)
    dossiers = await dossier.assigned(person, neighbours) if session.has(options_pb2.ROLE_ASSESSOR) else []
    regions: list[Any] = []
    if session.has(options_pb2.ROLE_COACH):
        listed = await person.ask(neighbours.coached.ListCoachedRegions, assignment_pb.ListCoachedRegionsRequest())
        regions = sorted(listed.regions, key=lambda one: (not one.waits_for_me, not one.behind, one.institution))
    sent = shown.page(
        request,
        "work.html",
        session,
        script_draft=streamed.script("draft.js") if session.has(*REGION_ROLES) or session.of_agency else "",
        regions=regions,
        coaches=session.has(options_pb2.ROLE_COACH),
        dossiers=dossiers,
        assesses=session.has(options_pb2.ROLE_ASSESSOR),
        duties=[duty for duty in duties if duty.state in _STILL_OWED],
        until=lambda duty: shown.last_day(duty.deadline_time, duty.time_zone, shown.language_of(request)),
        day=lambda duty: shown.day(duty.open_time, duty.time_zone, shown.language_of(request)),
        evaluations=evaluations,
        plans=plans,
        cohorts=cohorts,
        of_region=session.has(*REGION_ROLES),
        sees_cohorts=session.has(*_SEE_COHORTS),
        launches=session.has(options_pb2.ROLE_MANAGER),
        open_state=_OPEN,
    )
    return streamed.with_script(sent)


async def _evaluations(person: Person, neighbours: Neighbours, session: Session, realm: str) -> list[Any]:
    """The region's own in one realm, open ones first; open ones with their answers."""
    request = service_pb2.ListEvaluationsRequest(institution=session.institution, rehearsal=realm, page_size=_MOST)
    listed = await person.ask(neighbours.instruments.ListEvaluations, request)
    found = []
    for evaluation in sorted(listed.evaluations, key=lambda e: (e.state != _OPEN, e.period, e.instrument)):
        whole = evaluation
        if evaluation.state == _OPEN:
            one = service_pb2.GetEvaluationRequest(evaluation_id=evaluation.id)
            whole = (await person.ask(neighbours.instruments.GetEvaluation, one)).evaluation
        found.append(whole)
    return found
