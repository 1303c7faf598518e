"""`livinglab visit`: study visits: planned, accepted by the host, held with what they taught, called off."""

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.plan import follow_up
from cli.speak.codes import as_code
from cli.speak.output import AsJson, print_json, say, table

if TYPE_CHECKING:
    from livinglab.coaching.v1 import visit_pb2

app = typer.Typer(help="Study visits.", no_args_is_help=True)
follow_up.add_to(app)

VisitId = Annotated[str, typer.Argument(metavar="VISIT", help="Id of the visit.")]
Cohort = Annotated[str, typer.Option("--cohort", metavar="ID", help="The cohort in whose course it is.")]

# 10,35-2=The text
_LESSON = re.compile(
    r"\s*(?P<indicators>[A-Za-z]?\d[\w.-]*(?:\s*,\s*[A-Za-z]?\d[\w.-]*)*)\s*=\s*(?P<text>.*)", re.ASCII | re.DOTALL
)


@app.command()
def plan(
    host: Annotated[str, typer.Option("--host", metavar="CODE", parser=as_code, help="The institution to learn from.")],
    start: Annotated[str, typer.Option("--start", metavar="DATE", help="The first day, 2022-11-01.")],
    end: Annotated[str, typer.Option("--end", metavar="DATE", help="The last day; the first, unless named.")] = "",
    institution: Annotated[
        str, typer.Option("--institution", metavar="CODE", parser=as_code, help="The visitor; yours, unless named.")
    ] = "",
    cohort: Cohort = "",
    phase: Annotated[str, typer.Option("--phase", metavar="ID", help="The phase of the cohort.")] = "",
    rehearsal: Annotated[bool, typer.Option("--rehearsal", help="The cohort is a rehearsal.")] = False,
    visit: Annotated[str, typer.Option("--visit", metavar="ID", help="Change the days of this visit.")] = "",
    as_json: AsJson = False,
) -> None:
    """Plan a visit, or change the days of a planned one."""
    from livinglab.coaching.v1 import visit_service_pb2 as pb

    from cli.speak import connection

    request = pb.PlanVisitRequest(
        request_id=connection.new_request_id(),
        visit_id=visit,
        visitor=connection.own_institution(institution),
        host=host,
        cohort_id=cohort,
        phase=phase,
        start_date=start,
        end_date=end,
        rehearsal=cohort if rehearsal else "",
    )
    _told(_call("PlanVisit", request).visit, as_json)


@app.command()
def accept(visit_id: VisitId, as_json: AsJson = False) -> None:
    """Say, for the host, that a planned visit is welcome."""
    from livinglab.coaching.v1 import visit_service_pb2 as pb

    from cli.speak import connection

    request = pb.AcceptVisitRequest(request_id=connection.new_request_id(), visit_id=visit_id)
    _told(_call("AcceptVisit", request).visit, as_json)


@app.command()
def confirm(
    visit_id: VisitId,
    lesson: Annotated[
        list[str],
        typer.Option(
            "--lesson",
            metavar="[CODE,CODE=]TEXT",
            help="What it taught, with the indicators to copy; may be given several times.",
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Say that a visit took place, and what it taught."""
    from livinglab.coaching.v1 import visit_service_pb2 as pb

    from cli.speak import connection

    request = pb.ConfirmVisitHeldRequest(request_id=connection.new_request_id(), visit_id=visit_id)
    for one in lesson:
        found = _LESSON.fullmatch(one)
        if found:
            request.lessons.add(text=found["text"], indicators=re.split(r"\s*,\s*", found["indicators"]))
        else:
            request.lessons.add(text=one)
    _told(_call("ConfirmVisitHeld", request).visit, as_json)


@app.command()
def cancel(
    visit_id: VisitId,
    reason: Annotated[str, typer.Option("--reason", help="Why.")],
    as_json: AsJson = False,
) -> None:
    """Call a planned visit off."""
    from livinglab.coaching.v1 import visit_service_pb2 as pb

    from cli.speak import connection

    request = pb.CancelVisitRequest(request_id=connection.new_request_id(), visit_id=visit_id, reason=reason)
    _told(_call("CancelVisit", request).visit, as_json)


@app.command("list")
def list_visits(
    cohort: Cohort = "",
    institution: Annotated[
        str,
        typer.Option("--institution", metavar="CODE", parser=as_code, help="Visits of this institution, and to it."),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """List visits, those of a rehearsal by its cohort."""
    from livinglab.coaching.v1 import visit_service_pb2 as pb
    from livinglab.coaching.v1.visit_service_pb2_grpc import VisitServiceStub

    from cli.speak.connection import connected, every_page, run

    async def call() -> list[Any]:
        async with connected("coaching", VisitServiceStub) as visits:

            async def page(token: str) -> pb.ListVisitsResponse:
                return await visits.ListVisits(
                    pb.ListVisitsRequest(cohort_id=cohort, institution=institution, page_size=1000, page_token=token)
                )

            return await every_page(page, lambda found: found.visits)

    rows = [_as_dict(one) for one in run(call())]
    if as_json:
        print_json(rows)
        return
    columns = ["id", "visitor", "host", "start", "end", "phase", "state"]
    table(columns, [[row[key] for key in columns] for row in rows])


def _call(method: str, request: Any) -> Any:
    from livinglab.coaching.v1.visit_service_pb2_grpc import VisitServiceStub

    from cli.speak import connection

    return connection.call("coaching", VisitServiceStub, method, request)


def _told(visit: "visit_pb2.Visit", as_json: bool) -> None:
    row = _as_dict(visit)
    if as_json:
        print_json(row)
    else:
        say(f"{row['id']}: {row['visitor']} to {row['host']}, {row['start']} to {row['end']}, is {row['state']}")


def _as_dict(visit: "visit_pb2.Visit") -> dict[str, Any]:
    """A visit for programs."""
    from livinglab.coaching.v1 import visit_pb2

    return {
        "id": visit.id,
        "visitor": visit.visitor,
        "host": visit.host,
        "cohort": visit.cohort_id,
        "phase": visit.phase,
        "start": visit.start_date,
        "end": visit.end_date,
        "state": visit_pb2.VisitState.Name(visit.state).removeprefix("VISIT_STATE_").lower(),
        "lessons": [{"text": one.text, "indicators": list(one.indicators)} for one in visit.lessons],
        "confirmed_by": visit.confirmed_by,
        "reason": visit.reason,
        "rehearsal": visit.rehearsal,
    }
