"""`livinglab cohort`: check, launch, watch and steer cohorts."""

from typing import Annotated, Any

import typer

from cli.cohort import files, people, preview, standing, steering, view, watch
from cli.cohort import report as cohort_report
from cli.cohort.preview import DryRun
from cli.cohort.steering import RequestId
from cli.cohort.view import CohortId, Reason
from cli.speak.codes import as_code
from cli.speak.known import name_of
from cli.speak.language import word
from cli.speak.output import AsJson, print_json, say, table

app = typer.Typer(help="Cohorts: check, launch, watch, steer.", no_args_is_help=True)
app.command()(files.validate)
app.command()(files.launch)
app.command()(watch.watch)
for verb in [*steering.VERBS, *people.VERBS]:
    app.command()(verb)
app.command()(cohort_report.report)
app.command()(cohort_report.audit)
app.command()(standing.calendar)


@app.command("list")
def list_cohorts(as_json: AsJson = False) -> None:
    """List the cohorts, newest first."""
    from livinglab.program.v1 import service_pb2 as pb
    from livinglab.program.v1.service_pb2_grpc import ProgramServiceStub

    from cli.speak import connection

    async def call() -> list[Any]:
        async with connection.connected("program", ProgramServiceStub) as program:
            stub: Any = program
            return await connection.every_page(
                lambda token: stub.ListCohorts(pb.ListCohortsRequest(page_size=100, page_token=token)),
                lambda page: page.cohorts,
            )

    cohorts = connection.run(call())
    if as_json:
        print_json([view.as_dict(cohort) for cohort in cohorts])
        return
    rows = [
        (
            c.id,
            view.kind(c),
            view.word(c, "state"),
            view.counts(c),
            view.local_time(c.launch_time, c.time_zone),
            view.local_time(c.end_time, c.time_zone),
        )
        for c in cohorts
    ]
    table(["cohort", "kind", "state", "participants", "launched", "ended"], rows)


@app.command()
def status(cohort_id: CohortId, as_json: AsJson = False) -> None:
    """Show a cohort as it stands."""
    from livinglab.program.v1 import service_pb2 as pb

    view.show(_call("GetCohort", pb.GetCohortRequest(cohort_id=cohort_id)).cohort, as_json)


@app.command()
def participants(cohort_id: CohortId, as_json: AsJson = False) -> None:
    """List the participants of a cohort with what they have done and what they lack."""
    from cli.speak import connection

    cohort, found = connection.run(people.cohort_and_participants(cohort_id))
    if as_json:
        print_json(
            [
                {
                    "institution": p.institution,
                    "state": view.word(p, "state"),
                    "duties": list(p.duties),
                    "missing": list(p.missing),
                    "reason": p.reason,
                    "problems": list(p.problems),
                    "excused": list(p.excused),
                    "moved_to": p.moved_to,
                    "enrolled": view.iso(p.enrol_time) if p.HasField("enrol_time") else None,
                }
                for p in found
            ]
        )
        return
    titles = view.duty_titles(cohort)
    rows = [
        (
            p.institution,
            name_of(p.institution),
            view.word(p, "state"),
            str(len(p.duties)),
            "; ".join(titles.get(duty, duty) for duty in p.missing),
            "; ".join(filter(None, [p.reason, *(f"{word('problem')}: {problem}" for problem in p.problems)])),
        )
        for p in found
    ]
    table(["code", "institution", "state", "done", "missing", "why"], rows, right=["done"])


@app.command()
def withdraw(
    cohort_id: CohortId,
    institution: Annotated[
        str, typer.Argument(metavar="INSTITUTION", parser=as_code, help="The code of a participant.")
    ],
    reason: Reason,
    request_id: RequestId = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Take a participant out of a cohort."""
    from livinglab.program.v1 import service_pb2 as pb

    from cli.speak import connection

    request = pb.WithdrawParticipantRequest(
        request_id=request_id or connection.new_request_id(),
        cohort_id=cohort_id,
        institution=institution,
        reason=reason,
        validate_only=dry_run,
    )
    answer = _call("WithdrawParticipant", request)
    if dry_run:
        preview.show(answer.preview, as_json)
        return
    _done({"cohort": cohort_id, "institution": institution, "reason": reason}, as_json, f"{institution} is withdrawn")


@app.command()
def cancel(
    cohort_id: CohortId, reason: Reason, request_id: RequestId = "", dry_run: DryRun = False, as_json: AsJson = False
) -> None:
    """End a cohort before its time: everybody still in it is withdrawn."""
    from livinglab.program.v1 import service_pb2 as pb

    from cli.speak import connection

    name = request_id or connection.new_request_id()
    request = pb.CancelCohortRequest(request_id=name, cohort_id=cohort_id, reason=reason, validate_only=dry_run)
    answer = _call("CancelCohort", request)
    if dry_run:
        preview.show(answer.preview, as_json)
        return
    _done({"cohort": cohort_id, "reason": reason}, as_json, f"{cohort_id} is being cancelled")


def _call(method: str, request: Any) -> Any:
    from livinglab.program.v1.service_pb2_grpc import ProgramServiceStub

    from cli.speak import connection

    return connection.call("program", ProgramServiceStub, method, request)


def _done(report: dict[str, str], as_json: bool, sentence: str) -> None:
    if as_json:
        print_json(report)
    else:
        say(sentence)
