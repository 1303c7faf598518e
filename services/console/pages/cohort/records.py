"""What a cohort has come to, who ordered what, and whom it has written to."""

from typing import Any

from livinglab.common.v1 import options_pb2
from livinglab.notify.v1 import service_pb2 as notify_pb
from livinglab.program.v1 import audit_service_pb2, report_service_pb2
from livinglab.program.v1 import service_pb2 as pb
from starlette.requests import Request
from starlette.responses import Response

from chassis.errors import denied
from services.console.pages import shell, shown
from services.console.session import people
from services.console.session.neighbours import Person
from services.console.session.sessions import Session

# Who may read what, so that links to the rest are not shown.
READS_RECORDS = (options_pb2.ROLE_MANAGER, options_pb2.ROLE_COACH, options_pb2.ROLE_PLATFORM)
READS_MESSAGES = (options_pb2.ROLE_MANAGER, options_pb2.ROLE_PLATFORM)
_MESSAGES = 100
_STATES = (1, 2, 3, 4, 5)


async def audit(request: Request) -> Response:
    """Who ordered what, when and why, newest first."""
    session, person, cohort = await _begun(request, *READS_RECORDS)
    asked = audit_service_pb2.ListAuditRequest(cohort_id=cohort.id)
    entries = await person.every(request.app.state.neighbours.audit.ListAudit, asked, "entries")
    return shown.page(request, "audit.html", session, cohort=cohort, entries=entries[::-1])


async def report(request: Request) -> Response:
    """Attendance, duties, gains, follow-up, cost and targets; as it stands, also while the cohort runs."""
    session, person, cohort = await _begun(request, *READS_RECORDS)
    asked = report_service_pb2.GetReportRequest(cohort_id=cohort.id)
    found = (await person.ask(request.app.state.neighbours.reports.GetReport, asked)).report
    return shown.page(request, "report.html", session, cohort=cohort, report=found)


async def messages(request: Request) -> Response:
    """What was written to whom, and whether it arrived; a page of it, of one state where the address names one."""
    session, person, cohort = await _begun(request, *READS_MESSAGES)
    notify, asked = request.app.state.neighbours.notify, request.query_params
    state = int(asked["state"]) if asked.get("state") in {str(one) for one in _STATES} else 0
    listing = notify_pb.ListMessagesRequest(
        cohort_id=cohort.id,
        state=notify_pb.MessageState.ValueType(state),
        page_size=_MESSAGES,
        page_token=asked.get("from", "")[:512],
    )
    listed = await person.ask(notify.ListMessages, listing)
    counted = await person.ask(notify.CountMessages, notify_pb.CountMessagesRequest(cohort_id=cohort.id))
    counts = {one: sum(c.count for c in counted.counts if c.state == one) for one in _STATES}
    onward = (
        shell.query(**{"state": str(state or ""), "from": listed.next_page_token}) if listed.next_page_token else ""
    )
    return shown.page(
        request,
        "messages.html",
        session,
        cohort=cohort,
        messages=listed.messages,
        counts=counts,
        state=state,
        onward=onward,
    )


async def _begun(request: Request, *roles: int) -> tuple[Session, Person, Any]:
    session = await people.session_of(request)
    if not session.has(*roles):
        raise denied("ROLE", "this page is for those who look after the cohort")
    person = people.person_of(session)
    asked = pb.GetCohortRequest(cohort_id=request.path_params["cohort"])
    return session, person, (await person.ask(request.app.state.neighbours.program.GetCohort, asked)).cohort
