"""`livinglab cohort report` and `audit`: what a cohort came to, and who ordered what of it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.cohort import view
from cli.cohort.view import CohortId
from cli.speak.files import Force, new_file, write_file
from cli.speak.known import name_of
from cli.speak.language import word
from cli.speak.output import AsJson, print_json, say, table
from cli.speak.sentences import sentence

if TYPE_CHECKING:
    from livinglab.program.v1 import audit_service_pb2, report_service_pb2


def report(
    cohort_id: CohortId,
    as_json: AsJson = False,
    html: Annotated[
        Path | None, typer.Option("--html", help="Write it as one page, to read, send and print.", callback=new_file)
    ] = None,
    force: Force = False,
) -> None:
    """Tell what a cohort came to: attendance, duties, gains, leaps, follow-up, cost, targets."""
    from cli.cohort import page as cohort_page
    from cli.speak import connection

    found, entries = connection.run(_both(cohort_id))
    if html:
        write_file(html, cohort_page.page(found, entries), force=force)
    if as_json:
        print_json(as_dict(found))
    elif html:
        say(f"{html} is written")
    else:
        _show(found)


def audit(cohort_id: CohortId, as_json: AsJson = False) -> None:
    """Tell who ordered what of a cohort, when and why, oldest first."""
    from cli.speak import connection

    entries, zone = connection.run(_entries_and_zone(cohort_id))
    texts = ("actor", "command", "phase", "institution", "reason", "outcome", "request_id")
    if as_json:
        print_json([{"time": view.iso(e.time), **{name: getattr(e, name) for name in texts}} for e in entries])
        return
    rows = []
    for e in entries:
        about = " ".join(filter(None, (e.phase, e.institution)))
        rows.append((view.local_time(e.time, zone), e.actor, word(e.command), about, word(e.outcome), e.reason))
    table(["time", "who", "what", "of", "outcome", "why"], rows)


async def _both(cohort_id: str) -> "tuple[report_service_pb2.Report, list[audit_service_pb2.AuditEntry]]":
    from livinglab.program.v1 import report_service_pb2 as pb
    from livinglab.program.v1.report_service_pb2_grpc import ReportServiceStub

    from cli.speak import connection

    async with connection.connected("program", ReportServiceStub) as program:
        stub: Any = program
        found = (await stub.GetReport(pb.GetReportRequest(cohort_id=cohort_id))).report
    return found, await _entries(cohort_id)


async def _entries_and_zone(cohort_id: str) -> "tuple[list[audit_service_pb2.AuditEntry], str]":
    """With the zone in which the cohort's times are told."""
    from livinglab.program.v1 import service_pb2 as pb
    from livinglab.program.v1.service_pb2_grpc import ProgramServiceStub

    from cli.speak import connection

    async with connection.connected("program", ProgramServiceStub) as program:
        stub: Any = program
        cohort = (await stub.GetCohort(pb.GetCohortRequest(cohort_id=cohort_id))).cohort
    return await _entries(cohort_id), cohort.time_zone


async def _entries(cohort_id: str) -> "list[audit_service_pb2.AuditEntry]":
    from livinglab.program.v1 import audit_service_pb2 as pb
    from livinglab.program.v1.audit_service_pb2_grpc import AuditServiceStub

    from cli.speak import connection

    async with connection.connected("program", AuditServiceStub) as program:
        stub: Any = program
        return await connection.every_page(
            lambda token: stub.ListAudit(pb.ListAuditRequest(cohort_id=cohort_id, page_size=1000, page_token=token)),
            lambda page: page.entries,
        )


def as_dict(report: "report_service_pb2.Report") -> dict[str, Any]:
    """A report as programs read it; decimals are strings."""
    return {
        "cohort": view.as_dict(report.cohort),
        "phases": [
            {
                "phase": p.progress.phase,
                "invited": p.progress.invited,
                "done": p.progress.done,
                "attendance": [
                    {
                        "role": view.word(a, "role"),
                        "invited": a.invited,
                        "attended": a.attended,
                        "delegates": a.delegates,
                    }
                    for a in p.attendance
                ],
                "duties": [
                    {
                        "duty": d.duty,
                        "kind": view.word(d, "kind"),
                        "required": d.required,
                        "done": d.done,
                        "missed": d.missed,
                        "excused": d.excused,
                    }
                    for d in p.duties
                ],
            }
            for p in report.phases
        ],
        "gains": [_texts(gain) for gain in report.gains],
        "mean_before": report.mean_before,
        "mean_after": report.mean_after,
        "gained": report.gained,
        "leaps": report.leaps,
        "actions": report.actions,
        "actions_done": report.actions_done,
        "follow_up_share": report.follow_up_share,
        "costs": [_texts(line) for line in report.costs],
        "totals": {line.currency: line.total for line in report.totals},
        "targets": [
            {
                "index": t.target.index,
                "year": t.target.year,
                "scope": t.target.scope,
                "reached": t.reached,
                "assessed": t.assessed,
                "mean": t.mean,
            }
            for t in report.targets
        ],
        "made": view.iso(report.made_time),
    }


def _texts(message: Any) -> dict[str, Any]:
    """Every field of a message that holds texts and numbers only."""
    return {field.name: getattr(message, field.name) for field in message.DESCRIPTOR.fields}


def _show(found: "report_service_pb2.Report") -> None:
    titles = view.duty_titles(found.cohort)
    duties = [
        (
            view.phase_title(p.progress),
            titles.get(d.duty, d.duty),
            "yes" if d.required else "",
            str(d.done),
            str(d.missed),
            str(d.excused),
        )
        for p in found.phases
        for d in p.duties
    ]
    columns = ["phase", "duty", "required", "done", "missed", "excused"]
    table(columns, duties, title=view.title(found.cohort), right=["done", "missed", "excused"])
    came = [
        (view.phase_title(p.progress), view.word(a, "role"), str(a.invited), str(a.attended), str(a.delegates))
        for p in found.phases
        for a in p.attendance
    ]
    columns = ["phase", "role", "invited", "attended", "by delegate"]
    table(columns, came, title=word("attendance"), right=["invited", "attended", "by delegate"])
    rows = [
        (name_of(g.institution), f"{g.period_before} {g.before}", f"{g.period_after} {g.after}", g.gain)
        for g in found.gains
    ]
    if rows:
        table(["institution", "before", "after", "gain"], rows, title=word("gain"), right=["gain"])
    else:
        say(sentence("no_gain"))
    if found.mean_before:
        about = {"before": found.mean_before, "after": found.mean_after}
        say(sentence("mean", count=found.gained, leaps=found.leaps, **about))
    if found.actions:
        share = {"all": found.actions, "share": found.follow_up_share}
        say(sentence("follow_up", done=found.actions_done, **share))
    for t in found.targets:
        aim = {"index": t.target.index, "year": str(t.target.year), "scope": word(t.target.scope)}
        mean = sentence("target_mean", mean=t.mean) if t.mean else ""
        say(sentence("target", reached=t.reached, assessed=t.assessed, mean=mean, **aim))
    for line in found.totals:
        say(sentence("cost", currency=line.currency, total=line.total))
